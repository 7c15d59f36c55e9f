//! A way through a searched world is one that the simulator can go.

use moorline_link::Lane;

use super::{Replay, end_of, replay, with_early_expiries};
use crate::check::Bounds;
use crate::check::explore::Space;
use crate::check::model::Model;
use crate::check::step::Step;
use crate::decide::{Decide, Draws, Site};
use crate::scenario;

/// Any way through this world, until nothing is left to do or nothing can happen any more.
fn walk(model: &Model, seed: u64) -> Vec<Step> {
    let draws = Draws::new(seed);
    let mut here = model.first();
    let mut way = Vec::new();
    for k in 0..200 {
        let steps = model.steps(&here);
        let at = draws.draw(Site::Plan, 0, k, steps.len() as u64);
        let Some(step) = usize::try_from(at).ok().and_then(|at| steps.get(at)) else { break };
        here = model.take(&here, step).expect("no promise is broken");
        way.push(*step);
        if model.is_done(&here) {
            break;
        }
    }
    way
}

const WALKS: u64 = 60;

/// Worlds, and how many of so many ways the simulator goes step by step at least. What it cannot do yet:
/// tell one end of a connection that broke while what it sent is still to arrive (`b`), have a dial outlive
/// the coordinator that it was meant for (`r`). And where a timer of the coordinator runs out, heartbeats
/// are due meanwhile.
const WORLDS: [(&str, usize); 7] = [
    ("w1-t1", 60),
    ("w1-t1-e1", 60),
    ("w1-t2-s2-f1-x1", 60),
    ("w1-t1-c1", 60),
    ("w1-t1-b1", 50),
    ("w1-t1-r1", 40),
    ("w2-t2-l1-b1-c1-e1-r1-f1-x1", 25),
];

#[test]
fn the_simulator_goes_any_way_and_keeps_every_promise() {
    for (text, least) in WORLDS {
        let bounds: Bounds = text.parse().expect("the letters of a world");
        let model = Model::new(bounds);
        let mut followed = 0;
        for seed in 0..WALKS {
            let way = walk(&model, seed);
            let Replay { plan, outcome, strays_at } = replay(&model, &way);
            outcome.unwrap_or_else(|failure| panic!("{text}, walk {seed}: {failure}\n{plan:?}"));
            followed += usize::from(strays_at.is_none());
            let again = scenario::parse(&scenario::to_text(&plan)).expect("a scenario");
            assert_eq!(again, plan, "{text}, walk {seed}: as a file it is another plan");
        }
        assert!(followed >= least, "{text}: {followed} of {WALKS}");
    }
}

#[test]
fn a_step_that_does_not_happen_is_noticed() {
    let model = Model::new(Bounds::default());
    let mut way = walk(&model, 0);
    // Nothing is wanted that could become durable.
    way.insert(0, Step::Commit);
    let Replay { outcome, strays_at, .. } = replay(&model, &way);
    assert!(outcome.is_ok());
    assert_eq!(strays_at, Some(1));
}

#[test]
fn a_timer_that_runs_out_does_so_before_what_need_not_wait_for_it() {
    let bounds: Bounds = "w1-t1-b1-e1".parse().expect("the letters of a world");
    let model = Model::new(bounds);
    let (worker, wire) = (0, 0);
    let lane = Lane::C;
    // It is registered, and its connection breaks. It is given up when it has dialled again.
    let mut way = vec![
        Step::Wake { worker },
        Step::Open { worker, wire },
        Step::Up { worker, wire, lane },
        Step::Down { worker, wire, lane },
        Step::Cut { worker, wire },
        Step::TellWorker { worker, wire },
        Step::TellCoordinator { worker, wire },
        Step::Wake { worker },
        Step::Open { worker, wire },
    ];
    let before = way.len();
    way.push(Step::Expire);
    let end = end_of(&model, &way).expect("a way");
    let early = with_early_expiries(&model, &way);
    assert_eq!(end_of(&model, &early), Some(end));
    let at = early.iter().position(|step| *step == Step::Expire);
    assert_eq!(at, Some(before - 2), "{early:?}");
    // Without one nothing changes; and what is no way leads nowhere.
    assert_eq!(with_early_expiries(&model, &way[..before]), way[..before]);
    assert_eq!(end_of(&model, &[Step::Expire]), None);
}
