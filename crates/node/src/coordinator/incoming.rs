//! Frames from workers: headers go to the hub, and what it says counts goes on to the dispatcher.

use moorline_link::{
    ComeBack, ConnId, Dismissal, Features, Hello, HubInput, HubVerdict, Lane, MessageHead,
    WorkerFrame,
};
use moorline_work::{DispatcherInput, Holding, TaskKey, WorkerMessage};

use super::{Applicant, CoordinatorAction, CoordinatorNode, door};
use crate::frame::{convert, lane_of};
use crate::parts::{BadPart, Whole};
use crate::{About, Message, Part, UpFrame};

impl CoordinatorNode {
    /// Asks the hub.
    pub(super) fn ask(&mut self, input: HubInput) -> HubVerdict {
        self.hub.handle(self.now, input)
    }

    fn header(&mut self, conn: ConnId, frame: WorkerFrame) -> HubVerdict {
        self.ask(HubInput::Frame { conn, frame })
    }

    /// The peer broke the protocol in a way only the node sees.
    pub(super) fn violation(&mut self, conn: ConnId) {
        self.ask(HubInput::Violation { conn });
    }

    pub(super) fn frame(&mut self, conn: ConnId, frame: UpFrame) {
        if !self.conns.contains_key(&conn) {
            return;
        }
        match frame {
            UpFrame::Hello { head, about } => self.hello(conn, head, about),
            UpFrame::InventoryItem { index, key, holding } => self.item(conn, index, key, holding),
            UpFrame::InventoryEnd { count } => {
                let verdict = self.header(conn, WorkerFrame::InventoryEnd { count });
                if let HubVerdict::InventoryEnd { worker, .. } = verdict {
                    self.tell(DispatcherInput::InventoryEnd { worker: convert::worker(worker) });
                }
            }
            UpFrame::Active => {
                self.header(conn, WorkerFrame::Active);
            }
            UpFrame::Beat(beat) => {
                self.header(conn, WorkerFrame::Beat(beat));
            }
            UpFrame::Statistics(statistics) => {
                self.header(conn, WorkerFrame::Statistics(statistics));
            }
            UpFrame::Ack(ack) => {
                self.header(conn, WorkerFrame::Ack(ack));
            }
            UpFrame::Goodbye { reason } => {
                self.header(conn, WorkerFrame::Goodbye { reason });
            }
            UpFrame::Message(message) => self.message(conn, message),
            UpFrame::Part(part) => self.part(conn, &part),
        }
    }

    fn hello(&mut self, conn: ConnId, mut head: Hello, about: About) {
        let Some(state) = self.conns.get_mut(&conn) else { return };
        if state.worker.is_some() || state.about.is_some() {
            // A second Hello breaks the protocol: nothing of it counts.
            return self.violation(conn);
        }
        head.name = self.names.hold(&about.name);
        let refusal = door::refusal(state.proven.as_deref(), &about.name, self.wants_certificates);
        let applicant = self.authenticates.then(|| Applicant {
            worker: head.worker,
            incarnation: head.incarnation,
            name: about.name.clone(),
            proven: state.proven.clone(),
            credential: about.credential.clone(),
        });
        state.moves = head.features & Features::ENDPOINTS != 0;
        // A secret is not kept for longer than it is needed.
        state.about = Some(About { credential: None, ..about });
        if let Some((reason, hint)) = refusal {
            state.hint = Some(hint);
            return self.turn_away(conn, Dismissal { reason, come_back: ComeBack::ByReason });
        }
        match applicant {
            Some(applicant) => {
                state.held = Some(head);
                self.out.push_back(CoordinatorAction::Authenticate { conn, applicant });
            }
            None => {
                self.header(conn, WorkerFrame::Hello(head));
            }
        }
    }

    fn turn_away(&mut self, conn: ConnId, dismissal: Dismissal) {
        self.ask(HubInput::Refuse { conn, dismissal });
    }

    /// What came of looking at what a Hello showed. It may have been closed meanwhile.
    pub(super) fn authenticated(&mut self, conn: ConnId, judged: Result<(), Dismissal>) {
        let held = self.conns.get_mut(&conn).and_then(|state| state.held.take());
        match (held, judged) {
            (Some(head), Ok(())) => {
                self.header(conn, WorkerFrame::Hello(head));
            }
            (Some(_), Err(dismissal)) => self.turn_away(conn, dismissal),
            (None, _) => {}
        }
    }

    fn item(&mut self, conn: ConnId, index: u32, key: TaskKey, holding: Holding) {
        let asked_twice = self.conns.get(&conn).is_some_and(|state| state.asked.contains_key(&key));
        if asked_twice {
            return self.violation(conn);
        }
        let verdict = self.header(conn, WorkerFrame::InventoryItem { index });
        if let HubVerdict::Item { worker, .. } = verdict {
            if let Some(state) = self.conns.get_mut(&conn) {
                state.asked.insert(key, index);
            }
            self.tell(DispatcherInput::Item { worker: convert::worker(worker), key, holding });
        }
    }

    fn message(&mut self, conn: ConnId, message: Message<WorkerMessage>) {
        let lane = lane_of(&message.head);
        let Some(state) = self.conns.get_mut(&conn) else { return };
        // A stranger's bodies are not kept: only a welcomed worker has lanes.
        let arrived = match state.worker {
            Some(_) => state.incoming.message(lane, message),
            None => Err(BadPart),
        };
        self.arrived(conn, arrived);
    }

    fn part(&mut self, conn: ConnId, part: &Part) {
        let Some(state) = self.conns.get_mut(&conn) else { return };
        let arrived = state.incoming.part(part);
        self.arrived(conn, arrived);
    }

    fn arrived(&mut self, conn: ConnId, arrived: Result<Option<Whole<WorkerMessage>>, BadPart>) {
        match arrived {
            Err(BadPart) => self.violation(conn),
            Ok(None) => {
                self.ask(HubInput::Received { conn });
            }
            Ok(Some(whole)) => self.whole(conn, whole),
        }
    }

    fn whole(&mut self, conn: ConnId, whole: Whole<WorkerMessage>) {
        let lane = lane_of(&whole.head);
        let cost = whole.cost();
        let head = MessageHead { lane, seq: whole.seq, len: cost };
        let verdict = self.header(conn, WorkerFrame::Message(head));
        let HubVerdict::Deliver { worker, incarnation } = verdict else { return };
        match whole.head {
            // Its credit comes back when it is answered: a store that is behind holds workers back.
            WorkerMessage::Result { key, .. } => self.storage.hold(worker, key, whole.body, cost),
            WorkerMessage::Accept { .. }
            | WorkerMessage::Refuse { .. }
            | WorkerMessage::Held { .. }
            | WorkerMessage::NotHeld { .. } => {
                self.give_back(worker, Lane::C, 1, u64::from(cost));
            }
        }
        self.tell(DispatcherInput::Message {
            worker: convert::worker(worker),
            incarnation: convert::incarnation(incarnation),
            message: whole.head,
        });
        self.pump();
        self.storage.decided();
    }
}
