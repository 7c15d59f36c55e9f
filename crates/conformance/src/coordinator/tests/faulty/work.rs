//! What such a coordinator does with tasks.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use moorline_link::Lane;
use moorline_node::{Message, Name, Part, ToWorker};
use moorline_work::{Attempt, Disposition, Holding, Judgement, TaskId, TaskKey, WorkerMessage};
use tokio::time::Instant;

use super::{Coordinator, Order, Phase, Shared, Violated};
use crate::coordinator::Submit;
use crate::lane::{Whole, Wrong};

pub(super) struct Task {
    handler: Name,
    payload: Bytes,
    attempt: Attempt,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waits,
    With(u128),
    Ended,
}

impl Submit for Shared {
    fn submit(&self, handler: String, payload: Bytes) -> BoxFuture<'_, Result<(), String>> {
        async move {
            let handler = Name::new(&handler).map_err(|error| error.to_string())?;
            self.with(|all| all.submit(handler, payload));
            Ok(())
        }
        .boxed()
    }
}

impl Coordinator {
    fn submit(&mut self, handler: Name, payload: Bytes) {
        let id = TaskId(1 + self.tasks.len() as u128);
        let task = Task { handler, payload, attempt: Attempt(1), state: State::Waits };
        self.tasks.insert(id, task);
        for (_, orders) in self.members.values().filter_map(|member| member.connection.as_ref()) {
            orders.send(Order::Look).ok();
        }
    }

    /// Assigns what waits to a worker that is active and has room.
    pub(super) fn assign(&mut self, id: u128) {
        let exceeds = self.breaks("no_more_is_assigned_than_there_are_slots");
        let mistakes = self.breaks("a_task_is_assigned_and_its_result_is_accepted");
        let Some(member) = self.members.get_mut(&id).filter(|member| member.active) else { return };
        let busy = self.tasks.values().filter(|task| task.state == State::With(id)).count();
        let free = usize::from(member.slots).saturating_sub(busy);
        let waiting = self.tasks.iter_mut().filter(|(_, task)| {
            task.state == State::Waits && member.handlers.contains(&task.handler)
        });
        for (&of, task) in waiting.take(if exceeds { usize::MAX } else { free }) {
            task.state = State::With(id);
            let key = TaskKey { task: of, attempt: task.attempt };
            let head = ToWorker::Assign { key, handler: task.handler.clone(), timeout: None };
            let other = Bytes::from_static(b"?");
            let payload = if mistakes { other } else { task.payload.clone() };
            member.down[Lane::B.index()].say(head, payload);
        }
    }

    /// Takes the tasks of a worker back, but for these.
    pub(super) fn give_up(&mut self, id: u128, but: &BTreeSet<TaskKey>) {
        for (&of, task) in &mut self.tasks {
            let key = TaskKey { task: of, attempt: task.attempt };
            if task.state == State::With(id) && !but.contains(&key) {
                task.state = State::Waits;
                task.attempt = Attempt(task.attempt.0 + 1);
            }
        }
    }

    pub(super) fn judge(&self, id: Option<u128>, key: TaskKey, holding: Holding) -> Judgement {
        let forgets = self.breaks("a_running_attempt_of_a_new_session_goes_on");
        let task = self.tasks.get(&key.task).filter(|task| task.attempt == key.attempt && !forgets);
        let state = task.map(|task| task.state);
        let holds = id.is_some_and(|id| state == Some(State::With(id)));
        match holding {
            Holding::Running { .. } if holds => Judgement::Continue,
            Holding::Running { .. } => Judgement::Cancel,
            Holding::Finished { .. } if holds => Judgement::Send,
            Holding::Finished { .. } if state == Some(State::Ended) => {
                Judgement::Drop { disposition: Disposition::Duplicate }
            }
            Holding::Finished { .. } => Judgement::Unknown,
        }
    }

