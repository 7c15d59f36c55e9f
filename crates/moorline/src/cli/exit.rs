//! The exit codes: one table, never reused.

use std::process::ExitCode;

use moorline_link::Reason;

use crate::{Code, Error};

/// How the process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Exit {
    /// Done; for a server: a clean stop.
    Done = 0,
    /// Failed, nothing more specific; a waited-for task failed; the demo's ledger does not balance.
    Failed = 1,
    /// A usage error.
    Usage = 2,
    /// A condition was not met: a wait ran out.
    NotMet = 3,
    /// Not found.
    NotFound = 4,
    /// A conflict or a failed precondition; a worker that was superseded.
    Conflict = 5,
    /// Some of several targets failed.
    Partly = 6,
    /// Simulator: something happened that must never happen.
    #[cfg(feature = "sim")]
    Safety = 10,
    /// Simulator: something did not happen in time.
    #[cfg(feature = "sim")]
    Liveness = 11,
    /// Simulator: the code panicked.
    #[cfg(feature = "sim")]
    Panicked = 12,
    /// Simulator: the same inputs gave different outputs.
    #[cfg(feature = "sim")]
    Nondeterministic = 13,
    /// Simulator: something grew, or ran, without bound.
    #[cfg(feature = "sim")]
    Resource = 14,
    /// Simulator: less was covered than was asked for.
    #[cfg(feature = "sim")]
    Uncovered = 15,
    /// An input is damaged, unreadable or of another format.
    Input = 65,
    /// The coordinator cannot be reached, or the worker gave up.
    Unavailable = 69,
    /// An internal error.
    Internal = 70,
    /// A port, a store or a data directory is in use.
    InUse = 73,
    /// The store, the data directory or stdout cannot be read or written.
    Io = 74,
    /// Refused for now.
    Later = 75,
    /// Protocol versions do not overlap.
    Version = 76,
    /// Refused for good: authentication or permission.
    Denied = 77,
    /// The configuration is invalid.
    Config = 78,
    /// Ended by a second Ctrl-C.
    Interrupted = 130,
    /// Ended by a second SIGTERM.
    Terminated = 143,
}

impl Exit {
    /// What a broken promise of this kind comes to.
    #[cfg(feature = "sim")]
    pub(super) const fn of_class(class: moorline_sim::Class) -> Self {
        use moorline_sim::Class;
        match class {
            Class::Safety => Self::Safety,
            Class::Liveness => Self::Liveness,
            Class::Panic => Self::Panicked,
            Class::Nondeterminism => Self::Nondeterministic,
            Class::Resource => Self::Resource,
        }
    }

    /// Ends the process at once, with nothing but its log.
    pub(super) fn now(self) -> ! {
        super::logs::flush();
        std::process::exit(i32::from(self as u8))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        if let Error::AdminListen { source, .. } | Error::HealthListen { source, .. } = error
            && source.kind() == std::io::ErrorKind::AddrInUse
        {
            return Self::InUse;
        }
        if let Error::Refused { status, code, .. } = error
            && !Code::ALL.contains(code)
            && Reason::from_code(code.number()).is_none()
        {
            // A newer coordinator: its status still says what kind of refusal it is.
            return Self::of_status(*status);
        }
        error.code().into()
    }
}

impl Exit {
    /// What a refusal of this HTTP status comes to.
    fn of_status(status: u16) -> Self {
        match status {
            404 => Self::NotFound,
            409 | 412 => Self::Conflict,
            401 | 403 => Self::Denied,
            429 | 503 => Self::Later,
            _ => Self::Internal,
        }
    }
}

