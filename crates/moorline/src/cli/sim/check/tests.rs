use std::time::Duration;

use moorline_sim::check::{Bounds, Checked, Counterexample, Step, Verdict};
use moorline_sim::scenario::Scenario;
use moorline_sim::{Plan, Rule, Sabotage, Violation, run_plan};

use super::{Kept, Searched, keep};
use crate::cli::exit::Exit;

fn searched(verdict: Verdict) -> Searched {
    let bounds: Bounds = "w2-t1-b1".parse().unwrap();
    let checked = Checked {
        bounds,
        states: 1_204,
        steps: 4_021,
        done: 17,
        depth: 21,
        bytes: 90_000,
        frontier: 33,
        verdict,
    };
    Searched { checked, took: Duration::from_millis(1_260) }
}

fn way(violation: Option<Violation>) -> Counterexample {
    let steps = vec![Step::Wake { worker: 0 }, Step::Open { worker: 0, wire: 0 }, Step::Commit];
    let bounds = "w2-t1-b1".parse().unwrap();
    Counterexample { bounds, steps, violation }
}

#[test]
fn what_a_search_comes_to_reads_as_it_was_reviewed() {
    let broken = Violation::new(Rule::RanTwice, "t0 runs in w0 and in w1");
    let all = [
        Verdict::Holds,
        Verdict::Stopped,
        Verdict::Broken(way(Some(broken))),
        Verdict::Trapped(way(None)),
    ];
    let texts = all.map(|verdict| {
        let searched = searched(verdict);
        let replay = searched.replay(Duration::from_secs(60));
        format!("{}\n{replay}\n{}\n", searched.text(), searched.json())
    });
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn each_verdict_has_an_exit_code_of_its_own_kind() {
    let exit = |verdict| searched(verdict).exit();
    let broken = |rule| Verdict::Broken(way(Some(Violation::new(rule, "so"))));
    assert_eq!(exit(Verdict::Holds), Exit::Done);
    assert_eq!(exit(Verdict::Stopped), Exit::NotMet);
    assert_eq!(exit(broken(Rule::RanTwice)), Exit::Safety);
    assert_eq!(exit(broken(Rule::Panic)), Exit::Panicked);
    assert_eq!(exit(Verdict::Trapped(way(None))), Exit::Liveness);
}

#[test]
fn what_is_found_is_kept_as_a_scenario_that_breaks_the_same_promise() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("a b.toml");
    let plan = Plan { sabotage: Some(Sabotage::StoreRepeats), ..Plan::new(3) };
    let failure = run_plan(plan.clone()).unwrap_err();
    let way = way(Some(failure.violation.clone()));
    let Kept::Scenario { text, replay } = keep(&path, &way, Ok(plan)).unwrap() else {
        panic!("the plan breaks it");
    };
    assert_eq!(replay, format!("moorline sim run --scenario '{}'", path.display()));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    let scenario = Scenario::parse(&text).unwrap();
    assert_eq!(scenario.outcome, None, "it is to keep every promise one day");
    assert!(scenario.about.starts_with("Found by a search of w2-t1-b1:\n  1. w0 dials\n"));
    assert!(scenario.about.ends_with(&failure.violation.to_string()), "{}", scenario.about);
    assert_eq!(run_plan(scenario.plan), Err(failure));
}

#[test]
fn a_way_that_the_simulator_does_not_go_is_not_kept_and_that_is_said() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("none.toml");
    let way = way(None);
    let Kept::Nothing { why } = keep(&path, &way, way.plan()).unwrap() else {
        panic!("nothing is wrong on this way");
    };
    assert!(why.starts_with("the simulator does not go this way: it keeps every promise"), "{why}");
    assert!(!path.exists());
}
