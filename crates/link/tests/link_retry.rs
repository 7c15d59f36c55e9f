//! Coming back: when, how often, and when not.

mod support;

use std::time::Duration;

use moorline_link::{
    Backoff, ComeBack, CoordinatorFrame, Dismissal, Epoch, First, Jitter, Kick, LinkAction,
    LinkConfig, LinkInput, LinkRejection, LinkVerdict, Reason, Reconnect, Spread, State, Ticket,
    WorkerFrame,
};
use support::{Bench, MS, SECOND};

/// Exact delays: 1, 2, 4, ... 60 s.
fn exact() -> Reconnect {
    let max = Duration::from_secs(60);
    Reconnect::new(
        Backoff::new(SECOND, max, 2_000, Jitter::None, First::Backoff).expect("in bounds"),
    )
}

fn config(reconnect: Reconnect) -> LinkConfig {
    LinkConfig { reconnect, ..LinkConfig::default() }
}

/// Lets every dial fail at once until `count` were made.
fn fail_dials(bench: &mut Bench, count: usize) {
    bench.reachable = false;
    for _ in 0..count {
        let before = bench.dials().len();
        bench.until(|bench| bench.dials().len() > before || bench.link.state() == State::Failed);
        fail_dial(bench);
    }
}

fn fail_dial(bench: &mut Bench) {
    let dial = bench.actions.iter().rev().find_map(|(_, action)| {
        if let LinkAction::Dial { conn, .. } = action { Some(*conn) } else { None }
    });
    let conn = dial.expect("it dialled");
    bench.input(LinkInput::DialFailed { conn, reason: Reason::ConnectRefused });
}

fn dismissed(bench: &mut Bench, reason: Reason, come_back: ComeBack) -> LinkVerdict {
    bench.frame(CoordinatorFrame::GoAway(Dismissal { reason, come_back }))
}

#[test]
fn the_very_first_connect_follows_the_policy_too() {
    let mut bench = Bench::new(config(exact()));
    fail_dials(&mut bench, 4);
    assert_eq!(bench.dials(), [(1_000, 1), (3_000, 2), (7_000, 3), (15_000, 4)]);
    bench.until_active();
    assert_eq!(bench.link.snapshot().attempts, 5);
}

#[test]
fn after_a_loss_the_delays_are_one_two_four_up_to_sixty_seconds_for_ever() {
    let mut bench = Bench::active(config(exact()));
    bench.pass(60 * SECOND);
    let lost = bench.ms();
    bench.forget();
    bench.cut(Reason::TransportReset);
    fail_dials(&mut bench, 10);
    let (mut at, mut waits) = (lost, Vec::new());
    for (dialled, _) in bench.dials() {
        waits.push((dialled - at) / 1_000);
        at = dialled;
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
    assert_eq!(
        bench.path()[..3],
        ["Disconnected: transport_reset", "Connecting", "Disconnected: connect_refused"]
    );
}

#[test]
fn the_delay_and_the_number_of_the_next_dial_can_be_shown_while_waiting_for_it() {
    let mut bench = Bench::active(config(exact()));
    bench.pass(60 * SECOND);
    bench.cut(Reason::StreamLost);
    let snapshot = bench.link.snapshot();
    assert_eq!((snapshot.attempts, snapshot.delay), (0, Some(SECOND)));
    assert_eq!(snapshot.next_attempt, Some(bench.now + SECOND));
    assert_eq!(snapshot.outage_since, Some(bench.now));
    fail_dials(&mut bench, 2);
    let snapshot = bench.link.snapshot();
    assert_eq!((snapshot.attempts, snapshot.delay), (2, Some(4 * SECOND)));
    assert_eq!(snapshot.previous_delay, 2 * SECOND);
    assert_eq!(snapshot.reason, Some(Reason::ConnectRefused));
}

#[test]
fn a_delay_can_be_computed_again_from_what_a_log_line_shows() {
    let backoff = Backoff::new(SECOND, 60 * SECOND, 2_000, Jitter::Decorrelated, First::Window);
    let backoff = backoff.expect("in bounds");
    let mut bench = Bench::new(config(Reconnect::new(backoff)));
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..6 {
        fail_dials(&mut bench, 1);
        let shown = bench.link.snapshot();
        let again = backoff.delay(shown.backoff_seed, shown.attempts + 1, shown.previous_delay);
        assert_eq!(shown.delay, Some(again));
        seen.insert(again);
    }
    assert_eq!(seen.len(), 6, "it is jittered");
}

#[test]
fn each_outage_draws_delays_of_its_own() {
    let mut bench = Bench::active(config(exact()));
    let mut seeds = vec![bench.link.snapshot().backoff_seed];
    for _ in 0..3 {
        bench.pass(60 * SECOND);
        bench.cut(Reason::TransportReset);
        seeds.push(bench.link.snapshot().backoff_seed);
        bench.until_active();
    }
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), 4, "one for the first connect, too");
}

