//! Numbers and names of the WebSocket transport.

use std::time::Duration;

use moorline_transport::{PACKET_MAX, UNWRITTEN_MAX};

/// What both sides declare their messages to be.
pub(crate) const SUBPROTOCOL: &str = "moorline.worker.v1";

/// What is negotiated in TLS (ALPN): WebSocket grows out of HTTP/1.1.
pub(crate) const PROTOCOL: &[u8] = b"http/1.1";

/// What a connection reads at once. The usual 128 KiB would be most of what one that says little takes.
pub(crate) const READ_BUFFER: usize = 4 << 10;

/// Reads at once, until others have their turn: two of the largest messages.
pub(crate) const READS: u32 = 32;

/// What waits to be written is written without being asked for when it is so much, so that many
/// packets leave in few writes.
pub(crate) const BATCH: usize = 32 << 10;

/// Bytes that wait to be written: [`UNWRITTEN_MAX`], a packet above it, and as much again for answers to
/// pings. Nobody has so many of those to come who reads what is sent.
pub(crate) const OUT_MAX: usize = UNWRITTEN_MAX + 2 * PACKET_MAX;

/// Bytes before the payload of a short frame, with its mask.
pub(crate) const PREFIX: usize = 6;

/// Bytes that may arrive of one message: a packet in fragments of a byte each, and some room. Fragments
/// that are empty would otherwise have no end.
pub(crate) const MESSAGE_MAX: usize = (PREFIX + 2) * PACKET_MAX;

/// A buffer that is larger than this is given back as soon as it is empty, and packets that are larger do
/// not pass through one that is not.
pub(crate) const KEPT: usize = 8 << 10;

/// Largest head of a request or an answer.
pub(crate) const HEAD_MAX: usize = 16 << 10;

/// Most lines of a head.
pub(crate) const HEADERS_MAX: usize = 64;

/// A ping is sent this often: nginx gives up what is silent for 60 s.
pub(crate) const PING_EVERY: Duration = Duration::from_secs(30);

/// And something has to be heard in this time.
pub(crate) const PONG_WITHIN: Duration = Duration::from_secs(10);

/// From accepting a connection to its upgrade: who takes longer is let go.
pub(crate) const ATTACH_WITHIN: Duration = Duration::from_secs(10);

/// Connections that are let in without having been upgraded yet.
pub(crate) const UNATTACHED_MAX: usize = 1_024;

/// After an orderly end: how long the peer may take to read it before the connection is cut.
pub(crate) const LINGER: Duration = Duration::from_secs(1);

/// Connections the kernel keeps before they are accepted: a fleet comes back at once.
pub(crate) const BACKLOG: i32 = 4_096;

/// What the kernel may hold unsent: heartbeats wait behind that too.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) const UNSENT_MAX: u32 = 128 << 10;
