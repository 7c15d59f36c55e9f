//! What `cargo xtask codegen` makes of `proto/moorline/worker/v1/worker.proto`: do not edit.

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::wildcard_enum_match_arm,
    dead_code,
    reason = "generated; packets are written frame by frame, so `Packet` serves the tests alone"
)]
#[rustfmt::skip]
pub(crate) mod worker;

#[allow(dead_code, reason = "generated; the walk of a packet itself keeps its place")]
#[rustfmt::skip]
pub(crate) mod shapes;
