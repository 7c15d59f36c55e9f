//! What workers prove themselves with, and who looks at it.

use moorline_link::{ComeBack, ConnId, Dismissal, Reason, Retry};
use moorline_node::{Applicant, CoordinatorInput, Credential, WorkerInput};

use super::coordinator::conn_id;
use super::{Event, Rule, World};
use crate::Sabotage;
use crate::decide::{Decide, Site};
use crate::plan::{MS, Refusal, Who};
use crate::trace::What;

/// What a worker proves itself with: tokens, each of which replaces the one before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pass {
    /// The number of the token that is good.
    good: u64,
    /// Nothing is good until then, and why not.
    barred: (u64, Reason),
}

impl Default for Pass {
    fn default() -> Self {
        Self { good: 0, barred: (0, Reason::AuthRejected) }
    }
}

/// What a process knows of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    /// The number of the token that it shows.
    token: u64,
    /// It was refused, and a fresh one may not be: that is what the next dial is to show.
    is_stale: bool,
}

impl World {
    /// Whether the coordinator looks at what workers show.
    pub(super) fn is_guarded(&self) -> bool {
        self.plan.authenticates() || self.is_sabotaged(Sabotage::DoorOpen)
    }

    /// A process begins: it is given a fresh token.
    pub(super) fn hold_token(&mut self, index: usize) {
        let good = self.workers[self.is(index)].pass.good;
        self.workers[index].held = Held { token: good, is_stale: false };
    }

    /// A worker was disconnected: the driver remembers why, for the next dial.
    pub(super) fn token_refused(&mut self, index: usize, reason: Option<Reason>) {
        let is_stale = reason.map(Reason::retry) == Some(Retry::Renew);
        self.workers[index].held.is_stale |= is_stale;
    }

    /// A worker dials: its driver gets what it is to show.
    pub(super) fn show_token(&mut self, index: usize, name: ConnId) {
        if !self.is_guarded() {
            return;
        }
        let is = self.is(index);
        if self.workers[index].held.is_stale {
            self.seen.renewed += 1;
            self.hold_token(index);
        }
        let token = self.workers[index].held.token;
        let now = self.clock_of(index);
        match (Credential::new(format!("w{is} {token}")), &mut self.workers[index].process.node) {
            (Ok(credential), Some(node)) => {
                let input = WorkerInput::Credential { conn: name, credential };
                node.both_with(input, |node, input| node.handle(now, input));
            }
            (Ok(_), None) => {}
            (Err(error), _) => self.break_promise(Rule::Panic, format!("w{index} shows {error}")),
        }
    }

    /// The coordinator wants to know whether somebody is who it says.
    pub(super) fn vet(&mut self, conn: usize, applicant: &Applicant) {
        let is = self.is(self.network.conn(conn).worker);
        let Some(credential) = &applicant.credential else {
            let words =
                format!("w{is} was given something to show and has not shown it on c{conn}");
            return self.break_promise(Rule::Unproven, words);
        };
        let pass = self.workers[is].pass;
        let (until, barred) = pass.barred;
        let refused = if self.now < until {
            Some(barred)
        } else if credential.as_bytes() == format!("w{is} {}", pass.good).as_bytes() {
            None
        } else {
            Some(Reason::AuthExpired)
        };
        let (longer, until) = self.vetting;
        let slow = if self.now < until { longer } else { 0 };
        let delay = self.draws.draw(Site::Credential, self.network.conn(conn).key, 0, MS) + slow;
        let incarnation = applicant.incarnation.0;
        self.after(delay, Event::Vetted { conn, incarnation, refused });
    }

    /// That is known.
    pub(super) fn vetted(&mut self, conn: usize, incarnation: u64, refused: Option<Reason>) {
        let who = self.network.conn(conn).worker;
        let looks = What::Event.by(Who::Coordinator).on(conn);
        self.note(looks, || match refused {
            None => format!("w{who} is who it says on c{conn}"),
            Some(reason) => format!("w{who} is not let in on c{conn}: {}", reason.name()),
        });
        let judged = match refused {
            None => {
                self.network.conn_mut(conn).is_let_in = true;
                if let Some(hello) = self.network.conn_mut(conn).hello.take() {
                    self.ledger.coordinator_hears(conn, &[hello], self.judged_at());
                }
                self.ledger.claimed(self.is(who), incarnation);
                Ok(())
            }
            Some(reason) => {
                self.seen.turned_away += 1;
                Err(Dismissal { reason, come_back: ComeBack::ByReason })
            }
        };
        self.tell_coordinator(CoordinatorInput::Authenticated { conn: conn_id(conn), judged });
    }

    /// A Welcome is written: nobody gets one before it is known who that is.
    pub(super) fn unless_proven(&mut self, conn: usize) {
        if self.is_guarded() && !self.network.conn(conn).is_let_in {
            let who = self.network.conn(conn).worker;
            let words = format!("w{who} is welcomed on c{conn}, and nobody has looked at it");
            self.break_promise(Rule::Unproven, words);
        }
    }

    /// What a worker shows is not good any more.
    pub(super) fn bar(&mut self, worker: usize, refusal: Refusal, ends: bool) {
        let reason = match refusal {
            Refusal::Expired => {
                self.workers[worker].pass.good += 1;
                Reason::AuthExpired
            }
            Refusal::Rejected { lasts } => {
                let until = self.until(lasts);
                self.workers[worker].pass.barred = (until, Reason::AuthRejected);
                Reason::AuthRejected
            }
            Refusal::Revoked { lasts } => {
                let until = self.until(lasts);
                self.workers[worker].pass.barred = (until, Reason::AuthRevoked);
                Reason::AuthRevoked
            }
        };
        if ends {
            self.disconnect(worker, reason);
        }
    }

    /// Whether a worker may have been told that it was refused for good.
    pub(super) fn is_banned(&self, reason: Option<Reason>) -> bool {
        reason == Some(Reason::AuthRevoked)
            && self.plan.episodes.iter().any(|episode| episode.fault.revokes())
    }

    /// The coordinator ends a worker's connection.
    pub(super) fn disconnect(&mut self, worker: usize, reason: Reason) {
        if self.is_up(Who::Coordinator) && !self.is_frozen(Who::Coordinator) {
            let id = moorline_link::WorkerId(self.plan.workers[worker].id);
            self.ledger.disconnected_by_hand(worker);
            self.tell_coordinator(CoordinatorInput::Disconnect { worker: id, reason });
        }
    }
}
