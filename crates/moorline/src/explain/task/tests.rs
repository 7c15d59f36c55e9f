use std::time::{Duration, SystemTime};

use moorline_link::{Presence, Reason};
use moorline_work::TaskState;

use super::{Evidence, Holder, Offer, explain};
use crate::TaskInfo;
use crate::explain::worker::Happening;

const SECOND: Duration = Duration::from_secs(1);

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_341_773_480)
}

fn task(state: TaskState) -> TaskInfo {
    TaskInfo {
        id: "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap(),
        kind: "resize".into(),
        state,
        attempts: 1,
        worker: Some("gpu-1".into()),
        submitted_at: now() - 360 * SECOND,
        finished_at: None,
        error: None,
        priority: 0,
        retries: 0,
        max_retries: 0,
        lost: 0,
        cancel_requested: false,
        result_bytes: None,
        cursor: 1,
    }
}

fn offer(name: &str) -> Offer {
    Offer {
        name: name.into(),
        presence: Presence::Active,
        since: now() - 42 * SECOND,
        reason: None,
        has_handler: true,
        slots: 4,
        used: 4,
        cordoned: false,
    }
}

/// A task that waits while one worker is away, one is busy and one lacks the handler.
fn evidence() -> Evidence {
    let away = Offer {
        presence: Presence::Disconnected,
        reason: Some(Reason::StreamLost),
        ..offer("gpu-1")
    };
    let lacks = Offer { has_handler: false, used: 0, ..offer("cpu-1") };
    Evidence {
        now: now(),
        task: task(TaskState::Queued),
        ready_at: None,
        history: vec![Happening {
            at: now() - 360 * SECOND,
            kind: "task.submitted".into(),
            reason: None,
            text: "submitted".into(),
        }],
        holder: None,
        workers: vec![away, offer("gpu-2"), lacks],
        store_fails: false,
        lost_after: 90 * SECOND,
    }
}

fn rule(evidence: &Evidence) -> String {
    explain(evidence).cause.map_or_else(|| "none".into(), |cause| cause.rule)
}

#[test]
fn a_task_that_waits_names_what_each_worker_lacks() {
    insta::assert_snapshot!(explain(&evidence()), @r"
    Task resize/01ARZ3NDEKTSV4RRFFQ69G5FAV is QUEUED for 6m00s. 0 of 3 workers can take it now.
    Because   every worker that could take it is busy or away   [sure]
    Before    09:56:53.480 coordinator: submitted
    Not it    store (writable) · retry delay (none) · handler (2 workers have it)
      gpu-1  disconnected  for 42s (stream_lost); would match
      gpu-2  active        4 of 4 slots used
      cpu-1  active        has no handler `resize`
    Next      the first worker with its handler and a free slot gets it
    Do        moorline worker list
    ");
}

#[test]
fn the_first_thing_in_the_way_of_a_queued_task_is_its_cause() {
    let mut evidence = evidence();
    assert_eq!(rule(&evidence), "busy");
    evidence.workers.retain(|one| one.presence != Presence::Active);
    assert_eq!(rule(&evidence), "away");
    evidence.workers = vec![Offer { has_handler: false, ..offer("cpu-1") }];
    assert_eq!(rule(&evidence), "handler");
    evidence.workers.clear();
    assert_eq!(rule(&evidence), "nobody");
    evidence.ready_at = Some(now() + 5 * SECOND);
    assert_eq!(rule(&evidence), "retry");
    evidence.store_fails = true;
    assert_eq!(rule(&evidence), "store");
}

#[test]
fn a_worker_with_a_free_slot_makes_it_a_matter_of_turn() {
    let mut evidence = evidence();
    evidence.workers.push(Offer { used: 3, ..offer("gpu-3") });
    let explanation = explain(&evidence);
    assert_eq!(explanation.cause.unwrap().rule, "turn");
    assert_eq!(explanation.candidates.iter().filter(|one| one.can).count(), 1);
    // Unless an operator drains it, or it leaves.
    for (presence, cordoned, text) in [
        (Presence::Draining, true, "drained by an operator"),
        (Presence::Active, true, "drained by an operator"),
        (Presence::Draining, false, "takes nothing new"),
    ] {
        evidence.workers[3] = Offer { presence, cordoned, used: 3, ..offer("gpu-3") };
        let explanation = explain(&evidence);
        assert_eq!(explanation.cause.unwrap().rule, "busy");
        assert_eq!(explanation.candidates[3].text, text);
    }
}

#[test]
fn a_leased_task_follows_the_worker_that_holds_it() {
    let holder = |presence, reason| Holder {
        name: "gpu-1".into(),
        presence,
        reason,
        silent: Some(44 * SECOND),
    };
    let mut evidence = Evidence { task: task(TaskState::Leased), ..evidence() };
    evidence.holder = Some(holder(Presence::Active, None));
    assert_eq!(rule(&evidence), "none");
    evidence.holder = Some(holder(Presence::Disconnected, Some(Reason::HalfOpen)));
    let explanation = explain(&evidence);
    assert_eq!(explanation.cause.unwrap().code.as_deref(), Some("ML2105"));
    assert_eq!(explanation.next, ["gpu-1 not back in 46s: it is queued again"]);
    evidence.task.cancel_requested = true;
    assert_eq!(rule(&evidence), "cancel");
}

#[test]
fn a_task_that_ended_without_a_result_says_why_and_how_to_try_again() {
    for (state, cause) in [
        (TaskState::Failed, "handler"),
        (TaskState::Dead, "lost"),
        (TaskState::Cancelled, "cancelled"),
    ] {
        let evidence = Evidence { task: task(state), ..evidence() };
        let explanation = explain(&evidence);
        assert_eq!(explanation.cause.unwrap().rule, cause);
        assert!(explanation.todo[0].starts_with("moorline task retry"), "{state:?}");
        assert!(explanation.candidates.is_empty());
    }
    let succeeded = Evidence { task: task(TaskState::Succeeded), ..evidence() };
    assert_eq!(rule(&succeeded), "none");
}
