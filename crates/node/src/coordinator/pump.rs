//! What one machine decides is told to the other, until both are quiet.

use moorline_link::{
    HubAction, HubInput, HubVerdict, Instant, Lane, Reason, Registration, Tag, WorkerId,
};
use moorline_work::{
    Attempt, CoordinatorMessage, DispatcherAction, DispatcherInput, Judgement, Sym, TaskKey,
};

use super::outbox::Outgoing;
use super::{ClientReply, CoordinatorAction, CoordinatorEvent, CoordinatorNode, WorkerFile};
use crate::frame::convert;
use crate::{Detail, Event, EventKind, KnownWorker, ToWorker};

impl CoordinatorNode {
    /// Runs both machines until neither has anything more to say.
    pub(super) fn pump(&mut self) {
        loop {
            if let Some(action) = self.hub.poll_action() {
                self.on_hub(action);
            } else if let Some(action) = self.dispatcher.poll_action() {
                self.on_dispatcher(action);
            } else if self.waiting != self.is_store_behind() {
                self.waiting = self.is_store_behind();
                self.ask(HubInput::Waiting(self.waiting));
            } else {
                return;
            }
        }
    }

    /// Something is not durable that somebody waits for.
    fn is_store_behind(&self) -> bool {
        self.storage.under_way() > self.events.waiting() as usize
    }

    pub(super) fn event(&mut self, event: CoordinatorEvent) {
        self.out.push_back(CoordinatorAction::Event(event));
    }

    fn on_hub(&mut self, action: HubAction) {
        match action {
            HubAction::Close { conn, reason } => {
                self.forget_conn(conn);
                self.out.push_back(CoordinatorAction::Close { conn, reason });
            }
            HubAction::Flush { conn } => self.out.push_back(CoordinatorAction::Flush { conn }),
            HubAction::Registered(registration) => self.registered(registration),
            HubAction::Active { worker, conn: _, away } => {
                self.tell(DispatcherInput::Active { worker: convert::worker(worker) });
                self.event(CoordinatorEvent::Active { name: self.name_of(worker), away });
                self.record_of(worker, Event::new(EventKind::WorkerActive));
            }
            HubAction::Detached { worker, reason, last_received } => {
                self.detached(worker, reason, last_received);
            }
            HubAction::Suspect { worker, suspect } => {
                self.event(CoordinatorEvent::Suspect { name: self.name_of(worker), suspect });
                let kind = if suspect { EventKind::WorkerSuspect } else { EventKind::WorkerHeard };
                self.record_of(worker, Event::new(kind));
            }
            HubAction::Departed { worker, reason } => {
                self.end_session(worker);
                self.tell(DispatcherInput::Departed { worker: convert::worker(worker) });
                if let Some(file) = self.workers.get_mut(&worker) {
                    file.known.departed = true;
                    let known = file.known.clone();
                    self.persist_worker(known);
                }
                self.event(CoordinatorEvent::Departed { name: self.name_of(worker), reason });
                let event = Event::new(EventKind::WorkerDeparted);
                self.record_of(worker, Event { reason: Some(reason), ..event });
            }
            HubAction::Refused { conn, reason } => {
                let about = self.conns.get_mut(&conn).and_then(|state| state.about.take());
                if let Some(about) = &about {
                    self.names.release(&about.name);
                }
                let name = about.map(|about| about.name);
                self.record_refused(name.clone(), reason);
                self.event(CoordinatorEvent::Refused { name, reason });
            }
            HubAction::Released { worker, tag } => {
                self.outbox.remove(worker, tag);
                self.enqueue_waiting(worker);
            }
            HubAction::Flags { worker, draining, paused } => {
                let worker = convert::worker(worker);
                self.tell(DispatcherInput::Flags { worker, draining, paused });
            }
            HubAction::Flapping { worker, flapping } => {
                if let Some(flapping) = flapping {
                    let detail = Some(Detail::new(&format!("{} losses", flapping.losses)));
                    let reason = Some(flapping.reason);
                    let event = Event { detail, reason, ..Event::new(EventKind::WorkerFlapping) };
                    self.record_of(worker, event);
                }
                self.event(CoordinatorEvent::Flapping { name: self.name_of(worker), flapping });
            }
            HubAction::Forgotten { worker } => self.forgotten(worker),
            HubAction::Stalled { late } => {
                self.event(CoordinatorEvent::Stalled { late });
                let detail = Some(Detail::new(&format!("not run for {late:?}")));
                self.record(Event { detail, ..Event::new(EventKind::ClockJump) });
            }
        }
    }

