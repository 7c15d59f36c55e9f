//! A worker that is watched.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use futures::future::BoxFuture;
use moorline_driver::{Runtime, Tokio, WorkerStatus};
use moorline_link::{Reason, State};
use serde_json::{Map, Value, json};

use super::report::{Problem, seconds, time};
use super::{Check, Glance, Life, Limits, Report, Subject, stuck};
use crate::Code;
use crate::metrics::{Page, measure_worker};
use crate::worker::{ChildExits, Shared};

/// A worker that is watched.
pub(crate) struct WorkerSubject {
    shared: Arc<Shared>,
    name: String,
    handlers: Vec<String>,
    limits: Limits,
    /// If any handler is a child process.
    child_exits: Option<ChildExits>,
}

impl WorkerSubject {
    pub(crate) fn new(
        shared: Arc<Shared>,
        name: String,
        handlers: Vec<String>,
        limits: Limits,
        child_exits: Option<ChildExits>,
    ) -> Self {
        Self { shared, name, handlers, limits, child_exits }
    }

    async fn look(&self) -> Report {
        let stuck = stuck(self).await;
        let (driver, began) = (self.shared.running(), SystemTime::now());
        let Some(driver) = driver else { return self.absent() };
        let now = Tokio.now();
        let status = driver.status();
        let link = &status.link;
        let ago = |at: moorline_link::Instant| now.since(at);
        let wall = |at| began.checked_sub(ago(at));

        let mut checks = vec![loop_check(stuck).of_start()];
        let active = link.state == State::Active;
        let lost = (!active).then(|| {
            let reason = link.reason;
            Problem {
                reason: reason.map_or_else(|| word(link.state), Reason::name),
                code: reason.map(Code::from),
                since: wall(link.since),
            }
        });
        checks.push(Check::new("link", self.words(&status, now)).unless(lost));
        let proven = link.last_proven.map(ago);
        let silent = proven.is_none_or(|age| age >= self.limits.control_silence);
        let silence = Problem {
            since: link.last_proven.and_then(wall),
            ..Problem::new(
                Reason::HeartbeatUnacked.name(),
                Some(Code::from(Reason::HeartbeatUnacked)),
            )
        };
        let detail = match proven {
            Some(age) => format!("last proven round trip {:.1} s ago", age.as_secs_f64()),
            None => "no round trip was proven yet".to_owned(),
        };
        // While there is no link at all, the link is what is missing.
        let problem = (active && silent).then_some(silence);
        checks.push(Check::new("contact", detail).unless(problem));
        let draining = link.draining.then(|| {
            Problem::new(Reason::WorkerStopping.name(), Some(Code::from(Reason::WorkerStopping)))
        });
        let detail = if link.draining { "finishes what it has" } else { "takes work" };
        checks.push(Check::new("intake", detail).unless(draining));

        Report {
            checks,
            next_attempt: link.next_attempt.map(|at| at.since(now)),
            summary: self.glance().summary,
            stopping: link.draining,
            details: self.details(&driver, &status, now),
        }
    }

    /// Not run yet, or over.
    fn absent(&self) -> Report {
        let (reason, code) = if self.shared.has_ended() {
            (Reason::WorkerStopping.name(), Code::from(Reason::WorkerStopping))
        } else {
            ("starting", Code::STARTING)
        };
        let check = Check::new("loop", "does not run").of_start();
        Report {
            checks: vec![check.unless(Some(Problem::new(reason, Some(code))))],
            next_attempt: None,
            summary: self.glance().summary,
            stopping: false,
            details: self.identity(),
        }
    }

    fn identity(&self) -> Map<String, Value> {
        let mut details = super::identity("worker");
        details.insert("name".into(), self.name.clone().into());
        details.insert("handlers".into(), self.handlers.clone().into());
        details
    }

    /// With what moves all the time.
    fn words(&self, status: &WorkerStatus, now: moorline_link::Instant) -> String {
        let text = self.words_without_time(status);
        let link = &status.link;
        let since = now.since(link.since).as_secs();
        let contact = link.last_received.map_or_else(String::new, |at| {
            format!(", last contact {:.1} s ago", now.since(at).as_secs_f64())
        });
        format!("{text} for {since} s{contact}")
    }

