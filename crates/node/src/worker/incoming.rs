//! Frames from the coordinator: headers go to the link, and what it says counts goes on to the
//! runner.

use moorline_link::{ConnId, CoordinatorFrame, Instant, LinkInput, LinkVerdict, MessageHead, Sym};
use moorline_work::{Assign, CoordinatorMessage, Judgement, RunnerInput, RunnerVerdict, TaskKey};

use super::{Due, UNKNOWN, Vet, WorkerAction, WorkerEvent, WorkerNode, WorkerVerdict};
use crate::frame::{INVENTORY_MAX, convert};
use crate::parts::{BadPart, Whole};
use crate::{DownFrame, Name, ToWorker};

impl WorkerNode {
    pub(super) fn frame(&mut self, now: Instant, conn: ConnId, frame: DownFrame) -> WorkerVerdict {
        match frame {
            DownFrame::Welcome { head, software } => {
                let verdict = self.header(now, conn, CoordinatorFrame::Welcome(head));
                if verdict == WorkerVerdict::Accepted {
                    self.coordinator = Some(software);
                }
                verdict
            }
            DownFrame::Refused { dismissal, hint } => {
                let dismissal = self.refusal(conn, dismissal);
                let verdict = self.header(now, conn, CoordinatorFrame::Refused(dismissal));
                if verdict == WorkerVerdict::Accepted {
                    self.event(WorkerEvent::Dismissed { reason: dismissal.reason, hint });
                }
                verdict
            }
            DownFrame::GoAway { dismissal, hint } => {
                let verdict = self.header(now, conn, CoordinatorFrame::GoAway(dismissal));
                if verdict == WorkerVerdict::Accepted {
                    self.event(WorkerEvent::Dismissed { reason: dismissal.reason, hint });
                }
                verdict
            }
            DownFrame::Endpoints(endpoints) => self.told(now, conn, Vet::Endpoints, endpoints),
            DownFrame::Redirect(endpoints) => self.told(now, conn, Vet::Redirect, endpoints),
            DownFrame::InventoryAnswer { index, key, judgement } => {
                self.answer(now, conn, index, key, judgement)
            }
            DownFrame::Active => self.header(now, conn, CoordinatorFrame::Active),
            DownFrame::Probe => self.header(now, conn, CoordinatorFrame::Probe),
            DownFrame::BeatAnswer(answer) => {
                self.header(now, conn, CoordinatorFrame::BeatAnswer(answer))
            }
            DownFrame::Ack(ack) => self.header(now, conn, CoordinatorFrame::Ack(ack)),
            DownFrame::Message(message) => {
                let lane = message.head.lane();
                let arrived = match self.wire.as_mut().filter(|wire| wire.conn == conn) {
                    Some(wire) => wire.incoming.message(lane, message),
                    // Only a registered connection has lanes: on any other it is out of place.
                    None => Err(BadPart),
                };
                self.arrived(now, conn, arrived)
            }
            DownFrame::Part(part) => {
                let arrived = match self.wire.as_mut().filter(|wire| wire.conn == conn) {
                    Some(wire) => wire.incoming.part(&part),
                    None => Err(BadPart),
                };
                self.arrived(now, conn, arrived)
            }
        }
    }

    /// The peer broke the protocol in a way only the node sees. Stale if it is no peer of ours.
    pub(super) fn violation(&mut self, now: Instant, conn: ConnId) -> WorkerVerdict {
        self.ask(now, LinkInput::Violation { conn })
    }

    /// Accepted means: the link takes it as a part of the conversation.
    fn header(&mut self, now: Instant, conn: ConnId, frame: CoordinatorFrame) -> WorkerVerdict {
        match self.link.handle(now, LinkInput::Frame { conn, frame }) {
            LinkVerdict::Accepted
            | LinkVerdict::Deliver
            | LinkVerdict::Duplicate
            | LinkVerdict::Answer => WorkerVerdict::Accepted,
            LinkVerdict::Stale | LinkVerdict::Violation(_) => WorkerVerdict::Stale,
            LinkVerdict::Later { within } => WorkerVerdict::Later { within },
            LinkVerdict::Rejected(rejection) => WorkerVerdict::Rejected(rejection),
        }
    }

