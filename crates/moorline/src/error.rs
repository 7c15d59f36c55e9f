//! The one error of this crate.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use moorline_link::Reason;
use moorline_transport::{Endpoint, EndpointError, ListenError};
use moorline_work::TaskState;

use crate::{Code, TaskId};

/// Any error a handler may return.
///
/// ```
/// use moorline::BoxError;
///
/// let error: BoxError = "the disk is full".into();
/// # let _ = error;
/// ```
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A result of this crate, or of a handler.
///
/// ```
/// fn double(text: &str) -> moorline::Result<u64, std::num::ParseIntError> {
///     text.parse::<u64>().map(|number| 2 * number)
/// }
/// # let _ = double;
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong. Each has a [code](Self::code) that stays the same, and a
/// [hint](Self::hint) that says what to do.
///
/// ```
/// use moorline::{Code, Reconnect, Worker};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let error = Worker::builder("grpc://127.0.0.1").build().unwrap_err();
/// assert_eq!(error.code(), Code::ENDPOINT);
/// assert!(!error.is_retryable());
/// eprintln!("{} {error} {}", error.code(), error.hint());
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting has a value that makes no sense.
    #[error("{setting}: {problem}")]
    Setting {
        /// Which.
        setting: String,
        /// What is wrong with it.
        problem: String,
        /// Its code: [`Code::SETTING`], or that of what it contradicts.
        code: Code,
    },
    /// A text is not the URL of an endpoint.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// There is no tokio runtime to run handlers on.
    #[error("there is no tokio runtime here to run handlers on")]
    NoRuntime,
    /// The data directory cannot be used.
    #[error("the data directory {} cannot be used: {source}", path.display())]
    DataDir {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process uses the data directory.
    #[error("the data directory {} is in use by another process", path.display())]
    DataDirInUse {
        /// Its path.
        path: PathBuf,
    },
    /// The worker's journal cannot be used.
    #[cfg(feature = "journal")]
    #[error("the worker's journal cannot be used: {0}")]
    Journal(#[source] moorline_store::StoreError),
    /// The operating system did not let a thread start.
    #[error("cannot start: {0}")]
    Start(#[source] io::Error),
    /// The coordinator cannot listen.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A worker would talk to another machine without TLS.
    #[error(
        "{endpoint} is on another machine and has no TLS: whoever is in between could be the coordinator"
    )]
    InClear {
        /// Where the coordinator is.
        endpoint: Endpoint,
    },
    /// Keys and certificates cannot be used.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] moorline_transport::TlsError),
    /// The coordinator's key for QUIC cannot be read or kept.
    #[cfg(all(feature = "quic", feature = "coordinator"))]
    #[error("the key for QUIC in {} cannot be used: {source}", path.display())]
    QuicKey {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The worker's link has failed for good.
    #[error("{}{}", reason.meaning(), hint.as_deref().map(|hint| format!(" {hint}")).unwrap_or_default())]
    Ended {
        /// Why.
        reason: Reason,
        /// What the coordinator said to it.
        hint: Option<String>,
    },
    /// The worker's link was not active in time. It goes on trying.
    #[error(
        "the link was not active within {}{}",
        seconds(*limit),
        reason.map(|reason| format!(": {}", reason.meaning())).unwrap_or_default()
    )]
    NotActive {
        /// The time allowed.
        limit: Duration,
        /// Why the last connection ended or could not be made.
        reason: Option<Reason>,
    },
    /// The coordinator has stopped.
    #[error("the coordinator has stopped")]
    Stopped,
    /// The store failed.
    #[cfg(feature = "coordinator")]
    #[error(transparent)]
    Store(#[from] moorline_store::StoreError),
    /// The admin API cannot listen.
    #[error("the admin API cannot listen on {address}: {source}")]
    AdminListen {
        /// The address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// Health cannot be served.
    #[error("health cannot be served on {address}: {source}")]
    HealthListen {
        /// The address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// An input cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Input {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that was asked for cannot be written.
    #[cfg(feature = "cli")]
    #[doc(hidden)]
    #[error("{} cannot be written: {source}", path.display())]
    WriteFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The data that was asked for cannot be written to stdout.
    #[error("stdout cannot be written: {0}")]
    Output(#[source] io::Error),
    /// There is no such task.
    #[error("there is no task {task}")]
    NoSuchTask {
        /// Its id.
        task: TaskId,
    },
    /// Another task has this id.
    #[error("another task has the id {task}")]
    IdTaken {
        /// The id.
        task: TaskId,
    },
    /// The task has no result.
    #[error("the task {task} is {}: it has no result", state.name())]
    NoResult {
        /// Its id.
        task: TaskId,
        /// Where it stands.
        state: TaskState,
    },
    /// The task ended without a result.
    #[error("the task {task} {}", ending(*state, error.as_deref()))]
    TaskFailed {
        /// Its id.
        task: TaskId,
        /// How it ended.
        state: TaskState,
        /// The last error of its handler.
        error: Option<String>,
    },
    /// The coordinator has seen too many different task types.
    #[error("the coordinator has seen {max} different task types and takes no more")]
    TooManyHandlers {
        /// How many it takes.
        max: u32,
    },
    /// The input is too large.
    #[error("the input has {len} bytes; {max} are allowed")]
    TooLarge {
        /// Its size in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// The task did not end in time.
    #[error("the task {task} did not end within {}", seconds(*limit))]
    WaitOver {
        /// Its id.
        task: TaskId,
        /// The time allowed.
        limit: Duration,
    },
    /// A typed input or result does not fit its JSON.
    #[error("the JSON does not fit its type: {0}")]
    Json(#[from] serde_json::Error),
    /// No worker has this name or id.
    #[error("there is no worker {worker}")]
    NoSuchWorker {
        /// What was asked for.
        worker: String,
    },
    /// The URL of the admin API cannot be used.
    #[error("{url} cannot be used as the server: {problem}")]
    ServerUrl {
        /// What was given.
        url: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The coordinator does not answer.
    #[error("the coordinator at {server} does not answer: {detail}")]
    Unreachable {
        /// Its admin URL.
        server: String,
        /// What happened last.
        detail: String,
    },
    /// The coordinator refused a request.
    #[error("{detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The code it gave.
        code: Code,
        /// What it said.
        detail: String,
        /// What it said to do.
        hint: Option<String>,
    },
    /// A command of the `moorline` binary cannot be carried out.
    #[cfg(feature = "cli")]
    #[doc(hidden)]
    #[error("{detail}")]
    Command {
        /// Its code.
        code: Code,
        /// What is wrong.
        detail: String,
    },
    /// The answer is not one of moorline's admin API.
    #[error("{server} does not answer as a moorline coordinator: {detail}")]
    Answer {
        /// Its admin URL.
        server: String,
        /// What is wrong.
        detail: String,
    },
}

impl Error {
    /// The code: stable, to be looked up and filtered by.
    ///
    /// ```
    /// use moorline::{Code, Error};
    ///
    /// assert_eq!(Error::NoRuntime.code(), Code::NO_RUNTIME);
    /// assert_eq!(Error::NoRuntime.code().to_string(), "ML1003");
    /// ```
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Setting { code, .. } => *code,
            Self::Endpoint(_) => Code::ENDPOINT,
            Self::NoRuntime => Code::NO_RUNTIME,
            Self::DataDir { .. } => Code::DATA_DIR,
            Self::DataDirInUse { .. } => Code::DATA_DIR_IN_USE,
            #[cfg(feature = "journal")]
            Self::Journal(error) => store_code(error),
            Self::Start(_) => Code::START,
            Self::Listen(ListenError::InUse { .. }) => Code::LISTEN_IN_USE,
            Self::Listen(ListenError::NotLoopback { .. }) => Code::LISTEN_NOT_LOOPBACK,
            Self::Listen(ListenError::NoCertificate { .. }) => Code::NO_CERTIFICATE,
            Self::Listen(_) => Code::LISTEN,
            Self::InClear { .. } => Code::DIAL_IN_CLEAR,
            #[cfg(feature = "tls")]
            Self::Tls(error) => tls_code(error),
            #[cfg(all(feature = "quic", feature = "coordinator"))]
            Self::QuicKey { .. } => Code::QUIC_KEY,
            Self::Ended { reason, .. } => Code::from(*reason),
            Self::NotActive { .. } => Code::NOT_ACTIVE,
            Self::Stopped => Code::STOPPING,
            #[cfg(feature = "coordinator")]
            Self::Store(error) => store_code(error),
            Self::AdminListen { .. } => Code::ADMIN_LISTEN,
            Self::HealthListen { .. } => Code::HEALTH_LISTEN,
            Self::Input { .. } => Code::INPUT_FILE,
            Self::Output(_) => Code::OUTPUT,
            #[cfg(feature = "cli")]
            Self::WriteFile { .. } => Code::OUTPUT_FILE,
            Self::NoSuchTask { .. } => Code::NO_SUCH_TASK,
            Self::IdTaken { .. } => Code::ID_TAKEN,
            Self::NoResult { .. } => Code::NO_RESULT,
            Self::TaskFailed { .. } => Code::TASK_FAILED,
            Self::TooManyHandlers { .. } => Code::TOO_MANY_HANDLERS,
            Self::TooLarge { .. } => Code::TOO_LARGE,
            Self::WaitOver { .. } => Code::WAIT_OVER,
            Self::Json(_) => Code::NOT_JSON,
            Self::NoSuchWorker { .. } => Code::NO_SUCH_WORKER,
            Self::ServerUrl { .. } => Code::SERVER_URL,
            Self::Unreachable { .. } => Code::UNREACHABLE,
            Self::Refused { code, .. } => *code,
            #[cfg(feature = "cli")]
            Self::Command { code, .. } => *code,
            Self::Answer { .. } => Code::ANSWER,
        }
    }

    /// Why the link ended, for an error that is about the link.
    ///
    /// ```
    /// use moorline::{DisconnectReason, Error};
    ///
    /// let error = Error::Ended { reason: DisconnectReason::Superseded, hint: None };
    /// assert_eq!(error.reason(), Some(DisconnectReason::Superseded));
    /// assert_eq!(Error::Stopped.reason(), None);
    /// ```
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        if let Self::NotActive { reason, .. } = self {
            return *reason;
        }
        Reason::from_code(self.code().number())
    }

    /// What to do about it.
    ///
    /// ```
    /// use moorline::Error;
    ///
    /// assert_eq!(Error::Stopped.hint(), "Try again when it is back.");
    /// ```
    #[must_use]
    pub fn hint(&self) -> &str {
        if let Self::Refused { hint: Some(hint), .. } = self {
            return hint;
        }
        self.code().hint()
    }

    /// What lies behind it: its text ends with that, after a colon.
    #[cfg(feature = "cli")]
    pub(crate) fn cause(&self) -> Option<String> {
        use moorline_store::StoreError;
        match self {
            Self::DataDir { source, .. }
            | Self::AdminListen { source, .. }
            | Self::HealthListen { source, .. }
            | Self::Input { source, .. }
            | Self::WriteFile { source, .. }
            | Self::Start(source)
            | Self::Output(source) => Some(source.to_string()),
            #[cfg(all(feature = "quic", feature = "coordinator"))]
            Self::QuicKey { source, .. } => Some(source.to_string()),
            #[cfg(feature = "tls")]
            Self::Tls(moorline_transport::TlsError::Read { error, .. }) => Some(error.to_string()),
            #[cfg(feature = "tls")]
            Self::Tls(_) => None,
            Self::Listen(ListenError::Other { detail, .. })
            | Self::Store(
                StoreError::Damaged { detail, .. }
                | StoreError::Full { detail, .. }
                | StoreError::ReadOnly { detail, .. }
                | StoreError::Io { detail },
            )
            | Self::Journal(
                StoreError::Damaged { detail, .. }
                | StoreError::Full { detail, .. }
                | StoreError::ReadOnly { detail, .. }
                | StoreError::Io { detail },
            )
            | Self::Unreachable { detail, .. }
            | Self::Answer { detail, .. } => Some(detail.clone()),
            Self::Json(error) => Some(error.to_string()),
            Self::TaskFailed { error, .. } => error.clone().filter(|error| !error.is_empty()),
            Self::NotActive { reason, .. } => reason.map(|reason| reason.meaning().to_owned()),
            // Their texts are all there is to say.
            Self::Listen(_)
            | Self::InClear { .. }
            | Self::Store(_)
            | Self::Journal(_)
            | Self::Setting { .. }
            | Self::Endpoint(_)
            | Self::NoRuntime
            | Self::DataDirInUse { .. }
            | Self::Ended { .. }
            | Self::Stopped
            | Self::NoSuchTask { .. }
            | Self::IdTaken { .. }
            | Self::NoResult { .. }
            | Self::TooManyHandlers { .. }
            | Self::TooLarge { .. }
            | Self::WaitOver { .. }
            | Self::NoSuchWorker { .. }
            | Self::ServerUrl { .. }
            | Self::Refused { .. }
            | Self::Command { .. } => None,
        }
    }

    /// Whether the same may work later without anybody changing anything.
    ///
    /// ```
    /// use moorline::Error;
    ///
    /// assert!(Error::Stopped.is_retryable());
    /// assert!(!Error::NoRuntime.is_retryable());
    /// ```
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Ended { reason, .. } => reason.retry() != moorline_link::Retry::Never,
            #[cfg(feature = "coordinator")]
            Self::Store(error) => error.may_pass(),
            #[cfg(feature = "journal")]
            Self::Journal(error) => error.may_pass(),
            Self::Refused { status, .. } => *status >= 500 || *status == 429,
            Self::NotActive { .. }
            | Self::Stopped
            | Self::WaitOver { .. }
            | Self::Unreachable { .. }
            | Self::Start(_) => true,
            #[cfg(feature = "cli")]
            Self::Command { .. } | Self::WriteFile { .. } => false,
            #[cfg(feature = "tls")]
            Self::Tls(_) => false,
            #[cfg(all(feature = "quic", feature = "coordinator"))]
            Self::QuicKey { .. } => false,
            Self::Setting { .. }
            | Self::Endpoint(_)
            | Self::NoRuntime
            | Self::DataDir { .. }
            | Self::DataDirInUse { .. }
            | Self::Listen(_)
            | Self::InClear { .. }
            | Self::AdminListen { .. }
            | Self::HealthListen { .. }
            | Self::Input { .. }
            | Self::Output(_)
            | Self::NoSuchTask { .. }
            | Self::IdTaken { .. }
            | Self::NoResult { .. }
            | Self::TaskFailed { .. }
            | Self::TooManyHandlers { .. }
            | Self::TooLarge { .. }
            | Self::Json(_)
            | Self::NoSuchWorker { .. }
            | Self::ServerUrl { .. }
            | Self::Answer { .. } => false,
        }
    }

    /// A setting with a value that makes no sense.
    pub(crate) fn setting(setting: impl Into<String>, problem: impl ToString) -> Self {
        Self::refused_setting(Code::SETTING, setting, problem)
    }

    /// A setting with a value that makes no sense, where a code of its own says why.
    pub(crate) fn refused_setting(
        code: Code,
        setting: impl Into<String>,
        problem: impl ToString,
    ) -> Self {
        Self::Setting { setting: setting.into(), problem: problem.to_string(), code }
    }
}