    fn registered(&mut self, registration: Registration) {
        let Registration { worker, incarnation, conn, session, resumed, .. } = registration;
        let Some(state) = self.conns.get_mut(&conn) else { return };
        let Some(about) = state.about.take() else { return };
        state.worker = Some(worker);
        if !resumed {
            self.end_session(worker);
        }
        let before = self.workers.remove(&worker);
        let cordoned = before.as_ref().is_some_and(|before| before.known.cordoned);
        let known = KnownWorker {
            worker: convert::worker(worker),
            name: about.name.clone(),
            incarnation: convert::incarnation(incarnation),
            departed: false,
            lost: false,
            cordoned,
        };
        let file = WorkerFile {
            known: known.clone(),
            slots: about.slots,
            software: Some(about.software),
            conn: Some(conn),
        };
        self.workers.insert(worker, file);
        // Its name was held when it said its Hello; the one it had is not its own any more.
        if let Some(before) = &before {
            self.names.release(&before.known.name);
        }
        if before.is_none_or(|before| before.known != known) {
            self.persist_worker(known);
        }
        if cordoned {
            self.ask(HubInput::Cordon { worker, cordoned });
        }
        self.tell(DispatcherInput::Registered {
            worker: convert::worker(worker),
            incarnation: convert::incarnation(incarnation),
            slots: about.slots,
            resumed,
        });
        let mut left_out = 0;
        for handler in &about.handlers {
            match self.handlers.intern_below(handler, super::OFFERED_MAX) {
                Some(sym) => {
                    let (worker, handler) = (convert::worker(worker), Sym(sym));
                    self.tell(DispatcherInput::Offer { worker, handler });
                }
                None => left_out += 1,
            }
        }
        if left_out > 0 {
            let name = about.name.clone();
            self.event(CoordinatorEvent::HandlersFull { name, left_out });
        }
        let (name, session) = (about.name, session.n);
        self.event(CoordinatorEvent::Registered { worker, name, resumed, session, conn });
        let kind = if resumed { EventKind::WorkerResumed } else { EventKind::WorkerRegistered };
        self.record_of(worker, Event { session: Some(session), ..Event::new(kind) });
    }

    fn detached(&mut self, worker: WorkerId, reason: Reason, last_received: Instant) {
        if let Some(file) = self.workers.get_mut(&worker) {
            file.conn = None;
        }
        let silent = self.hub.effective(self.now).since(last_received);
        let leases = self.leases_of(worker);
        let name = self.name_of(worker);
        self.event(CoordinatorEvent::Detached { name, reason, silent, leases });
        let detail = format!("last contact {} ms ago, leases {leases}", silent.as_millis());
        let event = Event {
            reason: Some(reason),
            detail: Some(Detail::new(&detail)),
            ..Event::new(EventKind::WorkerDisconnected)
        };
        self.record_of(worker, event);
        let last_received = convert::instant(last_received);
        self.tell(DispatcherInput::Detached { worker: convert::worker(worker), last_received });
    }

    /// The store is to know it: a row of a worker that stays away is not kept for ever.
    fn gone(&mut self, worker: WorkerId) {
        let Some(file) = self.workers.get_mut(&worker) else { return };
        if !file.known.lost {
            file.known.lost = true;
            let known = file.known.clone();
            self.persist_worker(known);
        }
    }

    /// Nothing of a session outlives it here: what is owed comes again from the machines.
    fn end_session(&mut self, worker: WorkerId) {
        self.outbox.forget(worker);
        self.storage.forget(worker);
    }

    /// A worker of an earlier life.
    pub(super) fn expect(&mut self, known: KnownWorker) {
        let worker = convert::worker_back(known.worker);
        // Of one that left nothing is kept but that it is to get nothing when it comes again.
        if (known.departed && !known.cordoned) || self.workers.contains_key(&worker) {
            return;
        }
        let (name, cordoned) = (self.names.hold(&known.name), known.cordoned);
        if !known.departed {
            self.ask(HubInput::Expect { worker, name });
            self.ask(HubInput::Cordon { worker, cordoned });
            if known.lost {
                // Its name is not its own any more.
                self.ask(HubInput::Lost { worker });
            } else {
                let (worker, incarnation) = (known.worker, known.incarnation);
                self.tell(DispatcherInput::Expect { worker, incarnation });
            }
        }
        self.workers.insert(worker, WorkerFile { known, slots: 0, software: None, conn: None });
    }

