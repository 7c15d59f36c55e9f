//! How fast workers come in: slots, tickets, who comes first, and what cannot be promised.

mod hub_support;

use std::num::NonZeroU32;
use std::time::Duration;

use hub_support::*;
use moorline_link::*;

/// A tenth of a second for each registration.
fn slow() -> HubSettings {
    let registration_rate = RegistrationRate::Fixed(NonZeroU32::new(10).expect("ten"));
    HubSettings { registration_rate, ..HubSettings::default() }
}

/// A desk of a slow coordinator that has taken in all it takes at once.
fn busy() -> Desk {
    let mut desk = Desk::with(slow());
    for n in 1..=64 {
        desk.activate(n, hello(u128::from(n), n));
    }
    desk
}

/// What a Hello on a new connection is answered: nothing if it is welcomed.
fn ask(desk: &mut Desk, conn: u64, hello: Hello) -> Option<ComeBack> {
    desk.register(conn, hello);
    let frames = desk.frames(conn);
    match frames[..] {
        [CoordinatorFrame::Refused(Dismissal { reason, come_back })] => {
            assert_eq!(reason, Reason::RateLimited);
            desk.close(conn, Reason::ClosedByPeer);
            Some(come_back)
        }
        [CoordinatorFrame::Welcome(_)] => {
            desk.restore(conn);
            None
        }
        _ => panic!("{frames:?}"),
    }
}

/// The slot a Hello is given instead of a welcome: when, in milliseconds, and its ticket.
fn slot(desk: &mut Desk, conn: u64, hello: Hello) -> (u128, Ticket) {
    match ask(desk, conn, hello) {
        Some(ComeBack::Slot { after, ticket }) => (after.as_millis(), ticket),
        other => panic!("no slot: {other:?}"),
    }
}

fn with(ticket: Ticket, hello: Hello) -> Hello {
    Hello { ticket: Some(ticket), ..hello }
}

#[test]
fn sixty_four_come_in_at_once_and_each_after_them_gets_a_slot_of_its_own() {
    let mut desk = busy();
    let waits = [100, 101, 102].map(|n| slot(&mut desk, n, hello(u128::from(n), n)).0);
    assert_eq!(waits, [100, 200, 300]);
    let counts = desk.hub.admissions();
    assert_eq!((counts.rate, counts.tickets_given(), counts.tickets_used), (3, 3, 0));
    // Nothing is kept of them, and after a pause nobody waits.
    desk.at(300 + 6_400);
    for n in 200..264 {
        assert_eq!(ask(&mut desk, n, hello(u128::from(n), n)), None);
    }
    assert!(ask(&mut desk, 264, hello(264, 264)).is_some());
}

#[test]
fn a_ticket_costs_nothing_from_its_slot_on_for_two_seconds() {
    for late in [1, 1_000, 1_999] {
        let mut desk = busy();
        let (after, ticket) = slot(&mut desk, 100, hello(100, 100));
        desk.at(u64::try_from(after).expect("short") + late);
        assert_eq!(ask(&mut desk, 101, with(ticket, hello(100, 100))), None);
        assert_eq!(desk.hub.admissions().tickets_used, 1);
        // The next one without a ticket is as far away as if the first had never come again.
        let mut other = busy();
        slot(&mut other, 100, hello(100, 100));
        other.at(u64::try_from(after).expect("short") + late);
        for n in 300..380 {
            let (here, there) = (hello(n, 1), hello(n, 1));
            let conn = u64::try_from(n).expect("small");
            let waits = |answer| match answer {
                Some(ComeBack::Slot { after, .. }) => Some(after),
                other => other.map(|_| Duration::MAX),
            };
            assert_eq!(waits(ask(&mut desk, conn, here)), waits(ask(&mut other, conn, there)));
        }
    }
}

