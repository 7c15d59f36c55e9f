//! What the coordinator's side allocates in steady state: nothing (L7).

mod hub_support;

use allocation_counter::measure;
use hub_support::*;
use moorline_link::*;

const CONN: ConnId = ConnId(1);

/// Does what the hub says without keeping it. Returns the frames that were written.
fn serve(hub: &mut Hub, now: Instant) -> u32 {
    let mut written = 0;
    while let Some(action) = hub.poll_action() {
        if let HubAction::Flush { conn } = action {
            for lane in Lane::ALL {
                while hub.poll_transmit(now, conn, lane).is_some() {
                    written += 1;
                }
            }
        }
    }
    written
}

fn heartbeat(hub: &mut Hub, now: Instant, seq: u32) {
    let frame = beat(seq);
    assert_eq!(hub.handle(now, HubInput::Frame { conn: CONN, frame }), HubVerdict::Accepted);
    assert_eq!(serve(hub, now), 1);
}

/// A message each way, acknowledged each way.
fn messages(hub: &mut Hub, now: Instant, lane: Lane, n: u64) {
    let worker = WorkerId(7);
    let enqueue = HubInput::Enqueue { worker, lane, tag: Tag(n), len: 500 };
    assert_eq!(hub.handle(now, enqueue), HubVerdict::Accepted);
    assert_eq!(serve(hub, now), 1);
    let credit = Credit { messages: Seq(n + 10), bytes: (n + 10) * 500 };
    let frame = WorkerFrame::Ack(Ack { lane, standing: Standing { received: Seq(n), credit } });
    assert_eq!(hub.handle(now, HubInput::Frame { conn: CONN, frame }), HubVerdict::Accepted);
    let frame = message(lane, n, 500);
    let verdict = hub.handle(now, HubInput::Frame { conn: CONN, frame });
    assert!(matches!(verdict, HubVerdict::Deliver { .. }));
    let release = HubInput::Release { worker, lane, messages: 1, bytes: 500 };
    assert_eq!(hub.handle(now, release), HubVerdict::Accepted);
    assert!(serve(hub, now) >= 1);
}

#[test]
fn a_heartbeat_exchange_and_a_message_each_way_allocate_nothing() {
    let mut desk = Desk::default();
    for conn in 1..=50u64 {
        desk.activate(conn, hello(u128::from(conn) + 6, conn));
    }
    let (mut hub, mut now) = (desk.hub, desk.now);
    let mut round = |n: u64| {
        // 100 ms a round: timers of silence and of the pulse come up on the way.
        now = now + 100 * MS;
        heartbeat(&mut hub, now, u32::try_from(n).expect("small"));
        messages(&mut hub, now, Lane::C, n);
        messages(&mut hub, now, Lane::B, n);
        hub.handle(now, HubInput::Timeout);
        for conn in (2..=50).map(ConnId) {
            hub.handle(now, HubInput::Received { conn });
        }
        serve(&mut hub, now);
    };
    (1..=200).for_each(&mut round);
    let allocated = measure(|| (201..=1_200).for_each(&mut round));
    assert_eq!(allocated.count_total, 0, "{allocated:?}");
    let seen = measure(|| drop(std::hint::black_box(vec![1])));
    assert_eq!(seen.count_total, 1, "the counter counts");
}

#[test]
fn connections_that_come_and_go_leave_nothing_in_memory_before_their_deadlines_do() {
    let mut desk = Desk::default();
    for conn in 1..=20u64 {
        desk.activate(conn, hello(u128::from(conn), conn));
    }
    // What they waited for comes after what the workers have to do.
    desk.at(1_000);
    // Also after many went at once, however many.
    for crowd in 300..304u64 {
        let (mut hub, now) = (desk.hub.clone(), desk.now);
        for conn in (1_000..1_000 + crowd).map(ConnId) {
            hub.handle(now, HubInput::Accepted { conn });
        }
        for conn in (1_000..1_000 + crowd).map(ConnId) {
            hub.handle(now, HubInput::Closed { conn, reason: Reason::ClosedByPeer });
        }
        let came_and_went = measure(|| {
            for conn in (2_000..7_000).map(ConnId) {
                hub.handle(now, HubInput::Accepted { conn });
                hub.handle(now, HubInput::Closed { conn, reason: Reason::ClosedByPeer });
                assert_eq!(serve(&mut hub, now), 0);
            }
        });
        // Twenty workers on twenty connections, and 1 KiB for each of them.
        assert!(came_and_went.bytes_max < 40 * 1_024, "{crowd}: {came_and_went:?}");
    }
}
