//! The client of the admin API.

mod events;
mod http;
mod query;
mod steer;

use std::time::Duration;

use ::http::Method;
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::api::{
    CancelBody, Cancelled, Overview, ReloadReport, Retried, RetryBody, Submit, SubmitBody,
    Submitted, TaskInfo, TaskPage, Version, WAIT_MAX, WorkerInfo, WorkerPage,
};
use crate::task::decode;
use crate::{Error, Explanation, Result, TaskId};
pub use events::EventQuery;
pub(crate) use http::Patience;
use http::{Call, Http};
pub use query::TaskQuery;
#[cfg(feature = "cli")]
pub(crate) use steer::WorkerAction;

/// Tasks asked for at once.
const PAGE: u32 = 1_000;

/// Hands tasks to a coordinator, and reads what became of them, over its admin API.
///
/// Every call may be repeated without harm, and is, while the coordinator is away: for 10 s, or as
/// long as [`timeout`](Self::timeout) says. Futures are cancel-safe: a call that is dropped has
/// happened or not, and may be made again. Cheap to clone.
///
/// ```no_run
/// # async fn example() -> moorline::Result<()> {
/// use moorline::{Client, Submit};
///
/// let client = Client::new("http://127.0.0.1:8741")?;
/// let task = client.submit(Submit::json("greet", &"you")?.max_retries(3)).await?;
/// let ended = client.wait(task.id).await?;
/// println!("{} after {} attempts", ended.state.name(), ended.attempts);
/// let said: String = client.result_json(task.id).await?;
/// # let _ = said;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    http: Http,
    timeout: Duration,
}

impl Client {
    /// A client of the admin API at this URL, such as `http://127.0.0.1:8741`. Nothing is dialled yet.
    ///
    /// # Errors
    /// [`Error::ServerUrl`] if it is not an `http` URL of a loopback name: without TLS nobody could
    /// tell a coordinator from somebody else.
    ///
    /// ```
    /// use moorline::{Client, Code};
    ///
    /// let client = Client::new("http://127.0.0.1:8741")?;
    /// # let _ = client;
    /// assert_eq!(Client::new("coordinator:8741").unwrap_err().code(), Code::SERVER_URL);
    /// # Ok::<(), moorline::Error>(())
    /// ```
    pub fn new(url: impl AsRef<str>) -> Result<Self> {
        Ok(Self { http: Http::new(url.as_ref())?, timeout: Duration::from_secs(10) })
    }

