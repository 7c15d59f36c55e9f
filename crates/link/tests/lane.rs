//! The numbered lanes: nothing is lost, doubled or reordered, and no credit is exceeded.

use moorline_link::{
    Arrival, Credit, EnqueueError, Inbox, Lane, LaneLimits, Outbox, Seq, Standing, Tag,
};
use proptest::prelude::*;

fn limits(messages: u32, bytes: u64) -> LaneLimits {
    LaneLimits { window_messages: messages, window_bytes: bytes, ..LaneLimits::default() }
}

fn outbox(limits: &LaneLimits) -> Outbox {
    Outbox::new(Lane::B, Inbox::first_credit(limits))
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Enqueue(u32),
    Withdraw(u64),
    Send,
    Arrive,
    Release(u32),
    Acknowledge,
    AckArrives,
    Drop,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..5_000u32).prop_map(Op::Enqueue),
        1 => (0..20u64).prop_map(Op::Withdraw),
        6 => Just(Op::Send),
        6 => Just(Op::Arrive),
        3 => (1..4u32).prop_map(Op::Release),
        3 => Just(Op::Acknowledge),
        3 => Just(Op::AckArrives),
        1 => Just(Op::Drop),
    ]
}

/// Both halves of one lane with a wire between them that can be cut.
struct World {
    limits: LaneLimits,
    outbox: Outbox,
    inbox: Inbox,
    wire: std::collections::VecDeque<(Seq, Tag, u32)>,
    acks: std::collections::VecDeque<Standing>,
    delivered: Vec<(Tag, u32)>,
    released_by_receiver: usize,
    enqueued: Vec<Tag>,
    released: Vec<Tag>,
    tags: u64,
}

impl World {
    fn new(limits: LaneLimits) -> Self {
        Self {
            limits,
            outbox: outbox(&limits),
            inbox: Inbox::new(Lane::B, &limits),
            wire: Default::default(),
            acks: Default::default(),
            delivered: Vec::new(),
            released_by_receiver: 0,
            enqueued: Vec::new(),
            released: Vec::new(),
            tags: 0,
        }
    }

    fn step(&mut self, op: Op) -> Result<(), TestCaseError> {
        match op {
            Op::Enqueue(len) => {
                self.tags += 1;
                if self.outbox.enqueue(&self.limits, Tag(self.tags), len).is_ok() {
                    self.enqueued.push(Tag(self.tags));
                }
            }
            Op::Withdraw(back) => {
                let tag = Tag(self.tags.saturating_sub(back));
                let (numbered, before) = (self.outbox.is_numbered(tag), self.outbox.clone());
                if self.outbox.withdraw(tag) {
                    prop_assert!(!numbered, "it may be under way");
                    prop_assert!(self.delivered.iter().all(|(delivered, _)| *delivered != tag));
                    self.enqueued.retain(|enqueued| *enqueued != tag);
                } else {
                    prop_assert_eq!(&self.outbox, &before);
                }
            }
            Op::Send => {
                if let Some(message) = self.outbox.next() {
                    self.outbox.commit();
                    self.wire.push_back(message);
                }
            }
            Op::Arrive => {
                let Some((seq, tag, len)) = self.wire.pop_front() else { return Ok(()) };
                match self.inbox.arrive(seq, len) {
                    Arrival::Deliver => self.delivered.push((tag, len)),
                    Arrival::Duplicate => {
                        prop_assert!(self.delivered.iter().any(|(delivered, _)| *delivered == tag));
                    }
                    broken @ (Arrival::Gap | Arrival::OverCredit | Arrival::TooLarge) => {
                        return Err(TestCaseError::fail(format!("{broken:?} at {seq:?}")));
                    }
                }
                self.within_credit()?;
            }
            Op::Release(count) => {
                let end = self.delivered.len().min(self.released_by_receiver + count as usize);
                let batch = &self.delivered[self.released_by_receiver..end];
                let bytes = batch.iter().map(|(_, len)| u64::from(*len)).sum();
                self.inbox.release(u32::try_from(batch.len()).expect("small"), bytes);
                self.released_by_receiver = end;
            }
            Op::Acknowledge => {
                if self.inbox.owes_ack(&self.limits) {
                    self.acks.push_back(self.inbox.standing(&self.limits));
                    self.inbox.commit_ack(&self.limits);
                }
            }
            Op::AckArrives => {
                if let Some(standing) = self.acks.pop_front() {
                    prop_assert!(self.outbox.acknowledge(standing));
                    self.collect();
                }
            }
            Op::Drop => {
                // The Hello of the next connection says where the receiver stands.
                self.wire.clear();
                self.acks.clear();
                let told = self.inbox.standing(&self.limits);
                self.inbox.grant(told.credit);
                self.inbox.resume(told);
                prop_assert!(self.outbox.resume(told));
                self.collect();
            }
        }
        Ok(())
    }

