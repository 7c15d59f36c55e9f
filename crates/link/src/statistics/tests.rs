use core::time::Duration;

use super::{LinkStatistics, OutageEnd, Outages};
use crate::{Epoch, Instant, Reason, SessionId};

fn at(seconds: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(seconds)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn session(n: u64) -> SessionId {
    SessionId { epoch: Epoch(1), n }
}

/// Active from 10 s on.
fn active() -> LinkStatistics {
    let mut statistics = LinkStatistics::new(at(0));
    statistics.dialled();
    statistics.dial_succeeded();
    statistics.activated(at(10), session(1));
    statistics
}

#[test]
fn stability_moves_while_the_link_is_down_and_while_it_is_up() {
    let mut statistics = active();
    assert_eq!(statistics.stability_ppm(at(40)), 750_000);
    assert_eq!(statistics.recent_stability_ppm(at(40)), 1_000_000);
    statistics.lost(at(40), Reason::StreamLost, false);
    let down: Vec<u32> =
        [40, 50, 60, 70].iter().map(|now| statistics.recent_stability_ppm(at(*now))).collect();
    assert_eq!(down, [1_000_000, 750_000, 600_000, 500_000]);
    assert_eq!(statistics.stability_ppm(at(60)), 500_000);
    let (connected, disconnected) = (statistics.connected(at(70)), statistics.disconnected(at(70)));
    assert_eq!((connected, disconnected), (seconds(30), seconds(40)));
    statistics.activated(at(70), session(1));
    assert_eq!(statistics.stability_ppm(at(170)), 130 * 1_000_000 / 170);
    assert_eq!(statistics.connected(at(170)) + statistics.disconnected(at(170)), seconds(170));
}

#[test]
fn every_instant_has_an_answer_also_before_anything_happened_and_before_the_beginning() {
    let statistics = LinkStatistics::new(at(100));
    for now in [0, 100, 101, u64::MAX / 2_000_000_000] {
        assert_eq!(statistics.stability_ppm(at(now)), 0);
        assert_eq!(statistics.recent_stability_ppm(at(now)), 0);
        assert_eq!(statistics.disconnected(at(now)), at(now).since(at(100)));
        assert_eq!(statistics.connected(at(now)), Duration::ZERO);
    }
    assert_eq!(statistics.success_ppm(), None);
    assert_eq!(statistics.outage(at(5)), None);
    assert_eq!(active().stability_ppm(Instant::FAR), 999_999);
}

#[test]
fn the_recent_past_forgets_what_is_more_than_ten_minutes_ago() {
    let mut statistics = active();
    statistics.lost(at(100), Reason::StreamLost, false);
    statistics.activated(at(400), session(1));
    assert_eq!(statistics.recent_stability_ppm(at(610)), 500_000);
    // Half of the outage has left the window, then all of it.
    assert_eq!(statistics.recent_stability_ppm(at(850)), 750_000);
    assert_eq!(statistics.recent_stability_ppm(at(1_000)), 1_000_000);
    assert_eq!(statistics.stability_ppm(at(1_000)), 690_000);
}

#[test]
fn of_more_outages_than_are_remembered_the_recent_past_begins_after_the_forgotten_ones() {
    let mut statistics = active();
    let mut now = 10;
    for _ in 0..20 {
        statistics.lost(at(now + 1), Reason::TransportReset, false);
        statistics.activated(at(now + 2), session(1));
        now += 2;
    }
    let kept: Vec<u64> =
        statistics.outages().iter().map(|o| o.began.since(at(0)).as_secs()).collect();
    assert_eq!(kept.len(), Outages::MAX);
    assert_eq!((kept[0], kept[15]), (19, 49), "the oldest first, without the first four");
    assert_eq!(statistics.outages().last().map(|o| o.ended()), Some(at(50)));
    assert_eq!(statistics.outages_count(), 20);
    // From the end of the fourth outage at 18 s: half of what came after was down.
    assert_eq!(statistics.recent_stability_ppm(at(50)), 500_000);
    assert_eq!(statistics.connected(at(50)), seconds(20));
}

#[test]
fn an_outage_says_why_how_long_how_many_dials_and_how_it_ended() {
    let mut statistics = active();
    statistics.lost(at(20), Reason::HeartbeatTimeout, false);
    statistics.dialled();
    statistics.dial_failed();
    let going_on = statistics.outage(at(25)).expect("it is down");
    assert_eq!((going_on.duration, going_on.attempts, going_on.end), (seconds(5), 1, None));
    statistics.dialled();
    statistics.dial_succeeded();
    statistics.activated(at(30), session(1));
    // The next one ends in another session, by a dial that was under way when it began.
    statistics.lost(at(40), Reason::CoordinatorRestarted, true);
    statistics.activated(at(41), session(2));
    let outages: Vec<_> = statistics.outages().iter().copied().collect();
    assert_eq!(outages.len(), 2);
    let [first, second] = [outages[0], outages[1]];
    assert_eq!(
        (first.reason, first.began, first.duration, first.attempts, first.end),
        (Reason::HeartbeatTimeout, at(20), seconds(10), 2, Some(OutageEnd::Resumed),)
    );
    assert_eq!((second.attempts, second.end), (1, Some(OutageEnd::NewSession)));
    assert_eq!(statistics.outage(at(50)), None);
    assert_eq!((statistics.dials(), statistics.successes(), statistics.failures()), (3, 2, 1));
    assert_eq!(statistics.success_ppm(), Some(666_666));
    assert_eq!(statistics.last_connected(), Some(at(41)));
    assert_eq!(statistics.last_disconnected(), Some(at(40)));
}

#[test]
fn a_reset_begins_to_count_anew_and_keeps_what_goes_on() {
    let mut statistics = active();
    statistics.answered(Duration::from_millis(3));
    statistics.lost(at(20), Reason::StreamLost, false);
    let before = statistics.revision();
    statistics.reset(at(30));
    assert!(statistics.revision() > before);
    assert_eq!((statistics.dials(), statistics.outages_count()), (0, 1));
    assert_eq!(statistics.outages().iter().count(), 0);
    assert_eq!(
        (statistics.stability_ppm(at(40)), statistics.disconnected(at(40))),
        (0, seconds(10))
    );
    assert_eq!((statistics.began(), statistics.round_trips()), (at(30), None));
    assert_eq!(
        (statistics.last_connected(), statistics.last_disconnected()),
        (Some(at(10)), Some(at(20))),
        "when it was is no count"
    );
    assert_eq!(statistics.path().p99(), Duration::from_millis(3));
    statistics.activated(at(40), session(1));
    assert_eq!(
        statistics.outages().last().map(|o| (o.began, o.end)),
        Some((at(30), Some(OutageEnd::Resumed)))
    );
    assert_eq!(statistics.recent_stability_ppm(at(50)), 500_000);
    statistics.reset(at(60));
    assert_eq!(
        (statistics.stability_ppm(at(60)), statistics.stability_ppm(at(70))),
        (1_000_000, 1_000_000)
    );
}

#[test]
fn after_the_end_of_the_link_time_stands_still_and_the_end_is_no_outage() {
    let mut statistics = active();
    statistics.ended(at(20));
    assert_eq!(statistics.connected(at(1_000)), seconds(10));
    assert_eq!(statistics.stability_ppm(at(1_000)), 500_000);
    assert_eq!((statistics.outages_count(), statistics.outage(at(30))), (0, None));
}

#[test]
fn a_reset_forgets_the_dials_of_an_outage_that_goes_on() {
    let mut statistics = active();
    statistics.lost(at(20), Reason::StreamLost, true);
    statistics.dialled();
    statistics.reset(at(30));
    assert_eq!(statistics.outage(at(40)).map(|outage| outage.attempts), Some(0));
    statistics.dialled();
    assert_eq!(statistics.outage(at(40)).map(|outage| outage.attempts), Some(1));
}

#[test]
fn a_reset_after_the_end_does_not_set_time_going_again() {
    let mut statistics = active();
    statistics.ended(at(20));
    statistics.reset(at(30));
    assert_eq!(statistics.disconnected(at(1_000)), Duration::ZERO);
}

#[test]
fn every_thing_that_is_counted_makes_the_revision_grow() {
    type Step = fn(&mut LinkStatistics);
    let steps: [(&str, Step); 9] = [
        ("a dial", LinkStatistics::dialled),
        ("one that failed", LinkStatistics::dial_failed),
        ("one that succeeded", LinkStatistics::dial_succeeded),
        ("a connection", |it| it.activated(at(1), session(1))),
        ("a round trip", |it| it.answered(Duration::from_millis(3))),
        ("a loss", |it| it.lost(at(2), Reason::StreamLost, false)),
        ("another connection", |it| it.activated(at(3), session(1))),
        ("a reset", |it| it.reset(at(4))),
        ("the end", |it| it.ended(at(5))),
    ];
    for first in 0..steps.len() {
        let mut statistics = LinkStatistics::new(at(0));
        // Each of them is the very first thing once.
        for (what, step) in steps.iter().cycle().skip(first).take(steps.len()) {
            let before = statistics.revision();
            step(&mut statistics);
            assert!(statistics.revision() > before, "{what}");
        }
    }
}

#[test]
fn the_words_for_how_an_outage_ended() {
    assert_eq!(OutageEnd::Resumed.name(), "resumed");
    assert_eq!(OutageEnd::NewSession.name(), "new_session");
}
