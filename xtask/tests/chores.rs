//! What the chores promise on the command line.

use std::process::{Command, Output};

fn xtask(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask")).args(args).output().unwrap()
}

#[test]
fn an_unknown_chore_is_a_usage_error_that_lists_those_there_are() {
    let output = xtask(&["polish"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    for chore in ["bench", "codegen", "diagrams", "e2e", "examples", "features", "no-std"] {
        assert!(said.contains(chore), "{said}");
    }
}
