//! The QUIC transport keeps what every transport has to keep, and what QUIC adds, over real sockets on
//! loopback: under tokio, and without it.

mod certificates;
#[allow(dead_code, reason = "one of them wants order over both lanes")]
#[path = "../../../memory/tests/essentials/mod.rs"]
mod essentials;
mod flood;
mod keep;
mod lanes;
mod path;
mod peers;
mod tls;

use moorline_transport::Endpoint;

/// Somewhere on this machine.
fn here() -> Endpoint {
    "quic://127.0.0.1:0".parse().expect("an endpoint")
}
