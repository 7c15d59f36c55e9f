use std::time::{Duration, SystemTime};

use moorline_link::{Presence, Reason};

use super::{Coordinator, Evidence, Fleet, Happening, Reached, explain};
use crate::explain::Certainty;

const SECOND: Duration = Duration::from_secs(1);

/// 2026-11-22 10:02:53.480 UTC.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_341_773_480)
}

/// A worker whose control stream ended 42 s ago while it ran two tasks.
fn evidence() -> Evidence {
    Evidence {
        now: now(),
        name: "gpu-1".into(),
        presence: Presence::Disconnected,
        since: now() - 42 * SECOND,
        reason: Some(Reason::StreamLost),
        slots: 4,
        leases: 2,
        silent: Some(44 * SECOND),
        rtt: Some(Duration::from_micros(480)),
        reached: None,
        version: Some("moorline 0.1.0".into()),
        cordoned: false,
        history: vec![
            event(42, "worker.disconnected", Some(Reason::StreamLost), "lost its connection"),
            event(55, "task.leased", None, "task resize/81 was given to it"),
        ],
        fleet: Fleet { known: 14, lost_together: Vec::new() },
        coordinator: Coordinator {
            version: "moorline 0.1.0".into(),
            started: now() - 3 * 3_600 * SECOND,
            store_fails: false,
            draining: false,
            lost_after: 90 * SECOND,
            disconnect_after: 15 * SECOND,
            stalls: Vec::new(),
        },
    }
}

fn event(ago: u32, kind: &str, reason: Option<Reason>, text: &str) -> Happening {
    Happening { at: now() - ago * SECOND, kind: kind.into(), reason, text: text.into() }
}

/// The row that applies.
fn rule(evidence: &Evidence) -> String {
    explain(evidence).cause.map_or_else(|| "none".into(), |cause| cause.rule)
}

