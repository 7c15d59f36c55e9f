use moorline_sim::Swarm;

use super::how_far;

#[test]
fn progress_says_how_many_worlds_how_fast_and_how_many_failures() {
    let report = Swarm::of(0..1).run();
    assert!(how_far(&report).starts_with("1 world, "), "{}", how_far(&report));
    assert!(how_far(&report).ends_with(" a second, 0 failures"), "{}", how_far(&report));
}
