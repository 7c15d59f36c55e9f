//! L7: in steady state the worker's end allocates nothing.

mod support;

use moorline_link::{
    Ack, CoordinatorFrame, Credit, Lane, LinkAction, LinkConfig, LinkInput, LinkTransmit,
    LinkVerdict, MessageHead, Seq, Standing, State, Tag, WorkerFrame,
};
use support::{Bench, agrees};

/// A heartbeat, answered.
fn exchange_beat(bench: &mut Bench) {
    let conn = bench.conn();
    bench.now = bench.link.next_wake().deadline().expect("a beat");
    bench.link.handle(bench.now, LinkInput::Timeout);
    while let Some(transmit) = bench.link.poll_transmit(bench.now, conn, Lane::C) {
        let LinkTransmit::Frame(WorkerFrame::Beat(beat)) = transmit else { continue };
        let answer = agrees(bench.coordinator.epoch, &beat);
        let frame = CoordinatorFrame::BeatAnswer(answer);
        let verdict = bench.link.handle(bench.now, LinkInput::Frame { conn, frame });
        assert_eq!(verdict, LinkVerdict::Accepted);
    }
    assert!(bench.link.poll_action().is_none());
}

/// A message each way on this lane, acknowledged and released.
fn exchange_message(bench: &mut Bench, lane: Lane, n: u64) {
    let (conn, now) = (bench.conn(), bench.now);
    let link = &mut bench.link;
    let enqueued = link.handle(now, LinkInput::Enqueue { lane, tag: Tag(n), len: 100 });
    assert_eq!(enqueued, LinkVerdict::Accepted);
    let sent = link.poll_transmit(now, conn, lane);
    assert!(matches!(sent, Some(LinkTransmit::Message { .. })), "{sent:?}");
    let credit = Credit { messages: Seq(n + 32), bytes: 1 << 40 };
    let ack = CoordinatorFrame::Ack(Ack { lane, standing: Standing { received: Seq(n), credit } });
    assert_eq!(link.handle(now, LinkInput::Frame { conn, frame: ack }), LinkVerdict::Accepted);
    assert_eq!(link.poll_action(), Some(LinkAction::Released { tag: Tag(n) }));

    let message = CoordinatorFrame::Message(MessageHead { lane, seq: Seq(n), len: 100 });
    assert_eq!(link.handle(now, LinkInput::Frame { conn, frame: message }), LinkVerdict::Deliver);
    link.handle(now, LinkInput::Release { lane, messages: 1, bytes: 100 });
    let acked = link.poll_transmit(now, conn, Lane::C);
    assert!(matches!(acked, Some(LinkTransmit::Frame(WorkerFrame::Ack(_)))), "{acked:?}");
}

#[test]
fn a_heartbeat_and_a_message_each_way_allocate_nothing_once_warm() {
    let mut bench = Bench::active(LinkConfig::default());
    let round = |bench: &mut Bench, n: u64| {
        exchange_beat(bench);
        for lane in Lane::ALL {
            exchange_message(bench, lane, n);
        }
    };
    let cold = allocation_counter::measure(|| round(&mut bench, 1));
    assert!(cold.count_total > 0, "the lanes grow at first, else nothing is counted here");
    for n in 2..=150 {
        round(&mut bench, n);
    }
    let warm = allocation_counter::measure(|| {
        for n in 151..=1_150 {
            round(&mut bench, n);
        }
    });
    assert_eq!((warm.count_total, warm.bytes_total), (0, 0));
    assert_eq!(bench.link.state(), State::Active);
}
