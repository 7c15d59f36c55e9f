use std::time::Duration;

use super::mutant::{self, Mutant};
use super::reasons::Reasons;
use super::report;
use super::state::{Fate, State};
use super::{Asked, among, duration, parse};

const SOURCE: &str = "fn one(é: u8) -> u8 {\n    é + 1\n}\nfn two(é: u8) -> u8 {\n    é + 1\n}\n";

fn list() -> String {
    let one = |line: usize, replacement: &str| {
        format!(
            r#"{{"package": "moorline-link", "file": "crates/link/src/x.rs",
            "name": "crates/link/src/x.rs:{line}:7: replace + with {replacement} in f",
            "span": {{"start": {{"line": {line}, "column": 7}}, "end": {{"line": {line}, "column": 8}}}},
            "replacement": "{replacement}"}}"#
        )
    };
    format!("[{}, {}, {}]", one(2, "-"), one(5, "-"), one(5, "*"))
}

fn mutants() -> Vec<Mutant> {
    mutant::read(&list(), |_| Ok(SOURCE.to_owned())).unwrap()
}

#[test]
fn a_mutant_changes_its_place_and_nothing_else() {
    let changed = mutants()[1].changed(SOURCE).unwrap();
    let (one, two) = SOURCE.split_at(SOURCE.find("fn two").unwrap());
    assert_eq!(changed, [one, &two.replace("+ 1", "- 1")].concat());
    assert!(mutants()[2].changed("short").is_err(), "the file is another one");
}

#[test]
fn a_mutant_is_known_again_when_lines_are_written_above_it_and_differs_from_its_twin() {
    let keys: Vec<String> = mutants().into_iter().map(|mutant| mutant.key).collect();
    assert_ne!(keys[0], keys[1]);
    let moved = list().replace("x.rs:2:", "x.rs:12:").replace("\"line\": 2", "\"line\": 12");
    let source = format!("{}{SOURCE}", "\n".repeat(10));
    let again = mutant::read(&moved, |_| Ok(source.clone())).unwrap();
    assert_eq!(again[0].key, keys[0]);
}

/// A list of what has changed counts those alike from one.
#[test]
fn a_mutant_of_what_has_changed_is_not_taken_for_its_twin() {
    let all = mutants();
    let changed = list().replace(&list()[1..list().find("}, {").unwrap() + 3], "");
    let changed = mutant::read(&changed, |_| Ok(SOURCE.to_owned())).unwrap();
    assert_eq!((changed.len(), &changed[0].key), (2, &all[0].key), "as if it were the first");
    assert_eq!(among(&all, &changed), all[1..]);
}

#[test]
fn what_is_known_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.json");
    let mutants = mutants();
    let caught = Fate::Caught { program: "link/lane".into(), test: "a_test".into(), seconds: 7 };
    let mut state = State::load(&file).unwrap();
    state.put(&mutants[0], caught.clone()).unwrap();
    state.put(&mutants[1], Fate::Missed).unwrap();
    let state = State::load(&file).unwrap();
    assert_eq!(state.of(&mutants[0]), Some(&caught));
    assert_eq!(state.of(&mutants[1]), Some(&Fate::Missed));
    assert_eq!(state.of(&mutants[2]), None);
    assert_eq!(state.caught_by("link/lane", "crates/link/src/x.rs"), 1);
    assert_eq!(state.caught_by("link/lane", "crates/link/src/y.rs"), 0);
}

