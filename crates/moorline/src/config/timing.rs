//! What the times mean together: when a loss is noticed, when a worker is back, when work is done
//! twice. Computed by the machines' own functions.

use std::time::Duration;

use moorline_link::Backoff;
use serde_json::json;

use super::Config;
use super::rules::{RULES, Verdict, machines, nearly};
use super::setting::Role;
use super::table::Key;
use super::value::duration;

/// Outages that are drawn.
const RUNS: u64 = 10_000;
/// How long each of them lasts.
const OUTAGE: Duration = Duration::from_secs(300);
/// Two dials keep this distance.
const SPACING: Duration = Duration::from_millis(100);

/// The figures of a configuration.
pub(crate) struct Timing {
    suspect: Duration,
    disconnected: Duration,
    silence: Duration,
    misses: u8,
    first: (Duration, Duration),
    longest: Duration,
    spread: String,
    back: Option<Back>,
    gave_up: u64,
    lost_after: Duration,
    checks: Vec<Check>,
}

/// When a worker is back after the coordinator is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Back {
    p50: Duration,
    p99: Duration,
}

struct Check {
    text: &'static str,
    left: Duration,
    right: Duration,
    holds: bool,
    code: crate::Code,
}

impl Timing {
    /// Of a configuration without errors; else there is nothing to compute.
    pub(crate) fn of(config: &Config) -> Option<Self> {
        let (link, hub) = machines(config)?;
        let interval = link.heartbeat.clamp(hub.beat_interval(link.heartbeat.interval(), 1));
        let backoff = link.reconnect.backoff();
        let limits = Limits {
            comes_back: config.flag(Key::ReconnectEnabled),
            attempts: link.reconnect.attempts_allowed(),
            time: config.limit(Key::GiveUpAfter),
        };
        let (back, gave_up) = simulate(backoff, limits);
        let firsts = (0..RUNS).map(|seed| backoff.first_delay(seed, None));
        Some(Self {
            suspect: hub.suspect_after(interval),
            disconnected: hub.disconnect_after(interval),
            silence: link.heartbeat.silence(interval),
            misses: link.heartbeat.misses(),
            first: firsts.fold((Duration::MAX, Duration::ZERO), |(least, most), delay| {
                (least.min(delay), most.max(delay))
            }),
            longest: backoff.max_delay(),
            spread: config.text(Key::Jitter).unwrap_or_default().to_owned(),
            back,
            gave_up,
            lost_after: config.duration(Key::LostAfter),
            checks: RULES
                .iter()
                .filter_map(|rule| {
                    let Verdict { left, right, holds } = rule.verdict(config)?;
                    Some(Check { text: rule.text, left, right, holds, code: rule.code })
                })
                .collect(),
        })
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let (first, last) = (rough(self.first.0), rough(self.first.1));
        let first = if first == last { first } else { format!("{first} to {last}") };
        let back = match self.back {
            Some(Back { p50, p99 }) if self.gave_up == 0 => format!(
                "p50 {}, p99 {} after the coordinator is back   (simulated, {RUNS} runs)",
                rough(p50),
                rough(p99)
            ),
            Some(Back { p50, p99 }) => format!(
                "p50 {}, p99 {} after the coordinator is back; {} of {RUNS} runs gave up before",
                rough(p50),
                rough(p99),
                self.gave_up
            ),
            None => "never: the worker gives up before   (simulated)".to_owned(),
        };
        let rows = [
            (
                "Detection of a dead worker",
                format!(
                    "{} suspect, {} disconnected",
                    duration(self.suspect),
                    duration(self.disconnected)
                ),
            ),
            (
                "Detection of a dead coordinator",
                format!("{} ({} missed acknowledgements)", duration(self.silence), self.misses),
            ),
            (
                "First retry after",
                format!("{first}; then up to {} ({} jitter)", duration(self.longest), self.spread),
            ),
            ("Reconnect after a 5 min outage", back),
            (
                "A task may run twice if",
                format!(
                    "its worker is cut off longer than {} and finishes meanwhile",
                    duration(self.lost_after)
                ),
            ),
        ];
        let mut text = String::new();
        for (name, value) in rows {
            text.push_str(&format!("{name:<33}  {value}\n"));
        }
        for (nth, check) in self.checks.iter().enumerate() {
            let name = if nth == 0 { "Checks" } else { "" };
            let mark = if check.holds { "ok".to_owned() } else { check.code.to_string() };
            let figures = format!("{} against {}", nearly(check.left), nearly(check.right));
            text.push_str(&format!("{name:<33}  {mark:<6}  {}   ({figures})\n", check.text));
        }
        text.trim_end().to_owned()
    }