impl From<Code> for Exit {
    fn from(code: Code) -> Self {
        if let Some(reason) = Reason::from_code(code.number()) {
            return reason.into();
        }
        match code {
            Code::SETTING
            | Code::ENDPOINT
            | Code::UNKNOWN_SETTING
            | Code::UNKNOWN_VARIABLE
            | Code::MISSING_SETTING
            | Code::CONFIG_SYNTAX
            | Code::CONFIG_VERSION
            | Code::CONFIG_FILE
            | Code::NO_EFFECT
            | Code::BACKOFF_DELAYS
            | Code::MULTIPLIER
            | Code::JITTER
            | Code::HEARTBEAT_INTERVAL
            | Code::HEARTBEAT_TIMEOUT
            | Code::TIMEOUT
            | Code::STABLE_AFTER
            | Code::SUSPECT_AFTER
            | Code::DISCONNECT_AFTER
            | Code::LOST_AFTER_TOO_SHORT
            | Code::LOST_BEFORE_BACK
            | Code::START_GRACE
            | Code::NOT_RELOADED
            | Code::LISTEN_NOT_LOOPBACK
            | Code::NO_CERTIFICATE
            | Code::TLS_FILE
            | Code::TLS_PEM
            | Code::TLS_MISMATCH
            | Code::TLS_EXPIRED
            | Code::DIAL_IN_CLEAR
            | Code::ADVERTISE
            | Code::TOKEN_FILE
            | Code::TOKEN_READABLE
            | Code::NOBODY_LET_IN
            | Code::LISTEN
            | Code::ADMIN_LISTEN
            | Code::HEALTH_LISTEN
            | Code::STORE_UNSAFE
            | Code::SERVER_URL
            | Code::CONTEXT
            | Code::CHAOS_LISTEN => Self::Config,
            Code::UNCONFIRMED => Self::Usage,
            Code::DATA_DIR_IN_USE
            | Code::LISTEN_IN_USE
            | Code::STORE_IN_USE
            | Code::CHAOS_IN_USE => Self::InUse,
            Code::DATA_DIR
            | Code::STORE_IO
            | Code::STORE_FULL
            | Code::STORE_READ_ONLY
            | Code::QUIC_KEY
            | Code::OUTPUT
            | Code::OUTPUT_FILE => Self::Io,
            Code::INPUT_FILE
            | Code::SCENARIO
            | Code::CHAOS_SCRIPT
            | Code::CONTEXT_FILE
            | Code::CERT_FILE
            | Code::CERT_NAME
            | Code::STORE_NEWER
            | Code::STORE_DAMAGED
            | Code::TOO_LARGE => Self::Input,
            Code::NO_SUCH_TASK | Code::NO_SUCH_WORKER | Code::NO_AUTHORITY => Self::NotFound,
            Code::ID_TAKEN
            | Code::NO_RESULT
            | Code::ALREADY_ENDED
            | Code::NOT_ENDED
            | Code::HAS_RESULT
            | Code::WORKER_PRESENT
            | Code::NOT_CONNECTED
            | Code::NOT_MOVABLE
            | Code::FOREIGN_PLACE
            | Code::NOTHING_TO_RELOAD
            | Code::AUTHORITY_EXISTS
            | Code::CERT_EXISTS
            | Code::CERT_FOREIGN => Self::Conflict,
            Code::TASK_FAILED => Self::Failed,
            Code::WAIT_OVER | Code::NOT_ACTIVE => Self::NotMet,
            Code::UNREACHABLE | Code::STOPPING | Code::ANSWER => Self::Unavailable,
            Code::TOO_MANY_HANDLERS | Code::BUSY => Self::Later,
            Code::FOREIGN_HOST | Code::FOREIGN_ORIGIN => Self::Denied,
            Code::NO_ROUTE => Self::Version,
            // A thread that cannot start, a request of ours that is not understood.
            _ => Self::Internal,
        }
    }
}

impl From<Reason> for Exit {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::WorkerStopping | Reason::OperatorDrain => Self::Done,
            Reason::NameConflict | Reason::Superseded => Self::Conflict,
            Reason::VersionUnsupported => Self::Version,
            Reason::AuthMissing
            | Reason::AuthRejected
            | Reason::AuthExpired
            | Reason::AuthRevoked
            | Reason::Quarantined
            | Reason::NotAdmitted => Self::Denied,
            Reason::RateLimited | Reason::CoordinatorOverloaded => Self::Later,
            // A connection that is not there, and reasons newer than this table.
            Reason::HeartbeatTimeout
            | Reason::HeartbeatUnacked
            | Reason::TransportReset
            | Reason::StreamLost
            | Reason::HalfOpen
            | Reason::ClosedByPeer
            | Reason::FlowStalled
            | Reason::ProtocolError
            | Reason::NetworkChanged
            | Reason::Suspended
            | Reason::OutOfStep
            | Reason::RegisterTimeout
            | Reason::RestoreStalled
            | Reason::Moved
            | Reason::AnswerTimeout
            | Reason::DnsFailed
            | Reason::ConnectRefused
            | Reason::ConnectTimeout
            | Reason::Unreachable
            | Reason::TlsFailed
            | Reason::ProxyRefused
            | Reason::CoordinatorStopping
            | Reason::CoordinatorRestarted
            | Reason::SessionUnknown
            | Reason::WorkerRestarted
            | Reason::WorkerCrashed
            | Reason::OperatorDisconnect
            | Reason::Chaos
            | Reason::Forced
            | Reason::Redirected
            | Reason::AttemptsExhausted
            | Reason::DeadlineExceeded
            | _ => Self::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests;
