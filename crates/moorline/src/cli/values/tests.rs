use std::time::Duration;

use moorline_link::{First, Jitter};

use super::{HandlerArg, duration, first, handler, jitter, some_duration};

#[test]
fn durations_carry_their_units() {
    let cases = [
        ("5s", 5_000),
        ("1m30s", 90_000),
        ("250ms", 250),
        ("90s", 90_000),
        ("2h", 7_200_000),
        ("1d", 86_400_000),
        ("0s", 0),
        ("1.5s", 1_500),
    ];
    for (text, millis) in cases {
        assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
    }
}

#[test]
fn a_duration_without_a_unit_is_refused_with_an_example() {
    for text in ["", "5", "0", "s", "-5s", "5 s", "5x", "1e3s", "99999999999999999999s"] {
        let error = duration(text).unwrap_err();
        assert!(error.contains("1m30s"), "{text}: {error}");
    }
    assert!(some_duration("0ms").is_err());
    assert_eq!(some_duration("1ms"), Ok(Duration::from_millis(1)));
}

#[test]
fn all_five_kinds_of_jitter_can_be_named() {
    assert_eq!(jitter("full"), Ok(Jitter::FULL));
    assert_eq!(jitter("none"), Ok(Jitter::None));
    assert_eq!(jitter("equal"), Ok(Jitter::Equal));
    assert_eq!(jitter("decorrelated"), Ok(Jitter::Decorrelated));
    assert_eq!(jitter("0.2"), Ok(Jitter::Proportional { ppm: 200_000 }));
    assert_eq!(jitter("0"), Ok(Jitter::Proportional { ppm: 0 }));
    for text in ["", "Full", "1", "1.0", "-0.1", "NaN", "0.99999999"] {
        assert!(jitter(text).is_err(), "{text}");
    }
}

#[test]
fn the_first_dial_has_three_ways() {
    assert_eq!(first("window"), Ok(First::Window));
    assert_eq!(first("backoff"), Ok(First::Backoff));
    assert_eq!(first("immediate"), Ok(First::Immediate));
    assert!(first("now").is_err());
}

#[test]
fn a_handler_is_a_name_and_a_command_that_may_hold_equal_signs() {
    let expected = HandlerArg { name: "train".into(), command: "python train.py --lr=1".into() };
    assert_eq!(handler("train=python train.py --lr=1"), Ok(expected));
    for text in ["", "train", "=cmd", "train=", "train= "] {
        assert!(handler(text).is_err(), "{text}");
    }
}