#[cfg(feature = "tls")]
fn tls_code(error: &moorline_transport::TlsError) -> Code {
    use moorline_transport::TlsError;
    match error {
        TlsError::Read { .. } | TlsError::NoRoots { .. } => Code::TLS_FILE,
        TlsError::Empty { .. } | TlsError::Damaged { .. } => Code::TLS_PEM,
        TlsError::Half { .. } | TlsError::NoCertificate => Code::NO_CERTIFICATE,
        TlsError::Expired { .. } | TlsError::NotYetValid { .. } => Code::TLS_EXPIRED,
        TlsError::Mismatch { .. } | TlsError::Unusable { .. } | _ => Code::TLS_MISMATCH,
    }
}

#[cfg(any(feature = "coordinator", feature = "journal"))]
pub(crate) fn store_code(error: &moorline_store::StoreError) -> Code {
    use moorline_store::StoreError;
    match error {
        StoreError::Locked { .. } => Code::STORE_IN_USE,
        StoreError::UnsafeLibrary { .. } => Code::STORE_UNSAFE,
        StoreError::Newer { .. } => Code::STORE_NEWER,
        StoreError::Damaged { .. } => Code::STORE_DAMAGED,
        StoreError::Full { .. } => Code::STORE_FULL,
        StoreError::ReadOnly { .. } => Code::STORE_READ_ONLY,
        // Whatever a later store adds: the disk is the place to look.
        StoreError::Io { .. } | _ => Code::STORE_IO,
    }
}

/// How a task ended, as the end of a sentence.
fn ending(state: TaskState, error: Option<&str>) -> String {
    let how = match state {
        TaskState::Queued | TaskState::Leased => "has not ended",
        TaskState::Succeeded => "succeeded",
        TaskState::Failed => "failed",
        TaskState::Cancelled => "was cancelled",
        TaskState::Dead => "is dead: it was lost with its worker too often",
    };
    match error {
        Some(error) if !error.is_empty() => format!("{how}: {error}"),
        _ => how.to_owned(),
    }
}

/// A duration for people: `90s`, `250ms`.
fn seconds(duration: Duration) -> String {
    format!("{duration:?}")
}

#[cfg(all(test, feature = "coordinator"))]
mod tests;
