//! Both lanes in both directions between two ends whose connections break: sent, received, acknowledged,
//! granted, resumed, replayed by a proxy, one lane before the other; against lists of what was handed in.

use std::collections::VecDeque;

use moorline_link::{Arrival, Inbox, Lane, LaneLimits, Outbox, Seq, Standing, Tag};
use proptest::prelude::*;

/// What happens next. Of each pair the first chooses the direction and the lane.
#[derive(Clone, Copy, Debug)]
enum Op {
    Enqueue(usize, u32),
    Withdraw(usize, u64),
    Send(usize),
    Arrive(usize),
    /// What arrived on this connection before arrives again.
    Replay(usize, usize),
    Release(usize, u32),
    Acknowledge(usize),
    AckArrives(usize),
    /// An acknowledgement of this connection arrives once more, after later ones.
    AckReplay(usize, usize),
    /// The connection breaks with all that is under way, and the next one resumes the session.
    Resume,
    /// A second connection was told where the lanes stand, and came to nothing.
    Candidate,
}

fn op() -> impl Strategy<Value = Op> {
    let way = 0..4_usize;
    prop_oneof![
        6 => (way.clone(), 0..3_000_u32).prop_map(|(way, len)| Op::Enqueue(way, len)),
        1 => (way.clone(), 0..20_u64).prop_map(|(way, back)| Op::Withdraw(way, back)),
        8 => way.clone().prop_map(Op::Send),
        8 => way.clone().prop_map(Op::Arrive),
        1 => (way.clone(), 0..8_usize).prop_map(|(way, back)| Op::Replay(way, back)),
        4 => (way.clone(), 1..4_u32).prop_map(|(way, count)| Op::Release(way, count)),
        4 => way.clone().prop_map(Op::Acknowledge),
        4 => way.clone().prop_map(Op::AckArrives),
        1 => (way, 0..8_usize).prop_map(|(way, back)| Op::AckReplay(way, back)),
        1 => Just(Op::Resume),
        1 => Just(Op::Candidate),
    ]
}

/// One lane in one direction, with what is under way and what is known of it.
struct Way {
    limits: LaneLimits,
    outbox: Outbox,
    inbox: Inbox,
    wire: VecDeque<(Seq, Tag, u32)>,
    arrived: Vec<(Seq, u32)>,
    acks: VecDeque<Standing>,
    heard: Vec<Standing>,
    /// The model: what was handed in and not withdrawn, how far it was delivered, let go and released.
    handed: Vec<(Tag, u32)>,
    delivered: usize,
    let_go: usize,
    released: usize,
    tags: u64,
}

impl Way {
    fn new(lane: Lane, limits: LaneLimits) -> Self {
        Self {
            limits,
            outbox: Outbox::new(lane, Inbox::first_credit(&limits)),
            inbox: Inbox::new(lane, &limits),
            wire: VecDeque::new(),
            arrived: Vec::new(),
            acks: VecDeque::new(),
            heard: Vec::new(),
            handed: Vec::new(),
            delivered: 0,
            let_go: 0,
            released: 0,
            tags: 0,
        }
    }

    fn enqueue(&mut self, len: u32) -> Result<(), TestCaseError> {
        self.tags += 1;
        let held = &self.handed[self.released..];
        let bytes: u64 = held.iter().map(|(_, len)| u64::from(*len)).sum();
        prop_assert_eq!(self.outbox.held(), (u32::try_from(held.len()).expect("few"), bytes));
        let fits = held.len() < self.limits.outbox_messages as usize
            && (held.is_empty() || bytes + u64::from(len) <= self.limits.outbox_bytes);
        let taken = self.outbox.enqueue(&self.limits, Tag(self.tags), len).is_ok();
        prop_assert_eq!(taken, fits, "{} bytes of {} held", len, bytes);
        if taken {
            self.handed.push((Tag(self.tags), len));
        }
        Ok(())
    }