    /// How long a call is tried while the coordinator is away. Default 10 s.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let client = moorline::Client::new("http://127.0.0.1:8741")?.timeout(Duration::from_secs(60));
    /// # let _ = client;
    /// # Ok::<(), moorline::Error>(())
    /// ```
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Hands in a task. When this returns, the task is durable.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::IdTaken`], [`Error::TooManyHandlers`], [`Error::Unreachable`].
    ///
    /// ```
    /// # async fn example(client: &moorline::Client, task: moorline::TaskId) -> moorline::Result<()> {
    /// use moorline::Submit;
    ///
    /// let submitted = client.submit(Submit::json("greet", &"you")?).await?;
    /// println!("{}", submitted.id);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn submit(&self, task: Submit) -> Result<Submitted> {
        self.submit_with(&task, Patience::For(self.timeout)).await
    }

    pub(crate) async fn submit_with(&self, task: &Submit, patience: Patience) -> Result<Submitted> {
        let body = serde_json::to_vec(&SubmitBody::of(task)?)?;
        let call = Call::new(Method::POST, "tasks").about(task.id).json(body);
        self.json(call, patience).await
    }

    /// Waits until the task has ended, however long that takes and however often the coordinator is
    /// away meanwhile. Answers how it ended, which need not be a success.
    ///
    /// # Errors
    /// [`Error::NoSuchTask`].
    ///
    /// ```
    /// # async fn example(client: &moorline::Client, task: moorline::TaskId) -> moorline::Result<()> {
    /// let ended = client.wait(task).await?;
    /// println!("{}", ended.state.name());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait(&self, task: TaskId) -> Result<TaskInfo> {
        loop {
            let seen = self.poll(task, WAIT_MAX, Patience::Forever).await?;
            if seen.state.is_final() {
                return Ok(seen);
            }
        }
    }

    /// The same for at most this long, then [`Error::WaitOver`].
    ///
    /// # Errors
    /// [`Error::NoSuchTask`], [`Error::WaitOver`].
    ///
    /// ```
    /// # async fn example(client: &moorline::Client, task: moorline::TaskId) -> moorline::Result<()> {
    /// use std::time::Duration;
    ///
    /// let ended = client.wait_for(task, Duration::from_secs(60)).await?;
    /// # let _ = ended;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_for(&self, task: TaskId, limit: Duration) -> Result<TaskInfo> {
        match tokio::time::timeout(limit, self.wait(task)).await {
            Ok(ended) => ended,
            Err(_) => Err(Error::WaitOver { task, limit }),
        }
    }

    /// One long poll: answers when the task has ended, or after about `wait` as it is then.
    async fn poll(&self, task: TaskId, wait: Duration, patience: Patience) -> Result<TaskInfo> {
        let path = format!("tasks/{task}/wait?timeout_ms={}", wait.as_millis());
        self.json(Call::new(Method::GET, path).about(task).answered_within(wait), patience).await
    }

    /// A task.
    ///
    /// # Errors
    /// [`Error::NoSuchTask`], [`Error::Unreachable`].
    ///
    /// ```
    /// # async fn example(client: &moorline::Client, task: moorline::TaskId) -> moorline::Result<()> {
    /// println!("{} attempts", client.get(task).await?.attempts);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get(&self, task: TaskId) -> Result<TaskInfo> {
        let call = Call::new(Method::GET, format!("tasks/{task}")).about(task);
        self.json(call, Patience::For(self.timeout)).await
    }

    /// Tasks, the latest submitted first.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    ///
    /// ```
    /// # async fn example(client: &moorline::Client, task: moorline::TaskId) -> moorline::Result<()> {
    /// use moorline::{TaskQuery, TaskState};
    ///
    /// let dead = TaskQuery::of(TaskState::Dead);
    /// for task in client.list(dead).await? {
    ///     println!("{}: {:?}", task.id, task.error);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn list(&self, query: TaskQuery) -> Result<Vec<TaskInfo>> {
        let wanted = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let mut tasks = Vec::new();
        let mut before = None;
        while tasks.len() < wanted {
            let left = u32::try_from(wanted - tasks.len()).unwrap_or(PAGE).min(PAGE);
            let mut path = format!("tasks?limit={left}");
            if let Some(state) = query.state {
                path.push_str("&state=");
                path.push_str(state.name());
            }
            if let Some(before) = before {
                path.push_str(&format!("&before={before}"));
            }
            let call = Call::new(Method::GET, path);
            let page: TaskPage = self.json(call, Patience::For(self.timeout)).await?;
            tasks.extend(page.tasks);
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        Ok(tasks)
    }

    /// The task that was submitted first of those that are queued. It is looked for by halving the
    /// order of submission: about as many short requests as the number of tasks ever has binary digits.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))]
    pub(crate) async fn oldest_queued(&self) -> Result<Option<TaskInfo>> {
        let newest = async |before: Option<u64>| -> Result<Option<TaskInfo>> {
            let mut path = "tasks?limit=1&state=queued".to_owned();
            if let Some(before) = before {
                path.push_str(&format!("&before={before}"));
            }
            let call = Call::new(Method::GET, path);
            let page: TaskPage = self.json(call, Patience::For(self.timeout)).await?;
            Ok(page.tasks.into_iter().next())
        };
        let Some(mut oldest) = newest(None).await? else { return Ok(None) };
        // Nothing queued is before `low`; `oldest` is queued.
        let mut low = 0;
        while low < oldest.cursor {
            let middle = low + (oldest.cursor - low) / 2;
            match newest(Some(middle + 1)).await? {
                Some(older) if older.cursor < oldest.cursor => oldest = older,
                Some(_) | None => low = middle + 1,
            }
        }
        Ok(Some(oldest))
    }

    /// The result of a task that succeeded, as it is.
    ///
    /// # Errors
    /// [`Error::NoSuchTask`], [`Error::NoResult`], [`Error::Unreachable`].
    ///
    /// ```
    /// # async fn example(client: &moorline::Client, task: moorline::TaskId) -> moorline::Result<()> {
    /// let bytes = client.result(task).await?;
    /// # let _ = bytes;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn result(&self, task: TaskId) -> Result<Bytes> {
        let call = Call::new(Method::GET, format!("tasks/{task}/result")).about(task);
        self.http.call(call, Patience::For(self.timeout)).await
    }

    /// The result of a task that succeeded, read from JSON.
    ///
    /// # Errors
    /// Those of [`result`](Self::result), and [`Error::Json`] if it is of another type.
    ///
    /// ```
    /// # async fn example(client: &moorline::Client, task: moorline::TaskId) -> moorline::Result<()> {
    /// let said: String = client.result_json(task).await?;
    /// # let _ = said;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn result_json<T: DeserializeOwned + 'static>(&self, task: TaskId) -> Result<T> {
        Ok(decode(self.result(task).await?)?)
    }

    /// Wants a task to end. When this returns, that is durable.
    ///
    /// # Errors
    /// [`Error::NoSuchTask`], [`Error::Unreachable`].
    ///
    /// ```
    /// # async fn example(client: &moorline::Client, task: moorline::TaskId) -> moorline::Result<()> {
    /// use moorline::Cancelled;
    ///
    /// if client.cancel(task).await? == Cancelled::CancelRequested {
    ///     println!("its worker is told to stop it");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn cancel(&self, task: TaskId) -> Result<Cancelled> {
        let call = Call::new(Method::POST, format!("tasks/{task}/cancel")).about(task);
        let body: CancelBody = self.json(call, Patience::For(self.timeout)).await?;
        Ok(body.outcome)
    }

    /// Queues a task again that failed, was cancelled, or was lost too often with its workers: under
    /// its next attempt, with its retries and losses counted on. When this returns, that is durable.
    /// A task that has not ended is left alone, which the answer says.
    ///
    /// ```no_run
    /// # async fn example(client: &moorline::Client, task: moorline::TaskId) -> moorline::Result<()> {
    /// if client.retry(task).await? == moorline::Retried::Queued {
    ///     println!("it runs again");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSuchTask`], [`Error::Unreachable`], and [`Error::Refused`] with
    /// [`Code::HAS_RESULT`](crate::Code::HAS_RESULT) for a task that succeeded: it never runs again.
    pub async fn retry(&self, task: TaskId) -> Result<Retried> {
        let seen = self.get(task).await?;
        if !seen.state.is_final() {
            return Ok(Retried::NotEnded);
        }
        // Named, so that the call may be repeated: the second one finds another attempt.
        let path = format!("tasks/{task}/retry?attempts={}", seen.attempts);
        let call = Call::new(Method::POST, path).about(task);
        let body: RetryBody = self.json(call, Patience::For(self.timeout)).await?;
        Ok(match body.outcome {
            // It had ended when this looked, so whoever asked, it was queued again.
            Retried::Queued | Retried::NotEnded => Retried::Queued,
        })
    }

    /// All workers the coordinator knows, by name.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    ///
    /// ```
    /// # async fn example(client: &moorline::Client, task: moorline::TaskId) -> moorline::Result<()> {
    /// for worker in client.workers().await? {
    ///     println!("{} is {}", worker.name, worker.state);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn workers(&self) -> Result<Vec<WorkerInfo>> {
        let call = Call::new(Method::GET, "workers");
        let page: WorkerPage = self.json(call, Patience::For(self.timeout)).await?;
        Ok(page.workers)
    }

    /// A worker by its name or identity.
    ///
    /// # Errors
    /// [`Error::NoSuchWorker`], [`Error::Unreachable`].
    ///
    /// ```
    /// # async fn example(client: &moorline::Client, task: moorline::TaskId) -> moorline::Result<()> {
    /// println!("{:?}", client.worker("gpu-1").await?.reason);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn worker(&self, worker: &str) -> Result<WorkerInfo> {
        let call = Call::new(Method::GET, format!("workers/{}", http::path_segment(worker)));
        self.json(call.about_worker(worker), Patience::For(self.timeout)).await
    }

    /// Why a worker is where it is, by its name or identity.
    ///
    /// # Errors
    /// [`Error::NoSuchWorker`], [`Error::Unreachable`].
    ///
    /// ```no_run
    /// # async fn example(client: moorline::Client) -> moorline::Result<()> {
    /// println!("{}", client.explain_worker("gpu-1").await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn explain_worker(&self, worker: &str) -> Result<Explanation> {
        let path = format!("workers/{}/explain", http::path_segment(worker));
        let call = Call::new(Method::GET, path).about_worker(worker);
        self.json(call, Patience::For(self.timeout)).await
    }

    /// Why a task is where it is, and who could take it.
    ///
    /// # Errors
    /// [`Error::NoSuchTask`], [`Error::Unreachable`].
    ///
    /// ```no_run
    /// # async fn example(client: moorline::Client, task: moorline::TaskId) -> moorline::Result<()> {
    /// println!("{}", client.explain_task(task).await?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn explain_task(&self, task: TaskId) -> Result<Explanation> {
        let call = Call::new(Method::GET, format!("tasks/{task}/explain")).about(task);
        self.json(call, Patience::For(self.timeout)).await
    }

    /// The coordinator in figures.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    ///
    /// ```
    /// # async fn example(client: &moorline::Client, task: moorline::TaskId) -> moorline::Result<()> {
    /// assert_eq!(client.overview().await?.applied_twice, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn overview(&self) -> Result<Overview> {
        self.json(Call::new(Method::GET, "overview"), Patience::For(self.timeout)).await
    }

    /// What the coordinator is.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))]
    pub(crate) async fn version(&self) -> Result<Version> {
        self.json(Call::new(Method::GET, "version"), Patience::For(self.timeout)).await
    }

    /// Lets the coordinator read its configuration again.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))]
    pub(crate) async fn reload(&self) -> Result<ReloadReport> {
        let call = Call::new(Method::POST, "coordinator/reload");
        self.json(call, Patience::For(self.timeout)).await
    }

    async fn json<T: DeserializeOwned>(&self, call: Call, patience: Patience) -> Result<T> {
        let body = self.http.call(call, patience).await?;
        serde_json::from_slice(&body).map_err(|error| Error::Answer {
            server: self.http.server(),
            detail: format!("its answer is not what was asked for: {error}"),
        })
    }
}

#[cfg(all(test, feature = "coordinator"))]
mod tests;
