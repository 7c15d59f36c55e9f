use super::{Decide, Draws, Site};

#[test]
fn a_decision_depends_on_nothing_but_its_place() {
    let draws = Draws::new(7);
    let one = draws.draw(Site::Latency, 3, 5, 1_000);
    assert_eq!(Draws::new(7).draw(Site::Latency, 3, 5, 1_000), one);
    let others = [
        Draws::new(8).draw(Site::Latency, 3, 5, 1_000),
        draws.draw(Site::Dial, 3, 5, 1_000),
        draws.draw(Site::Latency, 4, 5, 1_000),
        draws.draw(Site::Latency, 3, 6, 1_000),
    ];
    assert!(others.iter().any(|other| *other != one));
}

#[test]
fn decisions_stay_in_their_bounds_and_reach_both_ends() {
    let draws = Draws::new(1);
    let all: Vec<u64> = (0..2_000).map(|k| draws.between(Site::Task, 0, k, 10, 19)).collect();
    assert_eq!((all.iter().min(), all.iter().max()), (Some(&10), Some(&19)));
    let all: Vec<u64> = (0..2_000).map(|k| draws.log_between(Site::Task, 0, k, 3, 3_000)).collect();
    assert!(all.iter().all(|value| (3..=3_000).contains(value)));
    assert!(all.iter().filter(|value| **value < 100).count() > 500, "small ones are as likely");
    let often = (0..10_000).filter(|k| draws.chance(Site::Dial, 0, *k, 250_000)).count();
    assert!((2_200..2_800).contains(&often), "{often}");
    assert_eq!(draws.draw(Site::Dial, 0, 0, 0), 0);
}