#[test]
fn a_connection_that_was_not_stable_does_not_reset_the_backoff() {
    let mut bench = Bench::active(config(exact()));
    bench.pass(29 * SECOND);
    bench.cut(Reason::TransportReset);
    assert_eq!(bench.link.snapshot().delay, Some(2 * SECOND), "dial 1 was the first connect");
    bench.until_active();
    bench.pass(31 * SECOND);
    bench.cut(Reason::TransportReset);
    assert_eq!(bench.link.snapshot().delay, Some(SECOND));
    assert_eq!(bench.link.snapshot().attempts, 0);
}

#[test]
fn the_time_of_a_connection_that_was_lost_too_soon_does_not_make_an_outage_stable() {
    let mut bench = Bench::active(config(exact()));
    bench.pass(29 * SECOND);
    bench.cut(Reason::TransportReset);
    fail_dials(&mut bench, 6);
    assert_eq!(bench.link.snapshot().attempts, 7);
    assert_eq!(bench.link.snapshot().delay, Some(Duration::from_secs(60)));
}

#[test]
fn a_limit_of_n_attempts_means_exactly_n_dials_and_names_the_cause_before() {
    for limit in [1, 3, 10] {
        let mut bench = Bench::new(config(exact().max_attempts(limit)));
        fail_dials(&mut bench, limit as usize);
        assert_eq!(bench.dials().len(), limit as usize);
        assert_eq!(bench.link.state(), State::Failed);
        let path = bench.path();
        assert_eq!(
            path[path.len() - 2..],
            ["Disconnected: connect_refused", "Failed: attempts_exhausted"]
        );
        bench.pass(Duration::from_secs(86_400));
        assert_eq!(bench.dials().len(), limit as usize, "no dial after the last one");
    }
}

#[test]
fn an_operator_restarts_a_failed_link_and_it_has_all_its_attempts_again() {
    let mut bench = Bench::new(config(exact().max_attempts(2)));
    fail_dials(&mut bench, 2);
    assert_eq!(bench.input(LinkInput::Kick(Kick::Operator)), rejected(State::Failed));
    bench.forget();
    assert_eq!(bench.input(LinkInput::Restart), LinkVerdict::Accepted);
    fail_dials(&mut bench, 2);
    assert_eq!(bench.dials().len(), 2);
    assert_eq!(bench.link.state(), State::Failed);
    assert_eq!(bench.input(LinkInput::Restart), LinkVerdict::Accepted);
    bench.until_active();
    assert_eq!(bench.input(LinkInput::Restart), rejected(State::Active));
}

fn rejected(state: State) -> LinkVerdict {
    LinkVerdict::Rejected(LinkRejection::State(state))
}

#[test]
fn a_time_budget_ends_an_outage_and_runs_on_through_connections_that_were_not_stable() {
    let mut bench = Bench::active(config(exact().give_up_after(Some(20 * SECOND))));
    bench.pass(40 * SECOND);
    bench.forget();
    bench.cut(Reason::TransportReset);
    let lost = bench.ms();
    bench.pass(5 * SECOND);
    assert_eq!(bench.link.state(), State::Active, "it came back");
    bench.pass(5 * SECOND);
    bench.cut(Reason::TransportReset);
    bench.reachable = false;
    bench.pass(60 * SECOND);
    assert_eq!(bench.link.state(), State::Failed);
    assert_eq!(bench.link.snapshot().reason, Some(Reason::DeadlineExceeded));
    let failed = bench.actions.iter().rev().find(|(_, a)| matches!(a, LinkAction::Announce(_)));
    assert_eq!(failed.expect("announced").0, lost + 20_000);
}

