//! How long what a worker holds is its own, as far as it can know.

mod support;

use moorline_link::{LinkAction, LinkConfig, Reason};
use support::{Bench, SECOND};

#[test]
fn leases_stand_for_lost_after_from_the_last_proven_contact_and_their_end_is_told_once() {
    let mut bench = Bench::active(LinkConfig::default());
    bench.until(|bench| !bench.beats().is_empty());
    let proven = bench.ms();
    assert_eq!(bench.link.snapshot().leases_until, Some(bench.now + 90 * SECOND));
    bench.pass(3 * SECOND);
    bench.cut(Reason::StreamLost);
    bench.reachable = false;
    bench.pass(600 * SECOND);
    let expired = |(at, a): &(u64, LinkAction)| (*a == LinkAction::LeasesExpired).then_some(*at);
    let told: Vec<u64> = bench.actions.iter().filter_map(expired).collect();
    assert_eq!(told, [proven + 90_000]);

    // Once active again they stand; a loss tells anew.
    bench.until_active();
    bench.forget();
    bench.pass(600 * SECOND);
    assert!(!bench.actions.iter().any(|action| expired(action).is_some()));
}

#[test]
fn a_registration_proves_the_contact_like_a_beat_does() {
    let mut bench = Bench::active(LinkConfig::default());
    let said = bench.now;
    assert_eq!(bench.link.snapshot().last_proven, Some(said));
    // Lost before its first beat: what was assigned meanwhile is counted for from the Hello on.
    bench.cut(Reason::StreamLost);
    bench.reachable = false;
    bench.pass(600 * SECOND);
    let at = (said + 90 * SECOND).as_nanos() / 1_000_000;
    assert!(bench.actions.contains(&(at, LinkAction::LeasesExpired)));
}
