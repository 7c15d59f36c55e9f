//! What operators do to workers and to the coordinator itself.

use std::time::Duration;

use ::http::Method;

use super::Client;
use super::http::{Call, Patience, path_segment};
use crate::Result;
use crate::api::{Draining, WorkerInfo};

/// What can be done to a worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WorkerAction {
    /// Give it nothing new.
    Drain,
    /// Give it tasks again.
    Resume,
    /// Have it dial again.
    Reconnect,
    /// End its connection; it comes back.
    Disconnect,
    /// Send it to another place.
    Redirect,
    /// Forget it.
    Forget,
}

impl WorkerAction {
    /// The word of the API and of the command.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Resume => "resume",
            Self::Reconnect => "reconnect",
            Self::Disconnect => "disconnect",
            Self::Redirect => "redirect",
            Self::Forget => "forget",
        }
    }

    /// What is said of a worker afterwards.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))]
    pub(crate) fn done(self) -> &'static str {
        match self {
            Self::Drain => "draining",
            Self::Resume => "resumed",
            Self::Reconnect => "told to reconnect",
            Self::Disconnect => "disconnected",
            Self::Redirect => "told where to go",
            Self::Forget => "forgotten",
        }
    }
}

impl Client {
    /// Has the coordinator send all its workers away, one after the other, and stop. This returns at
    /// once; it has stopped when it does not answer any more.
    ///
    /// ```no_run
    /// # async fn example(client: &moorline::Client) -> moorline::Result<()> {
    /// use std::time::Duration;
    ///
    /// let draining = client.drain_coordinator(None, Some(Duration::from_secs(30)), None).await?;
    /// println!("{} workers are sent away", draining.connected);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unreachable`](crate::Error::Unreachable).
    pub async fn drain_coordinator(
        &self,
        grace: Option<Duration>,
        spread: Option<Duration>,
        timeout: Option<Duration>,
    ) -> Result<Draining> {
        self.drain_coordinator_to(&[] as &[&str], grace, spread, timeout).await
    }

    /// The same, but its workers are told to go to one of these places instead of coming back: 1 to 16 URLs,
    /// tried in order. [`Draining::left`] names those that cannot be told.
    ///
    /// ```no_run
    /// # async fn example(client: &moorline::Client) -> moorline::Result<()> {
    /// let to = ["grpcs://standby.example.com:8740"];
    /// let draining = client.drain_coordinator_to(&to, None, None, None).await?;
    /// for worker in draining.left {
    ///     println!("{}: {}", worker.name, worker.detail);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unreachable`](crate::Error::Unreachable), and [`Error::Refused`](crate::Error::Refused) for
    /// places that are none, and if not one of the workers that are there would go: then nothing has begun.
    pub async fn drain_coordinator_to(
        &self,
        to: &[impl AsRef<str>],
        grace: Option<Duration>,
        spread: Option<Duration>,
        timeout: Option<Duration>,
    ) -> Result<Draining> {
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        let to: Vec<_> = to.iter().map(AsRef::as_ref).collect();
        let mut body = serde_json::json!({
            "grace_s": seconds(grace),
            "spread_s": seconds(spread),
            "timeout_s": seconds(timeout),
        });
        if !to.is_empty() {
            // One that is older than this says that it does not know it.
            body["to"] = to.into();
        }
        let call = Call::new(Method::POST, "coordinator/drain").json(body.to_string().into_bytes());
        self.json(call, Patience::For(self.timeout)).await
    }

    /// Gives a worker, by its name or identity, nothing new; what it runs ends as it would. Answers it
    /// as it is then. Those after this one do the same in their ways.
    ///
    /// ```no_run
    /// # async fn example(client: &moorline::Client) -> moorline::Result<()> {
    /// let worker = client.drain_worker("gpu-1").await?;
    /// println!("{} takes nothing new", worker.name);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSuchWorker`](crate::Error::NoSuchWorker), [`Error::Unreachable`](crate::Error::Unreachable), and [`Error::Refused`](crate::Error::Refused) where it makes no sense
    /// now.
    pub async fn drain_worker(&self, worker: &str) -> Result<WorkerInfo> {
        self.steer(worker, WorkerAction::Drain, &[]).await
    }

