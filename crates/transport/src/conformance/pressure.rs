//! Bounds, and who wakes whom.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use futures::future::try_join;
use moorline_link::{Lane, Reason};

use super::Subject;
use super::clock::sleep;
use super::tools::{
    BLOCK, GLANCE, Order, Outcome, broken, fill, holds, poll_flush, poll_in_vain, poll_receive,
    put, read,
};
use crate::PACKET_MAX;
use crate::{PacketSender, UNWRITTEN_MAX};

pub(super) async fn a_slow_reader_holds_the_writer_back(subject: &Subject) -> Outcome {
    let (_listener, pairs) = subject.both_ways().await?;
    for (mut writes, mut reads) in pairs {
        let sent = fill(subject, &mut *writes.sender).await?;
        let (least, bytes) = (UNWRITTEN_MAX - PACKET_MAX, sent as usize * BLOCK);
        let expected = format!("at least {least} bytes taken before it waits");
        holds(bytes >= least, expected, format_args!("{bytes} bytes taken"))?;
        // The reader reads, and the writer goes on.
        let mut order = Order::new(subject.lanes);
        let read = read(subject, &mut *reads.receiver, &mut order, sent);
        try_join(read, subject.flush(&mut *writes.sender)).await?;
        subject.carry(&mut *writes.sender, &mut *reads.receiver, b"and on", Lane::B).await?;
    }
    Ok(())
}

pub(super) async fn a_full_direction_leaves_the_other_open(subject: &Subject) -> Outcome {
    let (_listener, pairs) = subject.both_ways().await?;
    for (mut writes, mut rests) in pairs {
        fill(subject, &mut *writes.sender).await?;
        for number in 0..20_u8 {
            let packet = vec![number; 10_000];
            subject.carry(&mut *rests.sender, &mut *writes.receiver, &packet, Lane::C).await?;
        }
    }
    Ok(())
}

/// One of the three polls of a sender.
type Wait = fn(&mut dyn PacketSender, &mut std::task::Context<'_>) -> Poll<Result<(), Reason>>;

pub(super) async fn a_writer_that_waits_is_woken(subject: &Subject) -> Outcome {
    let waits: [(&str, Wait); 3] = [
        ("poll_ready", |sender, cx| Pin::new(sender).poll_ready(cx)),
        ("poll_flush", |sender, cx| Pin::new(sender).poll_flush(cx)),
        ("poll_close", |sender, cx| Pin::new(sender).poll_close(cx)),
    ];
    let (_listener, mut writes, mut reads) = subject.connect().await?;
    let mut order = Order::new(subject.lanes);
    for (name, wait) in waits {
        let sent = fill(subject, &mut *writes.sender).await?;
        let sender = &mut *writes.sender;
        // Forgotten, for the next one counts. What is ready at once is somebody who need not wait.
        let _ = poll_in_vain(|cx| wait(sender, cx));
        let write = async {
            let waits = poll_fn(|cx| wait(sender, cx));
            let expected = format!("{name} is woken while the peer reads");
            let waited = subject.soon(&expected, waits).await?;
            waited.or_else(|reason| broken(expected, format_args!("the end, {reason}")))?;
            if name == "poll_close" { Ok(()) } else { subject.flush(sender).await }
        };
        try_join(write, read(subject, &mut *reads.receiver, &mut order, sent)).await?;
        order = Order::new(subject.lanes);
    }
    subject.end(&mut *reads.receiver, Reason::ClosedByPeer).await
}

pub(super) async fn a_reader_that_waits_is_woken(subject: &Subject) -> Outcome {
    /// What a reader waits for.
    #[derive(Debug)]
    enum For {
        APacket,
        AnOrderlyEnd,
        ACut,
    }
    for what in [For::APacket, For::AnOrderlyEnd, For::ACut] {
        let (_listener, mut writes, reads) = subject.connect().await?;
        let mut receiver = reads.receiver;
        let early = poll_in_vain(|cx| Pin::new(&mut *receiver).poll_receive(cx));
        holds(early.is_pending(), "nothing arrives before it is sent", format_args!("{early:?}"))?;
        let expected = format!("poll_receive is woken for {what:?}");
        let woken = async {
            let received = poll_receive(&mut *receiver);
            subject.soon(&expected, received).await
        };
        let send = async {
            // Behind the poll of the reader, which is first in line.
            match what {
                For::APacket => {
                    subject.send_through(&mut *writes.sender, "a packet", Lane::C).await?;
                    Ok(Some(writes))
                }
                For::AnOrderlyEnd => {
                    subject.close(&mut *writes.sender).await?;
                    Ok(Some(writes))
                }
                For::ACut => {
                    drop(writes);
                    Ok(None)
                }
            }
        };
        let (received, _writes) = try_join(woken, send).await?;
        let due = match what {
            For::APacket => Ok(Bytes::from_static(b"a packet")),
            For::AnOrderlyEnd => Err(Reason::ClosedByPeer),
            For::ACut => Err(Reason::TransportReset),
        };
        holds(received == due, format_args!("{due:?}"), format_args!("{received:?}"))?;
    }
    Ok(())
}

pub(super) async fn what_was_flushed_arrives_though_the_sender_rests(subject: &Subject) -> Outcome {
    const PACKETS: u8 = 10;
    let (_listener, pairs) = subject.both_ways().await?;
    for (mut writes, mut reads) in pairs {
        let send = async {
            for number in 0..PACKETS {
                let taken = poll_fn(|cx| Pin::new(&mut *writes.sender).poll_ready(cx));
                let taken = subject.soon("poll_ready is ready", taken).await?.and_then(|()| {
                    let packet = Bytes::from(vec![number; 4_000]);
                    Pin::new(&mut *writes.sender).send(packet, Lane::B)
                });
                taken.or_else(|reason| broken("a packet is taken", reason))?;
            }
            subject.flush(&mut *writes.sender).await
        };
        let receive = async {
            for number in 0..PACKETS {
                subject.receive_this(&mut *reads.receiver, &[number; 4_000]).await?;
            }
            Ok(())
        };
        try_join(send, receive).await?;
    }
    Ok(())
}

pub(super) async fn after_an_error_a_sender_is_of_no_more_use(subject: &Subject) -> Outcome {
    let (_listener, pairs) = subject.both_ways().await?;
    for (mut connection, peer) in pairs {
        drop(peer);
        let sender = &mut *connection.sender;
        let until_it_says_so = async {
            while put(sender, Bytes::from_static(b"anybody there?"), Lane::C).await.is_ok() {
                // What is written is taken by the system until it has heard of the end.
                sleep(GLANCE).await;
            }
        };
        subject.soon("the sender says that the connection is over", until_it_says_so).await?;
        for _ in 0..2 {
            let again = [
                ("poll_ready", poll_fn(|cx| Pin::new(&mut *sender).poll_ready(cx)).await),
                ("poll_flush", subject.soon("poll_flush says so", poll_flush(sender)).await?),
                ("send", Pin::new(&mut *sender).send(Bytes::from_static(b"no"), Lane::C)),
                ("poll_close", {
                    let closed = poll_fn(|cx| Pin::new(&mut *sender).poll_close(cx));
                    subject.soon("poll_close says so", closed).await?
                }),
            ];
            for (name, said) in again {
                let expected = format!("an error of {name} behind the first one");
                holds(said.is_err(), expected, "it is ready")?;
            }
        }
    }
    Ok(())
}
