use std::time::Duration;

use moorline_link::{First, Jitter};

use super::Preset;
use crate::Code;

/// The delays before the first six dials, in milliseconds, where the draw leaves no choice.
fn longest(preset: Preset) -> Vec<u128> {
    let parsed = preset.reconnect().jitter(Jitter::None).first(First::Backoff).parse().unwrap();
    (1..=6).map(|n| parsed.backoff().delay(1, n, Duration::ZERO).as_millis()).collect()
}

#[test]
fn a_preset_is_written_as_it_is_read() {
    for &preset in Preset::ALL {
        assert_eq!(preset.to_string().parse::<Preset>().unwrap(), preset);
        assert_eq!(preset.name(), preset.to_string());
    }
    let error = "staging".parse::<Preset>().unwrap_err();
    assert_eq!(error.code(), Code::SETTING);
    let text = error.to_string();
    assert!(text.contains("`staging`") && text.contains("edge, agent"), "{text}");
}

#[test]
fn each_preset_has_the_values_it_promises() {
    let attempts = |preset: Preset| preset.reconnect().parse().unwrap().attempts_allowed();
    assert_eq!(longest(Preset::Production), [1_000, 2_000, 4_000, 8_000, 16_000, 32_000]);
    assert_eq!(attempts(Preset::Production), 0);
    assert_eq!(longest(Preset::Development), [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
    assert_eq!(attempts(Preset::Development), 5);
    assert_eq!(longest(Preset::Edge), [500, 1_000, 2_000, 4_000, 8_000, 16_000]);
    let edge = *Preset::Edge.reconnect().parse().unwrap().backoff();
    assert_eq!(edge.jitter(), Jitter::Proportional { ppm: 100_000 });
    assert_eq!(edge.max_delay(), Duration::from_secs(30));
    let heartbeat = (Duration::from_secs(3), Duration::from_secs(10));
    assert_eq!(Preset::Edge.heartbeat(), heartbeat);
    // The document of the agent's original: 5, 10, 20, 40, 60, 60, to the millisecond.
    let agent = *Preset::Agent.reconnect().parse().unwrap().backoff();
    assert_eq!((agent.jitter(), agent.first()), (Jitter::None, First::Backoff));
    assert_eq!(longest(Preset::Agent), [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
}
