//! A whole small world: coordinator, workers, clients, network and disk, as the bytes decide.

use std::cell::Cell;

use moorline_sim::{Decide, FromBytes, Mode, Plan, Run, Site};

/// The bytes of the plan; what follows decides on the way.
const PLAN: usize = 192;

/// Draws an honest plan by the bytes, and runs it: every promise must be kept.
pub fn world(bytes: &[u8]) {
    run(bytes, Mode::Honest);
}

/// The same with a hostile plan: what does not depend on others must be kept.
pub fn world_hostile(bytes: &[u8]) {
    run(bytes, Mode::Hostile);
}

fn run(bytes: &[u8], mode: Mode) {
    let (plan, way) = bytes.split_at(bytes.len().min(PLAN));
    let plan = Plan::draw(0, mode, &FromBytes::new(plan));
    let decisions = Way { bytes: way.to_vec(), at: Cell::new(0) };
    let outcome = Run::new(plan).decided_by(Box::new(decisions)).go();
    if let Err(failure) = outcome.result {
        panic!("{failure}");
    }
}

/// Decisions on the way: one byte each, scaled to what is asked for; benign when there are no more.
#[derive(Debug)]
struct Way {
    bytes: Vec<u8>,
    at: Cell<usize>,
}

impl Decide for Way {
    fn draw(&self, _site: Site, _entity: u64, _k: u64, bound: u64) -> u64 {
        let at = self.at.get();
        let Some(byte) = self.bytes.get(at) else { return 0 };
        self.at.set(at + 1);
        let scaled = u128::from(*byte) * u128::from(bound) / 256;
        u64::try_from(scaled).unwrap_or(0)
    }
}
