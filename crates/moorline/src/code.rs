//! The codes of everything that can go wrong outside a connection: one table for errors, problem
//! documents and exit codes. Connections have theirs in [`Reason`].

use std::fmt;

use moorline_link::{ConfigError, HubConfigError, Reason};

/// The code of an error, written `ML4001`: stable, so that it can be looked up and filtered by.
///
/// ML1 configuration and usage, ML2 link, ML3 session, ML4 tasks, ML5 store, ML6 admin API, ML7 simulator and fault
/// proxy.
///
/// ```
/// use moorline::{Code, DisconnectReason};
///
/// assert_eq!(Code::NO_SUCH_TASK.to_string(), "ML4001");
/// assert_eq!(Code::from(DisconnectReason::StreamLost).to_string(), "ML2104");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

macro_rules! codes {
    ($($name:ident $number:literal $meaning:literal $hint:literal;)*) => {
        impl Code {
            $(#[doc = $meaning] pub const $name: Self = Self($number);)*

            /// Every code of this table, in order.
            ///
            /// ```
            /// use moorline::Code;
            ///
            /// assert!(Code::ALL.contains(&Code::SETTING));
            /// ```
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// What it means, in one sentence. A code that this version does not know has an empty one.
            ///
            /// ```
            /// assert_eq!(moorline::Code::SETTING.meaning(), "A setting has a value that makes no sense.");
            /// ```
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self.0 {
                    $($number => $meaning,)*
                    link => Reason::from_code(link).map_or("", Reason::meaning),
                }
            }

            /// What to do about it, in one sentence. A code that this version does not know has an empty one.
            ///
            /// ```
            /// assert_eq!(moorline::Code::STORE_NEWER.hint(), "Upgrade moorline.");
            /// ```
            #[must_use]
            pub fn hint(self) -> &'static str {
                match self.0 {
                    $($number => $hint,)*
                    link => Reason::from_code(link).map_or("", Reason::remedy),
                }
            }
        }
    };
}

