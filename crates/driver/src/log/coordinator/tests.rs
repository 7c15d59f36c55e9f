use moorline_link::{ConnId, WorkerId};
use moorline_node::Name;
use moorline_work::{Attempt, TaskId, TaskKey};

use super::*;
use crate::log::tests::lines;

fn log() -> CoordinatorLog {
    CoordinatorLog::new(Epoch(7), Instant::ZERO, &moorline_link::HubSettings::default())
}

fn name() -> Name {
    Name::new("gpu-1").expect("a name")
}

/// The one line this event makes.
fn line(event: &CoordinatorEvent) -> String {
    let peer = Peer {
        transport: "grpc".into(),
        remote: "127.0.0.1:5".into(),
        endpoint: "grpc://127.0.0.1:8740".parse().expect("an endpoint"),
    };
    let now = Instant::ZERO + Duration::from_millis(83);
    let lines = lines(|| log().event(now, event, Some(&peer)));
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.into_iter().next().expect("one line")
}

#[test]
fn each_transition_has_its_line() {
    let ready = line(&CoordinatorEvent::Recovered { leases: 3, workers: 1 });
    assert!(ready.starts_with("INFO"), "{ready}");
    assert!(
        ready.contains("Coordinator ready in 83 ms: 1 worker expected, 3 tasks recovered, epoch 7"),
        "{ready}"
    );
    assert!(ready.contains(r#"event="coordinator.started""#), "{ready}");

    let registered = CoordinatorEvent::Registered {
        worker: WorkerId(255),
        name: name(),
        resumed: false,
        session: 4,
        conn: ConnId(1),
    };
    let registered = line(&registered);
    assert!(
        registered
            .contains("Worker 'gpu-1' registered (session 7.4, new) from 127.0.0.1:5 by grpc"),
        "{registered}"
    );
    assert!(registered.contains("worker=gpu-1"), "{registered}");

    let detached = CoordinatorEvent::Detached {
        name: name(),
        reason: Reason::HeartbeatTimeout,
        silent: Duration::from_secs(15),
        leases: 2,
    };
    let detached = line(&detached);
    assert!(detached.starts_with("WARN"), "{detached}");
    assert!(
        detached.contains("Worker gpu-1 disconnected (heartbeat_timeout, last contact 15.0s ago, 2 leases kept 1m15s)"),
        "{detached}"
    );
    assert!(detached.contains("code=ML2101"), "{detached}");
}

#[test]
fn a_result_that_was_accepted_is_no_news_and_any_other_is() {
    let key = TaskKey { task: TaskId(1), attempt: Attempt(2) };
    let settled = |disposition| line(&CoordinatorEvent::Settled { key, name: name(), disposition });
    assert!(settled(Disposition::Accepted).starts_with("DEBUG"));
    let stale = settled(Disposition::Stale);
    assert!(stale.starts_with("INFO") && stale.contains(r#"disposition="stale""#), "{stale}");
}

#[test]
fn a_refusal_says_what_to_do() {
    let refused =
        line(&CoordinatorEvent::Refused { name: Some(name()), reason: Reason::NameConflict });
    assert!(
        refused.contains("Refused gpu-1: name_conflict (ML3106). Give this worker another --name"),
        "{refused}"
    );
}