#[test]
fn a_ticket_that_is_early_late_forged_foreign_or_used_costs_a_slot_like_none() {
    type Change = fn(Ticket) -> Ticket;
    let shown: [(&str, u64, Change, u128); 6] = [
        ("early", 50, |ticket| ticket, 100),
        ("late", 2_200, |ticket| ticket, 100),
        ("forged", 150, |ticket| Ticket { mac: ticket.mac ^ 1, ..ticket }, 100),
        ("of another slot", 150, |ticket| Ticket { slot: ticket.slot - 1, ..ticket }, 100),
        ("of another life", 150, |ticket| Ticket { epoch: Epoch(4), ..ticket }, 100),
        ("of another worker", 150, |ticket| ticket, 101),
    ];
    for (what, at, change, worker) in shown {
        let mut desk = busy();
        let (_, ticket) = slot(&mut desk, 100, hello(100, 100));
        // Others keep the clock at its limit meanwhile.
        let mut conn = 1_000;
        desk.at(at);
        while ask(&mut desk, conn, hello(u128::from(conn), conn)).is_none() {
            conn += 1;
        }
        let again = with(change(ticket), hello(worker, 100));
        assert!(ask(&mut desk, 5_000, again).is_some(), "{what}");
        assert_eq!(desk.hub.admissions().tickets_used, 0, "{what}");
    }
    let mut desk = busy();
    let (_, ticket) = slot(&mut desk, 100, hello(100, 100));
    desk.at(110);
    let mut conn = 1_000;
    while ask(&mut desk, conn, hello(u128::from(conn), conn)).is_none() {
        conn += 1;
    }
    let again = with(ticket, hello(100, 100));
    assert_eq!(ask(&mut desk, 5_000, again), None);
    assert!(ask(&mut desk, 5_001, again).is_some(), "used twice");
}

#[test]
fn who_holds_work_or_goes_on_with_its_session_comes_before_newcomers_that_wait() {
    let mut desk = busy();
    let session = desk.hub.worker(desk.now, WorkerId(1)).and_then(|it| it.session);
    for n in 100..400 {
        slot(&mut desk, n, hello(u128::from(n), n));
    }
    let (last, _) = slot(&mut desk, 400, hello(400, 400));
    assert_eq!(last, 30_100);
    // Sixteen at once ...
    let holds = |n: u64| Hello { holds_work: true, ..hello(u128::from(n), n) };
    for n in 500..515 {
        assert_eq!(ask(&mut desk, n, holds(n)), None);
    }
    let back = resuming(1, 1, session.expect("it has one"));
    assert_eq!(ask(&mut desk, 515, back), None);
    // ... then every fifth of a second.
    assert_eq!(slot(&mut desk, 516, holds(516)).0, 200);
    assert_eq!(slot(&mut desk, 517, holds(517)).0, 400);
    // A session that is not its own is no reason.
    let stranger = resuming(600, 1, SessionId { epoch: EPOCH, n: 3 });
    // All of them moved the clock of the others on as well: the rate holds on the average.
    assert_eq!(slot(&mut desk, 600, stranger).0, 30_100 + 18 * 100 + 100);
}

#[test]
fn while_too_many_handshakes_are_under_way_others_get_a_slot_and_none_blocks_for_ever() {
    let mut desk = Desk::with(slow());
    for n in 1..=64 {
        desk.register(n, hello(u128::from(n), n));
        assert_eq!(desk.frames(n).len(), 1);
    }
    let (after, ticket) = slot(&mut desk, 100, hello(100, 100));
    assert_eq!(after, 6_400, "a place in the order, and no burst");
    let counts = desk.hub.admissions();
    assert_eq!((counts.handshakes, counts.rate, counts.tickets_given()), (1, 0, 1));
    // Its slot does not help it while nobody becomes active ...
    desk.at(6_410);
    assert!(ask(&mut desk, 101, with(ticket, hello(100, 100))).is_some());
    // ... and one that does makes room.
    desk.restore(1);
    assert_eq!(ask(&mut desk, 102, with(ticket, hello(100, 100))), None);
    // Beats keep the others connected, but not in the way.
    for n in 2..=64 {
        desk.say(n, beat(1));
    }
    desk.at(10_010);
    assert_eq!(ask(&mut desk, 103, hello(103, 103)), None);
}

#[test]
fn handshakes_that_make_no_progress_for_ten_seconds_keep_nobody_out() {
    let mut desk = Desk::with(slow());
    for n in 1..=64 {
        desk.register(n, hello(u128::from(n), n));
    }
    for second in [4, 8] {
        desk.at(second * 1_000);
        for n in 1..=64 {
            desk.say(n, beat(u32::try_from(second).expect("small")));
        }
    }
    desk.at(9_999);
    slot(&mut desk, 100, hello(100, 100));
    assert_eq!(desk.hub.admissions().handshakes, 1, "they are under way still");
    desk.at(10_001);
    assert_eq!(ask(&mut desk, 101, hello(101, 101)), None);
}

