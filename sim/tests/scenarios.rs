//! Scenarios as files: each comes to what it says, and what is to happen on the way happens in time.
//!
//! `scenarios/` has those of the systems that moorline replaces and one of credentials, `regressions/` those in which a promise
//! was broken once.

use std::path::{Path, PathBuf};

use moorline_sim::scenario::Scenario;

/// The scenario files of a directory.
fn files(directory: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let entries = std::fs::read_dir(&directory).expect("the directory is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let mut files: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    files.sort();
    files
}

/// What is wrong with a run of a file; nothing if all is as it says.
fn wrong(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).expect("it can be read");
    let scenario = match Scenario::parse(&text) {
        Ok(scenario) => scenario,
        Err(errors) => {
            let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
            return Some(errors.join("\n"));
        }
    };
    let (_, wrong) = scenario.play();
    (!wrong.is_empty()).then(|| wrong.join("\n"))
}

fn check(directory: &str) -> usize {
    let files = files(directory);
    let wrong: Vec<String> = files
        .iter()
        .filter_map(|path| Some(format!("{}:\n{}", path.display(), wrong(path)?)))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
    files.len()
}

#[test]
fn the_scenarios_of_the_five_systems_go_as_they_were_told() {
    assert_eq!(check("scenarios"), 12);
}

#[test]
fn what_was_broken_once_is_not_broken_again() {
    check("regressions");
}

#[test]
fn every_scenario_is_read_as_it_is_written_again() {
    for path in files("scenarios").into_iter().chain(files("regressions")) {
        let text = std::fs::read_to_string(&path).expect("it can be read");
        let scenario = Scenario::parse(&text).expect("it is one");
        assert!(!scenario.about.is_empty(), "{} says what it is about", path.display());
        assert_eq!(Scenario::parse(&scenario.to_text()), Ok(scenario), "{}", path.display());
    }
}
