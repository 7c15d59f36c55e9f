//! Why a task is where it is, and who could take it.

use std::time::{Duration, SystemTime};

use moorline_link::{Presence, Reason};
use moorline_work::TaskState;

use super::span::{ago, count, span};
use super::worker::Happening;
use super::{Candidate, Cause, Certainty, Explanation, Sighting};
use crate::TaskInfo;
use crate::api::presence_word;

/// Everything that is known about a task and around it.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    pub(crate) now: SystemTime,
    pub(crate) task: TaskInfo,
    /// A retry waits until then.
    pub(crate) ready_at: Option<SystemTime>,
    /// What is on record about it, newest first.
    pub(crate) history: Vec<Happening>,
    /// The worker that holds it.
    pub(crate) holder: Option<Holder>,
    /// Of a queued task: every worker that is neither lost nor departed.
    pub(crate) workers: Vec<Offer>,
    /// The coordinator's store does not take what it writes.
    pub(crate) store_fails: bool,
    /// How long leases stand without contact.
    pub(crate) lost_after: Duration,
}

/// The worker that holds a task.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) name: String,
    pub(crate) presence: Presence,
    pub(crate) reason: Option<Reason>,
    pub(crate) silent: Option<Duration>,
}

/// What a worker offers.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) name: String,
    pub(crate) presence: Presence,
    pub(crate) since: SystemTime,
    pub(crate) reason: Option<Reason>,
    /// It has the handler.
    pub(crate) has_handler: bool,
    pub(crate) slots: u16,
    pub(crate) used: u32,
    /// An operator lets it have nothing new.
    pub(crate) cordoned: bool,
}

/// Weighs the evidence.
pub(crate) fn explain(evidence: &Evidence) -> Explanation {
    let task = &evidence.task;
    let subject = format!("{}/{}", task.kind, task.id);
    let candidates: Vec<_> = match task.state {
        TaskState::Queued => evidence.workers.iter().map(|one| candidate(one, evidence)).collect(),
        TaskState::Leased
        | TaskState::Succeeded
        | TaskState::Failed
        | TaskState::Cancelled
        | TaskState::Dead => Vec::new(),
    };
    let since = since(evidence);
    let cause = cause(evidence, &candidates);
    Explanation {
        headline: headline(evidence, &subject, since, &candidates),
        subject,
        state: task.state.name().to_owned(),
        since,
        seen: Vec::new(),
        before: evidence.history.iter().map(sighting).collect(),
        after: Vec::new(),
        ruled_out: ruled_out(evidence),
        others: None,
        next: next(evidence, &candidates),
        todo: todo(evidence, &candidates),
        cause,
        candidates,
    }
}

/// Since when it is in its state: the newest event on record, or what the task itself says.
fn since(evidence: &Evidence) -> SystemTime {
    let task = &evidence.task;
    let newest = evidence.history.first().map(|one| one.at);
    task.finished_at.or(newest).unwrap_or(task.submitted_at)
}

fn sighting(happening: &Happening) -> Sighting {
    let text = happening.text.clone();
    Sighting { at: Some(happening.at), by: "coordinator".to_owned(), text }
}

fn headline(
    evidence: &Evidence,
    subject: &str,
    since: SystemTime,
    candidates: &[Candidate],
) -> String {
    let task = &evidence.task;
    let word = task.state.name().to_uppercase();
    let age = span(ago(evidence.now, since));
    match task.state {
        TaskState::Queued => {
            let can = candidates.iter().filter(|one| one.can).count();
            let workers = count(candidates.len() as u64, "worker", "workers");
            format!("Task {subject} is {word} for {age}. {can} of {workers} can take it now.")
        }
        TaskState::Leased => {
            let by = task.worker.as_deref().unwrap_or("a worker that is not known");
            let attempt = task.attempts;
            format!("Task {subject} is {word} for {age}: attempt {attempt} is given to {by}.")
        }
        TaskState::Succeeded => {
            format!("Task {subject} SUCCEEDED {age} ago: its result is applied once.")
        }
        TaskState::Failed | TaskState::Cancelled | TaskState::Dead => {
            format!("Task {subject} is {word} since {age} ago.")
        }
    }
}

/// Whether a worker goes on with what it holds under the coordinator's eyes.
fn is_here(presence: Presence) -> bool {
    matches!(presence, Presence::Active | Presence::Draining)
}

/// What a worker lacks, the first thing that is in the way.
fn candidate(offer: &Offer, evidence: &Evidence) -> Candidate {
    let since = || span(ago(evidence.now, offer.since));
    let reason = || offer.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    let away = || format!("for {}{}", since(), reason());
    let would = if offer.has_handler { "would match" } else { "lacks the handler, too" };
    let slots = format!("{} of {} slots used", offer.used, offer.slots);
    let (can, text) = if is_here(offer.presence) && offer.cordoned {
        (false, "drained by an operator".to_owned())
    } else if offer.presence == Presence::Draining {
        (false, "takes nothing new".to_owned())
    } else if offer.presence != Presence::Active {
        (false, format!("{}; {would}", away()))
    } else if !offer.has_handler {
        (false, format!("has no handler `{}`", evidence.task.kind))
    } else if offer.used >= u32::from(offer.slots) {
        (false, slots)
    } else {
        (true, format!("would match, {slots}"))
    };
    Candidate {
        worker: offer.name.clone(),
        state: presence_word(offer.presence).to_owned(),
        can,
        text,
    }
}

