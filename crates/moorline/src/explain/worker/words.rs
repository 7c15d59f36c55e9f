//! What is said about each state, whatever the cause.

use std::time::Duration;

use moorline_link::Presence;

use super::Evidence;
use crate::explain::Cause;
use crate::explain::span::{ago, count, span};

/// The word of the API.
pub(super) fn state(presence: Presence) -> &'static str {
    crate::api::presence_word(presence)
}

/// Whether somebody who asks wants to know why.
pub(super) fn needs_cause(presence: Presence) -> bool {
    match presence {
        Presence::Expected | Presence::Suspect | Presence::Disconnected | Presence::Lost => true,
        Presence::Restoring | Presence::Active | Presence::Draining | Presence::Departed => false,
        _ => true,
    }
}

pub(super) fn headline(evidence: &Evidence) -> String {
    let Evidence { name, presence, slots, leases, .. } = evidence;
    let word = state(*presence).to_uppercase();
    let since = span(ago(evidence.now, evidence.since));
    let is = format!("{name} is {word} for {since}");
    let silent = evidence.silent.map_or_else(|| "never".to_owned(), |silent| span(silent) + " ago");
    match presence {
        Presence::Active => {
            let rtt = evidence.rtt.map(|rtt| format!(", round trip {rtt:.1?}")).unwrap_or_default();
            let at = evidence.reached.as_ref();
            let at = at.map(|at| format!(" at {} from {}", at.endpoint, at.remote));
            let at = at.unwrap_or_default();
            format!("{is}{at}: last contact {silent}{rtt}, {leases} of {slots} slots used.")
        }
        Presence::Restoring => format!("{is}: it registered and is not given work yet."),
        Presence::Suspect => format!("{is}: last contact {silent}. {}", held(evidence, None)),
        Presence::Disconnected | Presence::Expected => {
            format!("{is}. {}", held(evidence, Some(left_to_lost(evidence))))
        }
        Presence::Lost => format!(
            "{is}: it was not heard for {}, and what it held was given away.",
            span(evidence.coordinator.lost_after)
        ),
        Presence::Draining => {
            format!("{is}: {} to finish.", count(u64::from(*leases), "task", "tasks"))
        }
        Presence::Departed => format!("{is}: it left on purpose and holds nothing."),
        _ => format!("{is}."),
    }
}

/// What becomes of its leases.
fn held(evidence: &Evidence, left: Option<Duration>) -> String {
    let leases = u64::from(evidence.leases);
    if leases == 0 {
        return "It holds nothing.".to_owned();
    }
    let held = count(leases, "lease", "leases");
    let tasks = if leases == 1 { "the task is" } else { "the tasks are" };
    match left {
        None => format!("It keeps {held}."),
        Some(left) if left.is_zero() => format!("It keeps {held} until the fleet is back."),
        Some(left) => format!("It keeps {held} for another {}, then {tasks} requeued.", span(left)),
    }
}

/// How long its leases still stand.
fn left_to_lost(evidence: &Evidence) -> Duration {
    let silent = evidence.silent.unwrap_or_else(|| ago(evidence.now, evidence.coordinator.started));
    evidence.coordinator.lost_after.saturating_sub(silent)
}

pub(super) fn others(evidence: &Evidence) -> String {
    let together = evidence.fleet.lost_together.len() as u64 + 1;
    let known = evidence.fleet.known;
    if together == 1 {
        return format!(
            "1 of {} affected; no common cause found",
            count(known, "worker", "workers")
        );
    }
    let names = evidence.fleet.lost_together.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    let more = if together > 6 { ", …" } else { "" };
    format!(
        "{together} of {} affected at the same time: also {names}{more}",
        count(known, "worker", "workers")
    )
}

/// What happens by itself.
pub(super) fn next(evidence: &Evidence) -> Vec<String> {
    let coordinator = &evidence.coordinator;
    let silent = evidence.silent.unwrap_or_default();
    let mut next = Vec::new();
    match evidence.presence {
        Presence::Suspect => {
            let left = span(coordinator.disconnect_after.saturating_sub(silent));
            next.push(format!("heard again: active at once; else disconnected in {left}"));
        }
        Presence::Disconnected | Presence::Expected => {
            next.push("it dials again by itself and keeps what it runs".to_owned());
            let left = left_to_lost(evidence);
            if evidence.leases > 0 && !left.is_zero() {
                let back = span(left);
                next.push(format!("not back in {back}: what it holds goes back to the queue"));
            }
        }
        Presence::Lost => {
            next.push(
                "it may come back at any time, and is compared with what runs by then".into(),
            );
        }
        Presence::Restoring => next.push("it is active when its inventory is answered".to_owned()),
        Presence::Draining if evidence.cordoned => {
            next.push("it stays connected, without new work, until it is resumed".to_owned());
        }
        Presence::Draining => next.push("it says goodbye when it has finished".to_owned()),
        Presence::Active | Presence::Departed => {}
        _ => {}
    }
    if coordinator.draining {
        next.push("the coordinator is being drained: nobody is let in".to_owned());
    }
    next
}

/// Whom to ask and what to do.
pub(super) fn todo(evidence: &Evidence, cause: Option<&Cause>) -> Vec<String> {
    let mut todo = Vec::new();
    let reason = cause.and_then(|cause| cause.reason.as_deref());
    let reason = reason.and_then(moorline_link::Reason::from_name);
    if evidence.cordoned {
        todo.push(format!("moorline worker resume {}", evidence.name));
    } else if let Some(reason) = reason {
        todo.push(reason.remedy().to_owned());
    }
    if needs_cause(evidence.presence) {
        todo.push(format!("moorline worker timeline {} --since 15m", evidence.name));
        if let Some(code) = cause.and_then(|cause| cause.code.as_deref()) {
            todo.push(format!("moorline explain {code}"));
        }
    }
    todo
}
