//! Registering, resuming, restoring, and moving to another connection.

mod support;

use std::time::Duration;

use moorline_link::{
    Ack, Arrival, BeatAnswer, ComeBack, ConnId, CoordinatorFrame, Credit, Dismissal, EnqueueError,
    Epoch, Flags, Instant, Lane, LaneLimits, Link, LinkAction, LinkConfig, LinkInput,
    LinkRejection, LinkTransmit, LinkVerdict, MessageHead, Reason, Seq, SessionId, Standing, State,
    Tag, Violation, Welcome, WorkerFrame,
};
use support::{Bench, MS, SECOND, identity};

const GRANTED: Credit = Credit { messages: Seq(32), bytes: 256 << 10 };

/// A link whose every step the test makes itself.
struct ByHand {
    link: Link,
    now: Instant,
}

impl ByHand {
    /// Opened, Hello written.
    fn greeted() -> Self {
        let mut it = Self {
            link: Link::new(LinkConfig::default(), identity(), 3, Instant::ZERO),
            now: Instant::ZERO,
        };
        it.now = it.link.next_wake().deadline().expect("waits for its first dial");
        it.link.handle(it.now, LinkInput::Timeout);
        it.open(ConnId(1));
        it
    }

    fn open(&mut self, conn: ConnId) {
        while self.link.poll_action().is_some() {}
        assert_eq!(self.link.handle(self.now, LinkInput::Opened { conn }), LinkVerdict::Accepted);
        let hello = self.written(conn);
        assert!(matches!(hello[..], [WorkerFrame::Hello(_)]), "{hello:?}");
    }

    /// Welcomed with a new session, the inventory not asked for yet.
    fn welcomed() -> Self {
        let mut it = Self::greeted();
        assert_eq!(it.frame(1, CoordinatorFrame::Welcome(welcome())), LinkVerdict::Accepted);
        it
    }

    /// Active on connection 1.
    fn active() -> Self {
        let mut it = Self::welcomed();
        it.restore(1);
        assert_eq!(it.link.state(), State::Active);
        it
    }

    fn restore(&mut self, conn: u64) {
        while self.link.poll_action().is_some() {}
        self.link.handle(self.now, LinkInput::Inventory { items: 0 });
        let frames = self.written(ConnId(conn));
        assert_eq!(frames, [WorkerFrame::InventoryEnd { count: 0 }, WorkerFrame::Active]);
        assert_eq!(self.frame(conn, CoordinatorFrame::Active), LinkVerdict::Accepted);
        while self.link.poll_action().is_some() {}
    }

    /// A second connection that said Hello.
    fn migrating(&mut self) {
        self.now = self.now + SECOND;
        assert_eq!(self.link.handle(self.now, LinkInput::Migrate), LinkVerdict::Accepted);
        self.open(ConnId(2));
    }

    fn frame(&mut self, conn: u64, frame: CoordinatorFrame) -> LinkVerdict {
        self.link.handle(self.now, LinkInput::Frame { conn: ConnId(conn), frame })
    }

    fn written(&mut self, conn: ConnId) -> Vec<WorkerFrame> {
        let mut frames = Vec::new();
        while let Some(transmit) = self.link.poll_transmit(self.now, conn, Lane::C) {
            match transmit {
                LinkTransmit::Frame(frame) => frames.push(frame),
                LinkTransmit::Message { head, .. } => frames.push(WorkerFrame::Message(head)),
            }
        }
        frames
    }

    /// Runs at the next deadline; beats are answered.
    fn tick(&mut self, waiting: bool) {
        self.now = self.link.next_wake().deadline().expect("it always waits for something");
        self.link.handle(self.now, LinkInput::Timeout);
        for frame in self.written(ConnId(1)) {
            if let WorkerFrame::Beat(beat) = frame {
                self.frame(1, answer(beat.seq, waiting));
            }
        }
        self.actions();
    }

    fn actions(&mut self) -> Vec<LinkAction> {
        std::iter::from_fn(|| self.link.poll_action()).collect()
    }
}

fn welcome() -> Welcome {
    Welcome {
        version: 1,
        features: 0,
        session: SessionId { epoch: Epoch(1), n: 1 },
        resumed: false,
        lanes: [Standing { received: Seq(0), credit: GRANTED }; 2],
        beat_interval: 5 * SECOND,
        first_window: None,
        lost_after: 90 * SECOND,
    }
}