#[test]
fn the_rate_is_half_of_what_was_measured_within_its_bounds() {
    let mut desk = Desk::default();
    let window = |desk: &mut Desk, conn: u64| {
        desk.register(conn, hello(u128::from(conn), conn));
        let frames = desk.frames(conn);
        let [CoordinatorFrame::Welcome(welcome)] = frames[..] else { panic!("{frames:?}") };
        desk.close(conn, Reason::StreamLost);
        welcome.first_window.expect("always a hint")
    };
    let measured = |registrations, micros: u64| HubInput::Measured {
        registrations,
        busy: Duration::from_micros(micros),
    };
    assert_eq!(window(&mut desk, 1), Duration::from_millis(5), "200/s until it is measured");
    desk.tell(measured(31, 31 * 500));
    assert_eq!(window(&mut desk, 2), Duration::from_millis(5), "too little to go by");
    desk.tell(measured(1, 500));
    assert_eq!(window(&mut desk, 3), Duration::from_millis(1), "half of 2,000/s");
    for _ in 0..30 {
        desk.tell(measured(1_000, 1_000));
    }
    assert_eq!(window(&mut desk, 4), Duration::from_micros(200), "5,000/s at most");
    for _ in 0..60 {
        desk.tell(measured(1, 1_000_000));
    }
    assert_eq!(window(&mut desk, 5), Duration::from_millis(5), "200/s at least");
    let rates = RegistrationRate::Measured {
        min: NonZeroU32::new(9).expect("nine"),
        max: NonZeroU32::new(8).expect("eight"),
    };
    let settings = HubSettings { registration_rate: rates, ..HubSettings::default() };
    let error = HubConfig::new(settings).expect_err("contradiction").to_string();
    assert_eq!(error, "the lowest registration rate (9/s) is above the highest (8/s)");
}

