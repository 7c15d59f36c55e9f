//! The WebSocket transport keeps what every transport has to keep, over real sockets on loopback: clear
//! and encrypted, on tokio and off it.

#[allow(dead_code, reason = "other tests use the rest")]
mod common;

#[path = "../../memory/tests/tokio_kit/mod.rs"]
mod tokio_kit;

use common::encrypted;
use moorline_transport::conformance::{Ends, Socket, Subject};
use moorline_transport::{Transport, UNWRITTEN_MAX};
use moorline_websocket::WebSocketTransport;
use tokio_kit::{on_one_thread, on_several_threads, take_all_descriptors};

/// What the kernel holds on both sides, which grows with what was read before; what TLS does, and what the
/// sender does.
const WITHHELD_MAX: usize = (8 << 20) + UNWRITTEN_MAX + (64 << 10);

fn subject(transport: impl Transport, listen: &str) -> Subject {
    take_all_descriptors();
    Subject::new(transport, listen.parse().expect("an endpoint"))
        .with_ends(Ends::AreTogether)
        .with_socket(Socket::Tcp)
        .with_withheld_max(WITHHELD_MAX)
}

mod clear {
    use super::*;

    moorline_transport::conformance! {
        subject: subject(WebSocketTransport::new(), "ws://127.0.0.1:0"),
        block_on: on_several_threads,
    }
}

mod clear_on_one_thread {
    use super::*;

    moorline_transport::conformance! {
        subject: subject(WebSocketTransport::new(), "ws://localhost:0/moorline"),
        block_on: on_one_thread,
    }
}

mod clear_off_tokio {
    use super::*;

    moorline_transport::conformance! {
        subject: subject(WebSocketTransport::new(), "ws://127.0.0.1:0"),
        block_on: futures::executor::block_on,
    }
}

mod encrypted_on_tokio {
    use super::*;

    moorline_transport::conformance! {
        subject: subject(encrypted(), "wss://127.0.0.1:0"),
        block_on: on_several_threads,
    }
}

mod encrypted_off_tokio {
    use super::*;

    moorline_transport::conformance! {
        subject: subject(encrypted(), "wss://127.0.0.1:0"),
        block_on: futures::executor::block_on,
    }
}