#[test]
fn without_automatic_reconnecting_the_first_loss_is_final() {
    let mut bench = Bench::active(config(exact().auto(false)));
    bench.pass(60 * SECOND);
    bench.forget();
    bench.cut(Reason::StreamLost);
    assert_eq!(bench.path(), ["Disconnected: stream_lost", "Failed: deadline_exceeded"]);
    bench.pass(Duration::from_secs(3_600));
    assert_eq!(bench.dials(), []);
}

#[test]
fn everything_that_fails_at_once_makes_one_dial() {
    let mut bench = Bench::active(config(exact()));
    bench.pass(60 * SECOND);
    bench.forget();
    bench.reachable = false;
    let old = bench.conn();
    assert_eq!(bench.input(LinkInput::Reconnect), LinkVerdict::Accepted);
    assert_eq!(bench.input(LinkInput::Reconnect), LinkVerdict::Accepted);
    bench.input(LinkInput::Closed { conn: old, reason: Reason::TransportReset });
    bench.input(LinkInput::Kick(Kick::Network));
    bench.input(LinkInput::Kick(Kick::Operator));
    bench.input(LinkInput::Violation { conn: old });
    bench.input(LinkInput::Timeout);
    assert_eq!(bench.dials().len(), 1);
    assert_eq!(bench.path(), ["Disconnected: forced", "Connecting"]);
}

#[test]
fn a_kick_skips_the_wait_but_not_more_than_once_a_second() {
    let mut bench = Bench::new(config(exact()));
    fail_dials(&mut bench, 6);
    bench.forget();
    bench.pass(5 * SECOND);
    assert_eq!(bench.input(LinkInput::Kick(Kick::Network)), LinkVerdict::Accepted);
    assert_eq!(bench.dials().len(), 1);
    fail_dial(&mut bench);
    bench.pass(400 * MS);
    let later = LinkVerdict::Later { within: 600 * MS };
    assert_eq!(bench.input(LinkInput::Kick(Kick::Operator)), later);
    bench.pass(599 * MS);
    assert_eq!(bench.dials().len(), 1);
    bench.pass(MS);
    assert_eq!(bench.dials().len(), 2, "it is remembered, and done when its time has come");
}

#[test]
fn of_wishes_that_come_too_soon_one_is_done_once_and_a_reconnect_stands_for_the_others() {
    let mut bench = Bench::active(config(exact()));
    bench.pass(60 * SECOND);
    bench.input(LinkInput::Reconnect);
    bench.until_active();
    bench.forget();
    let again = LinkVerdict::Later { within: 100 * MS };
    assert_eq!(bench.input(LinkInput::Migrate), again);
    assert_eq!(bench.input(LinkInput::Reconnect), again);
    assert_eq!(bench.input(LinkInput::Migrate), again);
    assert_eq!(bench.link.snapshot().reconnects, 1);
    bench.pass(10 * SECOND);
    assert_eq!(bench.dials().len(), 1);
    assert_eq!(bench.link.snapshot().reconnects, 2, "the connection was given up");
}

#[test]
fn a_wish_dies_with_the_link() {
    let mut bench = Bench::active(config(exact().max_attempts(1)));
    bench.pass(60 * SECOND);
    bench.input(LinkInput::Reconnect);
    bench.until_active();
    assert!(matches!(bench.input(LinkInput::Reconnect), LinkVerdict::Later { .. }));
    bench.input(LinkInput::Stop { within: SECOND });
    bench.forget();
    bench.pass(10 * SECOND);
    assert_eq!(bench.link.state(), State::Shutdown);
    assert_eq!(bench.dials(), []);
}

#[test]
fn no_policy_and_nobody_makes_two_dials_within_the_minimum_spacing() {
    let immediate =
        Backoff::new(MS, 10 * MS, 1_000, Jitter::None, First::Immediate).expect("in bounds");
    let mut bench = Bench::new(config(Reconnect::new(immediate)));
    bench.reachable = false;
    for _ in 0..20 {
        let before = bench.dials().len();
        bench.until(|bench| bench.dials().len() > before);
        // The dial that has just begun is the one that is asked for.
        assert_eq!(bench.input(LinkInput::Reconnect), LinkVerdict::Accepted);
        fail_dial(&mut bench);
        assert!(matches!(bench.input(LinkInput::Reconnect), LinkVerdict::Later { .. }));
        assert!(matches!(bench.input(LinkInput::Kick(Kick::Operator)), LinkVerdict::Later { .. }));
    }
    let dials = bench.dials();
    assert!(dials.windows(2).all(|pair| pair[1].0 - pair[0].0 == 100), "{dials:?}");
}

