//! What is wrong with values that fit their kinds: what the library's builders refuse, and what no
//! single machine sees because it is about two of them.

mod files;

use std::time::Duration;

use moorline_link::{HubConfig, LinkConfig};
use moorline_transport::ListenError;

use super::Config;
use super::problem::{Level, Problem};
use super::roles;
use super::setting::Role;
use super::table::Key;
use super::value::duration;
use crate::process::ProcessGroups;
use crate::{Code, Error, Worker};

/// A comparison that has to hold.
pub(super) struct Rule {
    /// The code of its violation.
    pub(super) code: Code,
    /// As it is written: `lost_after > max_delay + connect_timeout + register_timeout`.
    pub(super) text: &'static str,
    /// What it is about.
    keys: &'static [Key],
    /// What it means when it does not hold.
    level: Level,
    /// Both sides of it; the first has to be longer, or as long where `or_equal`. Nothing where the
    /// machines that say cannot be made, which is a problem of its own.
    sides: fn(&Config) -> Option<(Duration, Duration)>,
    or_equal: bool,
    /// What to set, with numbers.
    hint: fn(Duration) -> String,
}

/// How a rule came out.
pub(super) struct Verdict {
    pub(super) holds: bool,
    pub(super) left: Duration,
    pub(super) right: Duration,
}

/// Every rule.
pub(super) const RULES: &[Rule] = &[
    Rule {
        code: Code::HEARTBEAT_TIMEOUT,
        text: "heartbeat.timeout > 2 x heartbeat.interval",
        keys: &[Key::HeartbeatTimeout, Key::HeartbeatInterval],
        level: Level::Error,
        sides: |config| {
            let twice = config.duration(Key::HeartbeatInterval).saturating_mul(2);
            Some((config.duration(Key::HeartbeatTimeout), twice))
        },
        or_equal: false,
        hint: |right| {
            let three = duration(right / 2 * 3);
            format!(
                "One late answer would end the connection: set heartbeat.timeout to {three} or more."
            )
        },
    },
    Rule {
        code: Code::STABLE_AFTER,
        text: "reconnect.stable_after >= 2 x heartbeat.timeout",
        keys: &[Key::StableAfter, Key::HeartbeatTimeout],
        level: Level::Warning,
        sides: |config| {
            let twice = config.duration(Key::HeartbeatTimeout).saturating_mul(2);
            Some((roles::stable_after(config), twice))
        },
        or_equal: true,
        hint: |right| {
            format!(
                "A connection that dies at its first heartbeats would begin the delays anew: leave it out, or set {} or more.",
                duration(right)
            )
        },
    },
    Rule {
        code: Code::LOST_BEFORE_BACK,
        text: "lost_after > max_delay + connect_timeout + register_timeout",
        keys: &[Key::LostAfter, Key::MaxDelay, Key::ConnectTimeout, Key::RegisterTimeout],
        level: Level::Error,
        sides: |config| {
            let back = config
                .duration(Key::MaxDelay)
                .saturating_add(config.duration(Key::ConnectTimeout))
                .saturating_add(config.duration(Key::RegisterTimeout));
            Some((config.duration(Key::LostAfter), back))
        },
        or_equal: false,
        hint: |right| {
            let more = duration(right.saturating_add(Duration::from_secs(10)));
            format!(
                "A worker's tasks would be given away while it still waits to come back, and be done twice: set coordinator.liveness.lost_after to {more}, or worker.reconnect.max_delay lower."
            )
        },
    },
    Rule {
        code: Code::LOST_AFTER_TOO_SHORT,
        text: "disconnect_after > the interval a worker keeps",
        keys: &[Key::LostAfter, Key::DisconnectAfter, Key::HeartbeatInterval],
        level: Level::Error,
        sides: |config| {
            let (link, hub) = machines(config)?;
            let assigned = hub.beat_interval(link.heartbeat.interval(), 1);
            Some((hub.disconnect_after(assigned), link.heartbeat.clamp(assigned)))
        },
        or_equal: false,
        hint: |right| {
            format!(
                "Every worker would be disconnected between two of its heartbeats: set coordinator.liveness.lost_after to {} or more, or worker.heartbeat.interval lower (also in the coordinator's own configuration, which cannot ask its workers).",
                duration(right.saturating_mul(3))
            )
        },
    },
    Rule {
        code: Code::START_GRACE,
        text: "start_grace >= lost_after",
        keys: &[Key::StartGrace, Key::LostAfter],
        level: Level::Warning,
        sides: |config| Some((config.duration(Key::StartGrace), config.duration(Key::LostAfter))),
        or_equal: true,
        hint: |right| {
            format!(
                "Leases of an earlier life are kept for lost_after in any case: set start_grace to {} or more.",
                duration(right)
            )
        },
    },
];

