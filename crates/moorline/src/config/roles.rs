//! A configuration as calls of the library's builders, which parse what belongs together.

use std::num::{NonZeroU8, NonZeroU32};
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::values;
use crate::coordinator::CoordinatorBuilder;
use crate::reach::Only;
use crate::worker::WorkerBuilder;
use crate::{Coordinator, Reconnect, StoreAt, TlsFiles, Worker};

use super::Config;
use super::table::Key;

/// A worker without handlers, name and data directory.
pub(super) fn worker(config: &Config) -> WorkerBuilder {
    let mut urls = config.list(Key::Coordinator).iter();
    let mut builder = Worker::builder(urls.next().cloned().unwrap_or_default())
        .slots(u16::try_from(config.integer(Key::Slots)).unwrap_or(u16::MAX))
        .heartbeat(config.duration(Key::HeartbeatInterval), config.duration(Key::HeartbeatTimeout))
        .reconnect(reconnect(config))
        .connect_timeout(config.duration(Key::ConnectTimeout))
        .register_timeout(config.duration(Key::RegisterTimeout))
        .restore_timeout(config.duration(Key::RestoreTimeout))
        .min_stability(config.factor(Key::MinStability))
        .max_round_trip(config.duration(Key::MaxRoundTrip))
        .heartbeat_misses(u8::try_from(config.integer(Key::HeartbeatMisses)).unwrap_or(u8::MAX))
        .drain_timeout(config.duration(Key::DrainTimeout))
        .max_control_silence(config.duration(Key::MaxControlSilence))
        .journal_max(config.size(Key::JournalMax))
        .log_repeat_every(config.duration(Key::LogRepeatEvery));
    builder = builder
        .insecure(config.is_confirmed(Key::WorkerInsecure))
        .tls(tls(config, [Key::WorkerCertFile, Key::WorkerKeyFile, Key::WorkerCaFile]));
    let shuffles = config.text(Key::EndpointOrder) == Some("shuffled");
    builder = builder.shuffle_coordinators(shuffles);
    if let Some(only) = config.text(Key::Transport).and_then(Only::parse) {
        builder = builder.only(only);
    }
    if let Some(proxy) = config.text(Key::Proxy) {
        builder = builder.proxy(proxy);
    }
    if let Some(address) = config.text(Key::WorkerHealth) {
        builder = builder.health(address);
    }
    if let Some(file) = config.text(Key::JoinToken) {
        builder = builder.join_token_file(file);
    }
    for url in urls {
        builder = builder.coordinator(url);
    }
    if let Some(name) = config.text(Key::Name) {
        builder = builder.name(name);
    }
    if let Some(timeout) = config.limit(Key::TaskTimeout) {
        builder = builder.task_timeout(timeout);
    }
    builder
}

/// How the worker comes back.
fn reconnect(config: &Config) -> Reconnect {
    let base = if config.flag(Key::ReconnectEnabled) {
        Reconnect::attempts(u32::try_from(config.integer(Key::MaxAttempts)).unwrap_or(u32::MAX))
    } else {
        Reconnect::off()
    };
    let mut reconnect = base
        .initial(config.duration(Key::InitialDelay))
        .max(config.duration(Key::MaxDelay))
        .multiplier(config.factor(Key::Multiplier))
        .max_first_window(config.duration(Key::MaxFirstWindow))
        .stable_after(stable_after(config));
    // Both were read by these very functions.
    if let Some(jitter) = config.text(Key::Jitter).and_then(|text| values::jitter(text).ok()) {
        reconnect = reconnect.jitter(jitter);
    }
    if let Some(first) = config.text(Key::First).and_then(|text| values::first(text).ok()) {
        reconnect = reconnect.first(first);
    }
    match config.limit(Key::GiveUpAfter) {
        Some(limit) => reconnect.give_up_after(limit),
        None => reconnect,
    }
}

/// 30 s with the standard timeout: longer than any detector, so that a link which dies at its first
/// heartbeats does not begin anew (P04).
pub(super) fn stable_after(config: &Config) -> Duration {
    let standard = stable_by_itself(config.duration(Key::HeartbeatTimeout));
    config.time(Key::StableAfter).unwrap_or(standard)
}