fn out_of_place() -> LinkVerdict {
    LinkVerdict::Violation(Violation::OutOfPlace)
}

fn message(lane: Lane, seq: u64) -> CoordinatorFrame {
    CoordinatorFrame::Message(MessageHead { lane, seq: Seq(seq), len: 10 })
}

#[test]
fn an_inventory_of_three_is_sent_answered_and_only_then_followed_by_active() {
    let mut it = ByHand::welcomed();
    let session = SessionId { epoch: Epoch(1), n: 1 };
    assert_eq!(it.actions().last(), Some(&LinkAction::TakeInventory { session, resumed: false }));
    assert_eq!(it.written(ConnId(1)), []);
    it.link.handle(it.now, LinkInput::Inventory { items: 3 });
    let frames = it.written(ConnId(1));
    assert_eq!(frames.len(), 4);
    assert_eq!(frames[2], WorkerFrame::InventoryItem { index: 2 });
    assert_eq!(frames[3], WorkerFrame::InventoryEnd { count: 3 });
    for index in 0..3 {
        assert_eq!(it.written(ConnId(1)), [], "not before the last answer");
        assert_eq!(it.frame(1, CoordinatorFrame::InventoryAnswer { index }), LinkVerdict::Answer);
    }
    assert_eq!(it.written(ConnId(1)), [WorkerFrame::Active]);
    assert_eq!(it.link.state(), State::Registered);
    it.frame(1, CoordinatorFrame::Active);
    assert_eq!(it.link.state(), State::Active);
}

#[test]
fn answers_nobody_asked_for_and_answers_given_twice_are_violations() {
    let answer = |index| CoordinatorFrame::InventoryAnswer { index };
    for (answers, good) in [(vec![1], 0), (vec![0, 0], 1), (vec![0, 1, 2], 2)] {
        let mut it = ByHand::welcomed();
        it.actions();
        it.link.handle(it.now, LinkInput::Inventory { items: 2 });
        it.written(ConnId(1));
        let verdicts: Vec<_> = answers.iter().map(|index| it.frame(1, answer(*index))).collect();
        assert_eq!(verdicts.iter().filter(|v| **v == LinkVerdict::Answer).count(), good);
        assert_eq!(verdicts.last(), Some(&LinkVerdict::Violation(Violation::Inventory)));
    }
    // An item that was not sent yet cannot have an answer.
    let mut it = ByHand::welcomed();
    it.actions();
    it.link.handle(it.now, LinkInput::Inventory { items: 2 });
    assert_eq!(it.frame(1, answer(0)), LinkVerdict::Violation(Violation::Inventory));
}

#[test]
fn before_both_sides_are_active_only_beats_and_connection_frames_travel() {
    let ack = CoordinatorFrame::Ack(Ack { lane: Lane::C, standing: Standing::default() });
    for frame in [message(Lane::C, 1), message(Lane::B, 1), ack] {
        let mut it = ByHand::welcomed();
        assert_eq!(it.frame(1, frame), out_of_place());
        assert_eq!(it.link.snapshot().reason, Some(Reason::ProtocolError));
    }
    // The other way too: what is enqueued waits.
    let mut it = ByHand::welcomed();
    it.actions();
    let enqueue = LinkInput::Enqueue { lane: Lane::B, tag: Tag(1), len: 1 };
    assert_eq!(it.link.handle(it.now, enqueue), LinkVerdict::Accepted);
    assert_eq!(it.link.poll_transmit(it.now, ConnId(1), Lane::B), None);
    it.link.handle(it.now, LinkInput::Inventory { items: 0 });
    it.written(ConnId(1));
    assert_eq!(it.link.poll_transmit(it.now, ConnId(1), Lane::B), None, "we alone said it");
    it.frame(1, CoordinatorFrame::Active);
    assert!(it.link.poll_transmit(it.now, ConnId(1), Lane::B).is_some());
}

#[test]
fn a_body_may_overtake_the_coordinators_active_but_not_ours() {
    let mut it = ByHand::welcomed();
    it.actions();
    it.link.handle(it.now, LinkInput::Inventory { items: 0 });
    it.written(ConnId(1));
    assert_eq!(it.frame(1, message(Lane::B, 1)), LinkVerdict::Deliver);
    assert_eq!(it.link.state(), State::Active);
    assert_eq!(it.frame(1, CoordinatorFrame::Active), LinkVerdict::Accepted, "its own word, late");
    assert_eq!(it.frame(1, CoordinatorFrame::Active), out_of_place(), "but once");
}

