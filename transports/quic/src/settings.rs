//! Numbers and names of the QUIC transport.

use std::sync::Arc;
use std::time::Duration;

use moorline_link::Lane;
use quinn::{IdleTimeout, TransportConfig, VarInt};

/// What is negotiated in TLS (ALPN).
pub(crate) const PROTOCOL: &[u8] = b"moorline/1";

/// The byte with which a stream begins, both ways: which lane it is.
pub(crate) const fn name_of_lane(lane: Lane) -> u8 {
    match lane {
        Lane::C => 0,
        Lane::B => 1,
    }
}

/// Bytes of the length before a packet: a big-endian number.
pub(crate) const LENGTH: usize = 4;

/// Bytes a peer may have under way by connection: what a reader that reads nothing holds back.
const WINDOW: u32 = 256 << 10;

/// And by lane: less, so that one that is full leaves the other a packet's room.
const LANE_WINDOW: u32 = 192 << 10;

/// From the first packet of somebody who dials to the names of both lanes: who is slower is let go.
pub(crate) const ATTACH_WITHIN: Duration = Duration::from_secs(10);

/// Connections that were begun and have not been handed over yet.
pub(crate) const UNATTACHED_MAX: usize = 1_024;

/// From so many of them on who dials has to prove its address first. That costs a round trip.
pub(crate) const PROVE_FROM: usize = 64;

/// Dialling attempts that wait while there are too many: a fleet comes back at once. What is beyond is
/// dropped, and comes again by itself.
pub(crate) const WAITING_MAX: usize = 4_096;

/// Bytes that are kept of each of these, and of all: their first packets, of which there may be a few.
pub(crate) const WAITING_BYTES: u64 = 8 << 10;
pub(crate) const WAITING_BYTES_ALL: u64 = 16 << 20;

/// Between two stateless resets: a coordinator that comes back has one to send for every connection it
/// had, and quinn reads the clock once for all that has arrived, so any time at all would be one reset for
/// that. Nothing is made larger by them: each is shorter than what it answers, and answers only what
/// names a connection with an id that was made here.
pub(crate) const RESET_EVERY: Duration = Duration::ZERO;

/// Bytes the kernel is asked to keep of what arrives, as far as it grants that: a thousand first
/// packets at once are 2 MiB as it counts.
pub(crate) const SOCKET_BUFFER: usize = 4 << 20;

/// When silence is noticed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) idle: Duration,
    pub(crate) keep_alive: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { idle: Duration::from_secs(15), keep_alive: Duration::from_secs(5) }
    }
}

/// What holds for a connection; `streams` is how many the peer may open.
pub(crate) fn connection(timing: Timing, streams: u8) -> Arc<TransportConfig> {
    let mut config = TransportConfig::default();
    // Beyond what QUIC can say (2^62 ms) it means never, which is how zero reads, too.
    let idle = IdleTimeout::try_from(timing.idle).ok().filter(|_| !timing.idle.is_zero());
    config
        .max_concurrent_bidi_streams(VarInt::from_u32(streams.into()))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(LANE_WINDOW))
        .receive_window(VarInt::from_u32(WINDOW))
        .send_window(WINDOW.into())
        .max_idle_timeout(idle)
        .keep_alive_interval(Some(timing.keep_alive).filter(|every| !every.is_zero()));
    Arc::new(config)
}