    /// For programs; times in seconds.
    pub(crate) fn json(&self) -> serde_json::Value {
        let back = self
            .back
            .map(|back| json!({"p50_s": back.p50.as_secs_f64(), "p99_s": back.p99.as_secs_f64()}));
        let checks = self.checks.iter().map(|check| {
            json!({
                "check": check.text,
                "holds": check.holds,
                "left_s": check.left.as_secs_f64(),
                "right_s": check.right.as_secs_f64(),
                "code": check.code.to_string(),
            })
        });
        json!({
            "worker_suspect_after_s": self.suspect.as_secs_f64(),
            "worker_disconnected_after_s": self.disconnected.as_secs_f64(),
            "coordinator_silent_s": self.silence.as_secs_f64(),
            "missed_acknowledgements": self.misses,
            "first_retry_s": [self.first.0.as_secs_f64(), self.first.1.as_secs_f64()],
            "max_delay_s": self.longest.as_secs_f64(),
            "jitter": self.spread,
            "outage_s": OUTAGE.as_secs(),
            "back": back,
            "gave_up_runs": self.gave_up,
            "runs": RUNS,
            "twice_after_s": self.lost_after.as_secs_f64(),
            "checks": checks.collect::<Vec<_>>(),
        })
    }

    /// The roles it is about: both.
    pub(crate) const ROLES: [Role; 2] = [Role::Worker, Role::Coordinator];
}

/// What ends a worker's attempts.
#[derive(Clone, Copy)]
struct Limits {
    comes_back: bool,
    attempts: u32,
    time: Option<Duration>,
}

/// Outages of a coordinator whose address refuses connections at once, and how many workers gave up
/// in them. The draws are the same every time.
fn simulate(backoff: &Backoff, limits: Limits) -> (Option<Back>, u64) {
    let mut times: Vec<_> = (0..RUNS).filter_map(|seed| back(backoff, limits, seed)).collect();
    times.sort_unstable();
    let gave_up = RUNS - times.len() as u64;
    let at = |percent: usize| times.get(times.len() * percent / 100).copied();
    (at(50).zip(at(99)).map(|(p50, p99)| Back { p50, p99 }), gave_up)
}

/// How long after the end of the outage the dial comes that succeeds.
fn back(backoff: &Backoff, limits: Limits, seed: u64) -> Option<Duration> {
    if !limits.comes_back {
        return None;
    }
    let mut delay = backoff.first_delay(seed, None);
    let mut now = delay;
    let mut attempt = 1;
    while now < OUTAGE {
        if limits.attempts > 0 && attempt == limits.attempts {
            return None;
        }
        attempt += 1;
        delay = backoff.delay(seed, attempt, delay);
        now += delay.max(SPACING);
    }
    let in_time = limits.time.is_none_or(|limit| now < limit);
    in_time.then(|| now - OUTAGE)
}

/// A time to a tenth of a second, or to a second from ten on.
fn rough(time: Duration) -> String {
    let millis = time.as_millis();
    match millis {
        0..10_000 => format!("{:.1} s", time.as_secs_f64()),
        _ => format!("{:.0} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests;