impl Rule {
    /// How it comes out.
    pub(super) fn verdict(&self, config: &Config) -> Option<Verdict> {
        let (left, right) = (self.sides)(config)?;
        let holds = left > right || (self.or_equal && left == right);
        Some(Verdict { holds, left, right })
    }

    /// Whether a process of this role has to mind.
    fn concerns(&self, role: Role) -> bool {
        self.keys.iter().any(|key| key.setting().role() == Some(role))
    }

    /// An error only where this configuration speaks for both sides: of the other host's nothing
    /// is known but the defaults. That no default worker could be kept is certain, though.
    fn level(&self, config: &Config) -> Level {
        let is_chosen = |role: Role| {
            let mut own = self.keys.iter().filter(|key| key.setting().role() == Some(role));
            own.clone().next().is_none() || own.any(|&key| config.is_given(key))
        };
        let both = is_chosen(Role::Worker) && is_chosen(Role::Coordinator);
        if both || self.code == Code::LOST_AFTER_TOO_SHORT { self.level } else { Level::Warning }
    }

    fn violation(&self, config: &Config) -> Option<Problem> {
        let Verdict { holds, left, right } = self.verdict(config)?;
        if holds {
            return None;
        }
        let relation = if self.or_equal { "shorter than" } else { "not longer than" };
        let text = format!(
            "`{}` does not hold: {} is {relation} {}",
            self.text,
            nearly(left),
            nearly(right)
        );
        let problem =
            Problem::new(self.code, text).hint((self.hint)(right)).level(self.level(config));
        Some(config.point(problem, self.keys))
    }
}

/// A time to the millisecond: shares of others have more digits than anybody wants to read.
pub(super) fn nearly(time: Duration) -> String {
    let millis = (time.as_nanos() + 500_000) / 1_000_000;
    duration(u64::try_from(millis).map_or(time, Duration::from_millis))
}

/// The machines of a configuration whose values make sense by themselves.
pub(super) fn machines(config: &Config) -> Option<(LinkConfig, HubConfig)> {
    let link = roles::worker(config).link_config().ok()?;
    let hub = roles::coordinator(config).hub_config().ok()?;
    Some((link, hub))
}

impl Config {
    /// Everything that is wrong for processes of these roles.
    pub(crate) fn problems(&self, roles: &[Role]) -> Vec<Problem> {
        let mut problems = Vec::new();
        for &role in roles {
            problems.extend(self.tokens(role));
            let errors = match role {
                Role::Worker => self.worker_errors(&mut problems),
                Role::Coordinator => {
                    problems.extend(self.unproven());
                    problems.extend(self.nobody_let_in());
                    roles::coordinator(self).problems()
                }
            };
            problems.extend(errors.iter().map(|error| self.refused(role, error)));
            let warning = match role {
                Role::Worker => roles::worker(self).warning(),
                Role::Coordinator => roles::coordinator(self).warning(),
            };
            let warning = warning.map(|error| self.refused(role, &error).level(Level::Warning));
            problems.extend(warning);
        }
        // What a builder has refused is not told again.
        let refused: Vec<_> = problems.iter().map(|problem| problem.code).collect();
        let rules = RULES
            .iter()
            .filter(|rule| roles.iter().any(|&role| rule.concerns(role)))
            .filter(|rule| !refused.contains(&rule.code));
        problems.extend(rules.filter_map(|rule| rule.violation(self)));
        if roles.contains(&Role::Worker) {
            problems.extend(self.without_effect());
        }
        problems
    }