/// What holds when nobody says anything.
pub(super) fn stable_by_itself(heartbeat_timeout: Duration) -> Duration {
    heartbeat_timeout.saturating_mul(2)
}

/// A coordinator.
pub(super) fn coordinator(config: &Config) -> CoordinatorBuilder {
    // Their kinds have ranges within these, from 1 on.
    let handshakes = u32::try_from(config.integer(Key::MaxHandshakes)).ok();
    let losses = u8::try_from(config.integer(Key::FlapLosses)).ok();
    let mut builder = Coordinator::builder()
        .lost_after(config.duration(Key::LostAfter))
        .start_grace(config.duration(Key::StartGrace))
        .accept_timeout(config.duration(Key::AcceptTimeout))
        .drain_timeout(config.duration(Key::CoordinatorDrain))
        .max_handshakes(handshakes.and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN))
        .flapping(
            losses.and_then(NonZeroU8::new).unwrap_or(NonZeroU8::MIN),
            config.duration(Key::FlapWindow),
        )
        .keep_finished(config.duration(Key::TaskRetention), config.integer(Key::TaskRetentionMax))
        .keep_events(config.duration(Key::EventRetention), config.integer(Key::EventRetentionMax))
        .forget_after(config.duration(Key::ForgetAfter))
        .metrics_per_worker(config.flag(Key::MetricsPerWorker))
        .log_repeat_every(config.duration(Key::LogRepeatEvery));
    // It was read by this very function.
    let rate = config.text(Key::AdmissionRate).map(values::registration_rate);
    if let Some(Ok(Some(rate))) = rate {
        builder = builder.registration_rate(rate);
    }
    if let Some(address) = config.text(Key::CoordinatorHealth) {
        builder = builder.health(address);
    }
    if let Some(store) = config.text(Key::Store).and_then(|text| text.parse::<StoreAt>().ok()) {
        builder = builder.store(store);
    }
    if let Some(address) = config.text(Key::AdminListen) {
        builder = builder.admin(address);
    }
    if let Some(time) = config.time(Key::SuspectAfter) {
        builder = builder.suspect_after(time);
    }
    if let Some(time) = config.time(Key::DisconnectAfter) {
        builder = builder.disconnect_after(time);
    }
    builder = builder.insecure(config.is_confirmed(Key::CoordinatorInsecure)).tls(tls(
        config,
        [Key::CoordinatorCertFile, Key::CoordinatorKeyFile, Key::CoordinatorCaFile],
    ));
    let standard: &[&str] =
        if config.text(Key::CoordinatorCertFile).is_some() { &LISTEN_TLS } else { &LISTEN };
    let given = config.list(Key::Listen).iter().map(String::as_str);
    let standard = standard.iter().copied().filter(|_| !config.is_given(Key::Listen));
    for url in given.chain(standard) {
        builder = builder.listen(url);
    }
    if let Some(file) = config.text(Key::CoordinatorTokens) {
        builder = builder.join_token_file(file);
    }
    builder = builder.certificates_only(config.flag(Key::CertificatesOnly));
    for url in config.list(Key::Advertise) {
        builder = builder.advertise(url);
    }
    builder
}

/// Where a coordinator listens when nobody says: QUIC is there only with a certificate, for it has TLS
/// always.
const LISTEN: [&str; 2] = ["grpc://127.0.0.1:8740", "ws://127.0.0.1:8743"];
const LISTEN_TLS: [&str; 3] =
    ["grpcs://127.0.0.1:8740", "quic://127.0.0.1:8740", "wss://127.0.0.1:8743"];

/// The files of one side: certificate, key, authorities.
fn tls(config: &Config, keys: [Key; 3]) -> TlsFiles {
    let [cert, key, ca] = keys.map(|key| config.text(key).map(PathBuf::from));
    TlsFiles { cert, key, ca }
}

impl Config {
    /// A worker of this configuration, without its handlers and its data directory.
    pub(crate) fn worker(&self) -> WorkerBuilder {
        worker(self)
    }

    /// A coordinator of this configuration.
    pub(crate) fn coordinator(&self) -> CoordinatorBuilder {
        coordinator(self)
    }
}
