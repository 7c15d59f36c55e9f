//! The WebSocket transport keeps what every transport has to keep, over real sockets on loopback: clear
//! and encrypted, on tokio and off it.

#[allow(dead_code, reason = "other tests use the rest")]
mod common;

use common::encrypted;
use futures::future::BoxFuture;
use moorline_transport::conformance::{Ends, Socket, Subject, Verdict};
use moorline_transport::{Transport, UNWRITTEN_MAX};
use moorline_websocket::WebSocketTransport;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::runtime::Builder;

/// What the kernel holds on both sides, which grows with what was read before; what TLS does, and what the
/// sender does.
const WITHHELD_MAX: usize = (8 << 20) + UNWRITTEN_MAX + (64 << 10);

fn subject(transport: impl Transport, listen: &str) -> Subject {
    // 1,000 connections have twice as many sockets, and the tests of this file run side by side.
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("as much as this process may have");
    Subject::new(transport, listen.parse().expect("an endpoint"))
        .with_ends(Ends::AreTogether)
        .with_socket(Socket::Tcp)
        .with_withheld_max(WITHHELD_MAX)
}

fn on_several_threads(check: BoxFuture<'static, Verdict>) -> Verdict {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(check)
}

fn on_one_thread(check: BoxFuture<'static, Verdict>) -> Verdict {
    Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(check)
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
