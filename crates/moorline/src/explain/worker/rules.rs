//! The table: what may keep a worker from being active, in the order in which it is believed.

use std::time::Duration;

use moorline_link::{Presence, Reason};

use super::Evidence;
use super::words::needs_cause;
use crate::explain::Certainty;
use crate::explain::span::{ago, count, span};

/// One possible cause.
pub(super) struct Rule {
    pub(super) name: &'static str,
    /// What it says if it applies.
    pub(super) applies: fn(&Evidence) -> Option<Finding>,
    /// What it says if it does not, where that can be told: the figure that rules it out.
    pub(super) otherwise: fn(&Evidence) -> Option<String>,
}

/// What a rule found.
pub(super) struct Finding {
    pub(super) reason: Option<Reason>,
    pub(super) certainty: Certainty,
    pub(super) text: String,
}

/// A stall this long before a loss may have to do with it.
const NEAR: Duration = Duration::from_secs(60);
/// Losses of one worker that are too many for chance, in [`FLAPPING_WITHIN`].
const FLAPS: usize = 5;
const FLAPPING_WITHIN: Duration = Duration::from_secs(600);

/// Stronger evidence first: what somebody did on purpose, what somebody said, what many share, and
/// last what the connection itself shows.
pub(super) const RULES: &[Rule] = &[
    Rule { name: "operator", applies: operator, otherwise: no_operator },
    Rule { name: "left", applies: left, otherwise: nothing },
    Rule { name: "refused", applies: refused, otherwise: no_refusal },
    Rule { name: "coordinator_started", applies: started, otherwise: no_start },
    Rule { name: "store", applies: store, otherwise: no_store },
    Rule { name: "coordinator_stalled", applies: stalled, otherwise: no_stall },
    Rule { name: "many", applies: many, otherwise: nothing },
    Rule { name: "flapping", applies: flapping, otherwise: no_flapping },
    Rule { name: "version", applies: version, otherwise: no_version },
    Rule { name: "reason", applies: reason, otherwise: nothing },
    Rule { name: "restoring", applies: restoring, otherwise: nothing },
    Rule { name: "late", applies: late, otherwise: nothing },
];

fn found(reason: Option<Reason>, certainty: Certainty, text: impl Into<String>) -> Option<Finding> {
    Some(Finding { reason, certainty, text: text.into() })
}

fn nothing(_: &Evidence) -> Option<String> {
    None
}

/// Reasons that an operator gave.
const BY_OPERATOR: [Reason; 6] = [
    Reason::OperatorDisconnect,
    Reason::OperatorDrain,
    Reason::Quarantined,
    Reason::Chaos,
    Reason::Forced,
    Reason::Redirected,
];

fn operator(evidence: &Evidence) -> Option<Finding> {
    if evidence.cordoned {
        let text = "an operator drains it: it finishes what it runs and is given nothing new";
        return found(Some(Reason::OperatorDrain), Certainty::Sure, text);
    }
    let reason = evidence.reason.filter(|reason| BY_OPERATOR.contains(reason))?;
    found(Some(reason), Certainty::Sure, reason.meaning())
}

fn no_operator(_: &Evidence) -> Option<String> {
    Some("operator (nobody acted on it)".to_owned())
}

fn left(evidence: &Evidence) -> Option<Finding> {
    let draining = evidence.presence == Presence::Draining;
    if draining {
        let text = "it said that it stops: it finishes what it runs and takes nothing new";
        return found(None, Certainty::Sure, text);
    }
    let reason = evidence.reason.filter(|_| evidence.presence == Presence::Departed)?;
    found(Some(reason), Certainty::Sure, reason.meaning())
}

/// It came back, and was not let in.
fn refused(evidence: &Evidence) -> Option<Finding> {
    if !needs_cause(evidence.presence) {
        return None;
    }
    let newest = evidence.history.iter().find(|one| one.at > evidence.since)?;
    if newest.kind != "worker.refused" {
        return None;
    }
    let reason = newest.reason?;
    let text = format!(
        "it came back {} ago and was refused: {}",
        span(ago(evidence.now, newest.at)),
        reason.meaning()
    );
    found(Some(reason), Certainty::Sure, text)
}

fn no_refusal(evidence: &Evidence) -> Option<String> {
    let refused = |kind: &str| kind == "worker.refused";
    let any = evidence.history.iter().any(|one| one.at > evidence.since && refused(&one.kind));
    (!any).then(|| "refusal (none since)".to_owned())
}

fn started(evidence: &Evidence) -> Option<Finding> {
    if evidence.presence != Presence::Expected {
        return None;
    }
    let up = span(ago(evidence.now, evidence.coordinator.started));
    let text = format!("the coordinator started {up} ago and has not seen it since");
    found(Some(Reason::CoordinatorRestarted), Certainty::Sure, text)
}

fn no_start(evidence: &Evidence) -> Option<String> {
    let up = span(ago(evidence.now, evidence.coordinator.started));
    Some(format!("coordinator restart (up for {up})"))
}

