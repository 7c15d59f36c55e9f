use std::time::Duration;

use moorline_sim::scenario::Scenario;
use moorline_sim::{Plan, Sabotage, run_plan};

use super::Finds;

fn broken(seed: u64) -> Plan {
    Plan { sabotage: Some(Sabotage::StoreRepeats), ..Plan::new(seed) }
}

#[test]
fn a_failure_is_kept_as_a_scenario_that_fails_in_the_same_way() {
    let failure = run_plan(broken(3)).unwrap_err();
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("new");
    let path = Finds::new(&directory, Duration::ZERO).keep(broken(3), &failure).unwrap();
    assert!(path.ends_with("new/seed-3.toml"));
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
    let scenario = Scenario::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(scenario.outcome, None, "it is to keep every promise one day");
    assert!(scenario.about.contains(&failure.violation.words), "{}", scenario.about);
    assert_eq!(run_plan(scenario.plan), Err(failure));
}

#[test]
fn the_first_that_breaks_a_rule_comes_small_with_a_picture_and_a_story() {
    let home = tempfile::tempdir().unwrap();
    let mut finds = Finds::new(home.path(), Duration::from_secs(60));
    let seeds = (0..).map(|seed| (seed, run_plan(broken(seed))));
    let mut failures = seeds.filter_map(|(seed, result)| Some((seed, result.err()?)));
    let (first, failure) = failures.next().unwrap();
    let path = finds.keep(broken(first), &failure).unwrap();
    assert_eq!(path, home.path().join(format!("seed-{first}-small.toml")));
    let read = |end: &str| std::fs::read_to_string(path.with_extension(end)).unwrap();
    let small = Scenario::parse(&read("toml")).unwrap();
    assert!(small.plan.present().count() <= broken(first).workers.len());
    assert!(small.about.contains(&format!("Shrunk from seed {first}. ")), "{}", small.about);
    let again = run_plan(small.plan).unwrap_err();
    assert_eq!(again.violation.rule, failure.violation.rule);
    assert!(read("html").contains("<script"));
    let story = read("txt");
    assert!(story.contains(" run in ") && story.contains("led to it, step by step"), "{story}");
    // The next one that breaks the same rule is told, and not looked at as closely.
    let (second, failure) =
        failures.find(|(_, other)| other.violation.rule == failure.violation.rule).unwrap();
    let path = finds.keep(broken(second), &failure).unwrap();
    assert_eq!(path, home.path().join(format!("seed-{second}.toml")));
    assert!(!path.with_extension("html").exists());
}