    fn collect(&mut self) {
        while let Some(tag) = self.outbox.released() {
            self.outbox.pop_released();
            self.released.push(tag);
        }
    }

    /// The receiver never holds more than the window, and of bytes one message more.
    fn within_credit(&self) -> Result<(), TestCaseError> {
        let held = &self.delivered[self.released_by_receiver..];
        prop_assert!(held.len() <= self.limits.window_messages as usize);
        let but_the_last = held.len().saturating_sub(1);
        let bytes: u64 = held[..but_the_last].iter().map(|(_, len)| u64::from(*len)).sum();
        prop_assert!(held.is_empty() || bytes < self.limits.window_bytes, "{bytes} bytes held");
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn over_any_losses_and_resumes_everything_arrives_once_and_in_order(
        ops in prop::collection::vec(op(), 1..400), messages in 1..10u32, bytes in 1..20_000u64,
    ) {
        let mut world = World::new(limits(messages, bytes));
        for op in ops {
            world.step(op)?;
            let tags: Vec<Tag> = world.delivered.iter().map(|(tag, _)| *tag).collect();
            prop_assert_eq!(&tags[..], &world.enqueued[..tags.len()], "order");
            prop_assert!(world.released.len() <= tags.len(), "released before it was processed");
        }
        // And when losses stop, all of it arrives: no credit is ever stuck.
        for _ in 0..2_000 {
            for op in [Op::Send, Op::Arrive, Op::Release(9), Op::Acknowledge, Op::AckArrives] {
                world.step(op)?;
            }
        }
        let tags: Vec<Tag> = world.delivered.iter().map(|(tag, _)| *tag).collect();
        prop_assert_eq!(&tags, &world.enqueued);
        prop_assert_eq!(&world.released, &world.enqueued);
        prop_assert!(world.outbox.is_idle());
        prop_assert_eq!(world.outbox.held(), (0, 0));
    }
}

#[test]
fn one_message_larger_than_all_credit_may_go_but_only_one() {
    let limits = limits(10, 100);
    let (mut outbox, mut inbox) = (outbox(&limits), Inbox::new(Lane::B, &limits));
    for tag in 1..=2 {
        outbox.enqueue(&limits, Tag(tag), 1 << 20).expect("room");
    }
    let (seq, _, len) = outbox.next().expect("the first may overshoot");
    outbox.commit();
    assert_eq!(inbox.arrive(seq, len), Arrival::Deliver);
    assert_eq!(outbox.next(), None);
    assert_eq!(inbox.arrive(Seq(2), 1), Arrival::OverCredit);
    inbox.release(1, 1 << 20);
    assert!(inbox.owes_ack(&limits));
    assert!(outbox.acknowledge(inbox.standing(&limits)));
    assert_eq!(outbox.next().map(|(seq, ..)| seq), Some(Seq(2)));
}

#[test]
fn the_numbered_rest_comes_before_anything_new_after_a_resume() {
    let limits = limits(2, 1 << 20);
    let mut outbox = outbox(&limits);
    for tag in 1..=3 {
        outbox.enqueue(&limits, Tag(tag), 10).expect("room");
    }
    for _ in 0..2 {
        assert!(outbox.next().is_some());
        assert!(!outbox.commit(), "it is sent for the first time");
    }
    assert_eq!(outbox.next(), None, "no credit for the third");
    assert!(!outbox.commit(), "nothing is sent");
    let credit = Credit { messages: Seq(3), bytes: 1 << 20 };
    assert!(outbox.resume(Standing { received: Seq(1), credit }));
    let mut again = Vec::new();
    while let Some((seq, tag, _)) = outbox.next() {
        again.push((seq, tag, outbox.commit()));
    }
    assert_eq!(again, [(Seq(2), Tag(2), true), (Seq(3), Tag(3), false)]);
}

#[test]
fn a_full_outbox_refuses_with_its_figures_and_an_oversized_message_always() {
    let bounds = LaneLimits { outbox_messages: 2, outbox_bytes: 100, ..LaneLimits::default() };
    let mut messages = outbox(&bounds);
    messages.enqueue(&bounds, Tag(1), 10).expect("room");
    messages.enqueue(&bounds, Tag(2), 10).expect("room");
    let before = messages.clone();
    let full = Err(EnqueueError::Full { messages: 2, bytes: 20 });
    assert_eq!(messages.enqueue(&bounds, Tag(3), 10), full);
    let max = Lane::B_MESSAGE_MAX;
    let large = Err(EnqueueError::TooLarge { len: max + 1, max });
    assert_eq!(messages.enqueue(&bounds, Tag(3), max + 1), large);
    assert_eq!(messages, before);

    let mut bytes = outbox(&bounds);
    bytes.enqueue(&bounds, Tag(1), 99).expect("room");
    assert_eq!(
        bytes.enqueue(&bounds, Tag(2), 2),
        Err(EnqueueError::Full { messages: 1, bytes: 99 })
    );
    // The largest message always fits an empty lane.
    outbox(&bounds).enqueue(&bounds, Tag(1), max).expect("room");
}

#[test]
fn a_gap_and_a_false_acknowledgement_change_nothing() {
    let limits = LaneLimits::default();
    let mut inbox = Inbox::new(Lane::C, &limits);
    let before = inbox.clone();
    assert_eq!(inbox.arrive(Seq(2), 1), Arrival::Gap);
    assert_eq!(inbox.arrive(Seq(1), Lane::C_MESSAGE_MAX + 1), Arrival::TooLarge);
    assert_eq!(inbox, before);

    let mut outbox = outbox(&limits);
    outbox.enqueue(&limits, Tag(1), 1).expect("room");
    let before = outbox.clone();
    let standing = Standing { received: Seq(1), credit: Credit::default() };
    assert!(!outbox.acknowledge(standing) && !outbox.resume(standing));
    assert_eq!(outbox, before);
}

#[test]
fn a_steady_flow_costs_one_credit_update_for_half_a_window_of_releases() {
    let limits = limits(32, 1 << 20);
    let mut inbox = Inbox::new(Lane::B, &limits);
    let mut acks = 0;
    for n in 1..=320 {
        assert_eq!(inbox.arrive(Seq(n), 10), Arrival::Deliver);
        inbox.commit_ack(&limits);
        inbox.release(1, 10);
        acks += u32::from(inbox.owes_ack(&limits));
    }
    assert_eq!(acks, 0, "every message's own acknowledgement brought the credit along");
    let mut inbox = Inbox::new(Lane::B, &limits);
    for n in 1..=32 {
        inbox.arrive(Seq(n), 10);
    }
    inbox.commit_ack(&limits);
    for _ in 0..32 {
        inbox.release(1, 10);
        if inbox.owes_ack(&limits) {
            inbox.commit_ack(&limits);
            acks += 1;
        }
    }
    assert_eq!(acks, 2);
}

#[test]
fn only_what_is_acknowledged_is_released_whoever_asks() {
    let limits = limits(8, 800);
    let mut outbox = outbox(&limits);
    outbox.enqueue(&limits, Tag(1), 10).expect("there is room");
    outbox.pop_released();
    assert_eq!(outbox.held(), (1, 10));
}

#[test]
fn a_lane_is_idle_when_all_it_holds_is_acknowledged() {
    let limits = limits(8, 800);
    let mut outbox = outbox(&limits);
    assert!(outbox.is_idle());
    for n in 1..=3 {
        outbox.enqueue(&limits, Tag(n), 10).expect("there is room");
        assert!(!outbox.is_idle(), "it waits");
        outbox.commit();
        assert!(!outbox.is_idle(), "it is under way");
        let credit = Inbox::first_credit(&limits);
        assert!(outbox.acknowledge(Standing { received: Seq(n), credit }));
        assert!(outbox.is_idle(), "it has arrived");
        outbox.pop_released();
        assert!(outbox.is_idle(), "it is gone");
    }
}

#[test]
fn the_largest_message_is_taken_and_one_byte_more_is_not() {
    for lane in Lane::ALL {
        let most = lane.message_max();
        let mut inbox = Inbox::new(lane, &LaneLimits::default());
        assert_eq!(inbox.arrive(Seq(1), most + 1), Arrival::TooLarge);
        assert_eq!(inbox.arrive(Seq(1), most), Arrival::Deliver);
    }
}

#[test]
fn a_lane_that_lets_nothing_pass_owes_nothing() {
    let closed = limits(0, 0);
    assert!(!Inbox::new(Lane::B, &closed).owes_ack(&closed));
}