    /// What changes with transitions only.
    fn words_without_time(&self, status: &WorkerStatus) -> String {
        let link = &status.link;
        let state = word(link.state);
        let why = link
            .reason
            .filter(|_| link.state != State::Active)
            .map_or_else(String::new, |reason| {
                format!(" ({}, {})", reason.name(), Code::from(reason))
            });
        let attempt = match link.state {
            State::Disconnected | State::Connecting if link.attempts > 0 => {
                format!(", attempt {}", link.attempts)
            }
            State::Disconnected
            | State::Connecting
            | State::Registered
            | State::Active
            | State::Failed
            | State::Shutdown => String::new(),
        };
        format!("{state}{why}{attempt}")
    }

    fn details(
        &self,
        driver: &moorline_driver::WorkerHandle,
        status: &WorkerStatus,
        now: moorline_link::Instant,
    ) -> Map<String, Value> {
        let link = &status.link;
        let ago = |at: Option<moorline_link::Instant>| {
            at.map_or(Value::Null, |at| seconds(now.since(at)))
        };
        let mut details = self.identity();
        details.insert(
            "link".into(),
            json!({
                "state": word(link.state),
                "since": SystemTime::now().checked_sub(now.since(link.since)).map(time),
                "reason": link.reason.map(Reason::name),
                "code": link.reason.map(|reason| Code::from(reason).to_string()),
                // As text: larger than what every reader of JSON can hold.
                "session": link.session.map(|id| format!("{}.{}", id.epoch.0, id.n)),
                "attempts": link.attempts,
                "missed": link.missed,
                "rtt_s": link.rtt.map(seconds),
                "heartbeat_interval_s": seconds(link.beat_interval),
                "last_contact_s": ago(link.last_received),
                "last_proven_s": ago(link.last_proven),
            }),
        );
        details.insert(
            "tasks".into(),
            json!({
                "running": status.running,
                "free_slots": status.free_slots,
                "kept_results": status.kept_results,
            }),
        );
        let disconnected = driver.tally().outages().total(now);
        details.insert("time_disconnected_s".into(), seconds(disconnected));
        details
    }
}

pub(super) fn loop_check(stuck: Option<Duration>) -> Check {
    let detail = stuck.map_or_else(
        || "turns".to_owned(),
        |age| format!("has not turned for {:.1} s", age.as_secs_f64()),
    );
    let problem = stuck.map(|age| Problem {
        since: SystemTime::now().checked_sub(age),
        ..Problem::new("loop_stuck", Some(Code::LOOP_STUCK))
    });
    Check::new("loop", detail).unless(problem)
}

/// A state in a word.
pub(crate) fn word(state: State) -> &'static str {
    match state {
        State::Disconnected => "disconnected",
        State::Connecting => "connecting",
        State::Registered => "registered",
        State::Active => "active",
        State::Failed => "failed",
        State::Shutdown => "shutdown",
    }
}

impl Subject for WorkerSubject {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn life(&self) -> Life {
        match self.shared.running() {
            Some(driver) => {
                let pulse = &driver.tally().pulse;
                Life::Turning { turns: pulse.turns(), age: pulse.age(Tokio.now()) }
            }
            None if self.shared.has_ended() => Life::Ended,
            None => Life::Before,
        }
    }

    fn glance(&self) -> Glance {
        let Some(driver) = self.shared.running() else {
            let ended = self.shared.has_ended();
            let summary = if ended { "stopped" } else { "starting" };
            return Glance { started: ended, stopping: ended, summary: summary.to_owned() };
        };
        let status = driver.status();
        let stopping = status.link.draining;
        let summary = if stopping {
            format!("stopping: {} running", status.running)
        } else {
            self.words_without_time(&status)
        };
        // It tries to connect: whether it can is another question.
        Glance { started: true, stopping, summary }
    }

    fn report(&self) -> BoxFuture<'_, Report> {
        self.look().boxed()
    }

    fn measure<'a>(&'a self, page: &'a mut Page) -> BoxFuture<'a, ()> {
        let exits = self.child_exits.as_ref();
        async move { measure_worker(page, self.shared.running().as_ref(), exits) }.boxed()
    }
}
