//! The parts of a scenario, each with its keys.

pub(super) mod decisions;
pub(super) mod episodes;
pub(super) mod head;
pub(super) mod nodes;
pub(super) mod settings;
pub(super) mod workload;