#[test]
fn what_is_written_down_in_the_repository_is_known_on_another_machine() {
    let folder = tempfile::tempdir().unwrap();
    let mutants = mutants();
    let mut state = State::load(&folder.path().join("one.json")).unwrap();
    let caught =
        |test: &str| Fate::Caught { program: "link/lane".into(), test: test.into(), seconds: 0 };
    state.put(&mutants[0], caught("a_test")).unwrap();
    state.put(&mutants[1], Fate::TimedOut { program: "link/unit".into() }).unwrap();
    let written = state.known(&mutants);
    let mut other = State::load(&folder.path().join("other.json")).unwrap();
    other.put(&mutants[1], Fate::Survived).unwrap();
    other.join(&mutants, &written).unwrap();
    assert_eq!(other.of(&mutants[0]), Some(&caught("")), "without what nobody asks for");
    assert_eq!(other.of(&mutants[1]), Some(&Fate::Survived), "it is known better here");
    assert_eq!(other.of(&mutants[2]), None);
    assert!(other.join(&mutants, "0123456789abcdef vanished").is_err());
}

#[test]
fn a_line_that_only_a_planted_bug_has_is_no_mutant() {
    let planted = SOURCE.replace("fn two(é: u8) -> u8 {", "#[cfg(moorline_planted = \"SAFE-1\")]");
    let left = mutant::read(&list(), |_| Ok(planted.clone())).unwrap();
    assert_eq!(left.len(), 1);
}

#[test]
fn the_table_counts_each_mutant_once_and_names_what_survives_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = State::load(&folder.path().join("state.json")).unwrap();
    let mutants = mutants();
    let program = "link/lane".to_owned();
    state.put(&mutants[0], Fate::TimedOut { program }).unwrap();
    state.put(&mutants[1], Fate::Survived).unwrap();
    state.put(&mutants[2], Fate::Survived).unwrap();
    let reasons = "[[equivalent]]\nfile = 'crates/link/src/x.rs'\nwhat = 'replace + with * in f'\nline = 'é + 1'\nwhy = 'it is one'";
    let reasons = Reasons::parse(reasons).unwrap();
    let text = report::write(&mutants, &state, &reasons, &["x.rs"]);
    assert!(text.contains("| all | 3 | 0 | 0 | 0 | 1 | 1 | 1 | 50.0 % |"), "{text}");
    assert!(text.contains("| `link/src/x.rs:5` | `replace + with * in f` | it is one |"), "{text}");
    assert!(
        text.contains("| `link/src/x.rs:5` | `replace + with - in f` | *to be tested* |"),
        "{text}"
    );
}

#[test]
fn a_reason_without_a_word_why_is_refused() {
    let wrong = "[[equivalent]]\nfile = 'a'\nwhat = 'b'\nline = 'c'\nwhy = ' '";
    assert!(Reasons::parse(wrong).unwrap_err().to_string().contains("without why"));
}

#[test]
fn only_what_makes_sense_is_understood() {
    let asked = |line: &str| parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
    let expected =
        Asked { shard: Some((2, 3)), time: Some(Duration::from_secs(300)), ..Asked::default() };
    assert_eq!(asked("--shard 2/3 --time 5m"), Ok(expected));
    let base =
        |base: &str| Ok(Asked { in_diff: Some(base.into()), again: true, ..Asked::default() });
    assert_eq!(asked("--in-diff main --again"), base("main"));
    assert_eq!(asked("--in-diff --again"), base("origin/main"));
    for wrong in
        ["--shard 0/3", "--shard 4/3", "--shard 1", "--time 5", "--time 0s", "--file", "all"]
    {
        assert!(asked(wrong).is_err(), "{wrong}");
    }
    assert_eq!(duration("2h"), Ok(Duration::from_secs(7_200)));
}

#[test]
fn what_was_changed_is_measured_anew_and_nothing_else() {
    let concerns = super::suite::concerns;
    assert!(concerns("crates/link/tests/lane.rs", "link/lane"));
    assert!(!concerns("crates/link/tests/lane.rs", "link/backoff"));
    assert!(!concerns("crates/link/tests/lane.rs", "work/lane"));
    assert!(concerns("crates/link/tests/support/walk.rs", "link/link_laws"));
    assert!(concerns("crates/link/src/lane.rs", "work/dispatcher_laws"));
    assert!(!concerns("docs/mutants.md", "link/lane"));
    assert!(!concerns("crates/driver/src/lib.rs", "link/lane"));
}