codes! {
    SETTING 1001
        "A setting has a value that makes no sense."
        "See `--help` for the values it takes.";
    ENDPOINT 1002
        "A text is not the URL of an endpoint."
        "Write it as SCHEME://HOST:PORT, such as grpc://127.0.0.1:8740.";
    NO_RUNTIME 1003
        "There is no tokio runtime to run handlers on."
        "Build the worker inside a tokio runtime, or give it another one by `runtime`.";
    UNKNOWN_SETTING 1004
        "The configuration has a key that is no setting."
        "Compare it with `moorline config init`, which lists every setting.";
    UNKNOWN_VARIABLE 1005
        "A variable that begins with MOORLINE_ is no setting."
        "Compare it with `moorline config init`, which names every variable, or unset it.";
    MISSING_SETTING 1006
        "A setting that has no default is not given."
        "Give it by its flag, its variable or in the configuration file.";
    CONFIG_SYNTAX 1007
        "The configuration file is not TOML."
        "Correct the line; strings are in double quotes, and sections in brackets.";
    CONFIG_VERSION 1008
        "The configuration file is of another version than this moorline reads."
        "Write `config_version = 1` at its top.";
    CONFIG_FILE 1009
        "The configuration file cannot be read or written."
        "Check the path given by --config or MOORLINE_CONFIG, and its permissions.";
    NO_EFFECT 1010
        "A setting has no effect beside another one."
        "Take one of them out.";
    DATA_DIR 1101
        "The data directory cannot be used."
        "Check its path and its permissions, or give another --data-dir.";
    DATA_DIR_IN_USE 1102
        "Another process uses the data directory."
        "Stop the other worker, or give this one another --name or --data-dir.";
    START 1103
        "The operating system did not let a thread start."
        "Look at the limits of processes and memory of this user.";
    LOOP_STUCK 1104
        "The loop that keeps connections alive has not turned for 10 s."
        "Look for a frozen or overloaded process; if it lasts, restart it and report it with its log.";
    STARTING 1105
        "The process has not finished its start."
        "Wait; if it lasts, look at its log.";
    LISTEN_IN_USE 1201
        "Another process listens at the address."
        "Stop the other process, or give another --listen address.";
    LISTEN_NOT_LOOPBACK 1202
        "Without TLS a coordinator serves only this machine."
        "Listen with grpcs://, quic:// or wss:// and a certificate; in a network that you trust as a whole give --insecure and set coordinator.insecure = true.";
    LISTEN 1203
        "The coordinator cannot listen at the address."
        "Check that the address belongs to this machine, and its scheme: grpc, grpcs, quic, ws or wss.";
    HEALTH_LISTEN 1204
        "Health and metrics cannot be served at their address."
        "Stop what listens there, or give another --health-listen address.";
    NO_CERTIFICATE 1205
        "TLS needs a certificate and its key, and they are not both given."
        "Give both, with --tls-cert and --tls-key; without TLS, listen with grpc:// or ws:// on 127.0.0.1.";
    TLS_FILE 1206
        "A file of keys or certificates cannot be read."
        "Check its path and its permissions: this process has to be able to read it.";
    TLS_PEM 1207
        "A file of keys or certificates does not hold what it should."
        "Write it as PEM: a certificate begins with -----BEGIN CERTIFICATE-----, a key with -----BEGIN PRIVATE KEY-----.";
    TLS_MISMATCH 1208
        "A key and a certificate cannot be used together."
        "Give the key for which the certificate was issued: an ECDSA, Ed25519 or RSA key.";
    TLS_EXPIRED 1209
        "A certificate is not valid now."
        "Have it renewed, and look at this machine's clock. A file that is replaced is read by itself.";
    BACKOFF_DELAYS 1210
        "The delays between retries contradict each other or are out of range."
        "Let initial_delay be at least 1ms, and max_delay at least as long and at most 7d.";
    MULTIPLIER 1211
        "The delays between retries cannot grow by this factor."
        "Set multiplier to 1 to 1000; 2 doubles them.";
    JITTER 1212
        "The delays between retries cannot be spread like this."
        "Use full, none, equal, decorrelated, or a fraction below 1.";
    HEARTBEAT_INTERVAL 1213
        "The heartbeat interval is out of range."
        "Set heartbeat.interval to 10ms to 1d.";
    HEARTBEAT_TIMEOUT 1214
        "The heartbeat timeout leaves no time for a second heartbeat."
        "Set heartbeat.timeout to three times heartbeat.interval.";
    TIMEOUT 1215
        "A timeout is out of range."
        "Set it to 1ms to 1d.";
    STABLE_AFTER 1216
        "A connection counts as stable before a silent peer would be noticed."
        "Set stable_after to twice heartbeat.timeout, or leave it out.";
    DIAL_IN_CLEAR 1217
        "A worker would reach a coordinator on another machine without TLS."
        "Write its URL with grpcs://, quic:// or wss://, and give --tls-ca if its authority is your own; in a network that you trust as a whole give --insecure and set worker.insecure = true.";
    QUIC_KEY 1218
        "A coordinator's key for QUIC cannot be read or kept."
        "Look at the permissions of the directory of its store; if the file is damaged, remove it: a new one is made.";
    ADVERTISE 1219
        "No worker would go to an endpoint that is advertised."
        "Write it as SCHEME://HOST:PORT, with TLS and a host that the coordinator's certificate names; without TLS only a loopback address of this machine.";
    SUSPECT_AFTER 1220
        "A worker would be disconnected before it is suspect."
        "Set suspect_after below disconnect_after.";
    DISCONNECT_AFTER 1221
        "A worker would be lost before it is disconnected."
        "Set disconnect_after below lost_after.";
    LOST_AFTER_TOO_SHORT 1222
        "A worker would be disconnected between two of its heartbeats."
        "Set lost_after higher, or let workers send heartbeats more often.";
    LOST_BEFORE_BACK 1223
        "A worker's tasks are given away before it can be back."
        "Set lost_after above the longest delay and the timeouts of connecting and registering.";
    START_GRACE 1224
        "Leases of an earlier life would be given away sooner than those of this one."
        "Set start_grace to lost_after or more.";
    TOKEN_FILE 1225
        "A file of join tokens cannot be used."
        "Check its path and permissions. A worker's holds one token; a coordinator's one a line, each of 16 bytes or more, such as `openssl rand -hex 32` prints.";
    TOKEN_READABLE 1226
        "A file of join tokens may be read or written by everybody on its machine."
        "Take that away: `chmod o= FILE`; who has the token can be a worker.";
    NOBODY_LET_IN 1227
        "Workers have to show certificates, and nothing says which are good."
        "Give the authority that signs them with --tls-ca, or do without --certificates-only.";
    INPUT_FILE 1301
        "An input cannot be read."
        "Check the path and its permissions.";
    OUTPUT 1302
        "The output cannot be written."
        "Look at where stdout leads: a disk may be full.";
    OUTPUT_FILE 1303
        "A file that was asked for cannot be written."
        "Check the path, its permissions and the room on its disk.";
    CONTEXT 1401
        "There is no context of this name."
        "List what there is with `moorline context list`, or add it with `moorline context add`.";
    CONTEXT_FILE 1402
        "The file of contexts cannot be used."
        "Repair it or remove it; it is where `moorline context list` says.";
    UNCONFIRMED 1403
        "The command changes several things at once and was not confirmed."
        "Look first with --dry-run, then add --yes.";
    AUTHORITY_EXISTS 1411
        "There is an authority in the directory."
        "Issue certificates with it, or give another --dir.";
    NO_AUTHORITY 1412
        "There is no authority in the directory."
        "Say with --dir where it is, or make one with `moorline cert init`.";
    CERT_FILE 1413
        "A file of a key or a certificate cannot be used."
        "Check the path and its permissions; if it is damaged, issue another one.";
    CERT_EXISTS 1414
        "There is a certificate or a key in this place."
        "Renew it with `moorline cert renew`, or give another --out.";
    CERT_FOREIGN 1415
        "The certificate was issued by another authority."
        "Say with --dir where that one is.";
    CERT_NAME 1416
        "A name, or a key of another kind, cannot stand in a certificate."
        "A name has at most 64 bytes; a new key of the right kind comes with --new-key.";
    NOT_ACTIVE 2901
        "The worker's link was not active in the time allowed for waiting."
        "Look at why it is not; the worker goes on trying meanwhile.";
    NO_SUCH_TASK 4001
        "There is no task with this id: never submitted, or finished long ago and pruned."
        "List what there is with `moorline task list`.";
    ID_TAKEN 4002
        "Another task has this id."
        "Submit it under another id; the same task may be submitted again under its own.";
    NO_RESULT 4003
        "The task has no result: it has not succeeded."
        "Look at its state with `moorline task get`, or wait for it with `moorline task wait`.";
    TASK_FAILED 4004
        "The task ended without a result."
        "Its error says why; see `moorline task get`.";
    TOO_MANY_HANDLERS 4005
        "The coordinator has seen too many different task types."
        "Use fewer types: what differs from task to task belongs into the input.";
    TOO_LARGE 4006
        "The input of a task is larger than 16 MiB."
        "Put the data where the worker can read it, and submit its path.";
    WAIT_OVER 4007
        "The task did not end in the time allowed for waiting."
        "Wait longer with --timeout; the task goes on meanwhile.";
    ALREADY_ENDED 4008
        "The task had ended before."
        "See `moorline task get`.";
    NOT_JSON 4009
        "A typed input or result does not fit its JSON."
        "Compare the type of the caller with the type of the handler.";
    NOT_ENDED 4010
        "The task has not ended: there is nothing to retry."
        "Wait for it with `moorline task wait`, or cancel it first.";
    HAS_RESULT 4011
        "The task has succeeded: it does not run again."
        "Submit it as a new task.";
    STORE_IN_USE 5001
        "Another process has the store or the journal open."
        "Stop the other coordinator, or give this one another --store; or stop the other worker.";
    STORE_UNSAFE 5002
        "The SQLite library has a bug that corrupts databases."
        "Build moorline with the SQLite it brings along.";
    STORE_NEWER 5003
        "The store or the journal was written by a newer moorline."
        "Upgrade moorline.";
    STORE_DAMAGED 5004
        "The file is not what moorline keeps there, or it is damaged."
        "Check the path; else restore a copy of a store, or move a worker's journal away, which loses the results it had not delivered. Starting again does not help.";
    STORE_IO 5005
        "Reading or writing the store or the journal failed."
        "Look at the disk: it may be failing. What was acknowledged is safe; it is tried again.";
    STORE_FULL 5006
        "There is no room to write the store or the journal."
        "Make room on its disk, or raise the quota; it goes on by itself.";
    STORE_READ_ONLY 5007
        "The store or the journal does not let itself be written."
        "Look at the permissions of the file and its directory, and how its disk is mounted.";
    STORE_STALLED 5008
        "The store has not finished a write for 5 s."
        "Look at the disk: it hangs or is overloaded. Nothing is acknowledged before it is written.";
    ADMIN_LISTEN 6001
        "The admin API cannot listen at its address."
        "Stop what listens there, or give another --admin-listen address.";
    UNREACHABLE 6002
        "The coordinator does not answer."
        "Check that it runs and that --server is its admin address; a longer --timeout waits longer.";
    BAD_REQUEST 6003
        "The request is not one the admin API understands."
        "Compare client and coordinator: `moorline version` on both.";
    FOREIGN_HOST 6004
        "The request names a host that is not this machine."
        "Use http://127.0.0.1:PORT or http://localhost:PORT.";
    FOREIGN_ORIGIN 6005
        "A web page of another origin sent the request."
        "Use the command or a program; pages of other origins are refused.";
    NOT_JSON_REQUEST 6006
        "The body of a request must be JSON and say so."
        "Send `content-type: application/json`.";
    REQUEST_TOO_LARGE 6007
        "The body of the request is too large."
        "The input of a task has at most 16 MiB.";
    NO_ROUTE 6008
        "The admin API has no such path, or not with this method."
        "The base is /api/v1; compare client and coordinator with `moorline version`.";
    STOPPING 6009
        "The coordinator is stopping."
        "Try again when it is back.";
    ANSWER 6010
        "The answer is not one of moorline's admin API."
        "Check that --server is the admin address of a moorline coordinator.";
    NO_SUCH_WORKER 6011
        "No worker has this name or id."
        "List what there is with `moorline worker list`.";
    SERVER_URL 6012
        "The URL is not one of an admin API that can be used."
        "Write it as http://127.0.0.1:8741; without TLS only this machine is served.";
    INTERNAL 6013
        "The coordinator failed to answer, through no fault of the request."
        "See its log of the same time.";
    BUSY 6014
        "The coordinator has too many reads to answer."
        "Ask again; if it stays so, ask less often.";
    WORKER_PRESENT 6015
        "Only a worker that is gone and holds no lease can be forgotten."
        "Stop it first, and wait until it is departed or lost.";
    NOTHING_TO_RELOAD 6016
        "The coordinator was not started from a configuration."
        "Reload one that `moorline coordinator` runs.";
    NOT_RELOADED 6017
        "The configuration has an error: the coordinator goes on as before."
        "See what `moorline config check` says on its machine, and reload again.";
    NOT_CONNECTED 6018
        "The worker has no connection: there is nothing to end, and nobody to tell anything."
        "See why with `moorline worker explain`; unless it has left it comes back by itself.";
    NOT_MOVABLE 6019
        "The worker does not understand where it is told to go."
        "Give it a newer moorline; or have it dial that place by its own configuration, and restart it.";
    FOREIGN_PLACE 6020
        "The worker would not go there: a coordinator may name only hosts that it has proven to be."
        "Over TLS, name hosts of the coordinator's certificate; without it, only this machine's loopback addresses.";
    SCENARIO 7001
        "The file is no scenario of the simulator."
        "docs/scenarios.md has every key; `moorline sim plan --seed 42` prints a complete file.";
    CHAOS_SCRIPT 7101
        "The file is no script of the fault proxy."
        "docs/chaos-proxy.md has every key.";
    CHAOS_LISTEN 7102
        "The fault proxy cannot listen at its address."
        "Give --listen and --control addresses of this machine; the second one of its loopback interface.";
    CHAOS_IN_USE 7103
        "Another process listens where the fault proxy is to."
        "Stop the other process, or give another --listen or --control address.";
    CHAOS_REQUEST 7104
        "The request is not one that the fault proxy understands."
        "GET /status, or POST /set, /cut, /reset, /half-open, /one-way or /heal; see docs/chaos-proxy.md.";
}

