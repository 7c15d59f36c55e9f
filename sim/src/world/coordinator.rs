//! The coordinator's process: the real node, its driver, and its store.

use bytes::Bytes;
use moorline_link::{Beat, ConnId, Instant, Presence, Reason, WorkerId};
use moorline_node::{
    CoordinatorAction, CoordinatorConfig, CoordinatorEvent, CoordinatorInput, CoordinatorNode,
    DownFrame, Name, Requeue, StoreOp, UpFrame,
};

use super::twin::Twinned;
use super::worker::{SOFTWARE, name};
use super::{Event, World};
use crate::decide::{Decide, Site, mix};
use crate::disk::Committed;
use crate::frame::FrameKind;
use crate::ledger::{Scope, index_of};
use crate::network::End;
use crate::plan::{Kept, Manner, Side, Who};
use crate::report::seconds;
use crate::trace::What;
use crate::{Rule, Sabotage};

/// Packets written on one connection before the next has its turn.
const QUANTUM: u32 = 4;
/// Events between two looks at the list of workers, at least.
const LOOK: u64 = 32;
/// Calls a driver makes at one instant before something is wrong.
const TURNS_MAX: u32 = 100_000;

/// What the coordinator calls a connection: never used before, as connections are numbered.
pub(super) fn conn_id(conn: usize) -> ConnId {
    ConnId(conn as u64 + 1)
}

impl World {
    pub(super) fn begin_coordinator(&mut self) {
        if self.coordinator.node.is_some() {
            return;
        }
        let epoch = self.disk.begin(self.now);
        let config = CoordinatorConfig {
            hub: self.configs.hub,
            dispatcher: self.spoil_dispatcher(self.configs.dispatcher),
            retry: self.configs.retry,
            epoch,
            software: name(SOFTWARE),
            seed: mix(self.plan.seed ^ u64::from(self.coordinator.life)).into(),
        };
        self.note(What::Begins.by(Who::Coordinator).value(epoch.0), || {
            format!("the coordinator begins {epoch:?}")
        });
        let judgement = self.ledger.coordinator_began(epoch, self.judged_at());
        self.judge(judgement);
        let now = self.clock_of_coordinator();
        let node = CoordinatorNode::new(config, now);
        let node = if self.plan.authenticates() { node.authenticating() } else { node };
        self.coordinator.node = Some(Twinned::new(node));
        self.settle_coordinator();
    }

    pub(super) fn tell_coordinator(&mut self, input: CoordinatorInput) {
        let now = self.clock_of_coordinator();
        if let Some(node) = &mut self.coordinator.node {
            node.both_with(input, |node, input| node.handle(now, input));
            self.settle_coordinator();
        }
    }

    pub(super) fn wake_coordinator(&mut self, at: Instant) {
        if !self.coordinator.fires(at) {
            return;
        }
        if self.coordinator.is_spinning(self.now) {
            self.spins(Who::Coordinator);
            return;
        }
        self.note(What::Wakes.by(Who::Coordinator), || "the coordinator's timer fires".into());
        self.tell_coordinator(CoordinatorInput::Timeout);
        let now = self.clock_of_coordinator();
        let next = self.coordinator.node.as_ref().and_then(|node| node.next_wake());
        if next.is_some_and(|next| next <= now) {
            self.spins(Who::Coordinator);
        }
    }

    /// The driver: carries out what the machine wants, and sets the timer.
    fn settle_coordinator(&mut self) {
        for turn in 0.. {
            if turn > TURNS_MAX {
                self.spins(Who::Coordinator);
                return;
            }
            let Some(node) = &mut self.coordinator.node else { return };
            let Some(action) = node.both(CoordinatorNode::poll_action) else { break };
            self.coordinator_action(action);
        }
        self.start_commit();
        // In a large fleet as many as it has workers: a look takes no larger share of the time.
        if self.events.is_multiple_of(LOOK.max(self.plan.workers.len() as u64)) {
            self.check_list();
        }
        let Some(node) = &self.coordinator.node else { return };
        match node.next_wake() {
            Some(deadline) => self.arm(Who::Coordinator, deadline),
            None => self.disarm(Who::Coordinator),
        }
    }

