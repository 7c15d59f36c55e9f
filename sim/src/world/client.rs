//! Clients: they hand in tasks and cancel some, and ask again until they are answered.

use bytes::Bytes;
use moorline_node::{ClientReply, CoordinatorInput, Spec};
use moorline_work::{Reply, TaskId, Ticket};

use super::worker::{in_nanos, name};
use super::{Event, World};
use crate::Rule;
use crate::plan::{HANDLERS, SEC, Who};
use crate::trace::What;

/// What a client asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Request {
    Submit { task: usize },
    Again { task: usize },
    Clash { task: usize },
    Cancel { task: usize },
}

impl Request {
    const fn task(self) -> usize {
        let (Self::Submit { task }
        | Self::Again { task }
        | Self::Clash { task }
        | Self::Cancel { task }) = self;
        task
    }
}

/// What a client knows of its task.
#[derive(Clone, Debug, Default)]
pub(super) struct Client {
    acknowledged: bool,
    cancel_answered: bool,
    again_answered: bool,
    clash_answered: bool,
    requests: u64,
}

/// How long a client waits before it asks again.
const PATIENCE: u64 = 3 * SEC;

impl World {
    fn ticket(&mut self, task: usize, request: Request) -> Ticket {
        let asked = self.asks(task);
        self.clients[task].requests += 1;
        self.asking += usize::from(self.asks(task)) - usize::from(asked);
        let ticket = Ticket((task as u64) << 32 | self.clients[task].requests);
        self.requests.insert(ticket, request);
        ticket
    }

    pub(super) fn submit(&mut self, task: usize) {
        if self.clients[task].acknowledged {
            return;
        }
        self.after(PATIENCE, Event::Submit { task });
        if !self.is_up(Who::Coordinator) || self.is_frozen(Who::Coordinator) {
            return;
        }
        self.hand_in(task, Request::Submit { task }, self.plan.tasks[task].payload());
    }

    /// The same task once more: also while it runs, and after it has ended.
    pub(super) fn submit_again(&mut self, task: usize) {
        if self.clients[task].again_answered {
            return;
        }
        self.after(PATIENCE, Event::Again { task });
        // Not before the first one was answered: then which of them is the first is known.
        if self.clients[task].acknowledged
            && self.is_up(Who::Coordinator)
            && !self.is_frozen(Who::Coordinator)
        {
            self.hand_in(task, Request::Again { task }, self.plan.tasks[task].payload());
        }
    }

    /// Another task under the same id.
    pub(super) fn clash(&mut self, task: usize) {
        if self.clients[task].clash_answered {
            return;
        }
        self.after(PATIENCE, Event::Clash { task });
        if self.clients[task].acknowledged
            && self.is_up(Who::Coordinator)
            && !self.is_frozen(Who::Coordinator)
        {
            let other = Bytes::from_static(b"another payload");
            self.hand_in(task, Request::Clash { task }, other);
        }
    }

    fn hand_in(&mut self, task: usize, request: Request, payload: Bytes) {
        let ticket = self.ticket(task, request);
        let plan = &self.plan.tasks[task];
        let input = CoordinatorInput::Submit {
            ticket,
            task: TaskId(plan.id),
            spec: Spec {
                handler: name(HANDLERS[plan.handler]),
                priority: plan.priority,
                max_retries: plan.max_retries,
                timeout: plan.timeout.map(in_nanos),
            },
            payload,
        };
        let asks = What::Asks.to_nobody().about(task).value(ticket.0);
        self.note(asks, || format!("client {task}: {request:?}"));
        self.tell_coordinator(input);
    }

    pub(super) fn cancel(&mut self, task: usize) {
        if self.clients[task].cancel_answered {
            return;
        }
        self.after(PATIENCE, Event::Cancel { task });
        if !self.is_up(Who::Coordinator) || self.is_frozen(Who::Coordinator) {
            return;
        }
        let ticket = self.ticket(task, Request::Cancel { task });
        let task_id = TaskId(self.plan.tasks[task].id);
        self.ledger.unwanted(task_id);
        let asks = What::Asks.to_nobody().about(task).value(ticket.0);
        self.note(asks, || format!("client {task} cancels"));
        self.tell_coordinator(CoordinatorInput::Cancel { ticket, task: task_id });
    }

    /// The coordinator's process is gone: nobody answers these any more.
    pub(super) fn forget_requests(&mut self) {
        self.requests.clear();
    }

