use std::fs;

use clap::Parser;

use super::{Args, Shape, tasks};
use crate::Code;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: Args,
}

fn args(line: &[&str]) -> Result<Args, clap::Error> {
    Command::try_parse_from(["submit"].iter().chain(line)).map(|command| command.args)
}

#[test]
fn the_input_is_sent_as_written() {
    let tasks = tasks(&args(&["sleep", "--input", r#"{"seconds":30}"#]).unwrap()).unwrap();
    assert_eq!(tasks.len(), 1);
    assert_eq!(&tasks[0].input[..], br#"{"seconds":30}"#);
    assert_eq!(tasks[0].kind, "sleep");
}

#[test]
fn a_count_makes_as_many_tasks_with_different_ids() {
    let line = ["echo", "--input", "a", "--count", "3", "--max-retries", "2", "--priority", "-1"];
    let tasks = tasks(&args(&line).unwrap()).unwrap();
    assert_eq!(tasks.len(), 3);
    assert_ne!(tasks[0].id, tasks[1].id);
    assert!(tasks.iter().all(|task| &task.input[..] == b"a"));
    assert!(tasks.iter().all(|task| (task.max_retries, task.priority) == (2, -1)));
}

#[test]
fn each_file_of_a_directory_makes_a_task_with_its_absolute_path() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("sub")).unwrap();
    fs::write(home.path().join("sub/b"), "").unwrap();
    fs::write(home.path().join("a"), "").unwrap();
    let line = ["hash", "--each", home.path().to_str().unwrap()];
    let tasks = tasks(&args(&line).unwrap()).unwrap();
    let inputs: Vec<_> = tasks.iter().map(|task| str::from_utf8(&task.input).unwrap()).collect();
    let expected = ["a", "sub/b"].map(|name| home.path().join(name).to_str().unwrap().to_owned());
    assert_eq!(inputs, expected);
}

#[test]
fn the_flags_decide_whether_one_object_or_an_array_is_printed() {
    let shape = |line: &[&str]| args(line).unwrap().shape();
    for line in [&["a"][..], &["a", "--input", "x"], &["a", "--wait"]] {
        assert_eq!(shape(line), Shape::One, "{line:?}");
    }
    // Also of one task, and with or without --wait.
    for line in
        [&["a", "--count", "1"][..], &["a", "--count", "1", "--wait"], &["a", "--each", "x"]]
    {
        assert_eq!(shape(line), Shape::List, "{line:?}");
    }
}

#[test]
fn an_input_file_is_read_as_it_is_and_one_that_is_missing_is_named() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("input");
    fs::write(&file, b"\xff\x00").unwrap();
    let given = args(&["a", "--input-file", file.to_str().unwrap()]).unwrap();
    assert_eq!(&tasks(&given).unwrap()[0].input[..], b"\xff\x00");
    fs::remove_file(&file).unwrap();
    let error = tasks(&given).unwrap_err();
    assert_eq!(error.code(), Code::INPUT_FILE);
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
}

#[test]
fn flags_that_contradict_each_other_are_a_usage_error() {
    let id = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let lines: [&[&str]; 6] = [
        &["a", "--input", "x", "--input-file", "y"],
        &["a", "--input", "x", "--each", "y"],
        &["a", "--count", "2", "--each", "y"],
        &["a", "--count", "2", "--id", id],
        &["a", "--count", "0"],
        &["a", "--id", "81"],
    ];
    for line in lines {
        assert_eq!(args(line).map(|_| ()).unwrap_err().exit_code(), 2, "{line:?}");
    }
    assert!(args(&["a", "--id", id]).is_ok());
}