#[test]
fn slots_beyond_ten_minutes_are_not_promised_and_the_clock_waits_there() {
    let mut desk = busy();
    let mut refused = 0;
    for n in 100..6_300 {
        match ask(&mut desk, n, hello(u128::from(n), n)) {
            Some(ComeBack::Slot { after, .. }) => assert!(after <= 601 * SECOND),
            Some(ComeBack::After(after)) => {
                assert!((300 * SECOND..=600 * SECOND).contains(&after));
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(refused, 200);
    let counts = desk.hub.admissions();
    assert_eq!((counts.horizon, counts.rate, counts.tickets_given()), (200, 6_000, 6_000));
    desk.at(1_000);
    assert!(slot(&mut desk, 9_000, hello(9_000, 1)).0 <= 600_100);
}

#[test]
fn a_fleet_that_grows_is_told_to_beat_less_often_and_to_come_back_over_a_longer_time() {
    let two = NonZeroU32::new(2).expect("two");
    let mut desk = Desk::with(HubSettings { beat_rate: two, ..slow() });
    desk.activate(1, hello(1, 1));
    let retold = |desk: &mut Desk, seq| {
        desk.say(1, beat(seq));
        let frames = desk.frames(1);
        let [CoordinatorFrame::BeatAnswer(answer)] = frames[..] else { panic!("{frames:?}") };
        (answer.first_window, answer.beat_interval)
    };
    assert_eq!(retold(&mut desk, 1), (None, None));
    desk.activate(2, hello(2, 2));
    assert_eq!(retold(&mut desk, 2), (None, None), "hardly anything changed");
    for n in 3..=20 {
        desk.activate(n, hello(u128::from(n), n));
    }
    // Twenty beats at two a second, and twenty registrations at ten.
    assert_eq!(retold(&mut desk, 3), (Some(2 * SECOND), Some(10 * SECOND)));
    assert_eq!(retold(&mut desk, 4), (None, None), "once");
    // It may be silent for longer now, with the interval it has: 20 s and 30 s.
    desk.at(19_000);
    assert_eq!(desk.presence(1), Some(Presence::Active));
    for n in 2..=20 {
        desk.close(n, Reason::StreamLost);
    }
    assert_eq!(retold(&mut desk, 5), (Some(100 * MS), Some(5 * SECOND)));
    desk.at(19_000 + 10_001);
    assert_eq!(desk.presence(1), Some(Presence::Suspect), "and is expected to beat as before");
}

#[test]
fn each_measurement_of_the_work_counts_a_quarter() {
    let rates = RegistrationRate::Measured {
        min: NonZeroU32::MIN,
        max: NonZeroU32::new(1_000_000).expect("a million"),
    };
    let mut desk = Desk::with(HubSettings { registration_rate: rates, ..HubSettings::default() });
    let mut window_after = |registrations, each: Duration| {
        desk.tell(HubInput::Measured { registrations, busy: each * registrations });
        let conn = 1 + u64::from(registrations);
        desk.register(conn, hello(u128::from(conn), conn));
        let frames = desk.frames(conn);
        let [CoordinatorFrame::Welcome(welcome)] = frames[..] else { panic!("{frames:?}") };
        desk.close(conn, Reason::StreamLost);
        welcome.first_window.expect("always a hint")
    };
    // One worker: the time of one registration at half of what can be done.
    assert_eq!(window_after(32, MS), 2 * MS, "the first one is all there is");
    assert_eq!(window_after(1, 5 * MS), 4 * MS, "three quarters of 1 ms and one of 5 ms");
    assert_eq!(window_after(2, 2 * MS), 4 * MS);
}

#[test]
fn where_many_come_in_each_second_as_many_as_in_half_of_one_may_be_under_way() {
    let registration_rate = RegistrationRate::Fixed(NonZeroU32::new(200).expect("some"));
    let mut desk = Desk::with(HubSettings { registration_rate, ..HubSettings::default() });
    for n in 1..=100 {
        if n == 65 {
            desk.at(500);
        }
        desk.register(n, hello(u128::from(n), n));
        assert!(matches!(desk.frames(n)[..], [CoordinatorFrame::Welcome(_)]), "{n}");
    }
    slot(&mut desk, 101, hello(101, 101));
    assert_eq!(desk.hub.admissions().handshakes, 1);
}

#[test]
fn who_comes_first_takes_nothing_of_what_is_kept_for_it_while_there_is_room_for_all() {
    let mut desk = Desk::with(slow());
    let holds = |n: u64| Hello { holds_work: true, ..hello(u128::from(n), n) };
    for n in 1..=64 + 16 {
        assert_eq!(ask(&mut desk, n, holds(n)), None, "{n}");
    }
    assert_eq!(slot(&mut desk, 81, holds(81)).0, 200);
}

#[test]
fn who_asks_again_before_its_slot_is_told_the_same_one() {
    let mut desk = busy();
    let (after, ticket) = slot(&mut desk, 100, hello(100, 1));
    desk.at(30);
    // Also a process of it that knows of no ticket.
    for conn in 101..200 {
        assert_eq!(slot(&mut desk, conn, hello(100, conn)), (after - 30, ticket));
    }
    assert_eq!(slot(&mut desk, 200, hello(101, 1)).0, 200 - 30, "they took no more than one slot");
    // It has come: the next one is another.
    desk.at(101);
    assert_eq!(ask(&mut desk, 201, with(ticket, hello(100, 1))), None);
    assert_ne!(slot(&mut desk, 202, hello(100, 2)).1, ticket);
}

#[test]
fn of_slots_that_are_to_come_some_thousands_are_remembered() {
    let mut desk = busy();
    for n in 0..4_096 {
        slot(&mut desk, 100 + n, hello(u128::from(100 + n), 1));
    }
    let last = 100 + 4_096;
    let [first, second] = [1, 2].map(|n| slot(&mut desk, last + n, hello(u128::from(last), n)).0);
    assert_eq!(second - first, 100, "it was not remembered");
    let again = slot(&mut desk, 100_000, hello(100, 2)).0;
    assert_eq!(again, 100, "it is");
    // Room is made as they come.
    desk.at(150);
    let [first, second] = [3, 4].map(|n| slot(&mut desk, last + n, hello(u128::from(last), n)).0);
    assert_eq!(second, first);
}

#[test]
fn nobody_is_told_to_come_before_its_slot() {
    let registration_rate = RegistrationRate::Fixed(NonZeroU32::new(3).expect("three"));
    let mut desk = Desk::with(HubSettings { registration_rate, ..HubSettings::default() });
    for n in 1..=64 {
        desk.activate(n, hello(u128::from(n), n));
    }
    for n in 1..=3 {
        let answer = ask(&mut desk, 100 + n, hello(u128::from(100 + n), n));
        let Some(ComeBack::Slot { after, .. }) = answer else { panic!("{answer:?}") };
        let exactly = SECOND / 3 * u32::try_from(n).expect("small");
        assert!(after >= exactly && after <= exactly + Duration::from_micros(1), "{after:?}");
    }
}

#[test]
fn all_of_an_id_counts_in_a_ticket_and_in_the_time_without_one() {
    let who = |half: u32| {
        let worker = WorkerId(u128::from(half) << 64 | 100);
        Hello { worker, name: Sym(1_000 + half), ..hello(100, 100) }
    };
    let mut desk = busy();
    let (after, ticket) = slot(&mut desk, 100, who(1));
    desk.at(u64::try_from(after).expect("short") + 1);
    while ask(&mut desk, 101, hello(101, 101)).is_none() {}
    assert!(ask(&mut desk, 102, with(ticket, who(2))).is_some(), "it is of another worker");
    assert_eq!(ask(&mut desk, 103, with(ticket, who(1))), None);
    // Beyond ten minutes there are no tickets, and everybody comes at a time of its own.
    let beyond = |desk: &mut Desk, n| {
        !matches!(ask(desk, n, hello(u128::from(n), 1)), Some(ComeBack::Slot { .. }))
    };
    assert!((10_000..20_000).any(|n| beyond(&mut desk, n)));
    let (one, other) = (ask(&mut desk, 105, who(3)), ask(&mut desk, 106, who(4)));
    assert!(matches!(one, Some(ComeBack::After(_))) && one != other, "{one:?} {other:?}");
}

#[test]
fn those_that_were_put_off_are_counted_by_a_word_for_why() {
    let mut counts = Admissions::NONE;
    (counts.rate, counts.handshakes, counts.horizon, counts.unheard) = (1, 2, 3, 4);
    let words = [("rate", 1), ("handshakes", 2), ("horizon", 3), ("unheard", 4)];
    assert_eq!(counts.by_reason(), words);
}

#[test]
fn a_worker_that_is_told_a_shorter_interval_is_suspect_sooner_from_then_on() {
    let two = NonZeroU32::new(2).expect("two");
    let mut desk = Desk::with(HubSettings { beat_rate: two, ..HubSettings::default() });
    for n in 1..=30 {
        desk.activate(n, hello(u128::from(n), n));
    }
    // Thirty beats at two a second: each has an interval of 15 s, and is suspect after twice that.
    for n in 1..=30 {
        desk.say(n, beat(1));
    }
    desk.at(28_000);
    desk.say(2, beat(2));
    desk.at(29_000);
    desk.say(1, beat(2));
    desk.at(30_500);
    for n in 3..=30 {
        desk.close(n, Reason::StreamLost);
    }
    desk.say(1, beat(3));
    desk.news();
    desk.at(40_499);
    assert_eq!(desk.news(), []);
    desk.at(40_500);
    assert_eq!(desk.news(), [HubAction::Suspect { worker: WorkerId(1), suspect: true }]);
}

#[test]
fn a_fleet_whose_window_changes_by_a_tenth_of_a_second_or_a_quarter_is_not_told() {
    let mut desk = Desk::with(slow());
    desk.activate(1, hello(1, 1));
    let retold = |desk: &mut Desk, seq| {
        desk.say(1, beat(seq));
        let frames = desk.frames(1);
        let [CoordinatorFrame::BeatAnswer(answer)] = frames[..] else { panic!("{frames:?}") };
        answer.first_window
    };
    desk.activate(2, hello(2, 2));
    assert_eq!(retold(&mut desk, 1), None);
    for n in 3..=8 {
        desk.activate(n, hello(u128::from(n), n));
    }
    assert_eq!(retold(&mut desk, 2), Some(800 * MS));
    // Nor by a quarter of what it was, and not more.
    desk.activate(9, hello(9, 9));
    desk.activate(10, hello(10, 10));
    assert_eq!(retold(&mut desk, 3), None);
    desk.activate(11, hello(11, 11));
    assert_eq!(retold(&mut desk, 4), Some(1_100 * MS));
}
