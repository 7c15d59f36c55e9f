//! How connections end, and what the peer sees of it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use bytes::Bytes;
use futures::future::try_join;
use moorline_link::{Lane, Reason};

use super::clock::sleep;
use super::tools::{
    Failure, GLANCE, Order, Outcome, broken, fill, holds, lane_of, poll_receive, put, read, sized,
};
use super::{Ends, Subject};
use crate::Connection;
use crate::PACKET_MAX;

pub(super) async fn an_abrupt_end_is_a_reset(subject: &Subject) -> Outcome {
    let (_listener, pairs) = subject.both_ways().await?;
    for (dropped, mut other) in pairs {
        drop(dropped);
        subject.end(&mut *other.receiver, Reason::TransportReset).await?;
    }
    Ok(())
}

pub(super) async fn a_sender_that_is_dropped_cuts_the_connection(subject: &Subject) -> Outcome {
    let (_listener, pairs) = subject.both_ways().await?;
    for (halved, mut other) in pairs {
        let Connection { sender, mut receiver, .. } = halved;
        drop(sender);
        subject.end(&mut *other.receiver, Reason::TransportReset).await?;
        let expected = "an end for the half that is left";
        let left = subject.soon(expected, poll_receive(&mut *receiver)).await?;
        holds(left.is_err(), expected, "a packet")?;
    }
    Ok(())
}

pub(super) async fn a_receiver_that_is_dropped_cuts_the_connection(subject: &Subject) -> Outcome {
    let (_listener, pairs) = subject.both_ways().await?;
    for (halved, mut other) in pairs {
        let Connection { mut sender, receiver, .. } = halved;
        drop(receiver);
        subject.end(&mut *other.receiver, Reason::TransportReset).await?;
        let until_it_says_so = async {
            while put(&mut *sender, Bytes::from_static(b"still there?"), Lane::C).await.is_ok() {
                sleep(GLANCE).await;
            }
        };
        subject.soon("an error of the half that is left", until_it_says_so).await?;
    }
    Ok(())
}

pub(super) async fn a_cut_leaves_what_had_arrived_and_is_a_reset(subject: &Subject) -> Outcome {
    let (_listener, pairs) = subject.both_ways().await?;
    for (mut cut, mut other) in pairs {
        fill(subject, &mut *cut.sender).await?;
        drop(cut);
        let mut order = Order::new(subject.lanes);
        let expected = "the end of the connection, transport_reset";
        loop {
            match subject.soon(expected, poll_receive(&mut *other.receiver)).await? {
                Ok(packet) => order.take(&packet)?,
                Err(Reason::TransportReset) => break,
                Err(reason) => return broken(expected, format_args!("the end, {reason}")),
            }
        }
    }
    Ok(())
}

pub(super) async fn an_orderly_end_comes_behind_what_was_sent(subject: &Subject) -> Outcome {
    const PACKETS: u32 = 20;
    let (_listener, pairs) = subject.both_ways().await?;
    for (mut closing, mut other) in pairs {
        let close = async {
            for number in 0..PACKETS {
                let packet = sized(number, 4_000);
                subject.send(&mut *closing.sender, packet, lane_of(number)).await?;
            }
            subject.close(&mut *closing.sender).await?;
            drop(closing);
            Ok(())
        };
        let receive = async {
            let mut order = Order::new(subject.lanes);
            read(subject, &mut *other.receiver, &mut order, PACKETS).await?;
            subject.end(&mut *other.receiver, Reason::ClosedByPeer).await
        };
        try_join(close, receive).await?;
    }
    Ok(())
}

pub(super) async fn an_orderly_end_waits_for_a_peer_that_reads_late(subject: &Subject) -> Outcome {
    // More than a transport holds by itself.
    const PACKETS: u32 = 4;
    let (_listener, pairs) = subject.both_ways().await?;
    for (mut closing, mut other) in pairs {
        // What nobody reads must not turn the end into a cut.
        subject.send(&mut *other.sender, "nobody reads this", Lane::C).await?;
        let close = async {
            for number in 0..PACKETS {
                let packet = sized(number, PACKET_MAX);
                subject.send(&mut *closing.sender, packet, lane_of(number)).await?;
            }
            subject.close(&mut *closing.sender).await?;
            drop(closing);
            Ok(())
        };
        let receive = async {
            sleep(subject.quiet).await;
            let mut order = Order::new(subject.lanes);
            read(subject, &mut *other.receiver, &mut order, PACKETS).await?;
            subject.end(&mut *other.receiver, Reason::ClosedByPeer).await
        };
        try_join(close, receive).await?;
    }
    Ok(())
}

