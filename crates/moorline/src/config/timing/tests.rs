use std::time::Duration;

use moorline_link::{Backoff, First, Jitter};

use super::super::{Sources, Surroundings, load};
use super::{Back, Limits, RUNS, Timing, simulate};

const ALWAYS: Limits = Limits { comes_back: true, attempts: 0, time: None };

fn backoff(jitter: Jitter, first: First) -> Backoff {
    Backoff::new(Duration::from_secs(1), Duration::from_secs(60), 2_000, jitter, first).unwrap()
}

#[test]
fn without_jitter_the_way_back_is_the_sum_of_the_delays() {
    // 1 + 2 + 4 + 8 + 16 + 32 + 60 + 60 + 60 + 60 = 303: three seconds after five minutes.
    let three = Duration::from_secs(3);
    let exact = backoff(Jitter::None, First::Backoff);
    assert_eq!(simulate(&exact, ALWAYS), (Some(Back { p50: three, p99: three }), 0));
}

#[test]
fn full_jitter_brings_half_of_the_workers_back_within_a_third_of_the_longest_delay() {
    // What is left of a delay that is uniform up to 60 s, seen at any moment: half of them below
    // (1 - sqrt(1/2)) * 60 s = 17.6 s, 99 of 100 below 54 s.
    let (back, gave_up) = simulate(&backoff(Jitter::FULL, First::Window), ALWAYS);
    let back = back.unwrap();
    assert_eq!(gave_up, 0);
    assert!((16..20).contains(&back.p50.as_secs()), "{back:?}");
    assert!((52..56).contains(&back.p99.as_secs()), "{back:?}");
}

#[test]
fn a_worker_that_gives_up_before_never_comes_back() {
    let exact = backoff(Jitter::None, First::Backoff);
    let limits = [
        Limits { comes_back: false, ..ALWAYS },
        Limits { attempts: 9, ..ALWAYS },
        Limits { time: Some(Duration::from_secs(303)), ..ALWAYS },
    ];
    for limits in limits {
        assert_eq!(simulate(&exact, limits), (None, RUNS));
    }
    assert!(simulate(&exact, Limits { attempts: 10, ..ALWAYS }).0.is_some());
}

#[test]
fn the_figures_of_the_defaults_are_as_they_were_reviewed() {
    let (config, _) = load(&Sources::default(), &Surroundings::nowhere());
    insta::assert_snapshot!(Timing::of(&config).unwrap().text());
}