#[test]
fn a_forced_reconnect_dials_at_once_and_counts_from_one() {
    let mut bench = Bench::active(config(exact()));
    bench.pass(60 * SECOND);
    bench.forget();
    let (old, at) = (bench.conn(), bench.ms());
    assert_eq!(bench.input(LinkInput::Reconnect), LinkVerdict::Accepted);
    assert_eq!(bench.dials(), [(at, 1)]);
    let close = LinkAction::Close { conn: old, reason: Reason::Forced };
    assert!(bench.actions.contains(&(at, close)));
    assert_eq!(bench.link.state(), State::Active);
}

#[test]
fn the_coordinators_window_spreads_the_first_dial_within_our_own_bound() {
    let mut waits = Vec::new();
    for seed in 0..200 {
        let reconnect = Reconnect::default().max_first_window(60 * SECOND);
        let mut bench = Bench::new(config(reconnect));
        bench.link = moorline_link::Link::new(
            config(reconnect),
            support::identity(),
            seed,
            moorline_link::Instant::ZERO,
        );
        bench.coordinator.first_window = Some(Duration::from_secs(1 << 40));
        bench.until_active();
        bench.pass(60 * SECOND);
        bench.cut(Reason::TransportReset);
        waits.push(bench.link.snapshot().delay.expect("waiting"));
    }
    waits.sort_unstable();
    assert!(waits[199] <= 60 * SECOND, "clamped");
    assert!(waits[199] > 55 * SECOND && waits[0] < 5 * SECOND, "spread over it");
}

#[test]
fn with_full_jitter_later_dials_are_spread_over_the_coordinators_window_too() {
    let waits = |window: Duration| {
        let mut waits: Vec<_> = (0..200)
            .map(|seed| {
                let policy = Backoff::default();
                let spread = Spread { window: Some(window), lasted: 600 * SECOND };
                policy.delay_with(spread, seed, 2, Duration::ZERO)
            })
            .collect();
        waits.sort_unstable();
        (waits[0], waits[199])
    };
    let policy = Backoff::default();
    let narrow = waits(SECOND);
    assert!(narrow.1 <= 2 * SECOND, "the policy's own range is wider");
    let (least, most) = waits(50 * SECOND);
    assert!(least >= 25 * SECOND && least < 27 * SECOND);
    assert!(most > 48 * SECOND && most <= 50 * SECOND);
    assert!(waits(600 * SECOND).1 <= 60 * SECOND, "never beyond the policy's longest delay");
    // The exact sequences stay exact.
    let exact = *exact().backoff();
    let spread = Spread { window: Some(50 * SECOND), lasted: SECOND };
    assert_eq!(exact.delay_with(spread, 7, 2, SECOND), 2 * SECOND);
    assert_eq!(policy.delay_with(Spread::default(), 7, 2, SECOND), policy.delay(7, 2, SECOND));
    // And the link draws so.
    let mut longest = Duration::ZERO;
    for seed in 0..40 {
        let mut bench = Bench::new(LinkConfig::default());
        bench.link = moorline_link::Link::new(
            LinkConfig::default(),
            support::identity(),
            seed,
            moorline_link::Instant::ZERO,
        );
        bench.coordinator.first_window = Some(50 * SECOND);
        bench.until_active();
        bench.pass(60 * SECOND);
        bench.reachable = false;
        bench.cut(Reason::TransportReset);
        bench.until(|bench| bench.link.snapshot().attempts == 1);
        let conn = bench.link.snapshot().next_attempt;
        assert_eq!(conn, None, "dialling");
        bench.until(|bench| bench.link.snapshot().next_attempt.is_some());
        longest = longest.max(bench.link.snapshot().delay.expect("waiting"));
    }
    assert!(longest > 40 * SECOND, "{longest:?}");
}

#[test]
fn a_lone_worker_with_a_window_of_zero_comes_back_at_once() {
    let mut bench = Bench::new(LinkConfig::default());
    bench.coordinator.first_window = Some(Duration::ZERO);
    bench.until_active();
    bench.pass(60 * SECOND);
    bench.cut(Reason::TransportReset);
    assert_eq!(bench.link.next_wake().deadline(), Some(bench.now));
}

