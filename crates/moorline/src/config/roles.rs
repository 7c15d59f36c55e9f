//! A configuration as calls of the library's builders, which parse what belongs together.

use std::num::{NonZeroU8, NonZeroU32};
use std::time::Duration;

use crate::cli::values;
use crate::coordinator::CoordinatorBuilder;
use crate::worker::WorkerBuilder;
use crate::{Coordinator, Reconnect, StoreAt, Worker};

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
        .log_repeat_every(config.duration(Key::LogRepeatEvery));
    if let Some(address) = config.text(Key::WorkerHealth) {
        builder = builder.health(address);
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
    for url in config.list(Key::Listen) {
        builder = builder.listen(url);
    }
    builder
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
