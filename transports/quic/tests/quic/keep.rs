//! What every transport has to keep, in every runtime.

use std::future::poll_fn;
use std::pin::Pin;

use moorline_link::{Lane, Reason};
use moorline_quic::QuicTransport;
use moorline_transport::conformance::{Lanes, Socket, Subject};
use moorline_transport::{Transport, UNWRITTEN_MAX};

use crate::certificates::transport;
use crate::here;
use crate::tokio_kit::{on_one_thread, on_several_threads};

/// Windows of 256 KiB, and what the sender holds.
const WITHHELD_MAX: usize = (256 << 10) + UNWRITTEN_MAX + (64 << 10);

fn subject(transport: QuicTransport) -> Subject {
    Subject::new(transport, here())
        .with_lanes(Lanes::AreIndependent)
        .with_socket(Socket::Udp)
        .with_withheld_max(WITHHELD_MAX)
}

mod many_threads {
    use super::*;

    moorline_transport::conformance! {
        subject: subject(transport()),
        block_on: on_several_threads,
    }
}

mod one_thread {
    use super::*;

    moorline_transport::conformance! {
        subject: subject(transport()),
        block_on: on_one_thread,
    }
}

mod without_tokio {
    use super::*;

    moorline_transport::conformance! {
        subject: subject(transport()),
        block_on: futures::executor::block_on,
    }
}

#[test]
fn any_executor_will_do() {
    futures::executor::block_on(async {
        let transport = transport();
        let mut listener = transport.listen(&here()).await.expect("listens");
        let localhost = format!("quic://localhost:{}", listener.endpoint().port())
            .parse()
            .expect("an endpoint");
        let dial = transport.dial(&localhost);
        let (dialled, accepted) = futures::join!(dial, listener.accept());
        let (mut dialled, mut accepted) = (dialled.expect("dialled"), accepted.expect("accepted"));
        Pin::new(&mut *dialled.sender).send("hello".into(), Lane::C).expect("sent");
        let closed = poll_fn(|cx| Pin::new(&mut *dialled.sender).poll_close(cx));
        let mut receive =
            async || poll_fn(|cx| Pin::new(&mut *accepted.receiver).poll_receive(cx)).await;
        let read = async { (receive().await, receive().await) };
        let (closed, read) = futures::join!(closed, read);
        assert_eq!(closed, Ok(()));
        assert_eq!(read, (Ok("hello".into()), Err(Reason::ClosedByPeer)));
    });
}
