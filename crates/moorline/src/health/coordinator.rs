//! A coordinator that is watched.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use moorline_driver::{CoordinatorHandle, Runtime, Tokio};
use moorline_link::Reason;
use moorline_node::WorkerView;
use moorline_store::{Counts, Size};
use serde_json::{Map, Value, json};

use super::report::Problem;
use super::worker::loop_check;
use super::{Check, Glance, Life, Limits, PULSE_EVERY, Report, Subject, stuck};
use crate::Code;
use crate::error::store_code;
use crate::metrics::{Page, Traffic, measure_coordinator};

/// How long the loop and the store's readers may take to answer: a scrape does not wait longer.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// A coordinator that is watched.
#[derive(Clone, Debug)]
pub(crate) struct CoordinatorSubject {
    driver: CoordinatorHandle,
    traffic: Arc<Traffic>,
    per_worker: bool,
    limits: Limits,
}

/// What has to be asked for: left out where the answer does not come in time.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) workers: Option<Vec<WorkerView>>,
    pub(crate) counts: Option<Counts>,
    pub(crate) size: Option<Size>,
}

impl CoordinatorSubject {
    /// From now on the coordinator's loop turns often enough to be watched.
    pub(crate) fn new(driver: CoordinatorHandle, per_worker: bool, limits: Limits) -> Self {
        driver.pulse_every(PULSE_EVERY);
        Self { driver, traffic: Arc::default(), per_worker, limits }
    }

    /// What clients do with its admin API.
    pub(crate) fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }

    async fn ask(&self) -> Asked {
        // Each for itself: a store that hangs does not cost the answer of the loop.
        let workers = tokio::time::timeout(ANSWER_WITHIN, self.driver.workers());
        let counts =
            tokio::time::timeout(ANSWER_WITHIN, self.driver.read(|reader| reader.counts()));
        let size = tokio::time::timeout(ANSWER_WITHIN, self.driver.read(|reader| reader.size()));
        let (workers, counts, size) = futures::future::join3(workers, counts, size).await;
        Asked {
            workers: workers.ok().and_then(Result::ok),
            counts: counts.ok().and_then(Result::ok),
            size: size.ok().and_then(Result::ok),
        }
    }

    /// Why it is not ready, if it is not.
    pub(crate) async fn problem(&self) -> Option<String> {
        first_problem(&self.checks(stuck(self).await))
    }

    async fn look(&self) -> Report {
        let stuck = stuck(self).await;
        let checks = self.checks(stuck);
        // A stuck loop would only be waited for.
        let asked = if stuck.is_some() { Asked::default() } else { self.ask().await };
        Report {
            summary: summary(&checks, asked.workers.as_deref()),
            checks,
            next_attempt: None,
            stopping: self.driver.is_draining(),
            details: self.details(&asked),
        }
    }

    /// Without asking anybody.
    fn checks(&self, stuck: Option<Duration>) -> Vec<Check> {
        let tally = self.driver.tally();
        let recovering =
            (!tally.is_recovered()).then(|| Problem::new("recovering", Some(Code::STARTING)));
        let store = self.store_problem();
        let leaves = tally.is_leaving();
        let leaving = leaves.then(|| {
            let reason = Reason::CoordinatorStopping;
            Problem::new(reason.name(), Some(Code::from(reason)))
        });
        let recovered = if recovering.is_some() { "reads what earlier lives left" } else { "done" };
        let stored = if store.is_some() { "takes no writes" } else { "takes writes" };
        let taken = if leaves { "lets nobody in: it is drained or stopped" } else { "takes work" };
        vec![
            loop_check(stuck).of_start(),
            Check::new("listeners", self.endpoints().join(" ")).of_start(),
            Check::new("recovery", recovered).of_start().unless(recovering),
            Check::new("store", stored).unless(store),
            Check::new("intake", taken).unless(leaving),
        ]
    }

    fn endpoints(&self) -> Vec<String> {
        self.driver.endpoints().iter().map(ToString::to_string).collect()
    }

    fn store_problem(&self) -> Option<Problem> {
        let hangs = self.driver.tally().committing_for(Tokio.now());
        if let Some(hangs) = hangs.filter(|hangs| *hangs >= self.limits.store_stalled_after) {
            return Some(Problem {
                since: std::time::SystemTime::now().checked_sub(hangs),
                ..Problem::new("store_stalled", Some(Code::STORE_STALLED))
            });
        }
        let state = self.driver.store_state();
        let code = state.error().map_or(Code::STORE_STALLED, store_code);
        (!state.works()).then(|| Problem::new("store_error", Some(code)))
    }

    fn details(&self, asked: &Asked) -> Map<String, Value> {
        let mut details = super::identity("coordinator");
        details.insert("listen".into(), self.endpoints().into());
        // As text: larger than what every reader of JSON can hold.
        details.insert("epoch".into(), self.driver.epoch().0.to_string().into());
        if let Some(workers) = &asked.workers {
            let mut states = Map::new();
            for worker in workers {
                let state = crate::api::presence_word(worker.presence);
                let count = states.get(state).and_then(Value::as_u64).unwrap_or(0);
                states.insert(state.to_owned(), (count + 1).into());
            }
            details.insert("workers".into(), states.into());
        }
        if let Some(counts) = &asked.counts {
            let states = moorline_work::TaskState::ALL.iter().zip(counts.by_state);
            let states: Map<_, _> =
                states.map(|(state, count)| (state.name().to_owned(), count.into())).collect();
            details.insert("tasks".into(), states.into());
            details.insert("lost_attempts".into(), json!(counts.lost_attempts));
        }
        details
    }
}

fn first_problem(checks: &[Check]) -> Option<String> {
    let (check, problem) =
        checks.iter().find_map(|check| Some((check, check.problem.as_ref()?)))?;
    let code = problem.code.map(|code| format!(", {code}")).unwrap_or_default();
    Some(format!("{}: {} ({}{code})", check.name, check.detail, problem.reason))
}

fn summary(checks: &[Check], workers: Option<&[WorkerView]>) -> String {
    if let Some(problem) = first_problem(checks) {
        return problem;
    }
    let Some(workers) = workers else { return "ready".to_owned() };
    let active =
        workers.iter().filter(|view| view.presence == moorline_link::Presence::Active).count();
    let known =
        workers.iter().filter(|view| view.presence != moorline_link::Presence::Departed).count();
    format!("ready: {active} of {known} workers active")
}

impl Subject for CoordinatorSubject {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn life(&self) -> Life {
        let pulse = &self.driver.tally().pulse;
        Life::Turning { turns: pulse.turns(), age: pulse.age(Tokio.now()) }
    }

    fn glance(&self) -> Glance {
        let tally = self.driver.tally();
        let summary = summary(&self.checks(None), None);
        Glance { started: tally.is_recovered(), stopping: tally.is_leaving(), summary }
    }

    fn report(&self) -> BoxFuture<'_, Report> {
        self.look().boxed()
    }

    fn measure<'a>(&'a self, page: &'a mut Page) -> BoxFuture<'a, ()> {
        async move {
            let stuck = stuck(self).await.is_some();
            let asked = if stuck { Asked::default() } else { self.ask().await };
            let stalled = self.store_problem().is_some();
            measure_coordinator(
                page,
                &self.driver,
                &asked,
                &self.traffic,
                self.per_worker,
                stalled,
            );
        }
        .boxed()
    }
}