#[test]
fn a_lane_c_message_before_active_is_out_of_place_because_its_lane_keeps_the_order() {
    let mut it = ByHand::welcomed();
    it.actions();
    it.link.handle(it.now, LinkInput::Inventory { items: 0 });
    it.written(ConnId(1));
    assert_eq!(it.frame(1, message(Lane::C, 1)), out_of_place());
}

#[test]
fn beats_run_from_the_registration_on() {
    let mut it = ByHand::welcomed();
    it.actions();
    for _ in 0..3 {
        it.now = it.link.next_wake().deadline().expect("a beat");
        it.link.handle(it.now, LinkInput::Timeout);
        let beats = it.written(ConnId(1));
        let [WorkerFrame::Beat(beat)] = beats[..] else { panic!("{beats:?}") };
        assert!(!beat.flags.active);
        let answer = BeatAnswer {
            seq: beat.seq,
            epoch: Epoch(1),
            known: true,
            flags: Flags::default(),
            free: 0,
            quiet: true,
            waiting: false,
            first_window: None,
            beat_interval: None,
        };
        it.frame(1, CoordinatorFrame::BeatAnswer(answer));
    }
    assert_eq!(it.link.state(), State::Registered);
}

#[test]
fn a_welcome_that_contradicts_the_hello_is_a_violation() {
    let asked = |change: fn(&mut Welcome)| {
        let mut it = ByHand::greeted();
        let mut welcome = welcome();
        change(&mut welcome);
        let verdict = it.frame(1, CoordinatorFrame::Welcome(welcome));
        assert_eq!(it.link.state(), State::Disconnected);
        verdict
    };
    assert_eq!(asked(|welcome| welcome.version = 2), out_of_place());
    assert_eq!(asked(|welcome| welcome.features = 4), out_of_place());
    assert_eq!(asked(|welcome| welcome.resumed = true), out_of_place());
    let false_ack = LinkVerdict::Violation(Violation::FalseAck);
    assert_eq!(asked(|welcome| welcome.lanes[1].received = Seq(1)), false_ack);
}

#[test]
fn every_other_frame_before_the_welcome_is_out_of_place() {
    for frame in [CoordinatorFrame::Active, CoordinatorFrame::Probe, message(Lane::B, 1)] {
        assert_eq!(ByHand::greeted().frame(1, frame), out_of_place());
    }
}

#[test]
fn a_message_that_breaks_its_lane_closes_the_connection() {
    for (head, arrival) in [
        (MessageHead { lane: Lane::C, seq: Seq(2), len: 1 }, Arrival::Gap),
        (MessageHead { lane: Lane::C, seq: Seq(1), len: 1 << 20 }, Arrival::TooLarge),
    ] {
        let mut it = ByHand::active();
        let verdict = it.frame(1, CoordinatorFrame::Message(head));
        assert_eq!(verdict, LinkVerdict::Violation(Violation::Message(arrival)));
        assert_eq!(it.link.state(), State::Disconnected);
    }
    let mut it = ByHand::active();
    let window = u64::from(LaneLimits::default().window_messages);
    for seq in 1..=window {
        assert_eq!(it.frame(1, message(Lane::B, seq)), LinkVerdict::Deliver);
    }
    let over = LinkVerdict::Violation(Violation::Message(Arrival::OverCredit));
    assert_eq!(it.frame(1, message(Lane::B, window + 1)), over);
}

#[test]
fn acknowledging_what_was_never_sent_is_a_violation() {
    let mut it = ByHand::active();
    let standing = Standing { received: Seq(1), credit: GRANTED };
    let verdict = it.frame(1, CoordinatorFrame::Ack(Ack { lane: Lane::B, standing }));
    assert_eq!(verdict, LinkVerdict::Violation(Violation::FalseAck));
}

