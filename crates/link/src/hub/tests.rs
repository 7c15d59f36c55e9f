//! What only the inside can show: the laws over random walks, with every cache compared with a full
//! scan after every step, and sizes. Behaviour as sentences is in `tests/hub_*.rs`.

mod laws;
mod walk;

use super::lanes::Lanes;
use super::session::Session;
use alloc::collections::VecDeque;
use core::mem::size_of;

/// The integers of the four lanes are boxed, because only few inputs of an idle worker touch them.
/// The headers of the two outgoing queues are part of that box and not counted.
#[test]
fn a_session_takes_at_most_256_bytes_and_the_integers_of_its_lanes_320() {
    assert!(size_of::<Session>() <= 256, "{}", size_of::<Session>());
    let lanes = size_of::<Lanes>() - 2 * size_of::<VecDeque<u64>>();
    assert!(lanes <= 320, "{lanes}");
}
