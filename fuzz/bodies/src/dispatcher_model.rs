//! The dispatcher between a reference store and scripted workers, with the bytes as what happens.

#[allow(dead_code, unreachable_pub, reason = "shared with the tests of the crate")]
#[path = "../../../crates/work/tests/dispatcher_model/checks.rs"]
mod checks;
#[allow(dead_code, unreachable_pub, reason = "shared with the tests of the crate")]
#[path = "../../../crates/work/tests/dispatcher_model/store.rs"]
mod store;
#[allow(dead_code, unreachable_pub, reason = "shared with the tests of the crate")]
#[path = "../../../crates/work/tests/dispatcher_model/worker.rs"]
mod worker;
#[allow(dead_code, unreachable_pub, reason = "shared with the tests of the crate")]
#[path = "../../../crates/work/tests/dispatcher_model/world.rs"]
mod world;

use world::{Dice, World};

use crate::source::Source;

/// Longer histories reach nothing new and cost much.
const MOST: usize = 400;

/// Runs the model of the dispatcher's tests: no task is lost, no result counts twice, and when nothing
/// goes wrong any more, everything ends. Two bytes are a step, whatever was rolled before it.
pub fn dispatcher_model(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let Some(seed) = source.byte() else { return };
    let mut world = World::new(u64::from(seed));
    for _ in 0..MOST {
        let Some(choice) = source.short() else { break };
        world.dice = Dice(0);
        world.step(u32::from(choice));
    }
    assert!(world.calm_down(), "it did not end: {:#?}", world.dispatcher);
}