    fn worker_errors(&self, problems: &mut Vec<Problem>) -> Vec<Error> {
        let mut errors = roles::worker(self).problems();
        if self.list(Key::Coordinator).is_empty() {
            problems.push(missing(Key::Coordinator));
            // The empty text in its place is no URL either.
            errors.retain(|error| !matches!(error, Error::Endpoint(_)));
        }
        for (name, command) in self.map(Key::Handlers) {
            match Worker::builder("").command(name, command, &ProcessGroups::new()) {
                Ok(alone) => errors.extend(
                    alone
                        .problems()
                        .into_iter()
                        .filter(|error| !matches!(error, Error::Endpoint(_))),
                ),
                Err(error) => errors.push(error),
            }
        }
        errors
    }

    /// What a builder refused, with where its values came from.
    fn refused(&self, role: Role, error: &Error) -> Problem {
        let text = if let Error::Setting { problem, .. } = error {
            problem.clone()
        } else {
            error.to_string()
        };
        let keys = about(role, error);
        let problem = Problem::new(error.code(), text + self.half_insecure(error.code()));
        let problem = match keys {
            [key] if error.code() == Code::SETTING => problem.hint(key.setting().such_as()),
            _ => problem,
        };
        // A proxy may be refused for the password in it.
        if keys == [Key::Proxy] {
            return problem.at(Key::Proxy.path(), self.origin(Key::Proxy));
        }
        // Of files that cannot be used, those there are.
        if matches!(error, Error::Tls(_)) {
            let given: Vec<_> = keys.iter().copied().filter(|&key| self.is_given(key)).collect();
            return self.point(problem, &given);
        }
        self.point(problem, keys)
    }

    /// What is missing where only one half was said of what takes two.
    fn half_insecure(&self, code: Code) -> &'static str {
        let key = if code == Code::LISTEN_NOT_LOOPBACK {
            Key::CoordinatorInsecure
        } else if code == Code::DIAL_IN_CLEAR {
            Key::WorkerInsecure
        } else {
            return "";
        };
        match (self.confirmed.contains(&key), self.flag(key)) {
            (true, false) => {
                "; --insecure alone does not allow that: the configuration has to, too"
            }
            (false, true) => {
                "; the configuration alone does not allow that: --insecure has to, too"
            }
            (true, true) | (false, false) => "",
        }
    }

    /// A problem with these settings, their values and where those came from.
    fn point(&self, problem: Problem, keys: &[Key]) -> Problem {
        keys.iter().fold(problem, |problem, &key| {
            let what = match self.get(key) {
                Some(value) => format!("{} = {}", key.path(), value.toml()),
                None => format!("{}: {}", key.path(), key.setting().standard_words()),
            };
            problem.at(what, self.origin(key))
        })
    }

    /// Limits of a way back that is turned off.
    fn without_effect(&self) -> Option<Problem> {
        let limits = [Key::MaxAttempts, Key::GiveUpAfter];
        let given: Vec<_> = limits.into_iter().filter(|&key| self.is_given(key)).collect();
        if self.flag(Key::ReconnectEnabled) || given.is_empty() {
            return None;
        }
        let text = "a worker that never reconnects has nothing to give up";
        let problem = Problem::new(Code::NO_EFFECT, text).level(Level::Warning);
        let all = std::iter::once(Key::ReconnectEnabled).chain(given);
        Some(all.fold(problem, |problem, key| problem.at(key.path(), self.origin(key))))
    }
}