    /// The list of workers, as an operator sees it: who is shown as here was heard lately.
    #[allow(clippy::wildcard_enum_match_arm, reason = "there will be more words")]
    fn check_list(&mut self) {
        let now = self.clock_of_coordinator();
        // What it does late by a fault of its own it knows late.
        if self.judged_at() < self.late_until {
            return;
        }
        // Two intervals of heartbeats, and what timers are late by.
        let most = self.suspect_after + self.plan.settings.late * 2;
        for index in 0..self.plan.workers.len() {
            // Second processes are not shown by themselves.
            if index_of(self.plan.workers[index].id) != index {
                continue;
            }
            let Some(node) = &self.coordinator.node else { return };
            let presence = node.presence(now, WorkerId(self.plan.workers[index].id));
            let is_here = presence.is_some_and(|presence| match presence {
                Presence::Restoring | Presence::Active | Presence::Draining => true,
                Presence::Expected
                | Presence::Suspect
                | Presence::Disconnected
                | Presence::Lost
                | Presence::Departed => false,
                _ => false,
            });
            if is_here {
                let judgement = self.ledger.shown(index, most, self.judged_at());
                self.judge(judgement);
            }
        }
    }

    fn coordinator_action(&mut self, action: CoordinatorAction) {
        match action {
            CoordinatorAction::Persist(persist) => {
                let judgement = self.ledger.gives(&persist, self.judged_at());
                self.judge(judgement);
                let wants = What::Wants.by(Who::Coordinator).value(persist.id.0);
                self.note(wants, || {
                    format!("the coordinator wants {:?} {:?}", persist.id, persist.op)
                });
                self.note_op(&persist.op);
                let (workers, now) = (&self.workers, self.judged_at());
                let holds = |process, key| Self::holds(workers, process, key);
                let judgement = self.ledger.wanted(&persist, now, holds);
                self.judge(judgement);
                self.disk.wait(persist);
            }
            CoordinatorAction::Authenticate { conn, applicant } => {
                if let Some(conn) = number(conn) {
                    self.vet(conn, &applicant);
                }
            }
            CoordinatorAction::Close { conn, reason } => {
                if let Some(conn) = number(conn) {
                    self.close(conn, Side::Coordinator, reason);
                    self.unless_coordinator_speaks(conn);
                }
            }
            CoordinatorAction::Flush { conn } => {
                if let Some(conn) = number(conn) {
                    self.flush(conn);
                }
            }
            CoordinatorAction::Reply { ticket, reply } => self.reply(ticket, reply),
            CoordinatorAction::Ended { task } => {
                let judgement = self.ledger.said_to_have_ended(task);
                self.judge(judgement);
            }
            CoordinatorAction::Event(event) => self.coordinator_event(&event),
        }
    }

    fn flush(&mut self, conn: usize) {
        let now = self.clock_of_coordinator();
        let worker = self.network.conn(conn).worker;
        for _ in 0..QUANTUM {
            if !self.is_writable(conn, Side::Coordinator) {
                self.block(conn, Side::Coordinator);
                return;
            }
            let Some(node) = &mut self.coordinator.node else { return };
            let packet = node.both(|node| node.poll_transmit(now, conn_id(conn)));
            let Some(mut packet) = packet else { return };
            self.spoil_said_down(&mut packet.frames);
            if !packet.frames.iter().all(is_heartbeat) {
                self.spoke(worker, || format!("the coordinator says {:?}", packet.frames));
            }
            let network = &self.network;
            let is_open = |conn: usize| network.conn(conn).end(Side::Coordinator) == End::Open;
            let judgement =
                self.ledger.coordinator_says(conn, &packet.frames, self.judged_at(), is_open);
            self.judge(judgement);
            self.note_down(worker, &packet.frames);
            if packet.frames.iter().any(|frame| matches!(frame, DownFrame::Welcome { .. })) {
                self.ledger.welcomed(self.is(worker), conn, self.judged_at());
                self.unless_proven(conn);
            }
            let bytes = moorline_wire::encode_down(&packet);
            self.unless_decoded_down(&packet, &bytes);
            let sends = What::Sends.by(Who::Coordinator).on(conn).value(bytes.len() as u64);
            let cause = self
                .note(sends, || format!("the coordinator sends {} bytes on c{conn}", bytes.len()));
            self.detail_frames(cause, Who::Coordinator, conn, &packet.frames, FrameKind::of_down);
            self.send(conn, Side::Coordinator, packet.lane, bytes, cause);
        }
    }

    /// The connection takes nothing more for now. A worker's driver finds out by itself.
    pub(super) fn block(&mut self, conn: usize, from: Side) {
        let state = self.network.conn_mut(conn);
        if state.end(from) != End::Open || state.pipe(from).blocked {
            return;
        }
        state.pipe_mut(from).blocked = true;
        self.seen.blocked += 1;
        let now = self.clock_of_coordinator();
        match from {
            Side::Worker => self.ledger.worker_blocked(conn),
            Side::Coordinator => {
                if let Some(node) = &mut self.coordinator.node {
                    let input = CoordinatorInput::Unwritable { conn: conn_id(conn) };
                    node.both_with(input, |node, input| node.handle(now, input));
                }
            }
        }
    }