impl Code {
    /// The number: 4001 is written `ML4001`.
    ///
    /// ```
    /// assert_eq!(moorline::Code::NO_SUCH_TASK.number(), 4001);
    /// ```
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Parses `ML4001`.
    ///
    /// ```
    /// use moorline::Code;
    ///
    /// assert_eq!(Code::parse("ML4001"), Some(Code::NO_SUCH_TASK));
    /// assert_eq!(Code::parse("4001"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("ML")?;
        let plain = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse().ok().map(Self)).flatten()
    }
}

impl From<&ConfigError> for Code {
    fn from(error: &ConfigError) -> Self {
        match error {
            ConfigError::BackoffBaseAboveCap { .. }
            | ConfigError::BackoffBaseTooShort { .. }
            | ConfigError::BackoffCapTooLong { .. } => Self::BACKOFF_DELAYS,
            ConfigError::BackoffMultiplier { .. } => Self::MULTIPLIER,
            ConfigError::JitterFloorAboveBase { .. } | ConfigError::JitterTooWide { .. } => {
                Self::JITTER
            }
            ConfigError::HeartbeatBounds { .. } | ConfigError::HeartbeatIntervalOutside { .. } => {
                Self::HEARTBEAT_INTERVAL
            }
            ConfigError::HeartbeatTimeoutBelowInterval { .. } | ConfigError::NoMisses => {
                Self::HEARTBEAT_TIMEOUT
            }
            ConfigError::TimeoutOutside { .. } => Self::TIMEOUT,
            // What nobody can set from outside, or what is newer than this table.
            ConfigError::LaneClosed { .. } | _ => Self::SETTING,
        }
    }
}

impl From<&HubConfigError> for Code {
    fn from(error: &HubConfigError) -> Self {
        match error {
            HubConfigError::SuspectAboveDisconnect { .. } => Self::SUSPECT_AFTER,
            HubConfigError::DisconnectAboveLost { .. } => Self::DISCONNECT_AFTER,
            HubConfigError::BeatRange { .. } => Self::LOST_AFTER_TOO_SHORT,
            HubConfigError::Zero { .. } => Self::TIMEOUT,
            HubConfigError::RegistrationRates { .. } | HubConfigError::LanesClosed { .. } | _ => {
                Self::SETTING
            }
        }
    }
}

impl From<Reason> for Code {
    fn from(reason: Reason) -> Self {
        Self(reason.code())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ML{:04}", self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