    /// The coordinator answers in the order in which it knows; each answer names its item twice, by
    /// place and by key, and both must fit.
    fn answer(
        &mut self,
        now: Instant,
        conn: ConnId,
        index: u32,
        key: TaskKey,
        judgement: Judgement,
    ) -> WorkerVerdict {
        let Some(wire) = self.wire.as_mut().filter(|wire| wire.conn == conn) else {
            return self.violation(now, conn);
        };
        let item = usize::try_from(index).ok().and_then(|index| wire.inventory.get_mut(index));
        let Some(item) = item.filter(|item| item.key == key && !item.answered) else {
            return self.violation(now, conn);
        };
        item.answered = true;
        let frame = CoordinatorFrame::InventoryAnswer { index: wire.answered };
        wire.answered += 1;
        match self.link.handle(now, LinkInput::Frame { conn, frame }) {
            LinkVerdict::Answer => {
                let input = RunnerInput::Judged { key, judgement };
                self.runner.handle(convert::instant(now), input);
                if let Judgement::Adopt { attempt } = judgement {
                    self.renumber(TaskKey { task: key.task, attempt });
                }
                WorkerVerdict::Accepted
            }
            LinkVerdict::Accepted | LinkVerdict::Deliver | LinkVerdict::Duplicate => {
                WorkerVerdict::Accepted
            }
            LinkVerdict::Stale | LinkVerdict::Violation(_) => WorkerVerdict::Stale,
            LinkVerdict::Later { within } => WorkerVerdict::Later { within },
            LinkVerdict::Rejected(rejection) => WorkerVerdict::Rejected(rejection),
        }
    }

    fn arrived(
        &mut self,
        now: Instant,
        conn: ConnId,
        arrived: Result<Option<Whole<ToWorker>>, BadPart>,
    ) -> WorkerVerdict {
        match arrived {
            Err(BadPart) => self.violation(now, conn),
            Ok(None) => self.ask(now, LinkInput::Received { conn }),
            Ok(Some(whole)) => self.whole(now, conn, whole),
        }
    }

    fn whole(&mut self, now: Instant, conn: ConnId, whole: Whole<ToWorker>) -> WorkerVerdict {
        if self.is_too_much(&whole.head) {
            return self.violation(now, conn);
        }
        let cost = whole.cost();
        let lane = whole.head.lane();
        let frame = CoordinatorFrame::Message(MessageHead { lane, seq: whole.seq, len: cost });
        match self.link.handle(now, LinkInput::Frame { conn, frame }) {
            LinkVerdict::Deliver => {}
            LinkVerdict::Accepted | LinkVerdict::Duplicate | LinkVerdict::Answer => {
                return WorkerVerdict::Accepted;
            }
            LinkVerdict::Stale | LinkVerdict::Violation(_) => return WorkerVerdict::Stale,
            LinkVerdict::Later { within } => return WorkerVerdict::Later { within },
            LinkVerdict::Rejected(rejection) => return WorkerVerdict::Rejected(rejection),
        }
        let (message, handler) = self.resolve(whole.head);
        match self.runner.handle(convert::instant(now), RunnerInput::Message(message)) {
            RunnerVerdict::Started { run, assign, deadline } => {
                let key = assign.key;
                // Only an assignment starts a run, and it brought the name of its handler.
                if let Some(handler) = handler {
                    let payload = whole.body;
                    let action = WorkerAction::Start { run, key, handler, payload, deadline };
                    self.begin(now, run, Due { action, credit: cost });
                }
            }
            RunnerVerdict::NotStarted | RunnerVerdict::Accepted | RunnerVerdict::Stale => {
                let release = LinkInput::Release { lane, messages: 1, bytes: cost.into() };
                self.link.handle(now, release);
            }
        }
        WorkerVerdict::Accepted
    }

    /// A coordinator that assigns and never settles: what is held must fit an inventory, or no
    /// registration would ever be complete again.
    fn is_too_much(&self, message: &ToWorker) -> bool {
        match message {
            ToWorker::Assign { key, .. } => {
                let running = usize::from(self.about.slots.saturating_sub(self.runner.free()));
                running + self.bodies.results() >= INVENTORY_MAX
                    && self.runner.run_of(*key).is_none()
            }
            ToWorker::Settled { .. } | ToWorker::Cancel { .. } | ToWorker::Revoke { .. } => false,
        }
    }

    /// The message with symbols for names. A handler this worker does not have is refused by the
    /// runner.
    fn resolve(&self, message: ToWorker) -> (CoordinatorMessage, Option<Name>) {
        match message {
            ToWorker::Assign { key, handler, timeout } => {
                let sym = self.names.get(&handler).map_or(UNKNOWN, Sym);
                let assign = Assign { key, handler: moorline_work::Sym(sym.0), timeout };
                (CoordinatorMessage::Assign(assign), Some(handler))
            }
            ToWorker::Settled { key, disposition } => {
                (CoordinatorMessage::Settled { key, disposition }, None)
            }
            ToWorker::Cancel { key } => (CoordinatorMessage::Cancel { key }, None),
            ToWorker::Revoke { key } => (CoordinatorMessage::Revoke { key }, None),
        }
    }
}
