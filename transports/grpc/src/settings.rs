//! Numbers and names of the gRPC transport.

use std::time::Duration;

/// The one method: a stream of packets each way.
pub(crate) const PATH: &str = "/moorline.worker.v1.WorkerService/Attach";

/// What is negotiated in TLS (ALPN): HTTP/2.
pub(crate) const PROTOCOL: &[u8] = b"h2";

/// What both sides declare their messages to be.
pub(crate) const CONTENT_TYPE: &str = "application/grpc";

/// Bytes a peer may have under way, by stream and by connection: what a reader that reads nothing
/// holds back.
pub(crate) const WINDOW: u32 = 256 << 10;

/// Bytes HTTP/2 holds of what was handed to it, before it takes no more. One packet may overshoot it.
pub(crate) const SEND_BUFFER: usize = 64 << 10;

/// Largest HTTP/2 frame that is taken: a packet rarely needs two.
pub(crate) const FRAME_MAX: u32 = 64 << 10;

/// Streams a peer may have open: one is used, the others are for questions that are answered at once.
pub(crate) const STREAMS: u32 = 8;

/// Largest header list that is taken.
pub(crate) const HEADERS_MAX: u32 = 16 << 10;

/// Streams that were reset and are still remembered, for peers that do not know it yet.
pub(crate) const RESETS: usize = 16;

/// A ping is sent this often.
pub(crate) const PING_EVERY: Duration = Duration::from_secs(30);

/// And has to be answered in this time.
pub(crate) const PONG_WITHIN: Duration = Duration::from_secs(10);

/// From accepting a connection to the request for the stream: who says nothing for so long is let go.
pub(crate) const ATTACH_WITHIN: Duration = Duration::from_secs(10);

/// Connections that are let in without having asked for the stream yet.
pub(crate) const UNATTACHED_MAX: usize = 1_024;

/// After an orderly end, or one for TLS's sake: how long the peer may take to read it before the
/// connection is cut.
pub(crate) const LINGER: Duration = Duration::from_secs(1);

/// Connections the kernel keeps before they are accepted: a fleet comes back at once.
pub(crate) const BACKLOG: u32 = 4_096;
