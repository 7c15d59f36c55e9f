//! What happened, as a client asks for it.

use std::time::SystemTime;

use http::Method;
use moorline_node::EventKind;

use super::http::{Call, path_segment};
use super::{Client, Patience};
use crate::api::{EventInfo, EventPage, WAIT_MAX};
use crate::{DisconnectReason, Result, TaskId};

/// Events asked for at once.
const PAGE: u32 = 1_000;

/// Which events to read.
///
/// ```
/// use moorline::{EventKind, EventQuery};
///
/// let losses = EventQuery {
///     kinds: vec![EventKind::WorkerDisconnected, EventKind::WorkerLost],
///     newest_first: true,
///     ..EventQuery::default()
/// };
/// assert_eq!(losses.limit, 100);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventQuery {
    /// Only those with a larger number. Default 0: from the oldest that is kept.
    pub after: u64,
    /// Only those that happened at this time or later.
    pub since: Option<SystemTime>,
    /// Only those that happened before this time.
    pub until: Option<SystemTime>,
    /// Only of these kinds; of every kind if there are none.
    pub kinds: Vec<EventKind>,
    /// Only about this worker: its name or identity.
    pub worker: Option<String>,
    /// Only about this task.
    pub task: Option<TaskId>,
    /// Only with this reason.
    pub reason: Option<DisconnectReason>,
    /// At most so many. Default 100.
    pub limit: u32,
    /// From the latest to the oldest, instead of the other way round.
    pub newest_first: bool,
}

impl Default for EventQuery {
    fn default() -> Self {
        Self {
            after: 0,
            since: None,
            until: None,
            kinds: Vec::new(),
            worker: None,
            task: None,
            reason: None,
            limit: 100,
            newest_first: false,
        }
    }
}

impl Client {
    /// What happened.
    ///
    /// ```no_run
    /// # async fn example(client: &moorline::Client) -> moorline::Result<()> {
    /// use moorline::{EventKind, EventQuery};
    ///
    /// let lost = EventQuery { kinds: vec![EventKind::WorkerLost], ..EventQuery::default() };
    /// for event in client.events(&lost).await? {
    ///     println!("{:?} {}", event.worker, event.reason.unwrap_or_default());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSuchWorker`](crate::Error::NoSuchWorker) if the query names one that is not known,
    /// [`Error::Unreachable`](crate::Error::Unreachable).
    pub async fn events(&self, query: &EventQuery) -> Result<Vec<EventInfo>> {
        self.pages("events", query).await
    }

    /// What happened to a worker, by its name or identity, and to the tasks it was given.
    ///
    /// ```no_run
    /// # async fn example(client: &moorline::Client) -> moorline::Result<()> {
    /// let latest = moorline::EventQuery { newest_first: true, ..Default::default() };
    /// for event in client.worker_timeline("gpu-1", &latest).await? {
    ///     println!("{} {}", event.kind, event.detail.unwrap_or_default());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSuchWorker`](crate::Error::NoSuchWorker),
    /// [`Error::Unreachable`](crate::Error::Unreachable).
    pub async fn worker_timeline(
        &self,
        worker: &str,
        query: &EventQuery,
    ) -> Result<Vec<EventInfo>> {
        let query = EventQuery { worker: Some(worker.to_owned()), ..query.clone() };
        self.pages(&format!("workers/{}/timeline", path_segment(worker)), &query).await
    }

    /// What happened to a task.
    ///
    /// ```no_run
    /// # async fn example(client: &moorline::Client, task: moorline::TaskId) -> moorline::Result<()> {
    /// for event in client.task_timeline(task, &moorline::EventQuery::default()).await? {
    ///     println!("attempt {:?}: {}", event.attempt, event.kind);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSuchTask`](crate::Error::NoSuchTask),
    /// [`Error::Unreachable`](crate::Error::Unreachable).
    pub async fn task_timeline(&self, task: TaskId, query: &EventQuery) -> Result<Vec<EventInfo>> {
        let query = EventQuery { task: Some(task), ..query.clone() };
        self.pages(&format!("tasks/{task}/timeline"), &query).await
    }