#[test]
fn a_session_goes_on_over_a_new_connection_and_what_was_not_acknowledged_comes_again() {
    let mut bench = Bench::active(LinkConfig::default());
    bench.listening = false;
    for tag in 1..=3 {
        bench.input(LinkInput::Enqueue { lane: Lane::B, tag: Tag(tag), len: 100 });
    }
    // The coordinator has them; its acknowledgements were lost with the connection.
    assert_eq!(bench.delivered.len(), 3);
    bench.cut(Reason::TransportReset);
    bench.listening = true;
    bench.input(LinkInput::Enqueue { lane: Lane::B, tag: Tag(4), len: 100 });
    bench.forget();
    bench.until_active();
    let resumed = bench
        .actions
        .iter()
        .any(|(_, action)| matches!(action, LinkAction::TakeInventory { resumed: true, .. }));
    assert!(resumed);
    let released: Vec<Tag> = bench
        .actions
        .iter()
        .filter_map(
            |(_, action)| if let LinkAction::Released { tag } = action { Some(*tag) } else { None },
        )
        .collect();
    assert_eq!(released, [Tag(1), Tag(2), Tag(3), Tag(4)]);
    assert_eq!(bench.delivered.len(), 4, "nothing was applied twice");
    assert_eq!(bench.link.resent(), 0, "the Welcome said that it has them");
}

#[test]
fn what_is_acknowledged_by_the_welcome_is_released_before_the_inventory_is_taken() {
    let mut it = ByHand::active();
    let enqueue = LinkInput::Enqueue { lane: Lane::B, tag: Tag(9), len: 1 };
    it.link.handle(it.now, enqueue);
    assert!(it.link.poll_transmit(it.now, ConnId(1), Lane::B).is_some());
    it.migrating();
    let lanes = [
        Standing { received: Seq(0), credit: GRANTED },
        Standing { received: Seq(1), credit: GRANTED },
    ];
    it.frame(2, CoordinatorFrame::Welcome(Welcome { resumed: true, lanes, ..welcome() }));
    let actions = it.actions();
    assert_eq!(actions[0], LinkAction::Released { tag: Tag(9) });
    assert!(matches!(actions.last(), Some(LinkAction::TakeInventory { resumed: true, .. })));
}

#[test]
fn credit_that_only_the_hello_told_may_be_used() {
    let mut it = ByHand::active();
    for seq in 1..=4 {
        it.frame(1, message(Lane::B, seq));
    }
    it.written(ConnId(1));
    // Too little to be told by itself: the next Hello brings it along.
    it.link.handle(it.now, LinkInput::Release { lane: Lane::B, messages: 4, bytes: 40 });
    assert_eq!(it.written(ConnId(1)), []);
    it.migrating();
    it.frame(2, CoordinatorFrame::Welcome(Welcome { resumed: true, ..welcome() }));
    it.restore(2);
    let window = u64::from(LaneLimits::default().window_messages);
    for seq in 5..=4 + window {
        assert_eq!(it.frame(2, message(Lane::B, seq)), LinkVerdict::Deliver, "{seq}");
    }
    let over = LinkVerdict::Violation(Violation::Message(Arrival::OverCredit));
    assert_eq!(it.frame(2, message(Lane::B, 5 + window)), over);
}

#[test]
fn a_new_session_begins_with_empty_lanes_and_the_embedder_is_told_before_it_can_enqueue() {
    let mut bench = Bench::active(LinkConfig::default());
    bench.listening = false;
    bench.input(LinkInput::Enqueue { lane: Lane::C, tag: Tag(1), len: 10 });
    bench.cut(Reason::TransportReset);
    bench.coordinator.restart();
    bench.listening = true;
    bench.delivered.clear();
    bench.forget();
    bench.until_active();
    bench.pass(20 * SECOND);
    let told = bench
        .actions
        .iter()
        .any(|(_, action)| matches!(action, LinkAction::TakeInventory { resumed: false, .. }));
    assert!(told);
    assert_eq!(bench.delivered, [], "the message of the old session is void");

    let no_session = LinkVerdict::Rejected(LinkRejection::Enqueue(EnqueueError::NoSession));
    let enqueue = LinkInput::Enqueue { lane: Lane::C, tag: Tag(2), len: 10 };
    let mut it = ByHand::welcomed();
    assert_eq!(it.link.handle(it.now, enqueue), no_session);
    it.actions();
    assert_eq!(it.link.handle(it.now, enqueue), LinkVerdict::Accepted);
    assert_eq!(ByHand::greeted().link.handle(Instant::ZERO, enqueue), no_session);
}

#[test]
fn that_a_session_is_new_is_told_even_if_its_first_connection_dies_untold() {
    let mut it = ByHand::welcomed();
    it.link.handle(it.now, LinkInput::Closed { conn: ConnId(1), reason: Reason::StreamLost });
    it.actions();
    it.now = it.link.next_wake().deadline().expect("waits");
    it.link.handle(it.now, LinkInput::Timeout);
    it.open(ConnId(2));
    it.frame(2, CoordinatorFrame::Welcome(Welcome { resumed: true, ..welcome() }));
    let take = it.actions().pop();
    assert!(matches!(take, Some(LinkAction::TakeInventory { resumed: false, .. })), "{take:?}");
}

