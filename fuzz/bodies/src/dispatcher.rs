//! A dispatcher that is told whatever the bytes say, right or wrong.

#[allow(dead_code, unreachable_pub, reason = "shared with the tests of the crate")]
#[path = "../../../crates/work/tests/dispatcher_steps/mod.rs"]
mod steps;

use moorline_work::{DispatcherInput, DispatcherVerdict, Wake, WorkerId};
use steps::{Driver, START, Step};

use crate::source::Source;

/// Longer histories reach nothing new and cost much.
const MOST: usize = 400;

/// Tells a dispatcher what stores, workers and clients could, whether it makes sense or not. After each
/// step L1 to L4 hold, stale inputs change nothing (L10), and its views agree with each other.
pub fn dispatcher(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let mut driver = Driver::new(START);
    for _ in 0..MOST {
        let Some(([kind, who, flavour], advance)) = source.take().zip(source.short()) else {
            return;
        };
        let step = Step {
            kind,
            worker: who % 3,
            task: who / 3 % 5,
            attempt: who / 15 % 4,
            flavour,
            advance,
            polls: if who >= 240 { who - 240 } else { 60 },
        };
        let mut next = driver.clone();
        next.pass(step);
        for input in next.inputs(step) {
            let before = next.clone();
            if next.take(input) == DispatcherVerdict::Stale {
                assert_eq!(next, before, "L10");
            }
        }
        driver.step(step);
        laws(&driver);
    }
}

fn laws(driver: &Driver) {
    let dispatcher = &driver.dispatcher;
    assert_eq!(dispatcher.next_wake() == Wake::Now, driver.clone().poll().is_some(), "L1");
    let running: usize = (0..3).map(|worker| dispatcher.running(WorkerId(worker))).sum();
    assert_eq!(running, dispatcher.leases().count());
    assert_eq!(dispatcher.is_settled(), dispatcher.pending_ops() == 0);
    let undelivered = dispatcher.leases().filter(|lease| !lease.handed_over).count();
    assert_eq!(dispatcher.undelivered_in_all().0 as usize, undelivered);
    let mut drained = driver.clone();
    drained.drain();
    let before = drained.clone();
    assert_eq!(drained.poll(), None, "L3");
    assert_eq!(drained, before, "L3");
    let Some(deadline) = drained.dispatcher.next_wake().deadline() else { return };
    if deadline > drained.now {
        drained.dispatcher.handle(drained.now, DispatcherInput::Timeout);
        assert_eq!(drained, before, "L4");
    }
    let now = deadline.max(drained.now);
    drained.dispatcher.handle(now, DispatcherInput::Timeout);
    drained.drain();
    let next = drained.dispatcher.next_wake().deadline();
    assert!(next.is_none_or(|next| next > now), "L2: {next:?} at {now:?}");
}
