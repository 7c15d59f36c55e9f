use std::time::Duration;

use moorline_sim::check::{Bounds, Checked, Counterexample, Step, Verdict};
use moorline_sim::{Rule, Violation};

use super::Searched;
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
