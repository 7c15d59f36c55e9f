use std::time::Duration;

use moorline_link::{First, Jitter};

use super::Reconnect;

#[test]
fn the_defaults_are_the_machines_own() {
    let parsed = Reconnect::forever().parse().unwrap();
    assert_eq!(parsed, moorline_link::Reconnect::default());
}

#[test]
fn every_setting_arrives_in_the_machines_policy() {
    let parsed = Reconnect::attempts(7)
        .initial(Duration::from_secs(5))
        .max(Duration::from_secs(40))
        .multiplier(1.5)
        .jitter(Jitter::None)
        .first(First::Backoff)
        .parse()
        .unwrap();
    assert_eq!(parsed.attempts_allowed(), 7);
    let delays: Vec<u128> =
        (1..=6).map(|n| parsed.backoff().delay(1, n, Duration::ZERO).as_millis()).collect();
    assert_eq!(delays, [5_000, 7_500, 11_250, 16_875, 25_312, 37_968]);
    assert_eq!(parsed.backoff().first(), First::Backoff);
}

#[test]
fn the_standard_floor_of_the_jitter_gives_way_to_a_short_initial_delay() {
    let short = Reconnect::forever().initial(Duration::from_millis(20)).parse().unwrap();
    assert_eq!(short.backoff().jitter(), Jitter::Full { floor: Duration::from_millis(20) });
    let explicit = Jitter::Full { floor: Duration::from_secs(2) };
    assert!(Reconnect::forever().jitter(explicit).parse().is_err());
}

#[test]
fn settings_that_make_no_sense_are_named() {
    for factor in [0.0, 0.999, 1_000.1, -2.0, f64::NAN, f64::INFINITY] {
        let error = Reconnect::forever().multiplier(factor).parse().unwrap_err();
        assert!(error.to_string().contains("multiplier"), "{factor}: {error}");
    }
    let error = Reconnect::forever().initial(Duration::from_secs(90)).parse().unwrap_err();
    assert!(error.to_string().contains("90s") && error.to_string().contains("60s"), "{error}");
}