    /// An operator wants the worker to get nothing new, or lets it go on; durably.
    pub(super) fn cordon(&mut self, worker: WorkerId, cordoned: bool) {
        let Some(file) = self.workers.get_mut(&worker) else { return };
        if file.known.cordoned != cordoned {
            file.known.cordoned = cordoned;
            let known = file.known.clone();
            self.persist_worker(known);
        }
        self.ask(HubInput::Cordon { worker, cordoned });
    }

    /// Nothing is known of the worker any more, here and in the store.
    pub(super) fn forgotten(&mut self, worker: WorkerId) {
        let Some(file) = self.workers.remove(&worker) else { return };
        self.names.release(&file.known.name);
        self.end_session(worker);
        self.persist_forgotten(file.known.worker);
        self.event(CoordinatorEvent::Forgotten { name: file.known.name });
    }

    fn on_dispatcher(&mut self, action: DispatcherAction) {
        match action {
            DispatcherAction::Persist { id, op } => self.persist(id, op),
            DispatcherAction::Send { worker, message } => {
                self.send(convert::worker_back(worker), message);
            }
            DispatcherAction::Withdraw { worker, key } => {
                let done = self.withdraw(convert::worker_back(worker), key);
                self.tell(DispatcherInput::Withdrawn { worker, key, done });
            }
            DispatcherAction::Answer { worker, key, judgement } => {
                self.answer(convert::worker_back(worker), key, judgement);
            }
            DispatcherAction::Unanswered { worker } => {
                let (worker, reason) = (convert::worker_back(worker), Reason::AnswerTimeout);
                self.ask(HubInput::Disconnect { worker, reason });
            }
            DispatcherAction::Lost { worker } => {
                let worker = convert::worker_back(worker);
                self.ask(HubInput::Lost { worker });
                self.end_session(worker);
                self.event(CoordinatorEvent::Lost { name: self.name_of(worker) });
                self.gone(worker);
                self.record_of(worker, Event::new(EventKind::WorkerLost));
            }
            DispatcherAction::Reply { ticket, reply } => {
                let reply = ClientReply::Work(reply);
                self.out.push_back(CoordinatorAction::Reply { ticket, reply });
            }
            DispatcherAction::Ended { task } => {
                #[cfg(moorline_planted = "SAFE-1")]
                self.out.push_back(CoordinatorAction::Ended { task });
                self.out.push_back(CoordinatorAction::Ended { task })
            }
            DispatcherAction::Believe { worker, free } => {
                let worker = convert::worker_back(worker);
                self.ask(HubInput::Believe { worker, free, paused: false });
            }
        }
    }

    fn send(&mut self, worker: WorkerId, message: CoordinatorMessage) {
        let (head, body) = match message {
            CoordinatorMessage::Assign(assign) => {
                let Some(handler) = self.handlers.name(assign.handler.0).cloned() else {
                    debug_assert!(false, "only interned handlers are assigned");
                    return;
                };
                let Some(payload) = self.storage.take_payload(assign.key) else {
                    debug_assert!(false, "a lease brings its payload");
                    return;
                };
                let name = self.name_of(worker);
                self.event(CoordinatorEvent::Assigned { key: assign.key, name });
                (ToWorker::Assign { key: assign.key, handler, timeout: assign.timeout }, payload)
            }
            CoordinatorMessage::Settled { key, disposition } => {
                if let Some(held) = self.storage.let_go(worker, key) {
                    self.give_back(worker, Lane::B, held.messages, held.bytes);
                }
                let name = self.name_of(worker);
                self.event(CoordinatorEvent::Settled { key, name, disposition });
                self.record_settled(worker, key, disposition);
                (ToWorker::Settled { key, disposition }, bytes::Bytes::new())
            }
            CoordinatorMessage::Cancel { key } => (ToWorker::Cancel { key }, bytes::Bytes::new()),
            CoordinatorMessage::Revoke { key } => (ToWorker::Revoke { key }, bytes::Bytes::new()),
        };
        let lane = head.lane();
        let message = Outgoing { head, body };
        let len = message.cost();
        let tag = self.outbox.put(worker, message);
        let waits = self.outbox.next_waiting(worker, lane).is_some();
        if waits || !self.enqueue(worker, lane, tag, len) {
            self.outbox.wait(worker, lane, tag);
        }
    }