    /// A connection takes packets again.
    pub(super) fn writable_again(&mut self, conn: usize, from: Side) {
        let worker = self.network.conn(conn).worker;
        let who = match from {
            Side::Worker => Who::Worker(worker),
            Side::Coordinator => Who::Coordinator,
        };
        // Its process is told as of everything: later, if it is frozen.
        self.after(0, Event::Writable { conn, from, who });
    }

    pub(super) fn writable(&mut self, conn: usize, from: Side) {
        if self.network.conn(conn).end(from) != End::Open {
            return;
        }
        match from {
            Side::Worker => self.drive_worker(self.network.conn(conn).worker),
            Side::Coordinator => {
                self.tell_coordinator(CoordinatorInput::Writable { conn: conn_id(conn) });
            }
        }
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "events are open to additions")]
    fn coordinator_event(&mut self, event: &CoordinatorEvent) {
        self.note(What::Event.by(Who::Coordinator), || format!("the coordinator: {event:?}"));
        match event {
            CoordinatorEvent::Registered { resumed, worker, name, .. } => {
                self.names.insert(name.as_str().to_owned(), index_of(worker.0));
                let count = if *resumed { &mut self.seen.resumed } else { &mut self.seen.begun };
                *count += 1;
            }
            CoordinatorEvent::Recovered { leases, .. } => {
                self.seen.recovered += u64::from(*leases);
            }
            CoordinatorEvent::Departed { .. } => self.seen.departed += 1,
            CoordinatorEvent::Lost { name, .. } => {
                self.seen.lost += 1;
                // Under one name there may have been two.
                let called: Vec<usize> = self.all_called(name).collect();
                let Some(worker) = called.first().copied() else { return };
                let lost = |worker: &usize| {
                    let incarnation = self.workers[*worker].incarnation;
                    self.ledger.lost(*worker, incarnation, self.judged_at())
                };
                let all: Vec<_> = called.iter().map(lost).collect();
                if all.iter().all(Result::is_err) {
                    all.into_iter().for_each(|judgement| self.judge(judgement));
                }
                self.unless_calm(Some(worker), || format!("{event:?}"));
            }
            CoordinatorEvent::Detached { name, reason, .. } => {
                let Some(worker) = self.present_of(name) else { return };
                self.ledger.sent_away(worker, *reason);
                let silent = *reason == Reason::HeartbeatTimeout;
                let silence = silent.then_some(self.disconnect_after);
                self.seen.silent += u64::from(silent);
                let judgement = self.ledger.detached(worker, silence, self.judged_at());
                self.judge(judgement);
                self.seen.unanswered += u64::from(*reason == Reason::AnswerTimeout);
                self.unless_violated(Who::Coordinator, Some(worker), *reason);
                self.unless_back(Some(worker), || format!("{event:?}"));
            }
            CoordinatorEvent::Refused { reason, .. } => {
                self.seen.conflicts += u64::from(*reason == Reason::NameConflict);
                self.unless_violated(Who::Coordinator, None, *reason);
                self.unless_calm(None, || format!("{event:?}"));
            }
            CoordinatorEvent::Stalled { .. } => {
                self.seen.stalled += 1;
                self.unless_calm(None, || format!("{event:?}"));
            }
            CoordinatorEvent::Suspect { .. } | CoordinatorEvent::Redelivered { .. } => {
                self.unless_calm(None, || format!("{event:?}"));
            }
            // Whatever else it says, now or later, is no fault.
            _ => {}
        }
    }

    /// The number in a name.
    fn number_of(&self, worker: &Name) -> Option<usize> {
        let number = worker.as_str().strip_prefix('w')?.parse().ok()?;
        (number < self.plan.workers.len()).then_some(number)
    }

    /// The workers that may have been called so.
    fn all_called(&self, name: &Name) -> impl Iterator<Item = usize> {
        let number = self.number_of(name);
        let workers = self.workers.iter().enumerate();
        let called = workers.filter(move |(_, worker)| Some(worker.called) == number);
        let mut all: Vec<usize> = called.map(|(_, worker)| worker.is).collect();
        all.dedup();
        all.into_iter()
    }

    /// The worker that was registered last under this name.
    fn present_of(&self, name: &Name) -> Option<usize> {
        let last = self.names.get(name.as_str()).copied();
        last.or_else(|| self.all_called(name).next())
    }

    /// Whether this says that it comes from another worker than it does: only where bytes have changed.
    fn is_impostor(&self, worker: usize, frame: &UpFrame) -> bool {
        match frame {
            UpFrame::Hello { head, about, .. } => {
                head.worker.0 != self.plan.workers[worker].id
                    || self.number_of(&about.name) != Some(self.workers[worker].called)
            }
            UpFrame::Goodbye { .. }
            | UpFrame::InventoryItem { .. }
            | UpFrame::InventoryEnd { .. }
            | UpFrame::Active
            | UpFrame::Beat(_)
            | UpFrame::Statistics(_)
            | UpFrame::Ack(_)
            | UpFrame::Message(_)
            | UpFrame::Part(_) => false,
        }
    }

    // What the network tells the coordinator.

    pub(super) fn accepted(&mut self, conn: usize) {
        if self.network.conn(conn).end(Side::Coordinator) == End::Waiting {
            self.network.open(conn, Side::Coordinator);
            self.tell_coordinator(CoordinatorInput::Accepted { conn: conn_id(conn) });
        }
    }

    pub(super) fn closed_for_coordinator(&mut self, conn: usize, reason: Reason) {
        self.tell_coordinator(CoordinatorInput::Closed { conn: conn_id(conn), reason });
    }

    pub(super) fn packet_for_coordinator(&mut self, conn: usize, packet: Bytes) {
        let worker = self.network.conn(conn).worker;
        let mut frames = match moorline_wire::decode_up(packet) {
            Ok(decoded) => decoded.frames,
            Err(error) => {
                self.break_promise(Rule::Wire, format!("coordinator on c{conn}: {error}"));
                self.tell_coordinator(CoordinatorInput::Undecodable { conn: conn_id(conn) });
                return;
            }
        };
        // The books are kept by who workers are: the simulator's part of a hostile world ends here.
        if self.is_tampered && frames.iter().any(|frame| self.is_impostor(worker, frame)) {
            self.tell_coordinator(CoordinatorInput::Undecodable { conn: conn_id(conn) });
            return;
        }
        self.spoil_up(&mut frames);
        self.swallow_up(worker, &mut frames);
        let hello = frames.iter().find(|frame| matches!(frame, UpFrame::Hello { .. })).cloned();
        if hello.is_some() && self.plan.authenticates() {
            self.network.conn_mut(conn).hello = hello;
        } else {
            self.ledger.coordinator_hears(conn, &frames, self.judged_at());
        }
        self.spoil_heard(&mut frames);
        let is = self.is(worker);
        let beat = frames.iter().rev().find_map(beat_of);
        for frame in &frames {
            match frame {
                // Of a Hello nothing counts before it is known whose it is.
                UpFrame::Hello { .. } if self.plan.authenticates() => {}
                UpFrame::Hello { head, .. } => self.ledger.claimed(is, head.incarnation.0),
                UpFrame::Goodbye { .. } => self.ledger.departed(is, conn),
                UpFrame::InventoryItem { .. }
                | UpFrame::InventoryEnd { .. }
                | UpFrame::Active
                | UpFrame::Beat(_)
                | UpFrame::Statistics(_)
                | UpFrame::Ack(_)
                | UpFrame::Message(_)
                | UpFrame::Part(_) => {}
            }
        }
        self.ledger.heard(is, conn, self.judged_at());
        self.tell_coordinator(CoordinatorInput::Packet { conn: conn_id(conn), frames });
        if let Some(beat) = beat {
            self.ledger.coordinator_heard(conn, beat);
        }
    }

    // Its store.

    fn start_commit(&mut self) {
        let k = self.disk.commits;
        let most = self.draws.between(Site::Commit, 0, k, 1, self.plan.settings.group);
        if !self.disk.start(most) {
            return;
        }
        let (longer, until) = self.slow;
        let slow = if self.now < until { longer } else { 0 };
        let lasts = self.draws.draw(Site::Commit, 1, k, self.plan.settings.commit) + slow;
        self.after(lasts, Event::Committed);
    }

    pub(super) fn committed(&mut self) {
        if self.now < self.fails_until && self.plan.sabotage.is_none() {
            self.seen.commits_failed += 1;
            let delay = self.disk.fails();
            self.note(What::Conflicts.by(Who::Coordinator), || {
                format!("the commit fails; again in {}", seconds(delay))
            });
            self.after(delay, Event::Committed);
            return;
        }
        let committed = self.disk.commit(self.now);
        self.note_durable(&committed);
        if let Some(keeps) = self.plan.settings.keeps
            && !self.may_be_asked_for()
        {
            self.seen.pruned += self.disk.prune(self.now, keeps);
        }
        let up_to = committed.up_to();
        self.tell_coordinator(CoordinatorInput::Committed { up_to, done: committed.done });
    }

    fn note_durable(&mut self, committed: &Committed) {
        let up_to = committed.up_to();
        self.note(What::Durable.by(Who::Coordinator).value(up_to.0), || {
            format!("durable up to {up_to:?}")
        });
        for (persist, done) in committed.batch.iter().zip(&committed.done) {
            self.ledger.decided(persist, done.conflict.is_some());
            match done.conflict {
                Some(conflict) => {
                    self.seen.conflicted += 1;
                    let conflicts = What::Conflicts.by(Who::Coordinator).value(persist.id.0);
                    self.note(conflicts, || format!("{:?}: {conflict:?}", persist.id));
                }
                None => self.count_op(&persist.op),
            }
            let judgement = self.ledger.durable(persist, done, self.now);
            self.judge(judgement);
            if self.is_sabotaged(Sabotage::StoreRepeats)
                && matches!(persist.op, StoreOp::Finish { .. })
            {
                let judgement = self.ledger.durable(persist, done, self.now);
                self.judge(judgement);
            }
        }
    }

    /// An operation took effect.
    fn count_op(&mut self, op: &StoreOp) {
        match op {
            StoreOp::Requeue { key, cause, .. } => match cause {
                Requeue::Lost => self.seen.redelivered += 1,
                Requeue::Retry { .. } => self.seen.retried += 1,
                Requeue::Returned => {
                    self.seen.returned += 1;
                    self.unless_calm(None, || format!("{key:?} returns to the queue"));
                }
            },
            StoreOp::Finish { end, .. } => match end {
                moorline_work::End::Failed => self.seen.failed += 1,
                moorline_work::End::Cancelled => self.seen.cancelled_running += 1,
                moorline_work::End::Succeeded | moorline_work::End::Dead => {}
            },
            StoreOp::Submit { .. }
            | StoreOp::Claim { .. }
            | StoreOp::Unclaim { .. }
            | StoreOp::Leases
            | StoreOp::Lookup { .. }
            | StoreOp::Lease { .. }
            | StoreOp::Adopt { .. }
            | StoreOp::Cancel { .. }
            | StoreOp::Retry { .. }
            | StoreOp::Worker(_)
            | StoreOp::Forget { .. }
            | StoreOp::Workers
            | StoreOp::Event { .. } => {}
        }
    }

    /// The process is gone, with everything that was not committed.
    pub(super) fn end_coordinator(&mut self, manner: Manner, kept: Kept) {
        self.crashes += 1;
        for conn in self.network.of_coordinator() {
            self.abandon(conn, Side::Coordinator, manner);
        }
        let durable = kept == Kept::All
            && self.draws.draw(Site::Torn, self.coordinator.life.into(), 0, 2) == 1;
        if let Some(committed) = self.disk.crash(self.now, durable) {
            self.seen.torn += 1;
            self.note_durable(&committed);
        }
        match kept {
            Kept::All | Kept::Synced => {}
            Kept::Before { commits } => self.disk.roll_back(Some(commits)),
            Kept::Nothing => self.disk.roll_back(None),
        }
        self.is_rolled_back |= matches!(kept, Kept::Before { .. } | Kept::Nothing);
        self.coordinator.end();
        self.forget_requests();
        let judgement = self.ledger.audit(Scope::Everything, &mut *self.disk.reader());
        self.judge(judgement);
    }
}

fn number(conn: ConnId) -> Option<usize> {
    usize::try_from(conn.0).ok()?.checked_sub(1)
}

fn beat_of(frame: &UpFrame) -> Option<Beat> {
    if let UpFrame::Beat(beat) = frame { Some(*beat) } else { None }
}

/// What travels also where there is nothing to do.
fn is_heartbeat(frame: &DownFrame) -> bool {
    match frame {
        DownFrame::BeatAnswer(_) => true,
        DownFrame::Welcome { .. }
        | DownFrame::Refused { .. }
        | DownFrame::InventoryAnswer { .. }
        | DownFrame::Active
        | DownFrame::Probe
        | DownFrame::Ack(_)
        | DownFrame::Message(_)
        | DownFrame::Part(_)
        | DownFrame::GoAway { .. }
        | DownFrame::Endpoints(_)
        | DownFrame::Redirect(_) => false,
    }
}