#[test]
fn a_lost_worker_is_explained_as_a_whole() {
    insta::assert_snapshot!(explain(&evidence()), @r"
    gpu-1 is DISCONNECTED for 42s. It keeps 2 leases for another 46s, then the tasks are requeued.
    Because   stream_lost (ML2104): The control stream ended while the transport stayed up.   [sure]
    Seen      10:02:11.480 coordinator: lost its connection
              worker: no account yet; it can give one when it is back
    Before    10:01:58.480 coordinator: task resize/81 was given to it
    Not it    operator (nobody acted on it) · refusal (none since) · coordinator restart (up for 3h00m) · coordinator's store (writable) · coordinator held up (not within a minute before) · flapping (1 loss in 10m00s) · version (moorline 0.1.0, as the coordinator)
    Others    1 of 14 workers affected; no common cause found
    Next      it dials again by itself and keeps what it runs
              not back in 46s: what it holds goes back to the queue
    Do        Look at proxies between the two sides that limit the life of a stream.
              moorline worker timeline gpu-1 --since 15m
              moorline explain ML2104
    ");
}

#[test]
fn a_healthy_worker_needs_no_cause() {
    let evidence =
        Evidence { presence: Presence::Active, reason: None, silent: Some(SECOND), ..evidence() };
    let explanation = explain(&evidence);
    assert_eq!(explanation.cause, None);
    assert!(explanation.ruled_out.is_empty() && explanation.others.is_none());
    assert_eq!(
        explanation.headline,
        "gpu-1 is ACTIVE for 42s: last contact 1s ago, round trip 480.0µs, 2 of 4 slots used."
    );
    let (endpoint, remote) = ("grpcs://here:8740".to_owned(), "192.0.2.7:5".to_owned());
    let evidence = Evidence { reached: Some(Reached { endpoint, remote }), ..evidence };
    assert_eq!(
        explain(&evidence).headline,
        "gpu-1 is ACTIVE for 42s at grpcs://here:8740 from 192.0.2.7:5: last contact 1s ago, round trip \
         480.0µs, 2 of 4 slots used."
    );
}

#[test]
fn what_was_done_on_purpose_is_believed_before_everything_else() {
    let disconnected = Evidence { reason: Some(Reason::OperatorDisconnect), ..evidence() };
    assert_eq!(rule(&disconnected), "operator");
    let drained =
        Evidence { presence: Presence::Draining, reason: None, cordoned: true, ..evidence() };
    let explanation = explain(&drained);
    assert_eq!(explanation.cause.unwrap().reason.as_deref(), Some("operator_drain"));
    assert_eq!(explanation.todo, ["moorline worker resume gpu-1"]);
}

#[test]
fn a_worker_that_came_back_and_was_refused_is_away_for_that_reason() {
    let mut evidence = evidence();
    let refused = event(5, "worker.refused", Some(Reason::NameConflict), "was refused");
    evidence.history.insert(0, refused);
    let cause = explain(&evidence).cause.unwrap();
    assert_eq!((cause.rule.as_str(), cause.reason.as_deref()), ("refused", Some("name_conflict")));
    assert!(cause.text.starts_with("it came back 5s ago and was refused"), "{}", cause.text);
    // It was let in after that: no refusal any more.
    evidence.history.insert(0, event(3, "worker.registered", None, "registered"));
    assert_eq!(rule(&evidence), "reason");
}

#[test]
fn a_worker_not_seen_since_a_start_is_explained_by_the_start() {
    let evidence = Evidence { presence: Presence::Expected, reason: None, ..evidence() };
    let explanation = explain(&evidence);
    assert_eq!(explanation.cause.unwrap().rule, "coordinator_started");
    assert!(!explanation.ruled_out.iter().any(|not| not.starts_with("coordinator restart")));
}

#[test]
fn a_restore_that_waits_for_the_store_says_so() {
    let mut evidence = Evidence { presence: Presence::Restoring, reason: None, ..evidence() };
    assert_eq!(rule(&evidence), "restoring");
    evidence.coordinator.store_fails = true;
    assert_eq!(rule(&evidence), "store");
}

#[test]
fn a_silence_after_the_coordinator_was_held_up_may_be_its_own() {
    let mut evidence = Evidence { reason: Some(Reason::HeartbeatTimeout), ..evidence() };
    assert_eq!(rule(&evidence), "reason");
    evidence.coordinator.stalls = vec![event(60, "clock.jump", None, "not run for 20s")];
    let explanation = explain(&evidence);
    let cause = explanation.cause.unwrap();
    assert_eq!((cause.rule.as_str(), cause.certainty), ("coordinator_stalled", Certainty::Likely));
    assert!(!explanation.ruled_out.iter().any(|not| not.contains("held up")));
    // A reset is no silence, and a stall long before has nothing to do with it.
    evidence.reason = Some(Reason::TransportReset);
    assert_eq!(rule(&evidence), "reason");
    evidence.reason = Some(Reason::HeartbeatTimeout);
    evidence.coordinator.stalls = vec![event(160, "clock.jump", None, "not run for 20s")];
    assert_eq!(rule(&evidence), "reason");
}

#[test]
fn what_most_of_the_fleet_shares_is_not_blamed_on_one() {
    let mut evidence = evidence();
    evidence.fleet = Fleet { known: 4, lost_together: vec!["gpu-2".into(), "gpu-3".into()] };
    let explanation = explain(&evidence);
    assert_eq!(explanation.cause.unwrap().rule, "many");
    assert_eq!(
        explanation.others.unwrap(),
        "3 of 4 workers affected at the same time: also gpu-2, gpu-3"
    );
    // Two of four are not most of them.
    evidence.fleet.lost_together.pop();
    assert_eq!(rule(&evidence), "reason");
}

#[test]
fn a_worker_that_comes_and_goes_is_told_from_one_that_went() {
    let mut evidence = evidence();
    for minute in 1..=4 {
        let lost = event(60 * minute, "worker.disconnected", Some(Reason::HalfOpen), "lost");
        evidence.history.push(lost);
    }
    assert_eq!(rule(&evidence), "flapping");
    evidence.history.pop();
    let explanation = explain(&evidence);
    assert_eq!(explanation.cause.unwrap().rule, "reason");
    assert!(explanation.ruled_out.contains(&"flapping (4 losses in 10m00s)".to_owned()));
}

#[test]
fn nonsense_from_another_version_is_blamed_on_the_versions() {
    let evidence = Evidence {
        reason: Some(Reason::ProtocolError),
        version: Some("moorline 0.0.9".into()),
        ..evidence()
    };
    assert_eq!(rule(&evidence), "version");
    let same = Evidence { version: Some("moorline 0.1.0".into()), ..evidence };
    assert_eq!(rule(&same), "reason");
}

#[test]
fn silence_is_likely_and_what_was_said_is_sure() {
    let with = |reason| Evidence { reason: Some(reason), ..evidence() };
    let certainty = |reason| explain(&with(reason)).cause.unwrap().certainty;
    assert_eq!(certainty(Reason::HalfOpen), Certainty::Likely);
    assert_eq!(certainty(Reason::ClosedByPeer), Certainty::Sure);
}

#[test]
fn every_reason_that_a_worker_may_be_away_for_has_a_row_and_something_to_do() {
    for &reason in Reason::ALL {
        let explanation = explain(&Evidence { reason: Some(reason), ..evidence() });
        let cause = explanation.cause.unwrap();
        assert_eq!(cause.reason.as_deref(), Some(reason.name()));
        assert!(explanation.todo.contains(&reason.remedy().to_owned()), "{reason}");
    }
}

#[test]
fn the_headline_says_what_becomes_of_the_leases() {
    let headline = |presence, leases, silent: u32| {
        explain(&Evidence { presence, leases, silent: Some(silent * SECOND), ..evidence() })
            .headline
    };
    assert_eq!(
        headline(Presence::Disconnected, 1, 44),
        "gpu-1 is DISCONNECTED for 42s. It keeps 1 lease for another 46s, then the task is requeued."
    );
    assert_eq!(
        headline(Presence::Disconnected, 0, 44),
        "gpu-1 is DISCONNECTED for 42s. It holds nothing."
    );
    // The guard holds redelivery back when most of a fleet is gone.
    assert_eq!(
        headline(Presence::Disconnected, 2, 100),
        "gpu-1 is DISCONNECTED for 42s. It keeps 2 leases until the fleet is back."
    );
    assert_eq!(
        headline(Presence::Lost, 0, 100),
        "gpu-1 is LOST for 42s: it was not heard for 1m30s, and what it held was given away."
    );
}
