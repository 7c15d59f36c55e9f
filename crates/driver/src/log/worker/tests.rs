use moorline_link::{Incarnation, LinkConfig, WorkerId};
use moorline_node::{WorkerConfig, WorkerNode};
use moorline_work::{Attempt, Disposition, Outcome, RunnerConfig, TaskId, TaskKey};

use super::*;
use crate::log::tests::lines;

fn at(millis: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(millis)
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn log() -> WorkerLog {
    WorkerLog::new(name("gpu-1"), vec![name("echo"), name("resize")], at(0))
}

/// A snapshot as a link gives it: there is no other way to make one.
fn snapshot() -> LinkSnapshot {
    node().link()
}

fn counted() -> LinkStatistics {
    *node().statistics()
}

fn node() -> WorkerNode {
    let config = WorkerConfig {
        link: LinkConfig::default(),
        runner: RunnerConfig::default(),
        worker: WorkerId(1),
        incarnation: Incarnation(1),
        name: name("gpu-1"),
        handlers: Vec::new(),
        software: name("test"),
        seed: 1,
    };
    WorkerNode::new(config, at(0)).expect("a node")
}

fn moves(
    log: &mut WorkerLog,
    now: u64,
    from: State,
    to: State,
    reason: Option<Reason>,
    link: &LinkSnapshot,
) {
    log.event(at(now), &WorkerEvent::Link(Transition { from, to, reason }), link, &counted(), None);
}

/// The text of a line, without its fields.
fn has(lines: &[String], level: &str, text: &str) {
    let found = lines.iter().any(|line| line.starts_with(level) && line.contains(text));
    assert!(found, "no {level} line has `{text}`: {lines:#?}");
}

#[test]
fn an_outage_reads_as_in_s0() {
    let mut log = log();
    let mut link = snapshot();
    let written = lines(|| {
        log.event(
            at(0),
            &WorkerEvent::Registered {
                resumed: false,
                held: 0,
                epoch: 7,
                session: 4,
                coordinator: name("moorline 0.1.0"),
            },
            &link,
            &counted(),
            Some(&"grpc://127.0.0.1:8740".parse().expect("an endpoint")),
        );
        moves(&mut log, 10, State::Registered, State::Active, None, &link);
        for missed in 1..=3 {
            let reason = Reason::HeartbeatUnacked;
            log.event(
                at(1_000),
                &WorkerEvent::BeatMissed { missed, limit: 3, reason },
                &link,
                &counted(),
                None,
            );
        }
        (link.attempts, link.delay) = (0, Some(Duration::from_secs(1)));
        moves(
            &mut log,
            1_000,
            State::Active,
            State::Disconnected,
            Some(Reason::HeartbeatUnacked),
            &link,
        );
        (link.attempts, link.delay) = (1, Some(Duration::from_secs(2)));
        moves(
            &mut log,
            2_000,
            State::Connecting,
            State::Disconnected,
            Some(Reason::ConnectRefused),
            &link,
        );
        link.attempts = 2;
        moves(&mut log, 8_400, State::Registered, State::Active, None, &link);
    });
    has(
        &written,
        "INFO",
        "Worker 'gpu-1' registered successfully with coordinator at grpc://127.0.0.1:8740 (session 7.4, epoch 7, new)",
    );
    has(&written, "INFO", "Announced 2 handlers: echo, resize");
    has(&written, "DEBUG", "Waiting for tasks");
    has(&written, "WARN", "Heartbeat failed (1/3): heartbeat_unacked");
    has(&written, "WARN", "Heartbeat failed (3/3): heartbeat_unacked");
    has(
        &written,
        "WARN",
        "Lost connection to coordinator after 3 failed heartbeats: heartbeat_unacked",
    );
    has(&written, "INFO", "Reconnection attempt 1 in 1.0s");
    has(&written, "DEBUG", "Connection attempt 1 failed: connect_refused");
    has(&written, "DEBUG", "Reconnection attempt 2 in 2.0s");
    has(
        &written,
        "INFO",
        "Reconnected successfully after 2 attempts (outage 7.4s, heartbeat_unacked)",
    );
    has(&written, "INFO", r#"outage_ms=7400"#);
}

#[test]
fn the_first_connect_is_no_reconnect() {
    let mut log = log();
    let mut link = snapshot();
    let written = lines(|| {
        (link.attempts, link.delay) = (1, Some(Duration::from_millis(500)));
        moves(
            &mut log,
            10,
            State::Connecting,
            State::Disconnected,
            Some(Reason::ConnectRefused),
            &link,
        );
        moves(&mut log, 600, State::Registered, State::Active, None, &link);
    });
    has(&written, "INFO", "Connection attempt 2 in 0.5s");
    assert!(!written.iter().any(|line| line.contains("econnect")), "{written:#?}");
}

#[test]
fn giving_up_names_the_number() {
    let mut link = snapshot();
    link.attempts = 10;
    let reason = Some(Reason::AttemptsExhausted);
    let written = lines(|| moves(&mut log(), 10, State::Connecting, State::Failed, reason, &link));
    has(&written, "ERROR", "Max reconnection attempts (10) reached, stopping worker");
}

#[test]
fn a_refusal_for_good_gives_the_coordinators_hint() {
    let mut log = log();
    let link = snapshot();
    let written = lines(|| {
        let dismissed = WorkerEvent::Dismissed {
            reason: Reason::Superseded,
            hint: "a newer one took over".into(),
        };
        log.event(at(1), &dismissed, &link, &counted(), None);
        moves(&mut log, 1, State::Active, State::Failed, Some(Reason::Superseded), &link);
    });
    has(
        &written,
        "ERROR",
        "Coordinator refused this worker: superseded (ML3201). a newer one took over",
    );
    assert_eq!(log.hint(), Some("a newer one took over"));
}

#[test]
fn a_long_outage_is_summed_up_every_half_minute() {
    let mut log = log();
    let mut link = snapshot();
    let written = lines(|| {
        moves(&mut log, 0, State::Registered, State::Active, None, &link);
        link.next_attempt = Some(at(41_000 + 30_000));
        moves(&mut log, 0, State::Active, State::Disconnected, Some(Reason::TransportReset), &link);
        moves(
            &mut log,
            1,
            State::Connecting,
            State::Disconnected,
            Some(Reason::ConnectRefused),
            &link,
        );
        for second in 0..65 {
            log.tick(at(second * 1_000), &link);
        }
    });
    let summaries: Vec<_> =
        written.iter().filter(|line| line.contains("link.still_down")).collect();
    assert_eq!(summaries.len(), 2, "{written:#?}");
    assert!(
        summaries[0].contains(
            "Still disconnected after 30.0s: 1 attempt, last connect_refused, next in 41.0s"
        ),
        "{summaries:?}"
    );
}

#[test]
fn tasks_have_their_lines() {
    let log = log();
    let key = TaskKey { task: TaskId(81), attempt: Attempt(1) };
    let handler = name("resize");
    let second = Duration::from_millis(12_300);
    let written = lines(|| {
        log.task_started(key, &handler);
        log.task_ended(key, &handler, Outcome::Succeeded, second, b"");
        log.task_ended(
            key,
            &handler,
            Outcome::Failed { retryable: true },
            second,
            b"no such file\nsecret details",
        );
    });
    has(&written, "INFO", "Task started: resize/0000000000000000000000002H (attempt 1)");
    has(&written, "INFO", "Task completed: resize/0000000000000000000000002H (12.3s)");
    has(&written, "WARN", "failed, may be retried: no such file");
    assert!(!written.iter().any(|line| line.contains("secret")), "only the first line of an error");
}

#[test]
fn a_result_that_is_offered_again_is_news() {
    let mut log = log();
    let link = snapshot();
    let key = TaskKey { task: TaskId(81), attempt: Attempt(1) };
    let settled =
        |resubmitted| WorkerEvent::Settled { key, disposition: Disposition::Accepted, resubmitted };
    let written = lines(|| {
        log.event(at(1), &WorkerEvent::ResultKept { key }, &link, &counted(), None);
        log.event(at(2), &settled(true), &link, &counted(), None);
        log.event(at(2), &settled(false), &link, &counted(), None);
    });
    has(&written, "INFO", "kept until reconnect");
    has(&written, "INFO", "resubmitted: accepted");
    has(&written, "DEBUG", "task.result_settled");
}

#[test]
fn a_poll_that_fails_has_its_own_words() {
    let mut log = log();
    let link = snapshot();
    let written = lines(|| {
        moves(&mut log, 0, State::Registered, State::Active, None, &link);
        let reason = Reason::OutOfStep;
        log.event(
            at(1),
            &WorkerEvent::BeatMissed { missed: 3, limit: 3, reason },
            &link,
            &counted(),
            None,
        );
        moves(&mut log, 1, State::Active, State::Disconnected, Some(reason), &link);
    });
    has(&written, "WARN", "Poll failed (3/3): out_of_step");
    has(&written, "WARN", "Lost connection to coordinator after 3 failed polls: out_of_step");
}

#[test]
fn leases_that_may_be_given_away_are_named() {
    let log = log();
    let key = TaskKey { task: TaskId(81), attempt: Attempt(1) };
    let written = lines(|| log.leases_expired([key].into_iter()));
    has(
        &written,
        "WARN",
        "Lease of 0000000000000000000000002H (attempt 1) may have been given away",
    );
}

/// Goes up at `from` and is lost at `until`.
fn up_and_lost(log: &mut WorkerLog, from: u64, until: u64, link: &LinkSnapshot) {
    moves(log, from, State::Registered, State::Active, None, link);
    let reason = Some(Reason::StreamLost);
    moves(log, until, State::Active, State::Disconnected, reason, link);
}

fn loud(lines: &[String]) -> usize {
    lines.iter().filter(|line| line.starts_with("WARN") || line.starts_with("ERROR")).count()
}

#[test]
fn a_stable_link_that_is_back_at_the_first_try_is_no_warning() {
    let (mut log, link) = (log(), snapshot());
    let written = lines(|| {
        up_and_lost(&mut log, 0, 30_000, &link);
        moves(&mut log, 31_000, State::Registered, State::Active, None, &link);
    });
    has(&written, "INFO", "Lost connection to coordinator: stream_lost (ML2104). Reconnecting...");
    has(&written, "INFO", "Reconnected successfully after 1 attempts (outage 1.0s, stream_lost)");
    assert_eq!(loud(&written), 0, "{written:#?}");
}

#[test]
fn a_stable_link_that_does_not_come_back_is_warned_of_when_the_first_try_fails() {
    let (mut log, mut link) = (log(), snapshot());
    let written = lines(|| {
        up_and_lost(&mut log, 0, 30_000, &link);
        link.attempts = 1;
        link.next_attempt = Some(at(33_000));
        let refused = Some(Reason::ConnectRefused);
        moves(&mut log, 31_000, State::Connecting, State::Disconnected, refused, &link);
        moves(&mut log, 33_000, State::Connecting, State::Disconnected, refused, &link);
    });
    let wanted = "Still disconnected after 1.0s: 1 attempt, last connect_refused, next in 2.0s";
    has(&written, "WARN", wanted);
    assert_eq!(loud(&written), 1, "{written:#?}");
}

#[test]
fn a_link_that_was_not_stable_warns_at_once() {
    let (mut log, link) = (log(), snapshot());
    let written = lines(|| up_and_lost(&mut log, 0, 29_999, &link));
    has(&written, "WARN", "Lost connection to coordinator");
}

#[test]
fn an_outage_of_ten_minutes_has_twenty_warnings_whatever_its_attempts_come_to() {
    for stable in [true, false] {
        let (mut log, mut link) = (log(), snapshot());
        let begin = if stable { 60_000 } else { 10 };
        let written = lines(|| {
            let stopping =
                WorkerEvent::Dismissed { reason: Reason::CoordinatorStopping, hint: String::new() };
            moves(&mut log, 0, State::Registered, State::Active, None, &link);
            log.event(at(begin), &stopping, &link, &counted(), None);
            let reason = Some(Reason::CoordinatorStopping);
            moves(&mut log, begin, State::Active, State::Disconnected, reason, &link);
            for second in 0..600 {
                let now = begin + second * 1_000 + 500;
                link.attempts += 1;
                let reason = Some(Reason::ConnectRefused);
                moves(&mut log, now, State::Connecting, State::Disconnected, reason, &link);
                log.tick(at(now + 400), &link);
            }
            moves(&mut log, begin + 600_000, State::Registered, State::Active, None, &link);
        });
        assert!((19..=20).contains(&loud(&written)), "{}", loud(&written));
        has(&written, "INFO", "Reconnected successfully after 601 attempts (outage 10m00s");
    }
}

#[test]
fn the_closing_line_counts_the_dials_of_its_outage_though_the_links_number_goes_on() {
    let (mut log, mut link) = (log(), snapshot());
    let written = lines(|| {
        link.attempts = 2;
        up_and_lost(&mut log, 0, 5_000, &link);
        link.attempts = 3;
        let reason = Some(Reason::ConnectRefused);
        moves(&mut log, 6_000, State::Connecting, State::Disconnected, reason, &link);
        link.attempts = 4;
        moves(&mut log, 8_000, State::Registered, State::Active, None, &link);
    });
    has(&written, "INFO", "Reconnected successfully after 2 attempts (outage 3.0s, stream_lost)");
}

#[test]
fn the_same_refusal_is_warned_of_once_an_outage() {
    let (mut log, link) = (log(), snapshot());
    let dismissed = |reason| WorkerEvent::Dismissed { reason, hint: "later".into() };
    let written = lines(|| {
        for _ in 0..5 {
            log.event(at(10), &dismissed(Reason::CoordinatorOverloaded), &link, &counted(), None);
        }
        log.event(at(11), &dismissed(Reason::RateLimited), &link, &counted(), None);
    });
    assert_eq!(loud(&written), 2, "{written:#?}");
}

#[test]
fn outages_are_summed_up_as_often_as_asked() {
    let (mut log, link) = (log(), snapshot());
    let written = lines(|| {
        log.repeat_every(at(0), Duration::from_millis(100));
        for now in (0..1_000).step_by(10) {
            log.tick(at(now), &link);
        }
    });
    assert_eq!(loud(&written), 9, "{written:#?}");
    assert_eq!(log.deadline(), Some(at(1_000)));
}

#[test]
fn every_line_of_a_registered_worker_names_session_and_epoch_as_text() {
    let (mut log, link) = (log(), snapshot());
    let epoch = u64::MAX;
    let event = WorkerEvent::Registered {
        resumed: true,
        held: 1,
        epoch,
        session: 4,
        coordinator: name("moorline"),
    };
    let key = TaskKey { task: TaskId(1), attempt: Attempt(1) };
    let written = lines(|| {
        log.event(at(0), &event, &link, &counted(), None);
        moves(&mut log, 10, State::Registered, State::Active, None, &link);
        log.task_started(key, &name("echo"));
        log.task_ended(key, &name("echo"), Outcome::TimedOut, Duration::ZERO, b"");
        up_and_lost(&mut log, 20, 30, &link);
        log.tick(at(40_000), &link);
    });
    assert!(written.len() >= 8, "{written:#?}");
    for line in &written {
        let fields = format!(r#"session="{epoch}.4" epoch="{epoch}""#);
        assert!(line.contains(&fields), "{line}");
    }
}

#[test]
fn a_link_that_is_suspected_or_degraded_says_so_and_says_when_it_is_good_again() {
    let mut log = log();
    let link = snapshot();
    let written = lines(|| {
        let silent = Duration::from_millis(8_900);
        let bad = Degraded { stability: true, queue: true, ..Degraded::NOT };
        for event in [
            WorkerEvent::Suspicion { suspect: true, silent },
            WorkerEvent::Suspicion { suspect: false, silent },
            WorkerEvent::Interval { interval: Duration::from_millis(1_250) },
            WorkerEvent::Degraded(bad),
            WorkerEvent::Degraded(Degraded::NOT),
        ] {
            log.event(at(9_000), &event, &link, &counted(), None);
        }
    });
    has(&written, "WARN", "Coordinator is suspected: nothing heard for 8.9s");
    has(&written, "INFO", "Coordinator is heard again after 8.9s");
    has(&written, "DEBUG", "Heartbeats every 1.2s from now on");
    has(&written, "WARN", "Link degraded (stability, queue): rtt 0 ms, stability 0.00");
    has(&written, "INFO", "Link is good again: rtt 0 ms, stability 0.00");
}
