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

mod admin;
mod backoff;
mod certificate;
mod dispatcher;
mod dispatcher_model;
mod endpoint;
mod hub;
mod link;
mod runner;
mod scenario;
mod source;
mod wire;
mod world;

pub use admin::admin_request;
pub use backoff::backoff;
pub use certificate::certificate;
pub use dispatcher::dispatcher;
pub use dispatcher_model::dispatcher_model;
pub use endpoint::endpoint;
pub use hub::hub;
pub use link::link;
pub use moorline::fuzzing::{chaos_script, config};
pub use moorline_grpc::fuzzing::grpc_messages;
pub use moorline_quic::fuzzing::quic_lane;
pub use moorline_websocket::fuzzing::{
    proxy_url, websocket_answer, websocket_frames, websocket_head,
};
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
    ("admin_request", admin_request),
    ("certificate", certificate),
    ("chaos_script", chaos_script),
    ("endpoint", endpoint),
    ("grpc_messages", grpc_messages),
    ("proxy_url", proxy_url),
    ("quic_lane", quic_lane),
    ("websocket_answer", websocket_answer),
    ("websocket_frames", websocket_frames),
    ("websocket_head", websocket_head),
];
