//! The table of settings: the one place that says what can be set. The file, the environment, the
//! flags, `moorline config`, the JSON Schema and docs/config.md are all made of it.
//!
//! Only what something reads has a row. Secrets have none: what is secret, such as the key of a certificate,
//! is read from a file that a setting names, and never written into the configuration.

use super::setting::{Setting, Standard};
use super::value::Kind;
use super::{checks, preset};
use crate::worker::JOURNAL_MAX_LEAST;
use Standard::{Is, Unset};

macro_rules! settings {
    ($($key:ident $path:literal $kind:expr, $standard:expr, $doc:literal
        $(=> $($method:ident($($argument:expr),*)),+)?;)*) => {
        /// A setting's name in code.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub(crate) enum Key {
            $(#[doc = $path] $key),*
        }

        /// Every setting, in the order of the file.
        pub(crate) const SETTINGS: &[Setting] = &[
            $(Setting::new(Key::$key, $path, $kind, $standard, $doc)
                $($(.$method($($argument),*))+)?),*
        ];
    };
}

impl Key {
    /// Its row.
    pub(crate) fn setting(self) -> &'static Setting {
        // The rows are in the order of the keys: one macro makes both.
        &SETTINGS[self as usize]
    }

    /// Its path in the file.
    pub(crate) fn path(self) -> &'static str {
        self.setting().path
    }
}

/// A time above zero.
const TIME: Kind = Kind::Duration { zero: false };
/// A time, or zero for none.
const TIME_OR_NONE: Kind = Kind::Duration { zero: true };
/// Any text.
const TEXT: Kind = Kind::Text(checks::any);