    /// Gives a drained worker tasks again.
    ///
    /// ```no_run
    /// # async fn example(client: &moorline::Client) -> moorline::Result<()> {
    /// client.resume_worker("gpu-1").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`drain_worker`](Self::drain_worker).
    pub async fn resume_worker(&self, worker: &str) -> Result<WorkerInfo> {
        self.steer(worker, WorkerAction::Resume, &[]).await
    }

    /// Has a worker dial again.
    ///
    /// ```no_run
    /// # async fn example(client: &moorline::Client) -> moorline::Result<()> {
    /// client.reconnect_worker("gpu-1").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`drain_worker`](Self::drain_worker).
    pub async fn reconnect_worker(&self, worker: &str) -> Result<WorkerInfo> {
        self.steer(worker, WorkerAction::Reconnect, &[]).await
    }

    /// Ends a worker's connection; it comes back by itself.
    ///
    /// ```no_run
    /// # async fn example(client: &moorline::Client) -> moorline::Result<()> {
    /// client.disconnect_worker("gpu-1").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`drain_worker`](Self::drain_worker).
    pub async fn disconnect_worker(&self, worker: &str) -> Result<WorkerInfo> {
        self.steer(worker, WorkerAction::Disconnect, &[]).await
    }

    /// Forgets a worker that is gone.
    ///
    /// ```no_run
    /// # async fn example(client: &moorline::Client) -> moorline::Result<()> {
    /// // "ML6011" from now on, until a worker of this name comes again.
    /// client.forget_worker("gpu-1").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`drain_worker`](Self::drain_worker).
    pub async fn forget_worker(&self, worker: &str) -> Result<WorkerInfo> {
        self.steer(worker, WorkerAction::Forget, &[]).await
    }

    /// Sends a worker to the first of these places that takes it in: 1 to 16 URLs, which the coordinator has
    /// to have proven to be its own (docs/protocol.md, 10). The worker registers there before it leaves here,
    /// and stays if it cannot. This answers it as it is when it was told; where it is then is seen later.
    ///
    /// What it runs goes on where the same coordinator is found, or one with the same store. Another one does
    /// not know it, and has it stopped: [drain](Self::drain_worker) the worker first.
    ///
    /// ```no_run
    /// # async fn example(client: &moorline::Client) -> moorline::Result<()> {
    /// client.redirect_worker("gpu-1", &["quic://coordinator.example.com:8740"]).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`drain_worker`](Self::drain_worker); the codes say why: [`NOT_CONNECTED`](crate::Code::NOT_CONNECTED),
    /// [`NOT_MOVABLE`](crate::Code::NOT_MOVABLE), [`FOREIGN_PLACE`](crate::Code::FOREIGN_PLACE).
    pub async fn redirect_worker(
        &self,
        worker: &str,
        to: &[impl AsRef<str>],
    ) -> Result<WorkerInfo> {
        let to: Vec<_> = to.iter().map(|to| to.as_ref().to_owned()).collect();
        self.steer(worker, WorkerAction::Redirect, &to).await
    }

    /// `to` is for a redirect alone.
    pub(crate) async fn steer(
        &self,
        worker: &str,
        action: WorkerAction,
        to: &[String],
    ) -> Result<WorkerInfo> {
        let segment = path_segment(worker);
        let (method, path) = match action {
            WorkerAction::Forget => (Method::DELETE, format!("workers/{segment}")),
            WorkerAction::Drain
            | WorkerAction::Resume
            | WorkerAction::Reconnect
            | WorkerAction::Disconnect
            | WorkerAction::Redirect => {
                (Method::POST, format!("workers/{segment}/{}", action.name()))
            }
        };
        let mut call = Call::new(method, path).about_worker(worker);
        if action == WorkerAction::Redirect {
            call = call.json(serde_json::json!({ "to": to }).to_string().into_bytes());
        }
        self.json(call, Patience::For(self.timeout)).await
    }
}