#[test]
fn refused_for_now_is_retried_by_the_policy_and_slowly_where_haste_cannot_help() {
    for (reason, delay) in [
        (Reason::CoordinatorOverloaded, SECOND),
        (Reason::AuthMissing, 60 * SECOND),
        (Reason::NameConflict, 60 * SECOND),
    ] {
        let mut bench = Bench::active(config(exact()));
        bench.pass(60 * SECOND);
        dismissed(&mut bench, reason, ComeBack::ByReason);
        assert_eq!(bench.link.snapshot().delay, Some(delay), "{reason}");
    }
}

#[test]
fn a_coordinators_hint_wins_within_bounds() {
    let day = Duration::from_secs(86_400);
    for (hint, delay) in
        [(7 * SECOND, 7 * SECOND), (Duration::ZERO, 100 * MS), (day, Duration::from_secs(600))]
    {
        let mut bench = Bench::active(config(exact()));
        bench.pass(60 * SECOND);
        dismissed(&mut bench, Reason::RateLimited, ComeBack::After(hint));
        assert_eq!(bench.link.snapshot().delay, Some(delay));
    }
}

#[test]
fn a_reserved_slot_is_waited_for_and_its_ticket_shown_once_in_the_next_hello() {
    let mut bench = Bench::active(config(exact()));
    bench.pass(60 * SECOND);
    bench.input(LinkInput::Report { free: 1, paused: false, owes: true });
    bench.forget();
    let ticket = Ticket { epoch: Epoch(3), slot: 4, mac: 5 };
    let come_back = ComeBack::Slot { after: 700 * MS, ticket };
    bench.coordinator.refuses = Some(Dismissal { reason: Reason::RateLimited, come_back });
    bench.cut(Reason::TransportReset);
    bench.pass(1_500 * MS);
    bench.coordinator.refuses = None;
    bench.pass(60 * SECOND);
    let (at, _) = bench.dials()[1];
    assert_eq!(at, bench.dials()[0].0 + 700);
    bench.cut(Reason::TransportReset);
    bench.pass(60 * SECOND);
    let hello = |frame| {
        let WorkerFrame::Hello(hello) = frame else { return None };
        Some((hello.ticket, hello.holds_work))
    };
    let hellos: Vec<_> = bench.frames().into_iter().filter_map(hello).collect();
    assert_eq!(hellos, [(None, true), (Some(ticket), true), (None, true)]);
}

#[test]
fn in_a_fleet_no_delay_is_longer_than_the_outage_so_far_and_it_is_drawn_by_what_is_shown() {
    let backoff = Backoff::default();
    for seed in 0..200 {
        let mut bench = Bench::new(config(Reconnect::default()));
        bench.link = moorline_link::Link::new(
            config(Reconnect::default()),
            support::identity(),
            seed,
            moorline_link::Instant::ZERO,
        );
        bench.coordinator.first_window = Some(200 * MS);
        bench.until_active();
        bench.pass(60 * SECOND);
        bench.cut(Reason::TransportReset);
        let lost = bench.now;
        let mut before = Duration::ZERO;
        for _ in 0..12 {
            fail_dials(&mut bench, 1);
            let shown = bench.link.snapshot();
            let delay = shown.delay.expect("waiting");
            let lasted = bench.now.since(lost);
            assert!(delay <= lasted.max(SECOND), "{delay:?} after {lasted:?}");
            assert!(delay >= 100 * MS && delay <= 60 * SECOND);
            assert_eq!(shown.drawn_with, Spread { window: Some(200 * MS), lasted });
            let number = shown.attempts - shown.put_off + 1;
            let again = backoff.delay_with(shown.drawn_with, shown.backoff_seed, number, before);
            assert_eq!(again, delay);
            before = delay;
        }
    }
}

#[test]
fn a_link_that_comes_and_goes_does_not_begin_its_outage_anew() {
    let mut bench = Bench::active(config(Reconnect::default()));
    bench.pass(60 * SECOND);
    bench.cut(Reason::TransportReset);
    let mut down = Duration::ZERO;
    for _ in 0..3 {
        let lost = bench.now;
        fail_dials(&mut bench, 1);
        let lasted = bench.link.snapshot().drawn_with.lasted;
        assert_eq!(lasted, down + bench.now.since(lost));
        bench.reachable = true;
        bench.until_active();
        down += bench.now.since(lost);
        // It would be stable after 30 s, and that it is connected is not an outage.
        bench.pass(10 * SECOND);
        bench.cut(Reason::TransportReset);
    }
    bench.reachable = true;
    bench.until_active();
    bench.pass(60 * SECOND);
    bench.cut(Reason::TransportReset);
    let lost = bench.now;
    fail_dials(&mut bench, 1);
    assert_eq!(bench.link.snapshot().drawn_with.lasted, bench.now.since(lost));
}