    pub(super) fn reply(&mut self, ticket: Ticket, reply: ClientReply) {
        let task = self.requests.get(&ticket).map(|request| request.task());
        let answered = What::Answered.to_nobody().value(ticket.0);
        let answered = task.map_or(answered, |task| answered.about(task));
        self.note(answered, || format!("{ticket:?} is answered {reply:?}"));
        let Some(request) = self.requests.remove(&ticket) else {
            let words = format!("{ticket:?} is answered, and was answered before: {reply:?}");
            self.break_promise(Rule::Client, words);
            return;
        };
        let task = request.task();
        let asked = self.asks(task);
        self.answered(request, reply);
        self.asking -= usize::from(asked) - usize::from(self.asks(task));
    }

    fn answered(&mut self, request: Request, reply: ClientReply) {
        let task = request.task();
        let id = TaskId(self.plan.tasks[task].id);
        match (request, reply) {
            (Request::Submit { .. }, ClientReply::Work(Reply::Submitted { .. })) => {
                let judgement = self.ledger.acknowledged(id);
                self.judge(judgement);
                let first = !self.clients[task].acknowledged;
                self.clients[task].acknowledged = true;
                if let (Some(at), true) = (self.plan.tasks[task].cancel_at, first) {
                    self.at(at, Event::Cancel { task });
                }
            }
            (Request::Cancel { .. }, ClientReply::Work(Reply::Cancelled)) => {
                self.clients[task].cancel_answered = true;
                self.seen.cancelled_queued += 1;
                self.ledger.cancelled(id);
            }
            (
                Request::Cancel { .. },
                ClientReply::Work(Reply::CancelRequested | Reply::AlreadyEnded),
            ) => self.clients[task].cancel_answered = true,
            (Request::Again { .. }, ClientReply::Work(Reply::Submitted { again: true })) => {
                self.seen.submitted_again += 1;
                self.clients[task].again_answered = true;
            }
            (Request::Clash { .. }, ClientReply::Work(Reply::IdTaken)) => {
                self.seen.clashed += 1;
                self.clients[task].clash_answered = true;
            }
            (
                Request::Submit { .. } | Request::Again { .. },
                ClientReply::Work(
                    Reply::IdTaken
                    | Reply::Cancelled
                    | Reply::CancelRequested
                    | Reply::AlreadyEnded
                    | Reply::Retried
                    | Reply::NotEnded
                    | Reply::NotFound,
                ),
            )
            | (
                Request::Cancel { .. },
                ClientReply::Work(
                    Reply::Submitted { .. }
                    | Reply::IdTaken
                    | Reply::Retried
                    | Reply::NotEnded
                    | Reply::NotFound,
                ),
            )
            | (Request::Again { .. }, ClientReply::Work(Reply::Submitted { again: false }))
            | (
                Request::Clash { .. },
                ClientReply::Work(
                    Reply::Submitted { .. }
                    | Reply::Cancelled
                    | Reply::CancelRequested
                    | Reply::AlreadyEnded
                    | Reply::Retried
                    | Reply::NotEnded
                    | Reply::NotFound,
                ),
            )
            | (_, ClientReply::TooManyHandlers { .. }) => {
                let words = format!("{request:?} is answered {reply:?}");
                self.break_promise(Rule::Client, words);
            }
        }
    }

    /// Clients that were not answered yet.
    pub(super) fn unanswered(&self) -> usize {
        (0..self.clients.len()).filter(|task| self.waits(*task)).count()
    }

    /// Whether a client may still ask for its task: a store must not forget that meanwhile, or it
    /// would be another one.
    pub(super) fn may_be_asked_for(&self) -> bool {
        !self.requests.is_empty() || self.asking > 0
    }

    /// It has asked and does not know the answer: once it does, it never asks again.
    fn asks(&self, task: usize) -> bool {
        self.clients[task].requests > 0 && self.waits(task)
    }

    fn waits(&self, task: usize) -> bool {
        let client = &self.clients[task];
        let plan = &self.plan.tasks[task];
        // Nobody asks for what is never handed in.
        !plan.absent
            && (!client.acknowledged
                || plan.cancel_at.is_some() && !client.cancel_answered
                || plan.again_at.is_some() && !client.again_answered
                || plan.clash_at.is_some() && !client.clash_answered)
    }
}