/// The first of these that is true.
fn cause(evidence: &Evidence, candidates: &[Candidate]) -> Option<Cause> {
    let task = &evidence.task;
    let sure = |rule: &str, text: String| {
        Some(Cause {
            rule: rule.to_owned(),
            reason: None,
            code: None,
            certainty: Certainty::Sure,
            text,
        })
    };
    match task.state {
        TaskState::Queued => queued(evidence, candidates),
        TaskState::Leased => {
            let holder = evidence.holder.as_ref()?;
            if task.cancel_requested {
                return sure("cancel", format!("{} is told to stop it", holder.name));
            }
            if is_here(holder.presence) {
                return None;
            }
            let reason = holder.reason;
            let away = presence_word(holder.presence);
            Some(Cause {
                rule: "holder".to_owned(),
                reason: reason.map(|reason| reason.name().to_owned()),
                code: reason.map(|reason| crate::Code::from(reason).to_string()),
                certainty: Certainty::Sure,
                text: format!("{} is {away}; what it runs there goes on", holder.name),
            })
        }
        TaskState::Failed => {
            let error = task.error.as_deref().unwrap_or("no error was given");
            let tries = count(u64::from(task.retries), "retry", "retries");
            sure("handler", format!("its handler failed for the last time ({tries}): {error}"))
        }
        TaskState::Dead => sure(
            "lost",
            format!("its worker was lost {} times, which is as often as is tried", task.lost),
        ),
        TaskState::Cancelled => sure("cancelled", "a client cancelled it".to_owned()),
        TaskState::Succeeded => None,
    }
}

fn queued(evidence: &Evidence, candidates: &[Candidate]) -> Option<Cause> {
    let wait = evidence.ready_at.and_then(|at| at.duration_since(evidence.now).ok());
    let (rule, text) = if evidence.store_fails {
        (
            "store",
            "the store does not take what the coordinator writes: nothing is given out".into(),
        )
    } else if let Some(wait) = wait {
        let error = evidence.task.error.as_deref().unwrap_or("it failed");
        ("retry", format!("it failed and waits {} for its retry: {error}", span(wait)))
    } else if candidates.is_empty() {
        ("nobody", "no worker is known".to_owned())
    } else if evidence.workers.iter().all(|one| !one.has_handler) {
        ("handler", format!("no worker has a handler `{}`", evidence.task.kind))
    } else if candidates.iter().any(|one| one.can) {
        ("turn", "others go before it: it is given out in its turn".to_owned())
    } else if candidates.iter().all(|one| one.state != "active") {
        ("away", "no worker that has its handler is active".to_owned())
    } else {
        ("busy", "every worker that could take it is busy or away".to_owned())
    };
    Some(Cause {
        rule: rule.to_owned(),
        reason: None,
        code: None,
        certainty: Certainty::Sure,
        text,
    })
}

fn ruled_out(evidence: &Evidence) -> Vec<String> {
    let mut not = Vec::new();
    if evidence.task.state != TaskState::Queued {
        return not;
    }
    if !evidence.store_fails {
        not.push("store (writable)".to_owned());
    }
    if evidence.ready_at.is_none() {
        not.push("retry delay (none)".to_owned());
    }
    if evidence.workers.iter().any(|one| one.has_handler) {
        let have = evidence.workers.iter().filter(|one| one.has_handler).count() as u64;
        not.push(format!("handler ({} it)", count(have, "worker has", "workers have")));
    }
    not
}

fn next(evidence: &Evidence, candidates: &[Candidate]) -> Vec<String> {
    let task = &evidence.task;
    match task.state {
        TaskState::Queued if candidates.iter().any(|one| one.can) => {
            vec!["it is given out as soon as it is its turn".to_owned()]
        }
        TaskState::Queued => {
            vec!["the first worker with its handler and a free slot gets it".to_owned()]
        }
        TaskState::Leased => match &evidence.holder {
            Some(Holder { name, presence, silent, .. }) if !is_here(*presence) => {
                let left = evidence.lost_after.saturating_sub(silent.unwrap_or_default());
                vec![format!("{name} not back in {}: it is queued again", span(left))]
            }
            Some(_) | None => Vec::new(),
        },
        TaskState::Succeeded | TaskState::Failed | TaskState::Cancelled | TaskState::Dead => {
            Vec::new()
        }
    }
}

fn todo(evidence: &Evidence, candidates: &[Candidate]) -> Vec<String> {
    let id = &evidence.task.id;
    match evidence.task.state {
        TaskState::Queued if candidates.is_empty() => {
            let kind = &evidence.task.kind;
            vec![format!("start a worker: moorline worker --handler {kind}=COMMAND …")]
        }
        TaskState::Queued => vec!["moorline worker list".to_owned()],
        TaskState::Leased => match &evidence.holder {
            Some(holder) => vec![format!("moorline worker explain {}", holder.name)],
            None => Vec::new(),
        },
        TaskState::Failed | TaskState::Dead | TaskState::Cancelled => {
            vec![format!("moorline task retry {id}"), format!("moorline task timeline {id}")]
        }
        TaskState::Succeeded => vec![format!("moorline task result {id}")],
    }
}

#[cfg(test)]
mod tests;
