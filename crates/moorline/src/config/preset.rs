//! The library's presets as settings: they hold where neither a flag, nor a variable, nor the file
//! says anything else.

use super::roles;
use super::table::Key;
use super::value::Value;
use crate::cli::values;
use crate::{Preset, Reconnect};

/// The names of the presets.
pub(super) const NAMES: &[&str] = &{
    let mut names = [""; Preset::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = Preset::ALL[at].name();
        at += 1;
    }
    names
};

/// The values in which a preset differs from what holds without it. A name that is none has none.
pub(super) fn values_of(name: &str) -> Vec<(Key, Value)> {
    let Ok(preset) = name.parse::<Preset>() else { return Vec::new() };
    let (interval, timeout) = preset.heartbeat();
    let mut all = vec![
        (Key::HeartbeatInterval, Value::Duration(interval)),
        (Key::HeartbeatTimeout, Value::Duration(timeout)),
        (Key::HeartbeatMisses, Value::Integer(preset.heartbeat_misses().into())),
        (Key::ConnectTimeout, Value::Duration(preset.connect_timeout())),
        (Key::MinStability, Value::Factor(preset.min_stability())),
    ];
    // Taken apart as a whole: what is added to it has to have a setting.
    let Reconnect {
        auto,
        attempts,
        initial,
        max,
        multiplier,
        jitter,
        first,
        stable_after,
        give_up_after,
        max_first_window,
    } = preset.reconnect();
    all.extend([
        (Key::ReconnectEnabled, Value::Bool(auto)),
        (Key::MaxAttempts, Value::Integer(attempts.into())),
        (Key::InitialDelay, Value::Duration(initial)),
        (Key::MaxDelay, Value::Duration(max)),
        (Key::Multiplier, Value::Factor(multiplier)),
        (Key::Jitter, Value::Text(values::jitter_text(jitter))),
        (Key::First, Value::Text(values::first_text(first).to_owned())),
        (Key::MaxFirstWindow, Value::Duration(max_first_window)),
        (Key::GiveUpAfter, Value::Duration(give_up_after.unwrap_or_default())),
    ]);
    all.retain(|(key, value)| key.setting().standard_value().as_ref() != Some(value));
    if stable_after != roles::stable_by_itself(timeout) {
        all.push((Key::StableAfter, Value::Duration(stable_after)));
    }
    all
}