#[test]
fn a_restore_without_progress_is_stalled_after_its_timeout() {
    let mut it = ByHand::welcomed();
    it.actions();
    it.link.handle(it.now, LinkInput::Inventory { items: 2 });
    it.written(ConnId(1));
    let start = it.now;
    while it.now.since(start) < 20 * SECOND {
        it.tick(false);
    }
    // The coordinator lives, which is no progress; an answer is.
    it.frame(1, CoordinatorFrame::InventoryAnswer { index: 0 });
    let progress = it.now;
    while it.link.state() == State::Registered {
        it.tick(false);
    }
    assert_eq!(it.link.snapshot().reason, Some(Reason::RestoreStalled));
    assert_eq!(it.now.since(progress), 30 * SECOND);
}

fn answer(seq: u32, waiting: bool) -> CoordinatorFrame {
    CoordinatorFrame::BeatAnswer(BeatAnswer {
        seq,
        epoch: Epoch(1),
        known: true,
        flags: Flags::default(),
        free: 0,
        quiet: true,
        waiting,
        first_window: None,
        beat_interval: None,
    })
}

#[test]
fn the_restore_clock_stands_still_while_the_coordinator_waits_for_its_store() {
    let mut it = ByHand::welcomed();
    it.actions();
    it.link.handle(it.now, LinkInput::Inventory { items: 1 });
    let start = it.now;
    while it.now.since(start) < 200 * SECOND {
        it.tick(true);
    }
    assert_eq!(it.link.state(), State::Registered);
    let waited = it.now;
    while it.link.state() == State::Registered {
        it.tick(false);
    }
    assert_eq!(it.link.snapshot().reason, Some(Reason::RestoreStalled));
    // The first answer that says it does not wait any more comes within an interval.
    let after = it.now.since(waited);
    assert!(after >= 30 * SECOND && after <= 35 * SECOND, "{after:?} after the store was back");
}

#[test]
fn a_migration_makes_the_new_connection_before_it_breaks_the_old() {
    let mut it = ByHand::active();
    it.migrating();
    assert_eq!(it.link.state(), State::Active);
    assert_eq!(it.link.handle(it.now, LinkInput::Migrate), LinkVerdict::Accepted, "one is enough");
    assert_eq!(it.actions(), []);
    // The old one carries work until the Welcome.
    assert_eq!(it.frame(1, message(Lane::B, 1)), LinkVerdict::Deliver);
    let ack = it.written(ConnId(1));
    assert!(matches!(ack[..], [WorkerFrame::Ack(Ack { lane: Lane::B, .. })]), "{ack:?}");
    it.frame(2, CoordinatorFrame::Welcome(Welcome { resumed: true, ..welcome() }));
    assert_eq!(it.link.state(), State::Active, "a resumed session does not show");
    let close = LinkAction::Close { conn: ConnId(1), reason: Reason::Moved };
    assert_eq!(it.actions()[0], close);
    assert_eq!(it.frame(1, message(Lane::B, 2)), LinkVerdict::Stale);
    it.link.handle(it.now, LinkInput::Inventory { items: 0 });
    it.written(ConnId(2));
    it.frame(2, CoordinatorFrame::Active);
    // That acknowledgement may have been lost with the old connection, and the Hello was older: it is
    // told again, and the message is known when it comes again.
    let ack = it.written(ConnId(2));
    assert!(matches!(ack[..], [WorkerFrame::Ack(Ack { lane: Lane::B, .. })]), "{ack:?}");
    assert_eq!(it.frame(2, message(Lane::B, 1)), LinkVerdict::Duplicate);
    assert_eq!(it.frame(2, message(Lane::B, 2)), LinkVerdict::Deliver);
}

#[test]
fn a_migration_into_a_new_session_goes_back_to_registered() {
    let mut it = ByHand::active();
    it.migrating();
    let session = SessionId { epoch: Epoch(2), n: 1 };
    it.frame(2, CoordinatorFrame::Welcome(Welcome { session, ..welcome() }));
    assert_eq!(it.link.state(), State::Registered);
    it.restore(2);
    assert_eq!(it.link.state(), State::Active);
}