    /// The events that follow `query.after`: at once if there are some, else when they happen, however
    /// long that takes and however often the coordinator is away meanwhile. Moves `query.after` on, so
    /// that the next call goes on from there. Cancel-safe: a call that is dropped has moved nothing.
    ///
    /// ```no_run
    /// # async fn example(client: moorline::Client) -> moorline::Result<()> {
    /// let mut query = moorline::EventQuery::default();
    /// loop {
    ///     for event in client.next_events(&mut query).await? {
    ///         println!("{} {:?}", event.kind, event.worker);
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSuchWorker`](crate::Error::NoSuchWorker) if the query names one that is not known.
    pub async fn next_events(&self, query: &mut EventQuery) -> Result<Vec<EventInfo>> {
        loop {
            let limit = query.limit.clamp(1, PAGE);
            let wait = format!("wait_ms={}", WAIT_MAX.as_millis());
            let path = format!("events?{wait}{}", parameters(query, limit, query.after, None));
            let call = call(path, query).answered_within(WAIT_MAX);
            let page: EventPage = self.json(call, Patience::Forever).await?;
            query.after = page.cursor;
            if !page.events.is_empty() {
                return Ok(page.events);
            }
        }
    }

    /// The number of the last event: what happens later is behind it.
    ///
    /// ```no_run
    /// # async fn example(client: &moorline::Client) -> moorline::Result<()> {
    /// use moorline::EventQuery;
    ///
    /// let mut from_now_on = EventQuery { after: client.last_event().await?, ..EventQuery::default() };
    /// let news = client.next_events(&mut from_now_on).await?;
    /// println!("{} things happened since", news.len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unreachable`](crate::Error::Unreachable).
    pub async fn last_event(&self) -> Result<u64> {
        let latest = EventQuery { newest_first: true, limit: 1, ..EventQuery::default() };
        Ok(self.events(&latest).await?.first().map_or(0, |event| event.seq))
    }

    async fn pages(&self, path: &str, query: &EventQuery) -> Result<Vec<EventInfo>> {
        let wanted = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let (mut after, mut before) = (query.after, None);
        let mut events = Vec::new();
        while events.len() < wanted {
            let left = u32::try_from(wanted - events.len()).unwrap_or(PAGE).min(PAGE);
            let order = if query.newest_first { "newest" } else { "oldest" };
            let path = format!("{path}?order={order}{}", parameters(query, left, after, before));
            let page: EventPage = self.json(call(path, query), Patience::For(self.timeout)).await?;
            events.extend(page.events);
            match page.next {
                None => break,
                Some(next) if query.newest_first => before = Some(next),
                Some(next) => after = next,
            }
        }
        Ok(events)
    }
}

fn call(path: String, query: &EventQuery) -> Call {
    let mut call = Call::new(Method::GET, path);
    if let Some(task) = query.task {
        call = call.about(task);
    }
    if let Some(worker) = &query.worker {
        call = call.about_worker(worker);
    }
    call
}

fn parameters(query: &EventQuery, limit: u32, after: u64, before: Option<u64>) -> String {
    let mut text = format!("&limit={limit}&after={after}");
    let mut add = |name: &str, value: String| text.push_str(&format!("&{name}={value}"));
    if let Some(before) = before {
        add("before", before.to_string());
    }
    let time = |time| path_segment(&humantime::format_rfc3339_millis(time).to_string());
    if let Some(since) = query.since {
        add("since", time(since));
    }
    if let Some(until) = query.until {
        add("until", time(until));
    }
    if !query.kinds.is_empty() {
        let kinds: Vec<_> = query.kinds.iter().map(|kind| kind.name()).collect();
        add("kind", kinds.join(","));
    }
    if let Some(worker) = &query.worker {
        add("worker", path_segment(worker));
    }
    if let Some(task) = query.task {
        add("task", task.to_string());
    }
    if let Some(reason) = query.reason {
        add("reason", reason.name().to_owned());
    }
    text
}

#[cfg(all(test, feature = "coordinator"))]
mod tests;
