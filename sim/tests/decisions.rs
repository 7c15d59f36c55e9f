//! A run is its plan and the decisions that were not benign.

use moorline_sim::{Base, Plan, Run, Site, run_plan};

#[test]
fn a_run_is_repeated_by_its_decisions_alone() {
    for seed in 0..60 {
        let plan = Plan::new(seed);
        let outcome = Run::new(plan.clone()).with_decisions().go();
        let first = outcome.result.unwrap_or_else(|failure| panic!("\n{failure}"));
        let explicit = Plan { base: Base::Benign, decisions: outcome.decisions, ..plan };
        let again = run_plan(explicit).unwrap_or_else(|failure| panic!("\n{failure}"));
        assert_eq!(first, again, "seed {seed}");
    }
}

#[test]
fn without_a_decision_every_packet_is_as_fast_as_it_can_be() {
    for seed in 0..60 {
        let plan = Plan { base: Base::Benign, ..Plan::new(seed) };
        let outcome = Run::new(plan).with_decisions().go();
        outcome.result.unwrap_or_else(|failure| panic!("\n{failure}"));
        assert_eq!(outcome.decisions, []);
    }
}

#[test]
fn a_decision_that_is_laid_down_moves_no_other() {
    let plan = Plan::new(3);
    let taken = |plan: &Plan| Run::new(plan.clone()).with_decisions().go().decisions;
    let before = taken(&plan);
    // The last latency that was drawn: nothing after it depends on how long that packet took, or
    // very little.
    let mut decision = *before.iter().rfind(|decision| decision.site == Site::Latency).unwrap();
    decision.value = 0;
    let after = taken(&Plan { decisions: vec![decision], ..plan });
    let same = before.iter().zip(&after).take_while(|(one, other)| one == other).count();
    assert!(same + 40 > before.len(), "{same} of {}", before.len());
    assert!(!after.contains(before.iter().rfind(|d| d.site == Site::Latency).unwrap()));
}