#[test]
fn a_close_as_moved_while_the_welcome_is_under_way_is_not_a_loss() {
    let closed = LinkInput::Closed { conn: ConnId(1), reason: Reason::Moved };
    let go_away = LinkInput::Frame {
        conn: ConnId(1),
        frame: CoordinatorFrame::GoAway(Dismissal {
            reason: Reason::Moved,
            come_back: ComeBack::ByReason,
        }),
    };
    for input in [closed, go_away] {
        let mut it = ByHand::active();
        it.migrating();
        it.link.handle(it.now, input);
        assert_eq!(it.link.state(), State::Active);
        it.frame(2, CoordinatorFrame::Welcome(Welcome { resumed: true, ..welcome() }));
        it.restore(2);
        assert_eq!(it.link.state(), State::Active);

        // But if that Welcome never comes, everything is lost.
        let mut it = ByHand::active();
        it.migrating();
        it.link.handle(it.now, input);
        it.actions();
        it.now = it.now + 10 * SECOND;
        it.link.handle(it.now, LinkInput::Timeout);
        assert_eq!(it.link.state(), State::Disconnected);
        assert_eq!(it.link.snapshot().reason, Some(Reason::RegisterTimeout));
    }
}

#[test]
fn if_the_connection_is_lost_while_a_candidate_is_under_way_there_is_no_backoff() {
    let mut it = ByHand::active();
    it.migrating();
    let reason = Reason::TransportReset;
    it.link.handle(it.now, LinkInput::Closed { conn: ConnId(1), reason });
    let path: Vec<State> = it
        .actions()
        .iter()
        .filter_map(|action| {
            if let LinkAction::Announce(transition) = action { Some(transition.to) } else { None }
        })
        .collect();
    assert_eq!(path, [State::Disconnected, State::Connecting]);
    it.frame(2, CoordinatorFrame::Welcome(Welcome { resumed: true, ..welcome() }));
    it.restore(2);
    assert_eq!(it.link.snapshot().reason, Some(reason), "why it was out");
}

#[test]
fn a_candidate_that_fails_leaves_the_connection_alone() {
    let reason = Reason::NameConflict;
    let refusal = CoordinatorFrame::Refused(Dismissal { reason, come_back: ComeBack::Never });
    for (failure, reason) in [
        (
            LinkInput::Closed { conn: ConnId(2), reason: Reason::TransportReset },
            Reason::TransportReset,
        ),
        (LinkInput::Violation { conn: ConnId(2) }, Reason::ProtocolError),
        (LinkInput::Frame { conn: ConnId(2), frame: refusal }, reason),
    ] {
        let mut it = ByHand::active();
        it.migrating();
        it.link.handle(it.now, failure);
        assert_eq!(it.link.state(), State::Active);
        let told = it.actions();
        let lost = LinkAction::CandidateLost { conn: ConnId(2), reason };
        assert_eq!(
            told.iter().filter(|action| **action == lost).count(),
            1,
            "it is told: {told:?}"
        );
        assert_eq!(it.frame(1, message(Lane::C, 1)), LinkVerdict::Deliver);
        it.now = it.now + 100 * MS;
        assert_eq!(it.link.handle(it.now, LinkInput::Migrate), LinkVerdict::Accepted);
        let dial = it.actions().pop();
        assert!(matches!(dial, Some(LinkAction::Dial { conn: ConnId(3), .. })), "{dial:?}");
    }
}

#[test]
fn a_migration_needs_a_connection() {
    let mut it = ByHand::greeted();
    let verdict = it.link.handle(it.now, LinkInput::Migrate);
    assert_eq!(verdict, LinkVerdict::Rejected(LinkRejection::State(State::Connecting)));
}

#[test]
fn inputs_that_come_late_for_an_old_connection_are_stale() {
    let mut bench = Bench::active(LinkConfig::default());
    let old = bench.conn();
    bench.cut(Reason::TransportReset);
    bench.until_active();
    bench.pass(Duration::from_secs(7));
    let before = bench.link.clone();
    for input in [
        LinkInput::Closed { conn: old, reason: Reason::Superseded },
        LinkInput::Frame { conn: old, frame: CoordinatorFrame::Active },
        LinkInput::Received { conn: old },
        LinkInput::Violation { conn: old },
        LinkInput::Opened { conn: old },
        LinkInput::DialFailed { conn: old, reason: Reason::ConnectRefused },
    ] {
        assert_eq!(bench.link.handle(bench.now, input), LinkVerdict::Stale);
        assert_eq!(bench.link, before);
    }
}