    fn withdraw(&mut self, back: u64) -> Result<(), TestCaseError> {
        let tag = Tag(self.tags.saturating_sub(back));
        let at = self.handed.iter().position(|(handed, _)| *handed == tag);
        let numbered = self.outbox.is_numbered(tag);
        let is_there = at.is_some_and(|at| at >= self.released) && !numbered;
        prop_assert_eq!(self.outbox.withdraw(tag), is_there);
        if let Some(at) = at.filter(|_| is_there) {
            prop_assert!(at >= self.delivered, "it was delivered and had no number");
            self.handed.remove(at);
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), TestCaseError> {
        if let Some((seq, tag, len)) = self.outbox.next() {
            let place = usize::try_from(seq.0).expect("few") - 1;
            prop_assert_eq!(self.handed.get(place), Some(&(tag, len)), "the number is the place");
            self.outbox.commit();
            self.wire.push_back((seq, tag, len));
        }
        Ok(())
    }

    fn arrive(&mut self) -> Result<(), TestCaseError> {
        let Some((seq, tag, len)) = self.wire.pop_front() else { return Ok(()) };
        let expected =
            if seq.0 <= self.delivered as u64 { Arrival::Duplicate } else { Arrival::Deliver };
        prop_assert_eq!(self.inbox.arrive(seq, len), expected);
        if expected == Arrival::Deliver {
            prop_assert_eq!(self.handed[self.delivered], (tag, len), "order");
            self.delivered += 1;
        }
        self.arrived.push((seq, len));
        let held = &self.handed[self.let_go..self.delivered];
        prop_assert!(held.len() <= self.limits.window_messages as usize, "more than its window");
        let but_one: u64 = held.iter().rev().skip(1).map(|(_, len)| u64::from(*len)).sum();
        prop_assert!(
            held.is_empty() || but_one < self.limits.window_bytes,
            "more bytes than its window"
        );
        Ok(())
    }

    fn replay(&mut self, back: usize) -> Result<(), TestCaseError> {
        let Some(nth) = self.arrived.len().checked_sub(back + 1) else { return Ok(()) };
        let (seq, len) = self.arrived[nth];
        let before = self.inbox.clone();
        prop_assert_eq!(self.inbox.arrive(seq, len), Arrival::Duplicate);
        prop_assert_eq!(&self.inbox, &before, "what came twice changed something");
        Ok(())
    }

    fn release(&mut self, count: u32) {
        let end = self.delivered.min(self.let_go + count as usize);
        let bytes = self.handed[self.let_go..end].iter().map(|(_, len)| u64::from(*len)).sum();
        self.inbox.release(u32::try_from(end - self.let_go).expect("few"), bytes);
        self.let_go = end;
    }

    fn acknowledge(&mut self) -> Result<(), TestCaseError> {
        if self.inbox.owes_ack(&self.limits) {
            let standing = self.inbox.standing(&self.limits);
            prop_assert_eq!(standing.received, Seq(self.delivered as u64));
            let window = self.let_go as u64 + u64::from(self.limits.window_messages);
            prop_assert_eq!(standing.credit.messages, Seq(window));
            self.inbox.commit_ack(&self.limits);
            prop_assert!(!self.inbox.owes_ack(&self.limits), "it is told, and owed");
            self.acks.push_back(standing);
        }
        Ok(())
    }

    fn hear(&mut self, standing: Standing) -> Result<(), TestCaseError> {
        let before = self.outbox.acknowledged();
        prop_assert!(self.outbox.acknowledge(standing), "it was numbered");
        prop_assert_eq!(self.outbox.acknowledged(), before.max(standing.received));
        self.collect()
    }

    fn collect(&mut self) -> Result<(), TestCaseError> {
        while let Some(tag) = self.outbox.released() {
            self.outbox.pop_released();
            prop_assert_eq!(Some(tag), self.handed.get(self.released).map(|(tag, _)| *tag));
            self.released += 1;
        }
        prop_assert!(self.released <= self.delivered, "let go before it was delivered");
        prop_assert_eq!(self.outbox.acknowledged(), Seq(self.released as u64));
        Ok(())
    }

    fn resume(&mut self) -> Result<(), TestCaseError> {
        self.wire.clear();
        self.acks.clear();
        self.arrived.clear();
        self.heard.clear();
        let told = self.inbox.standing(&self.limits);
        self.inbox.grant(told.credit);
        self.inbox.resume(told);
        prop_assert!(self.outbox.resume(told));
        self.collect()?;
        prop_assert_eq!(self.released, self.delivered, "a resume says how far it got");
        Ok(())
    }
}

struct World([Way; 4]);

impl World {
    fn step(&mut self, op: Op) -> Result<(), TestCaseError> {
        let ways = &mut self.0;
        match op {
            Op::Enqueue(way, len) => ways[way].enqueue(len)?,
            Op::Withdraw(way, back) => ways[way].withdraw(back)?,
            Op::Send(way) => ways[way].send()?,
            Op::Arrive(way) => ways[way].arrive()?,
            Op::Replay(way, back) => ways[way].replay(back)?,
            Op::Release(way, count) => ways[way].release(count),
            Op::Acknowledge(way) => ways[way].acknowledge()?,
            Op::AckArrives(way) => {
                if let Some(standing) = ways[way].acks.pop_front() {
                    ways[way].heard.push(standing);
                    ways[way].hear(standing)?;
                }
            }
            Op::AckReplay(way, back) => {
                let way = &mut ways[way];
                if let Some(nth) = way.heard.len().checked_sub(back + 1) {
                    let before = way.outbox.clone();
                    way.hear(way.heard[nth])?;
                    prop_assert_eq!(&way.outbox, &before, "an old word changed something");
                }
            }
            Op::Resume => ways.iter_mut().try_for_each(Way::resume)?,
            Op::Candidate => {
                for way in ways {
                    let told = way.inbox.standing(&way.limits);
                    way.inbox.grant(told.credit);
                }
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lanes_deliver_what_was_handed_in_once_and_in_order_whatever_breaks(
        ops in prop::collection::vec(op(), 1..500),
        window in (1..8_u32, 1..6_000_u64), outbox in (1..12_u32, 1..9_000_u64),
    ) {
        let limits = LaneLimits {
            outbox_messages: outbox.0,
            outbox_bytes: outbox.1,
            window_messages: window.0,
            window_bytes: window.1,
        };
        let [c, b] = [Lane::C, Lane::B].map(|lane| [Way::new(lane, limits), Way::new(lane, limits)]);
        let ([c_up, c_down], [b_up, b_down]) = (c, b);
        let mut world = World([c_up, c_down, b_up, b_down]);
        for op in ops {
            world.step(op)?;
        }
        // When nothing breaks any more all of it arrives, and everything is let go.
        for _ in 0..40 {
            for way in 0..4 {
                for op in [Op::Send(way), Op::Arrive(way), Op::Release(way, 9), Op::Acknowledge(way), Op::AckArrives(way)] {
                    world.step(op)?;
                }
            }
        }
        for way in &world.0 {
            prop_assert_eq!(way.delivered, way.handed.len(), "something is stuck");
            prop_assert_eq!(way.released, way.handed.len());
            prop_assert!(way.outbox.is_idle() && !way.outbox.awaits_ack());
            prop_assert_eq!(way.outbox.held(), (0, 0));
        }
    }
}