fn missing(key: Key) -> Problem {
    let row = key.setting();
    let flag = row.flag.map(|flag| format!("--{}, ", flag.long)).unwrap_or_default();
    let text = format!("`{}` is not set", row.path);
    Problem::new(Code::MISSING_SETTING, text).hint(format!(
        "Give it with {flag}{}, or in the file, such as {} = {}.",
        row.variable(),
        row.path,
        row.example().map(|value| value.toml()).unwrap_or_default()
    ))
}

/// The settings that an error of a builder is about.
fn about(role: Role, error: &Error) -> &'static [Key] {
    let by_name: &[(&str, &[Key])] = match role {
        Role::Worker => &[
            ("name", &[Key::Name]),
            ("transport", &[Key::Coordinator, Key::Transport]),
            ("proxy", &[Key::Proxy]),
            ("slots", &[Key::Slots]),
            ("coordinator", &[Key::Coordinator]),
            ("heartbeat", &[Key::HeartbeatTimeout, Key::HeartbeatInterval]),
            ("health-listen", &[Key::WorkerHealth]),
            ("reconnect", &[Key::InitialDelay, Key::MaxDelay, Key::Multiplier, Key::Jitter]),
            ("reconnect multiplier", &[Key::Multiplier]),
            ("task", &[Key::Handlers]),
            ("handler", &[Key::Handlers]),
            ("quality", &[Key::MinStability, Key::MaxRoundTrip]),
            ("timeouts", &[Key::ConnectTimeout, Key::RegisterTimeout, Key::RestoreTimeout]),
        ],
        Role::Coordinator => &[
            ("admin-listen", &[Key::AdminListen]),
            ("advertise", &[Key::Advertise]),
            ("health-listen", &[Key::CoordinatorHealth]),
            ("lost-after", &[Key::LostAfter]),
            ("flapping", &[Key::FlapWindow]),
            ("forget-after", &[Key::ForgetAfter]),
            ("coordinator", &[Key::StartGrace, Key::AcceptTimeout]),
        ],
    };
    let by_code: &[(Code, &[Key])] = &[
        (Code::BACKOFF_DELAYS, &[Key::InitialDelay, Key::MaxDelay]),
        (Code::MULTIPLIER, &[Key::Multiplier]),
        (Code::JITTER, &[Key::Jitter, Key::InitialDelay]),
        (Code::HEARTBEAT_INTERVAL, &[Key::HeartbeatInterval]),
        (Code::SUSPECT_AFTER, &[Key::SuspectAfter, Key::DisconnectAfter]),
        (Code::DISCONNECT_AFTER, &[Key::DisconnectAfter, Key::LostAfter]),
    ];
    if let Some((_, keys)) = by_code.iter().find(|(code, _)| *code == error.code()) {
        return keys;
    }
    match (role, error) {
        (Role::Worker, Error::InClear { .. }) => return &[Key::Coordinator, Key::WorkerInsecure],
        (Role::Worker, Error::Tls(_)) => {
            return &[Key::WorkerCertFile, Key::WorkerKeyFile, Key::WorkerCaFile];
        }
        (Role::Coordinator, Error::Listen(ListenError::NotLoopback { .. })) => {
            return &[Key::Listen, Key::CoordinatorInsecure];
        }
        (Role::Coordinator, Error::Tls(_)) => {
            return &[Key::CoordinatorCertFile, Key::CoordinatorKeyFile, Key::CoordinatorCaFile];
        }
        (Role::Coordinator, Error::Listen(ListenError::NoCertificate { .. })) => {
            return &[Key::Listen, Key::CoordinatorCertFile, Key::CoordinatorKeyFile];
        }
        _ => {}
    }
    let Error::Setting { setting, .. } = error else {
        return match role {
            Role::Worker => &[Key::Coordinator],
            Role::Coordinator => &[Key::Listen],
        };
    };
    by_name.iter().find(|(name, _)| name == setting).map_or(&[], |(_, keys)| keys)
}

#[cfg(test)]
mod tests;