fn store(evidence: &Evidence) -> Option<Finding> {
    let waits = evidence.presence == Presence::Restoring && evidence.coordinator.store_fails;
    let text = "the coordinator's store does not take what it writes: the restore waits for it";
    waits.then_some(())?;
    found(None, Certainty::Sure, text)
}

fn no_store(evidence: &Evidence) -> Option<String> {
    (!evidence.coordinator.store_fails).then(|| "coordinator's store (writable)".to_owned())
}

fn stalled(evidence: &Evidence) -> Option<Finding> {
    let silence = evidence.reason.filter(|reason| {
        matches!(reason, Reason::HeartbeatTimeout | Reason::HeartbeatUnacked | Reason::HalfOpen)
    })?;
    let near =
        evidence.coordinator.stalls.iter().find(|stall| {
            evidence.since.duration_since(stall.at).is_ok_and(|before| before <= NEAR)
        })?;
    let text = format!("shortly before, the coordinator itself was held up: {}", near.text);
    found(Some(silence), Certainty::Likely, text)
}

fn no_stall(evidence: &Evidence) -> Option<String> {
    let near =
        evidence.coordinator.stalls.iter().any(|stall| {
            evidence.since.duration_since(stall.at).is_ok_and(|before| before <= NEAR)
        });
    (!near).then(|| "coordinator held up (not within a minute before)".to_owned())
}

fn many(evidence: &Evidence) -> Option<Finding> {
    let reason = evidence.reason.filter(|_| needs_cause(evidence.presence))?;
    let together = evidence.fleet.lost_together.len() as u64 + 1;
    // The same measure as the guard that holds redelivery back.
    if together < 3 || together * 100 <= evidence.fleet.known * 55 {
        return None;
    }
    let text = format!(
        "{together} of {} workers lost their connection within {}: what they share is the network \
         or the coordinator's machine, not this worker",
        evidence.fleet.known,
        span(super::TOGETHER)
    );
    found(Some(reason), Certainty::Likely, text)
}

/// How often it lost its connection lately.
fn flaps(evidence: &Evidence) -> usize {
    let recent = |at| ago(evidence.now, at) <= FLAPPING_WITHIN;
    let lost = |kind: &str| kind == "worker.disconnected";
    evidence.history.iter().filter(|one| lost(&one.kind) && recent(one.at)).count()
}

fn flapping(evidence: &Evidence) -> Option<Finding> {
    let times = flaps(evidence);
    (needs_cause(evidence.presence) && times >= FLAPS).then_some(())?;
    let text = format!(
        "it comes and goes: {times} losses within {}; its path or its process is not stable",
        span(FLAPPING_WITHIN)
    );
    found(evidence.reason, Certainty::Likely, text)
}

fn no_flapping(evidence: &Evidence) -> Option<String> {
    let times = flaps(evidence) as u64;
    (times < FLAPS as u64).then(|| {
        format!("flapping ({} in {})", count(times, "loss", "losses"), span(FLAPPING_WITHIN))
    })
}

fn version(evidence: &Evidence) -> Option<Finding> {
    let reason = evidence.reason.filter(|reason| *reason == Reason::ProtocolError)?;
    let version = evidence.version.as_ref()?;
    if *version == evidence.coordinator.version {
        return None;
    }
    let text = format!(
        "it runs {version} and the coordinator {}: one sent what the other does not understand",
        evidence.coordinator.version
    );
    found(Some(reason), Certainty::Likely, text)
}

fn no_version(evidence: &Evidence) -> Option<String> {
    let version = evidence.version.as_ref()?;
    let same = *version == evidence.coordinator.version;
    let how = if same { "as the coordinator" } else { "another than the coordinator's, supported" };
    Some(format!("version ({version}, {how})"))
}

/// What the connection itself shows.
fn reason(evidence: &Evidence) -> Option<Finding> {
    let reason = evidence.reason.filter(|_| needs_cause(evidence.presence))?;
    found(Some(reason), certainty(reason), reason.meaning())
}

/// Whether a reason names what happened, or only what it looked like from here.
fn certainty(reason: Reason) -> Certainty {
    let is_a_look = matches!(
        reason,
        Reason::HeartbeatTimeout
            | Reason::HeartbeatUnacked
            | Reason::HalfOpen
            | Reason::FlowStalled
            | Reason::AnswerTimeout
            | Reason::OutOfStep
            | Reason::RegisterTimeout
            | Reason::RestoreStalled
    );
    if is_a_look { Certainty::Likely } else { Certainty::Sure }
}

fn restoring(evidence: &Evidence) -> Option<Finding> {
    (evidence.presence == Presence::Restoring).then_some(())?;
    let text = "it is registered; what it holds is being compared with the store";
    found(None, Certainty::Sure, text)
}

fn late(evidence: &Evidence) -> Option<Finding> {
    (evidence.presence == Presence::Suspect).then_some(())?;
    let text = "its heartbeats are late: frozen, overloaded, or a path that drops packets";
    found(None, Certainty::Likely, text)
}