pub(super) async fn after_its_own_end_it_still_receives(subject: &Subject) -> Outcome {
    const PACKETS: u32 = 20;
    /// How many the other end sends at least behind the end of this one.
    const MORE: u32 = 50;
    if subject.ends == Ends::AreTogether {
        return Err(Failure::DoesNotApply("both directions end together"));
    }
    let (_listener, pairs) = subject.both_ways().await?;
    for (mut closing, other) in pairs {
        let (sent, has_ended) = (AtomicU32::new(0), AtomicBool::new(false));
        let close = async {
            for number in 0..PACKETS {
                let packet = sized(number, 4_000);
                subject.send(&mut *closing.sender, packet, lane_of(number)).await?;
            }
            let mut order = Order::new(subject.lanes);
            let receive = async {
                let expected = "all that was sent, and then the end, closed_by_peer";
                loop {
                    match subject.soon(expected, poll_receive(&mut *closing.receiver)).await? {
                        Ok(packet) => order.take(&packet)?,
                        Err(Reason::ClosedByPeer) => return Ok(order.arrived()),
                        Err(reason) => return broken(expected, format_args!("the end, {reason}")),
                    }
                }
            };
            let (arrived, ()) = try_join(receive, subject.close(&mut *closing.sender)).await?;
            let sent = sent.load(Ordering::Relaxed);
            let expected = format!("{sent} packets behind its own end");
            holds(arrived == sent, expected, format_args!("{arrived} packets"))
        };
        let Connection { mut sender, mut receiver, .. } = other;
        let go_on = async {
            let mut left = MORE;
            while left > 0 {
                let number = sent.load(Ordering::Relaxed);
                subject.send(&mut *sender, sized(number, 10_000), lane_of(number)).await?;
                sent.store(number + 1, Ordering::Relaxed);
                left -= u32::from(has_ended.load(Ordering::Relaxed));
            }
            subject.close(&mut *sender).await
        };
        let receive = async {
            let mut order = Order::new(subject.lanes);
            read(subject, &mut *receiver, &mut order, PACKETS).await?;
            subject.end(&mut *receiver, Reason::ClosedByPeer).await?;
            has_ended.store(true, Ordering::Relaxed);
            Ok(())
        };
        futures::try_join!(close, go_on, receive)?;
    }
    Ok(())
}

pub(super) async fn both_may_end_at_the_same_time(subject: &Subject) -> Outcome {
    const PACKETS: u32 = 20;
    let (_listener, dialled, accepted) = subject.connect().await?;
    let end = async |connection: Connection| {
        let Connection { mut sender, mut receiver, .. } = connection;
        let close = async {
            for number in 0..PACKETS {
                subject.send(&mut *sender, sized(number, 4_000), lane_of(number)).await?;
            }
            subject.close(&mut *sender).await
        };
        let receive = async {
            let mut order = Order::new(subject.lanes);
            read(subject, &mut *receiver, &mut order, PACKETS).await?;
            subject.end(&mut *receiver, Reason::ClosedByPeer).await
        };
        // Each is dropped as soon as it is done, whatever the other is about.
        try_join(close, receive).await
    };
    try_join(end(dialled), end(accepted)).await?;
    Ok(())
}

pub(super) async fn a_closed_sender_takes_no_more(subject: &Subject) -> Outcome {
    let (_listener, pairs) = subject.both_ways().await?;
    for (mut closing, mut other) in pairs {
        subject.send(&mut *closing.sender, "the last one", Lane::C).await?;
        let receive = async {
            subject.receive_this(&mut *other.receiver, b"the last one").await?;
            subject.end(&mut *other.receiver, Reason::ClosedByPeer).await
        };
        try_join(subject.close(&mut *closing.sender), receive).await?;
        let expected = "poll_ready of a closed sender is an error";
        let ready = poll_fn(|cx| Pin::new(&mut *closing.sender).poll_ready(cx));
        let ready = subject.soon(expected, ready).await?;
        holds(ready.is_err(), expected, "it is ready")?;
        subject.close(&mut *closing.sender).await?;
        // And what it was closed behind has not changed: the other direction works.
        if subject.ends == Ends::AreIndependent {
            subject
                .carry(&mut *other.sender, &mut *closing.receiver, b"the other way", Lane::C)
                .await?;
        }
    }
    Ok(())
}