#[test]
fn a_coordinator_that_puts_a_dial_off_does_not_let_the_delays_grow() {
    let mut bench = Bench::active(config(exact()));
    bench.pass(60 * SECOND);
    let ticket = Ticket { epoch: Epoch(3), slot: 4, mac: 5 };
    let come_back = ComeBack::Slot { after: 700 * MS, ticket };
    bench.cut(Reason::StreamLost);
    fail_dials(&mut bench, 1);
    bench.coordinator.refuses = Some(Dismissal { reason: Reason::RateLimited, come_back });
    bench.reachable = true;
    for n in 1..=5 {
        bench.until(|bench| bench.link.snapshot().put_off == n);
        assert_eq!(bench.link.snapshot().delay, Some(700 * MS));
    }
    bench.coordinator.refuses = None;
    // Each is a dial that counts, and it goes on where it was.
    fail_dials(&mut bench, 1);
    let snapshot = bench.link.snapshot();
    assert_eq!((snapshot.attempts, snapshot.put_off), (7, 5));
    assert_eq!(snapshot.delay, Some(4 * SECOND));
    bench.reachable = true;
    bench.until_active();
    bench.pass(60 * SECOND);
    assert_eq!((bench.link.snapshot().attempts, bench.link.snapshot().put_off), (0, 0));
}

#[test]
fn a_hint_never_undercuts_our_own_spacing_even_if_all_our_delays_do() {
    let policy = Backoff::new(MS, 50 * MS, 2_000, Jitter::None, First::Backoff).expect("in bounds");
    let mut bench = Bench::active(config(Reconnect::new(policy).max_first_window(Duration::ZERO)));
    bench.pass(60 * SECOND);
    dismissed(&mut bench, Reason::RateLimited, ComeBack::After(7 * SECOND));
    assert_eq!(bench.link.snapshot().delay, Some(100 * MS));
}

#[test]
fn refused_for_good_is_failed_whatever_is_configured() {
    let never = |reason, come_back| {
        let mut bench = Bench::active(config(exact()));
        bench.pass(60 * SECOND);
        bench.forget();
        dismissed(&mut bench, reason, come_back);
        bench.pass(Duration::from_secs(3_600));
        assert_eq!(bench.dials(), []);
        assert_eq!(bench.link.snapshot().reason, Some(reason));
        bench.path()
    };
    assert_eq!(never(Reason::Superseded, ComeBack::ByReason), ["Failed: superseded"]);
    assert_eq!(never(Reason::AuthRejected, ComeBack::Never), ["Failed: auth_rejected"]);
}

#[test]
fn a_dial_and_a_registration_without_an_end_are_ended_by_the_machine() {
    let mut bench = Bench::new(config(exact()));
    bench.reachable = false;
    bench.pass(11 * SECOND);
    assert_eq!(bench.path(), ["Connecting", "Disconnected: connect_timeout"]);
    let closed = bench.actions.iter().find_map(|(at, action)| {
        if let LinkAction::Close { reason, .. } = action { Some((*at, *reason)) } else { None }
    });
    assert_eq!(closed, Some((11_000, Reason::ConnectTimeout)));
    bench.forget();
    (bench.reachable, bench.listening) = (true, false);
    bench.pass(12 * SECOND);
    assert_eq!(bench.path(), ["Connecting", "Disconnected: register_timeout"]);
}

#[test]
fn the_timeouts_of_a_dial_do_not_reach_the_next_one() {
    let mut bench = Bench::new(config(exact()));
    bench.listening = false;
    bench.until(|bench| bench.link.state() == State::Connecting);
    bench.pass(8 * SECOND);
    bench.reachable = false;
    bench.cut(Reason::TransportReset);
    bench.input(LinkInput::Kick(Kick::Operator));
    assert_eq!(bench.link.state(), State::Connecting);
    // The registration of the first one would have been over by now, and its dial long ago.
    bench.pass(9_999 * MS);
    assert_eq!(bench.link.state(), State::Connecting);
    bench.pass(MS);
    assert_eq!(bench.link.snapshot().reason, Some(Reason::ConnectTimeout));
}
