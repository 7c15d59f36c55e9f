//! What the fuzz targets do with an input, apart from the engine that makes the inputs.
//!
//! Each function takes any bytes, and panics if something that must always hold does not. The targets in
//! `fuzz/fuzz_targets` call them under libFuzzer; `tests/replay.rs` calls them with everything in
//! `fuzz/corpus`, so that whatever fuzzing reached once is part of `cargo test`.
//!
//! ```
//! for (name, target) in moorline_fuzz::TARGETS {
//!     // No target minds an empty input.
//!     target(&[]);
//!     assert!(name.is_ascii());
//! }
//! ```

extern crate alloc;

mod backoff;
mod dispatcher;
mod dispatcher_model;
mod hub;
mod link;
mod runner;
mod scenario;
mod source;
mod wire;
mod world;

pub use backoff::backoff;
pub use dispatcher::dispatcher;
pub use dispatcher_model::dispatcher_model;
pub use hub::hub;
pub use link::link;
pub use moorline::fuzzing::config;
pub use runner::runner;
pub use scenario::scenario;
pub use wire::{wire_down, wire_up};
pub use world::{world, world_hostile};

/// What a target does with an input.
pub type Target = fn(&[u8]);

/// All targets, by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("backoff", backoff),
    ("wire_up", wire_up),
    ("wire_down", wire_down),
    ("link", link),
    ("hub", hub),
    ("dispatcher", dispatcher),
    ("dispatcher_model", dispatcher_model),
    ("runner", runner),
    ("world", world),
    ("world_hostile", world_hostile),
    ("config", config),
    ("scenario", scenario),
];
