use std::path::Path;

use super::{Named, built, is_proof, missing, pitfalls, promises, resolve, tests_in};

fn named(file: &str, test: &str) -> Named {
    Named { file: file.into(), test: test.into() }
}

#[test]
fn a_test_is_a_link_with_its_name_and_its_file() {
    let text = "see [`it_works`](../crates/a/tests/b.rs), [`Type`](x.md) and `c` ([d](e.rs))";
    assert_eq!(tests_in(text, Path::new("docs")), [named("crates/a/tests/b.rs", "it_works")]);
    assert_eq!(resolve(Path::new(""), "./sim/tests/seeds.rs"), "sim/tests/seeds.rs");
}

#[test]
fn an_item_without_a_test_needs_a_reason() {
    assert!(is_proof("what | [`it_works`](../a.rs)"));
    assert!(is_proof("what | *later*: it comes with checkpoints"));
    assert!(!is_proof("what | *later*"));
    assert!(!is_proof("what | it_works"));
}

#[test]
fn items_that_are_missing_twice_there_or_unproved_are_found() {
    let text = "| P01 | x | [`t`](../a.rs) |\n| P02 | x | |\n| P03 | x | *note*: only advice |\n\
                | P03 | x | *note*: only advice |\n";
    let items = ["P01", "P02", "P03", "P04"].map(String::from);
    let wrong = missing("d", text, &items);
    assert_eq!(wrong.len(), 3, "{wrong:?}");
    assert!(wrong[0].contains("P02") && wrong[1].contains("2 times") && wrong[2].contains("P04"));
}

#[test]
fn both_lists_have_all_their_items() {
    assert_eq!((pitfalls().len(), promises().len()), (82, 139));
    assert_eq!(pitfalls()[0], "P01");
    assert_eq!(promises().last().unwrap(), "E-16");
}

#[test]
fn a_test_counts_only_if_the_program_of_its_file_runs_it() {
    let this = "xtask/src/acceptance/tests.rs";
    let test = "a_test_counts_only_if_the_program_of_its_file_runs_it";
    let runs = built::of("xtask", "xtask/src/main.rs", &[test]);
    assert_eq!(runs.problem_with(&named(this, test)), None);
    let other = built::of("xtask", "xtask/tests/chores.rs", &[test]);
    assert!(other.problem_with(&named(this, test)).unwrap().contains("not run"));
    assert!(runs.problem_with(&named(this, "no_such")).unwrap().contains("no test"));
    assert!(runs.problem_with(&named("no/such.rs", test)).unwrap().contains("does not exist"));
}
