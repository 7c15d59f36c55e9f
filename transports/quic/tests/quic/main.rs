//! The QUIC transport keeps what every transport has to keep, and what QUIC adds, over real sockets on
//! loopback: under tokio, and without it.

mod certificates;
mod flood;
mod hostile;
#[allow(dead_code, reason = "the rest is for transports over TCP")]
#[path = "../../../memory/tests/hostile_kit/mod.rs"]
mod hostile_kit;
mod keep;
mod lanes;
mod path;
mod peers;
mod tls;
#[allow(dead_code, reason = "all its connections share a socket")]
#[path = "../../../memory/tests/tokio_kit/mod.rs"]
mod tokio_kit;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../../memory/tests/tools/mod.rs"]
mod tools;

use moorline_transport::Endpoint;

/// Somewhere on this machine.
fn here() -> Endpoint {
    "quic://127.0.0.1:0".parse().expect("an endpoint")
}
