//! What only the inside can show: the laws over random walks, with every cache compared with a full
//! scan after every step, and sizes. Behaviour as sentences is in `tests/hub_*.rs`.

mod laws;
mod walk;

/// The walk is shared with the fuzz targets, which see this crate from outside.
use crate as link;

use super::connection::Connection;
use super::lanes::Lanes;
use super::member::Member;
use super::session::Session;
use alloc::collections::VecDeque;
use core::mem::size_of;

use crate::{ConnId, WorkerId};

/// The integers of the four lanes are boxed, because only few inputs of an idle worker touch them.
/// The headers of the two outgoing queues are part of that box and not counted.
#[test]
fn a_session_takes_at_most_256_bytes_and_the_integers_of_its_lanes_320() {
    assert!(size_of::<Session>() <= 256, "{}", size_of::<Session>());
    let lanes = size_of::<Lanes>() - 2 * size_of::<VecDeque<u64>>();
    assert!(lanes <= 320, "{lanes}");
}

/// What a heartbeat looks at among a million lies in as few lines of the processor's caches as can be.
#[test]
fn a_connection_takes_at_most_two_lines_of_a_cache_and_a_worker_six() {
    let connection = size_of::<Option<(ConnId, Connection)>>();
    assert!(connection <= 2 * 64, "{connection}");
    let worker = size_of::<Option<(WorkerId, Member)>>();
    assert!(worker <= 6 * 64, "{worker}");
}