settings! {
    Listen "coordinator.listen" Kind::List,
        Unset {
            words: "grpc://127.0.0.1:8740 and ws://127.0.0.1:8743; with a certificate grpcs://127.0.0.1:8740, quic://127.0.0.1:8740 and wss://127.0.0.1:8743",
            example: "grpc://127.0.0.1:8740"
        },
        "Where workers come in, over grpc, grpcs, quic, ws or wss; several are served, and port 0 takes any free one. HOST:PORT alone means gRPC, with TLS if there is a certificate."
        => flag("listen"), named("URL");
    Advertise "coordinator.advertise" Kind::List,
        Unset { words: "none", example: "grpcs://standby.example.com:8740" },
        "Where workers are told that they find the coordinator too, in this order: another way in, or whoever takes its place with the same store. With TLS, on hosts that its certificate names; without, on this machine alone."
        => flag("advertise"), named("URL"), reloadable();
    CoordinatorDrain "coordinator.drain_timeout" TIME_OR_NONE, Is("30s"),
        "When the coordinator is told to stop, all workers are sent away within this time, no faster than they can register elsewhere; 0s is at once."
        => flag("drain-timeout");
    CoordinatorInsecure "coordinator.insecure" Kind::Bool, Is("false"),
        "Whether other machines may reach listeners without TLS, and be any worker; it holds only if --insecure is given too."
        => flag("insecure"), confirms();
    CoordinatorCertFile "coordinator.tls.cert" TEXT,
        Unset { words: "none", example: "/etc/moorline/coordinator.pem" },
        "The file with the coordinator's certificate and those that lead to its authority, as PEM; it is read again when it changes, like key and ca."
        => flag("tls-cert"), named("FILE");
    CoordinatorKeyFile "coordinator.tls.key" TEXT,
        Unset { words: "none", example: "/etc/moorline/coordinator.key" },
        "The file with the key of that certificate, as PEM."
        => flag("tls-key"), named("FILE");
    CoordinatorCaFile "coordinator.tls.ca" TEXT,
        Unset { words: "none: workers need no certificate", example: "/etc/moorline/workers-ca.pem" },
        "The file with the certificates of who signs workers' certificates, as PEM: with it no other worker is let in over TLS."
        => flag("tls-ca"), named("FILE");
    CertificatesOnly "coordinator.auth.certificates_only" Kind::Bool, Is("false"),
        "Whether only workers are let in whose certificate was seen and is good, by coordinator.tls.ca: nobody over grpc and ws."
        => flag("certificates-only"), asserts();
    CoordinatorTokens "coordinator.auth.join_token_file" TEXT,
        Unset { words: "none: workers need no token", example: "/etc/moorline/join-tokens" },
        "The file with the tokens that let workers in, one a line; it is read anew for each registration."
        => flag("join-token-file"), named("FILE");
    AdminListen "coordinator.admin.listen" TEXT, Is("127.0.0.1:8741"),
        "Where the admin API is served: for this machine only."
        => flag("admin-listen"), named("ADDRESS");
    Store "coordinator.store.url" Kind::Text(checks::store), Is("sqlite:moorline.db"),
        "Where tasks are kept: sqlite:FILE or memory."
        => flag("store"), named("STORE");
    TaskRetention "coordinator.store.task_retention" TIME, Is("7d"),
        "Finished tasks are kept for so long."
        => reloadable();
    TaskRetentionMax "coordinator.store.task_retention_max"
        Kind::Integer { min: 1, max: i64::MAX as u64 }, Is("1000000"),
        "At most so many finished tasks are kept."
        => reloadable();
    EventRetention "coordinator.store.event_retention" TIME, Is("7d"),
        "Events of tasks and workers are kept for so long."
        => reloadable();
    EventRetentionMax "coordinator.store.event_retention_max"
        Kind::Integer { min: 1, max: i64::MAX as u64 }, Is("1000000"),
        "At most so many events are kept; a store in memory keeps at most 65536."
        => reloadable();
    SuspectAfter "coordinator.liveness.suspect_after" TIME,
        Unset { words: "a ninth of lost_after, at most 10s", example: "10s" },
        "A worker not heard for so long is suspect; never less than two of its heartbeat intervals.";
    DisconnectAfter "coordinator.liveness.disconnect_after" TIME,
        Unset { words: "a sixth of lost_after, at most 15s", example: "15s" },
        "A worker not heard for so long is disconnected; never less than three of its heartbeat intervals.";
    LostAfter "coordinator.liveness.lost_after" TIME, Is("90s"),
        "A worker not heard for so long loses its leases, and its tasks are queued again."
        => flag("lost-after");
    ForgetAfter "coordinator.liveness.forget_after" TIME, Is("1d"),
        "A worker that was lost or left is listed for so long, and as long as it has a lease.";
    StartGrace "coordinator.liveness.start_grace" TIME_OR_NONE, Is("120s"),
        "Leases of an earlier life are kept at least so long after the start."
        => flag("start-grace");
    AcceptTimeout "coordinator.tasks.accept_timeout" TIME, Is("10s"),
        "A worker has so long to accept a task that was handed to it."
        => flag("accept-timeout");
    AdmissionRate "coordinator.admission.rate" Kind::Rate, Is("measured"),
        "How many registrations a second are taken when a fleet comes back: a number, or measured.";
    MaxHandshakes "coordinator.admission.max_handshakes" Kind::Integer { min: 1, max: u32::MAX as u64 },
        Is("64"),
        "So many workers may be registering at a time before others are given a later slot; half a second's worth of the rate, if that is more.";
    FlapLosses "coordinator.flapping.losses" Kind::Integer { min: 1, max: 16 }, Is("5"),
        "A worker that loses so many connections within the window is called flapping.";
    FlapWindow "coordinator.flapping.window" TIME, Is("10m"),
        "How far back lost connections count.";
    CoordinatorHealth "coordinator.health.listen" Kind::Text(checks::health_address),
        Unset { words: "only the admin API answers", example: "127.0.0.1:8742" },
        "Where health, metrics and status are served too, on a thread of their own."
        => flag("health-listen"), named("ADDRESS");
    MetricsPerWorker "metrics.per_worker" Kind::Bool, Is("false"),
        "Whether a coordinator's metrics also have each worker by name; many workers make that dear.";

    Coordinator "worker.coordinator" Kind::List,
        Unset { words: "none; it has to be given", example: "grpc://127.0.0.1:8740" },
        "The coordinator's URL, over grpc, grpcs, quic, ws or wss; several are tried in order, what worked last first. HOST or HOST:PORT alone is taken as transport says; with auto it means gRPC, with TLS if that is set up."
        => flag("coordinator"), aliases(&["master", "core-url"]), named("URL");
    EndpointOrder "worker.endpoint_order" Kind::Choice(&["ordered", "shuffled"]), Is("ordered"),
        "In which order coordinators are tried that are equally good: ordered, as given and told, or shuffled, in an order of this worker's own.";
    Transport "worker.transport" Kind::Choice(&["auto", "grpc", "quic", "websocket"]), Is("auto"),
        "How packets travel: auto by what each URL says; with a name all of them have to be its own, and one without scheme and port means its port, 8740 or for websocket 8743."
        => flag("transport");
    Proxy "worker.proxy" TEXT,
        Unset {
            words: "what HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say",
            example: "http://proxy.example.com:3128"
        },
        "The HTTP proxy through which ws and wss are reached, or none. One that wants a password is named by HTTPS_PROXY or HTTP_PROXY."
        => flag("proxy"), named("URL");
    WorkerInsecure "worker.insecure" Kind::Bool, Is("false"),
        "Whether the worker may talk to coordinators on other machines without TLS; it holds only if --insecure is given too."
        => flag("insecure"), confirms();
    Name "worker.name" TEXT, Unset { words: "the host name", example: "gpu-1" },
        "The worker's name; two live workers cannot have the same."
        => flag("name"), aliases(&["worker-id"]), named("NAME");
    Slots "worker.slots" Kind::Integer { min: 1, max: u16::MAX as u64 }, Is("1"),
        "How many tasks run at once."
        => flag("slots"), named("K");
    DataDir "worker.data_dir" TEXT,
        Unset {
            words: "$XDG_STATE_HOME/moorline/worker/NAME, else ~/.local/state/moorline/worker/NAME",
            example: "/var/lib/moorline/worker/gpu-1"
        },
        "Where the worker's identity, its lock and the journal of its results are."
        => flag("data-dir"), named("DIR");
    Handlers "worker.handlers" Kind::Map, Unset { words: "none", example: "resize=node resize.js" },
        "Tasks of type NAME are run by this command, without a shell: input on stdin, result on stdout, exit code 0 ok, 64-78 fatal, other retryable."
        => flag("handler");
    TaskTimeout "worker.task_timeout" TIME_OR_NONE, Is("0s"),
        "How long an attempt may run when its task does not say; 0s is no limit."
        => flag("task-timeout");
    DrainTimeout "worker.drain_timeout" TIME, Is("30s"),
        "How long running tasks may take to end when the worker is told to stop."
        => flag("drain-timeout"), reloadable();
    JoinToken "worker.join_token_file" TEXT,
        Unset { words: "none", example: "/run/secrets/join-token" },
        "The file with the token that the worker shows, for coordinators that want one; it is read anew for each attempt to connect."
        => flag("join-token-file"), named("FILE");
    Preset "worker.preset" Kind::Choice(preset::NAMES), Is("production"),
        "Which set of values holds where nothing else is said: below the file, above the defaults."
        => flag("preset"), named("PRESET");
    WorkerCaFile "worker.tls.ca" TEXT,
        Unset { words: "whom the system trusts", example: "/etc/moorline/ca.pem" },
        "The file with the certificates of who signs the coordinator's certificate, as PEM; it is read again when it changes, like cert and key."
        => flag("tls-ca"), named("FILE");
    WorkerCertFile "worker.tls.cert" TEXT,
        Unset { words: "none", example: "/etc/moorline/gpu-1.pem" },
        "The file with the worker's certificate, as PEM: for coordinators that ask for one."
        => flag("tls-cert"), named("FILE");
    WorkerKeyFile "worker.tls.key" TEXT,
        Unset { words: "none", example: "/etc/moorline/gpu-1.key" },
        "The file with the key of that certificate, as PEM."
        => flag("tls-key"), named("FILE");
    WorkerHealth "worker.health.listen" Kind::Text(checks::health_address),
        Unset { words: "not at all", example: "127.0.0.1:8742" },
        "Where health, metrics and status are served, on a thread of their own."
        => flag("health-listen"), named("ADDRESS");
    MaxControlSilence "worker.health.max_control_silence" TIME, Is("30s"),
        "An active link that was not proven by a round trip for so long is not ready any more.";
    HeartbeatInterval "worker.heartbeat.interval" TIME, Is("5s"),
        "A heartbeat every so long; the coordinator may assign another interval."
        => flag("heartbeat-interval");
    HeartbeatTimeout "worker.heartbeat.timeout" TIME, Is("15s"),
        "Without any answer for so long the connection is given up."
        => flag("heartbeat-timeout");
    HeartbeatMisses "worker.heartbeat.misses" Kind::Integer { min: 1, max: u8::MAX as u64 }, Is("3"),
        "So many heartbeats in a row without an answer end the connection, if that takes longer than the timeout.";
    ReconnectEnabled "worker.reconnect.enabled" Kind::Bool, Is("true"),
        "Whether the worker comes back at all; if not, the first loss or failed dial ends it."
        => flag("no-reconnect"), negates();
    InitialDelay "worker.reconnect.initial_delay" TIME, Is("1s"),
        "The delay before the first retry."
        => flag("reconnect-initial-delay");
    MaxDelay "worker.reconnect.max_delay" TIME, Is("60s"),
        "The longest delay between two retries."
        => flag("reconnect-max-delay");
    Multiplier "worker.reconnect.multiplier" Kind::Factor, Is("2.0"),
        "Each delay is so many times the one before: 1 to 1000."
        => flag("reconnect-multiplier");
    Jitter "worker.reconnect.jitter" Kind::Jitter, Is("full"),
        "How delays are spread: full, none, equal, decorrelated, or a fraction such as 0.2."
        => flag("reconnect-jitter");
    First "worker.reconnect.first" Kind::Choice(&["window", "backoff", "immediate"]), Is("window"),
        "What the first dial after a loss waits for: window (set by the coordinator), backoff or immediate."
        => flag("reconnect-first"), named("FIRST");
    StableAfter "worker.reconnect.stable_after" TIME_OR_NONE,
        Unset { words: "twice heartbeat.timeout", example: "30s" },
        "The delays start anew after the connection was active for so long.";
    MaxAttempts "worker.reconnect.max_attempts" Kind::Integer { min: 0, max: u32::MAX as u64 }, Is("0"),
        "Give up after so many dials without success; 0 is never."
        => flag("max-reconnect-attempts");
    GiveUpAfter "worker.reconnect.give_up_after" TIME_OR_NONE, Is("0s"),
        "Give up when an outage lasts so long; 0s is never."
        => flag("give-up-after");
    OnGiveUp "worker.reconnect.on_give_up" Kind::Choice(&["exit", "stay"]), Is("exit"),
        "What a worker does that gave up: exit, or stay without a connection until it is told to stop."
        => flag("on-give-up"), named("exit|stay"), reloadable();
    MaxFirstWindow "worker.reconnect.max_first_window" TIME_OR_NONE, Is("10m"),
        "The longest time over which a coordinator may have the first dial after a loss spread.";
    ConnectTimeout "worker.reconnect.connect_timeout" TIME, Is("10s"),
        "A dial with all its addresses may take so long."
        => flag("connect-timeout");
    RegisterTimeout "worker.reconnect.register_timeout" TIME, Is("10s"),
        "The coordinator has so long to answer the registration.";
    RestoreTimeout "worker.reconnect.restore_timeout" TIME, Is("30s"),
        "Telling the coordinator what is still held has to make progress within this time.";
    JournalMax "worker.disconnected.journal_max" Kind::Size { min: JOURNAL_MAX_LEAST }, Is("256MiB"),
        "Results that are not answered yet are kept in the data directory up to this size, each with 64 bytes more than it has: while there is no room for one, no task starts in its slot."
        => flag("journal-max");
    MinStability "worker.quality.min_stability" Kind::Factor, Is("0.7"),
        "A link that was up for less than this share of the last 10 min is called degraded: 0 to 1.";
    MaxRoundTrip "worker.quality.max_round_trip" TIME, Is("1s"),
        "A link whose heartbeats take longer to be answered than this is called degraded.";

    LogFormat "log.format" Kind::Choice(&["auto", "pretty", "logfmt", "json"]), Is("auto"),
        "How log lines on stderr look: auto, which is pretty on a terminal and json elsewhere, or always pretty, logfmt or json."
        => flag("log-format"), named("FORMAT"), reloadable();
    LogLevel "log.level" Kind::Text(checks::log_filter), Is("info"),
        "What is logged: error, warn, info, debug, trace, or directives such as info,moorline_driver=debug."
        => flag("log-level"), named("LEVEL"), reloadable();
    LogRepeatEvery "log.repeat_every" TIME, Is("30s"),
        "What lasts, such as an outage, is summed up in a server's log this often."
        => flag("log-repeat-every"), reloadable();
}

#[cfg(test)]
mod tests;
