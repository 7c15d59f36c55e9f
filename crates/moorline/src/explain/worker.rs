//! Why a worker is where it is: the evidence, and the table that weighs it.

mod rules;
mod words;

use std::time::{Duration, SystemTime};

use moorline_link::{Presence, Reason};

use super::{Cause, Explanation, Sighting};
use rules::RULES;

/// Everything that is known about a worker and around it.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    pub(crate) now: SystemTime,
    /// Its name.
    pub(crate) name: String,
    pub(crate) presence: Presence,
    /// Since when.
    pub(crate) since: SystemTime,
    /// Why it is not active, as the link said.
    pub(crate) reason: Option<Reason>,
    pub(crate) slots: u16,
    /// Leases it holds.
    pub(crate) leases: u32,
    /// How long ago its last frame was received.
    pub(crate) silent: Option<Duration>,
    pub(crate) rtt: Option<Duration>,
    /// Where it came in, and from where, while it is connected.
    pub(crate) reached: Option<Reached>,
    /// The version of its software.
    pub(crate) version: Option<String>,
    /// An operator lets it have nothing new.
    pub(crate) cordoned: bool,
    /// What is on record about it, newest first.
    pub(crate) history: Vec<Happening>,
    pub(crate) fleet: Fleet,
    pub(crate) coordinator: Coordinator,
}

/// How a worker is connected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reached {
    /// The URL of the coordinator's listener.
    pub(crate) endpoint: String,
    /// The other end, as the transport names it.
    pub(crate) remote: String,
}

/// One event on record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Happening {
    pub(crate) at: SystemTime,
    /// Its name in the list of events, such as `worker.disconnected`.
    pub(crate) kind: String,
    pub(crate) reason: Option<Reason>,
    /// In words.
    pub(crate) text: String,
}

/// The other workers.
#[derive(Clone, Default, Debug)]
pub(crate) struct Fleet {
    /// Workers that are neither lost nor departed, this one included.
    pub(crate) known: u64,
    /// Others that lost their connection within [`TOGETHER`] of this one.
    pub(crate) lost_together: Vec<String>,
}

/// The coordinator itself.
#[derive(Clone, Debug)]
pub(crate) struct Coordinator {
    pub(crate) version: String,
    /// Since when it runs.
    pub(crate) started: SystemTime,
    /// Its store does not take what it writes.
    pub(crate) store_fails: bool,
    /// It is being drained.
    pub(crate) draining: bool,
    /// How long leases stand without contact.
    pub(crate) lost_after: Duration,
    /// Silence after which a worker counts as disconnected.
    pub(crate) disconnect_after: Duration,
    /// When it was not run in time, newest first.
    pub(crate) stalls: Vec<Happening>,
}

/// Losses this close to each other happened together.
pub(crate) const TOGETHER: Duration = Duration::from_secs(5);

/// Weighs the evidence: the first row of the table that applies is the cause, and every other row
/// that could be checked is ruled out with its figure.
pub(crate) fn explain(evidence: &Evidence) -> Explanation {
    let cause = RULES.iter().find_map(|rule| (rule.applies)(evidence).map(|found| (rule, found)));
    let needs_cause = words::needs_cause(evidence.presence);
    let ruled_out = RULES
        .iter()
        .filter(|rule| needs_cause && cause.as_ref().is_none_or(|(it, _)| it.name != rule.name))
        .filter_map(|rule| (rule.otherwise)(evidence))
        .collect();
    let cause = cause.map(|(rule, found)| Cause {
        rule: rule.name.to_owned(),
        reason: found.reason.map(|reason| reason.name().to_owned()),
        code: found.reason.map(|reason| crate::Code::from(reason).to_string()),
        certainty: found.certainty,
        text: found.text,
    });
    let (seen, before, after) = sightings(evidence);
    Explanation {
        subject: evidence.name.clone(),
        state: words::state(evidence.presence).to_owned(),
        since: evidence.since,
        headline: words::headline(evidence),
        seen,
        before,
        after,
        ruled_out,
        others: needs_cause.then(|| words::others(evidence)),
        candidates: Vec::new(),
        next: words::next(evidence),
        todo: words::todo(evidence, cause.as_ref()),
        cause,
    }
}

/// The events at the moment its state began, those before, and those after.
fn sightings(evidence: &Evidence) -> (Vec<Sighting>, Vec<Sighting>, Vec<Sighting>) {
    /// An event is written when it is durable, a little after the moment it is about ...
    const AFTER: Duration = Duration::from_secs(1);
    /// ... and both clocks are read in whole milliseconds.
    const BEFORE: Duration = Duration::from_millis(100);
    let (mut seen, mut before, mut after) = (Vec::new(), Vec::new(), Vec::new());
    for happening in &evidence.history {
        let sighting = Sighting {
            at: Some(happening.at),
            by: "coordinator".to_owned(),
            text: happening.text.clone(),
        };
        let at_the_moment = match happening.at.duration_since(evidence.since) {
            Ok(later) => later <= AFTER,
            Err(earlier) => earlier.duration() <= BEFORE,
        };
        if at_the_moment {
            seen.push(sighting);
        } else if happening.at < evidence.since {
            before.push(sighting);
        } else {
            after.push(sighting);
        }
    }
    if words::needs_cause(evidence.presence) {
        let text = "no account yet; it can give one when it is back".to_owned();
        seen.push(Sighting { at: None, by: "worker".to_owned(), text });
    }
    (seen, before, after)
}

#[cfg(test)]
mod tests;