    pub(super) fn message(
        &mut self,
        phase: &mut Phase,
        id: u128,
        message: Message<WorkerMessage>,
    ) -> Result<(), Violated> {
        let lane = moorline_node::lane_of(&message.head);
        let is_cut = message.body.len() < message.body_len as usize;
        if is_cut && self.breaks("a_body_in_parts_is_taken") {
            return Err(Violated);
        }
        let leaps = self.breaks("a_gap_in_a_lane_ends_the_connection");
        let up = &mut self.members.get_mut(&id).ok_or(Violated)?.up[lane.index()];
        match up.begin(&message) {
            Some(Wrong::Gap { .. }) if leaps => return Ok(()),
            Some(Wrong::Gap { .. } | Wrong::Credit { .. } | Wrong::Body(_)) => {
                return Err(Violated);
            }
            None => {}
        }
        let whole = up.message(message);
        self.numbered(phase, id, lane, whole)
    }

    pub(super) fn part(
        &mut self,
        phase: &mut Phase,
        id: u128,
        part: &Part,
    ) -> Result<(), Violated> {
        let bears = self.breaks("a_part_that_does_not_fit_ends_the_connection");
        let up = &mut self.members.get_mut(&id).ok_or(Violated)?.up[Lane::B.index()];
        match up.part(part) {
            Err(_) if bears => Ok(()),
            whole => self.numbered(phase, id, Lane::B, whole),
        }
    }

    fn numbered(
        &mut self,
        phase: &mut Phase,
        id: u128,
        lane: Lane,
        whole: Result<Option<Whole<WorkerMessage>>, Wrong>,
    ) -> Result<(), Violated> {
        let Some(whole) = whole.map_err(|_| Violated)? else { return Ok(()) };
        let late = lane == Lane::B && self.breaks("messages_are_acknowledged");
        let wait = if late { Duration::from_secs(8) } else { Duration::ZERO };
        let ack = &mut phase.acks[lane.index()];
        *ack = ack.or(Some(Instant::now() + wait));
        if whole.again && self.breaks("what comes twice ends the connection") {
            return Err(Violated);
        }
        if !whole.again || self.breaks("what_comes_twice_is_dropped") {
            self.process(id, whole.head);
        }
        Ok(())
    }

    fn process(&mut self, id: u128, message: WorkerMessage) {
        match message {
            WorkerMessage::Result { key, .. } => {
                let disposition = self.settle(id, key);
                let Some(member) = self.members.get_mut(&id) else { return };
                let head = ToWorker::Settled { key, disposition };
                member.down[Lane::C.index()].say(head, Bytes::new());
            }
            WorkerMessage::Refuse { key, .. } => {
                let Some(task) = self.tasks.get_mut(&key.task) else { return };
                if task.state == State::With(id) && task.attempt == key.attempt {
                    task.state = State::Waits;
                    task.attempt = Attempt(task.attempt.0 + 1);
                }
            }
            // It believes what it says, and never asks.
            WorkerMessage::Accept { .. }
            | WorkerMessage::Held { .. }
            | WorkerMessage::NotHeld { .. } => {}
        }
    }

    fn settle(&mut self, id: u128, key: TaskKey) -> Disposition {
        let accepts_again = self.breaks("a_result_that_comes_again_is_a_duplicate");
        let mistakes = self.breaks("a_result_of_nobodys_task_is_settled_as_unknown");
        let Some(task) = self.tasks.get_mut(&key.task) else {
            return if mistakes { Disposition::Stale } else { Disposition::Unknown };
        };
        if task.attempt != key.attempt {
            return Disposition::Stale;
        }
        match task.state {
            State::With(holder) if holder == id => {
                task.state = State::Ended;
                Disposition::Accepted
            }
            State::Ended if accepts_again => Disposition::Accepted,
            State::Ended => Disposition::Duplicate,
            State::With(_) | State::Waits => Disposition::Stale,
        }
    }
}