    /// Puts a message on its lane. Returns false if the lane has no room for now.
    fn enqueue(&mut self, worker: WorkerId, lane: Lane, tag: Tag, len: u32) -> bool {
        match self.ask(HubInput::Enqueue { worker, lane, tag, len }) {
            HubVerdict::Rejected(moorline_link::EnqueueError::Full { .. }) => false,
            HubVerdict::Accepted => true,
            // No session: what is wanted of the worker is said again after its next inventory.
            HubVerdict::Rejected(_)
            | HubVerdict::Stale
            | HubVerdict::Deliver { .. }
            | HubVerdict::Duplicate
            | HubVerdict::Item { .. }
            | HubVerdict::InventoryEnd { .. }
            | HubVerdict::Withdrawn
            | HubVerdict::Violation(_) => {
                self.outbox.remove(worker, tag);
                true
            }
        }
    }

    /// What a worker sent is not held here any more: it may send more. Not while the answers to what it
    /// sent find no room on its lane: else one that never takes them could have them pile up here.
    pub(super) fn give_back(&mut self, worker: WorkerId, lane: Lane, messages: u32, bytes: u64) {
        if self.outbox.next_waiting(worker, Lane::C).is_some() {
            self.outbox.withhold(worker, lane, messages, bytes);
        } else {
            self.ask(HubInput::Release { worker, lane, messages, bytes });
        }
    }

    /// A lane of the worker may have room again.
    fn enqueue_waiting(&mut self, worker: WorkerId) {
        for lane in Lane::ALL {
            while let Some(tag) = self.outbox.next_waiting(worker, lane) {
                let len = self.outbox.get(worker, tag).map(Outgoing::cost);
                if len.is_some_and(|len| !self.enqueue(worker, lane, tag, len)) {
                    break;
                }
                self.outbox.unwait(worker, lane, tag);
            }
        }
        if self.outbox.next_waiting(worker, Lane::C).is_some() {
            return;
        }
        for lane in Lane::ALL {
            if let Some((messages, bytes)) = self.outbox.take_withheld(worker, lane) {
                self.ask(HubInput::Release { worker, lane, messages, bytes });
            }
        }
    }

    fn withdraw(&mut self, worker: WorkerId, key: TaskKey) -> bool {
        let Some(tag) = self.outbox.assign(worker, key) else { return false };
        let lane = Lane::B;
        let done = self.outbox.unwait(worker, lane, tag)
            || self.ask(HubInput::Withdraw { worker, lane, tag }) == HubVerdict::Withdrawn;
        if done {
            self.outbox.remove(worker, tag);
            // What it took up is free, and nothing else may be there to be released.
            self.enqueue_waiting(worker);
        }
        done
    }

    fn answer(&mut self, worker: WorkerId, key: TaskKey, judgement: Judgement) {
        let Some(conn) = self.workers.get(&worker).and_then(|file| file.conn) else { return };
        let Some(state) = self.conns.get_mut(&conn) else { return };
        // An answer that was on its way when the worker came back again is late: it asks anew.
        let Some(index) = state.asked.remove(&key) else { return };
        state.answers.push((index, key, judgement));
        self.ask(HubInput::AnswerReady { conn });
        if let Judgement::Drop { disposition } = judgement {
            let name = self.name_of(worker);
            self.event(CoordinatorEvent::Settled { key, name, disposition });
            self.record_settled(worker, key, disposition);
        }
    }

    /// Leases a worker holds.
    pub(super) fn leases_of(&self, worker: WorkerId) -> u32 {
        u32::try_from(self.dispatcher.running(convert::worker(worker))).unwrap_or(u32::MAX)
    }

    /// The assignment left for a live connection: its accept clock starts.
    pub(super) fn handed_over(&mut self, worker: WorkerId, key: TaskKey) {
        debug_assert_ne!(key.attempt, Attempt(0));
        self.tell(DispatcherInput::HandedOver { worker: convert::worker(worker), key });
    }
}
