//! What one machine decides is told to the other, until both are quiet.

use moorline_link::{Instant, LinkAction, LinkInput, LinkVerdict, SessionId, State};
use moorline_work::{RunnerAction, RunnerInput, WorkerMessage};

use super::journal::Journal;
use super::{Due, Freed, Item, Outgoing, Report, Wire, WorkerAction, WorkerEvent, WorkerNode};
use crate::frame::{convert, lane_of};
use crate::parts::Assembly;

impl WorkerNode {
    /// Runs both machines until neither has anything more to say.
    pub(super) fn pump(&mut self, now: Instant) {
        loop {
            if let Some(action) = self.link.poll_action() {
                self.obey_link(now, action);
            } else if let Some(action) = self.runner.poll_action() {
                self.obey_runner(now, action);
            } else if !self.begin_waiting(now) && !self.enqueue(now) && !self.report(now) {
                return;
            }
        }
    }

    pub(super) fn event(&mut self, event: WorkerEvent) {
        self.act(WorkerAction::Event(event));
    }

    pub(super) fn act(&mut self, action: WorkerAction) {
        self.due.push_back(Due { action, credit: 0 });
    }

    fn obey_link(&mut self, now: Instant, action: LinkAction) {
        match action {
            LinkAction::Dial { conn, attempt, timeout } => {
                let to = self.directory.dial(now, conn, self.link.snapshot().conn.is_some());
                self.act(WorkerAction::Dial { conn, attempt, timeout, to });
            }
            LinkAction::Close { conn, reason } => {
                self.wire.take_if(|wire| wire.conn == conn);
                self.gone(conn, reason);
                self.act(WorkerAction::Close { conn, reason });
            }
            LinkAction::TakeInventory { session, resumed } => {
                self.take_inventory(now, session, resumed);
            }
            LinkAction::Released { tag } => self.bodies.release(tag),
            LinkAction::Announce(transition) => {
                if transition.to == State::Shutdown {
                    self.wire = None;
                }
                self.event(WorkerEvent::Link(transition));
            }
            LinkAction::BeatMissed { missed, limit, reason } => {
                self.event(WorkerEvent::BeatMissed { missed, limit, reason });
            }
            LinkAction::BeatRecovered => self.event(WorkerEvent::BeatRecovered),
            LinkAction::Suspicion { suspect, silent } => {
                self.event(WorkerEvent::Suspicion { suspect, silent });
            }
            LinkAction::Interval { interval } => self.event(WorkerEvent::Interval { interval }),
            LinkAction::Degraded(degraded) => self.event(WorkerEvent::Degraded(degraded)),
            LinkAction::LeasesExpired => self.event(WorkerEvent::LeasesExpired),
            LinkAction::HandBack => {
                self.runner.handle(convert::instant(now), RunnerInput::HandBack);
            }
            LinkAction::CandidateLost { conn, reason } => {
                self.event(WorkerEvent::CandidateLost { conn, reason });
            }
            LinkAction::Stalled { late } => self.event(WorkerEvent::Stalled { late }),
        }
    }

    /// A registration was accepted: from here on its connection carries the session.
    fn take_inventory(&mut self, now: Instant, session: SessionId, resumed: bool) {
        if !resumed {
            self.bodies.forget_messages();
            self.freed = Freed::default();
            let waiting = self.journal.iter_mut().flat_map(Journal::waiting);
            for due in self.due.iter_mut().chain(waiting) {
                due.credit = 0;
            }
        }
        self.runner.handle(convert::instant(now), RunnerInput::Welcomed { resumed });
        let inventory: Vec<Item> = self
            .runner
            .inventory()
            .map(|(key, _, holding)| Item { key, holding, answered: false })
            .collect();
        let held = u32::try_from(inventory.len()).unwrap_or(u32::MAX);
        self.wire = self.link.snapshot().conn.map(|conn| Wire {
            conn,
            incoming: Assembly::new(),
            outgoing: None,
            inventory,
            answered: 0,
        });
        if let Some(conn) = self.wire.as_ref().map(|wire| wire.conn) {
            self.directory.registered(conn);
        }
        self.link.handle(now, LinkInput::Inventory { items: held });
        self.event(WorkerEvent::Registered {
            resumed,
            held,
            epoch: session.epoch.0,
            session: session.n,
            coordinator: self.coordinator.clone().unwrap_or_else(|| self.about.software.clone()),
        });
    }

    fn obey_runner(&mut self, now: Instant, action: RunnerAction) {
        match action {
            RunnerAction::Abort { run, key, reason } => {
                if !self.never_begins(now, run) {
                    self.act(WorkerAction::Abort { run, key, reason });
                }
            }
            RunnerAction::Settled { run, key, disposition } => {
                let resubmitted = self.bodies.settle(run);
                self.answered(run);
                self.event(WorkerEvent::Settled { key, disposition, resubmitted });
            }
            RunnerAction::HandedBack { run, key } => {
                self.bodies.settle(run);
                self.event(WorkerEvent::HandedBack { key });
            }
        }
    }

    /// Gives the lanes one more of the runner's messages, if there is one and its lane has room:
    /// otherwise it stays with the runner, which is asked again at the next input.
    fn enqueue(&mut self, now: Instant) -> bool {
        let Some(message) = self.runner.next_message() else { return false };
        let run = match message {
            WorkerMessage::Result { key, .. } => self.runner.run_of(key),
            WorkerMessage::Accept { .. }
            | WorkerMessage::Refuse { .. }
            | WorkerMessage::Held { .. }
            | WorkerMessage::NotHeld { .. } => None,
        };
        let body = run.map(|run| self.bodies.result(run)).unwrap_or_default();
        let outgoing = Outgoing { message, body };
        let input = LinkInput::Enqueue {
            lane: lane_of(&message),
            tag: self.bodies.next_tag(),
            len: outgoing.cost(),
        };
        if self.link.handle(now, input) != LinkVerdict::Accepted {
            return false;
        }
        self.bodies.put(outgoing);
        if let Some(run) = run {
            self.bodies.offered(run);
        }
        self.runner.poll_message().is_some()
    }

    /// Tells the link what beats say and whether a drain must wait, if that changed.
    fn report(&mut self, now: Instant) -> bool {
        let owes = self.runner.owes() || self.runner.next_message().is_some();
        let report = Report { free: self.runner.free(), owes };
        if report == self.told {
            return false;
        }
        self.told = report;
        self.link.handle(now, LinkInput::Report { free: report.free, paused: false, owes });
        true
    }
}
