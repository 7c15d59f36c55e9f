//! Packets: whole, once, and in order.

use std::pin::Pin;

use bytes::Bytes;
use futures::future::try_join;
use moorline_link::{Lane, Reason};

use super::Subject;
use super::tools::{
    Order, Outcome, broken, holds, lane_of, numbered, poll_receive, put, read, sized,
};
use crate::Connection;
use crate::PACKET_MAX;

pub(super) async fn packets_arrive_in_order_both_ways_and_whole(subject: &Subject) -> Outcome {
    const PACKETS: u32 = 200;
    let (_listener, mut dialled, mut accepted) = subject.connect().await?;
    let talk = async |connection: &mut Connection| {
        let mut order = Order::new(subject.lanes);
        for number in 0..PACKETS {
            let Connection { sender, receiver, .. } = &mut *connection;
            let (packet, lane) = (numbered(number), lane_of(number));
            let send = subject.send_through(&mut **sender, packet, lane);
            let ((), received) = try_join(send, subject.receive(&mut **receiver)).await?;
            order.take(&received)?;
        }
        Ok(())
    };
    try_join(talk(&mut dialled), talk(&mut accepted)).await?;
    Ok(())
}

pub(super) async fn every_packet_arrives_once(subject: &Subject) -> Outcome {
    const PACKETS: u32 = 500;
    let (_listener, mut dialled, mut accepted) = subject.connect().await?;
    let talk = async |connection: &mut Connection| {
        let Connection { sender, receiver, .. } = connection;
        let send = async {
            for number in 0..PACKETS {
                subject.send(&mut **sender, sized(number, 600), lane_of(number)).await?;
            }
            subject.close(&mut **sender).await
        };
        let mut order = Order::new(subject.lanes);
        let receive = async {
            read(subject, &mut **receiver, &mut order, PACKETS).await?;
            // And nothing else.
            subject.end(&mut **receiver, Reason::ClosedByPeer).await
        };
        try_join(send, receive).await
    };
    try_join(talk(&mut dialled), talk(&mut accepted)).await?;
    Ok(())
}

/// Small ones, those around powers of two, where frames and buffers end, and some in between.
fn sizes() -> impl Iterator<Item = usize> {
    let powers = (11..=16).flat_map(|power| (1_usize << power) - 20..=(1 << power) + 20);
    let between = (1_100..PACKET_MAX).step_by(32);
    (0..1_100).chain(powers).chain(between).filter(|size| *size <= PACKET_MAX).chain([PACKET_MAX])
}

pub(super) async fn packets_of_all_sizes_arrive_whole(subject: &Subject) -> Outcome {
    let (_listener, dialled, accepted) = subject.connect().await?;
    let (mut sender, mut receiver) = (dialled.sender, accepted.receiver);
    let packets = || (0..).zip(sizes()).map(|(number, size)| sized(number, size));
    let send = async {
        for packet in packets() {
            subject.send(&mut *sender, packet, Lane::B).await?;
        }
        subject.flush(&mut *sender).await
    };
    let receive = async {
        for packet in packets() {
            let received = subject.receive(&mut *receiver).await?;
            let size = packet.len();
            let expected = format!("a packet of {size} bytes, as it was sent");
            let kind = if received.len() == size { "other bytes" } else { "bytes" };
            holds(received == packet, expected, format_args!("{} {kind}", received.len()))?;
        }
        Ok(())
    };
    try_join(send, receive).await?;
    drop((dialled.receiver, accepted.sender));
    Ok(())
}

pub(super) async fn a_packet_above_the_limit_is_a_protocol_error(subject: &Subject) -> Outcome {
    let (_listener, pairs) = subject.both_ways().await?;
    for (mut writes, mut reads) in pairs {
        subject.carry(&mut *writes.sender, &mut *reads.receiver, b"a small one", Lane::B).await?;
        let large = Bytes::from(vec![7; PACKET_MAX + 1]);
        let expected = "the end of the connection, protocol_error";
        let sent = put(&mut *writes.sender, large, Lane::B);
        match subject.soon("a packet is taken or refused", sent).await? {
            Ok(()) => {}
            // It may be found before it leaves.
            Err(Reason::ProtocolError) => continue,
            Err(reason) => return broken(expected, format_args!("it is refused, {reason}")),
        }
        // The peer reads, and the sender is driven meanwhile; who finds it may cut the connection.
        let drive = async {
            let sender = &mut *writes.sender;
            let _ = std::future::poll_fn(|cx| Pin::new(&mut *sender).poll_flush(cx)).await;
            std::future::pending::<()>().await;
        };
        let read = poll_receive(&mut *reads.receiver);
        let first = futures::future::select(Box::pin(read), Box::pin(drive));
        match subject.soon(expected, first).await? {
            futures::future::Either::Left((Err(Reason::ProtocolError), _)) => {}
            futures::future::Either::Left((Err(reason), _)) => {
                return broken(expected, format_args!("the end, {reason}"));
            }
            futures::future::Either::Left((Ok(packet), _)) => {
                return broken(expected, format_args!("a packet of {} bytes", packet.len()));
            }
            futures::future::Either::Right(((), _)) => {}
        }
    }
    Ok(())
}

pub(super) async fn each_lane_keeps_its_order_when_lanes_are_mixed(subject: &Subject) -> Outcome {
    const PACKETS: u32 = 600;
    let (_listener, dialled, accepted) = subject.connect().await?;
    let (mut sender, mut receiver) = (dialled.sender, accepted.receiver);
    let send = async {
        for number in 0..PACKETS {
            let lane = lane_of(number);
            let size = match lane {
                Lane::C => 40,
                Lane::B => 20_000,
            };
            subject.send(&mut *sender, sized(number, size), lane).await?;
        }
        subject.flush(&mut *sender).await
    };
    let mut order = Order::new(subject.lanes);
    try_join(send, read(subject, &mut *receiver, &mut order, PACKETS)).await?;
    drop((dialled.receiver, accepted.sender));
    Ok(())
}

pub(super) async fn each_end_can_name_the_other(subject: &Subject) -> Outcome {
    let (_listener, dialled, accepted) = subject.connect().await?;
    for (end, connection) in [("dialled", dialled), ("accepted", accepted)] {
        let expected = format!("a name of the peer of the end that {end}");
        holds(!connection.peer.trim().is_empty(), expected, "an empty text")?;
    }
    Ok(())
}
