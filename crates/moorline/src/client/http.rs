//! One call of the admin API, tried again while nobody answers.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::Instant;

use crate::api::Problem;
use crate::task::error_text;
use crate::{Code, Error, Result, TaskId};

/// Longest time one attempt may take, beside the time it was asked to wait for a task.
const ATTEMPT: Duration = Duration::from_secs(10);
/// The first pause between two attempts; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(50);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// Largest answer that is read: a page of tasks with long errors.
const ANSWER_MAX: usize = 64 << 20;

/// How long a call is tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Patience {
    /// For this long.
    For(Duration),
    /// Without limit.
    Forever,
}

/// One call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    method: Method,
    path: String,
    body: Option<Bytes>,
    wait: Duration,
    task: Option<TaskId>,
    worker: Option<String>,
}

impl Call {
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        let path = path.into();
        Self { method, path, body: None, wait: Duration::ZERO, task: None, worker: None }
    }

    /// With this JSON.
    pub(super) fn json(self, body: Vec<u8>) -> Self {
        Self { body: Some(body.into()), ..self }
    }

    /// It is about this task: an error names it.
    pub(super) fn about(self, task: TaskId) -> Self {
        Self { task: Some(task), ..self }
    }

    /// It is about this worker: an error names it.
    pub(super) fn about_worker(self, worker: &str) -> Self {
        Self { worker: Some(worker.to_owned()), ..self }
    }

    /// The coordinator may take this long on purpose.
    pub(super) fn answered_within(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }
}

/// Connections to one admin API.
#[derive(Clone, Debug)]
pub(super) struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    authority: String,
}

impl Http {
    pub(super) fn new(url: &str) -> Result<Self> {
        let authority =
            authority(url).map_err(|problem| Error::ServerUrl { url: url.to_owned(), problem })?;
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(ATTEMPT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { client, authority })
    }

    /// Its URL.
    pub(super) fn server(&self) -> String {
        format!("http://{}", self.authority)
    }

    /// Makes the call until it is answered or patience is over.
    pub(super) async fn call(&self, call: Call, patience: Patience) -> Result<Bytes> {
        let deadline = match patience {
            Patience::For(limit) => Instant::now().checked_add(limit),
            Patience::Forever => None,
        };
        let mut pause = PAUSE;
        let mut last = None;
        loop {
            let longest = Instant::now() + ATTEMPT + call.wait;
            let end = deadline.map_or(longest, |deadline| longest.min(deadline));
            let failed = match tokio::time::timeout_at(end, self.attempt(&call)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(Attempt::Final(error))) => return Err(error),
                Ok(Err(Attempt::Again(error))) => error,
                // The last attempt may have had hardly any time: the one before knows more.
                Err(_) => last
                    .take()
                    .unwrap_or_else(|| self.unreachable("it did not answer in time".to_owned())),
            };
            let wake = Instant::now() + spread(pause);
            if deadline.is_some_and(|deadline| wake >= deadline) {
                return Err(failed);
            }
            if last.is_none() {
                tracing::warn!(
                    event = "client.waiting",
                    role = "client",
                    code = %failed.code(),
                    "Waiting for the coordinator: {failed}"
                );
            }
            last = Some(failed);
            tokio::time::sleep_until(wake).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn attempt(&self, call: &Call) -> Result<Bytes, Attempt> {
        let uri = format!("http://{}/api/v1/{}", self.authority, call.path);
        let mut request = Request::builder().method(call.method.clone()).uri(uri);
        if call.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = Full::new(call.body.clone().unwrap_or_default());
        let request =
            request.body(body).map_err(|error| Attempt::Final(self.answer(error.to_string())))?;
        let response = self
            .client
            .request(request)
            .await
            .map_err(|error| Attempt::Again(self.unreachable(error_text(&error))))?;
        let (head, body) = response.into_parts();
        // An answer that breaks off is one that did not come.
        let body = Limited::new(body, ANSWER_MAX)
            .collect()
            .await
            .map_err(|error| Attempt::Again(self.unreachable(error_text(&*error))))?
            .to_bytes();
        if head.status.is_success() {
            return Ok(body);
        }
        Err(self.refused(head.status, &body, call))
    }

    /// What a refusal means.
    fn refused(&self, status: StatusCode, body: &[u8], call: &Call) -> Attempt {
        let known = serde_json::from_slice::<Problem>(body).ok();
        let known = known.and_then(|problem| problem.code().map(|code| (problem, code)));
        let Some((problem, code)) = known else {
            let detail = format!("it answered {status}");
            return Attempt::Final(self.answer(detail));
        };
        let error = match (code, call.task, &call.worker) {
            (Code::NO_SUCH_TASK, Some(task), _) => Error::NoSuchTask { task },
            (Code::ID_TAKEN, Some(task), _) => Error::IdTaken { task },
            (Code::NO_SUCH_WORKER, _, Some(worker)) => {
                Error::NoSuchWorker { worker: worker.clone() }
            }
            _ => Error::Refused {
                status: status.as_u16(),
                code,
                detail: problem.detail,
                hint: Some(problem.hint),
            },
        };
        if status == StatusCode::SERVICE_UNAVAILABLE {
            Attempt::Again(error)
        } else {
            Attempt::Final(error)
        }
    }

    fn unreachable(&self, detail: String) -> Error {
        Error::Unreachable { server: self.server(), detail }
    }

    fn answer(&self, detail: String) -> Error {
        Error::Answer { server: self.server(), detail }
    }
}

/// Why an attempt did not succeed.
enum Attempt {
    /// The coordinator is away or overloaded.
    Again(Error),
    /// It will not be otherwise the next time.
    Final(Error),
}

/// Half of the pause to all of it, so that clients that were cut off together do not come together.
fn spread(pause: Duration) -> Duration {
    let random = crate::random::random().unwrap_or(u64::MAX);
    #[expect(clippy::cast_precision_loss, reason = "a fraction needs no more bits")]
    let fraction = random as f64 / u64::MAX as f64;
    pause / 2 + (pause / 2).mul_f64(fraction)
}

/// `HOST:PORT` of a URL that may be used.
fn authority(url: &str) -> Result<String, &'static str> {
    let uri: Uri = url.parse().map_err(|_| "it is not a URL")?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => return Err("https is not supported yet"),
        Some(_) | None => return Err("it must begin with http://"),
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err("it must end after the port");
    }
    let authority = uri.authority().ok_or("it names no host")?;
    if authority.as_str().contains('@') {
        return Err("it must not carry a user name");
    }
    let host = authority.host();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let loopback = bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if !loopback {
        return Err("it is not a loopback address: there is no TLS yet");
    }
    Ok(authority.as_str().to_owned())
}

/// A text as one segment of a path.
pub(super) fn path_segment(text: &str) -> String {
    let mut segment = String::with_capacity(text.len());
    for &byte in text.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            segment.push_str(&format!("%{byte:02X}"));
        }
    }
    segment
}

#[cfg(test)]
mod tests;
