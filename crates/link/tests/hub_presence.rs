//! Heartbeats, silence, and the coordinator's own stalls.

mod hub_support;

use std::time::Duration;

use hub_support::*;
use moorline_link::*;
use proptest::prelude::*;

fn answers(desk: &mut Desk, conn: u64) -> Vec<BeatAnswer> {
    let answer = |frame| {
        let CoordinatorFrame::BeatAnswer(answer) = frame else { return None };
        Some(answer)
    };
    desk.frames(conn).into_iter().filter_map(answer).collect()
}

#[test]
fn a_beat_is_answered_with_what_the_coordinator_believes() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.tell(HubInput::Believe { worker: WorkerId(7), free: 3, paused: true });
    desk.tell(HubInput::Waiting(true));
    desk.say(1, beat(41));
    let flags = Flags { active: true, draining: false, paused: true };
    let answer = BeatAnswer {
        seq: 41,
        epoch: EPOCH,
        known: true,
        flags,
        free: 3,
        quiet: true,
        waiting: true,
        first_window: None,
        beat_interval: None,
    };
    assert_eq!(answers(&mut desk, 1), [answer]);
    desk.tell(HubInput::Waiting(false));
    desk.say(1, beat(42));
    assert_eq!(answers(&mut desk, 1), [BeatAnswer { seq: 42, waiting: false, ..answer }]);
}

#[test]
fn of_several_beats_the_newest_is_answered() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.unwritable(1);
    for seq in [u32::MAX - 1, u32::MAX, 0] {
        desk.say(1, beat(seq));
    }
    desk.writable(1);
    let answered: Vec<u32> = answers(&mut desk, 1).iter().map(|answer| answer.seq).collect();
    assert_eq!(answered, [0]);
}

#[test]
fn free_slots_are_compared_only_when_nothing_is_under_way_and_the_embedder_has_a_belief() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    let quiet = |desk: &mut Desk, seq| {
        desk.say(1, beat(seq));
        answers(desk, 1).first().map(|answer| answer.quiet)
    };
    assert_eq!(quiet(&mut desk, 1), Some(false), "nothing is believed yet");
    desk.tell(HubInput::Believe { worker: WorkerId(7), free: 1, paused: false });
    assert_eq!(quiet(&mut desk, 2), Some(true));
    desk.enqueue(7, Lane::B, 1, 100);
    desk.written(1);
    assert_eq!(quiet(&mut desk, 3), Some(false), "a message is not acknowledged");
    let standing = Standing { received: Seq(1), credit: Credit::default() };
    desk.say(1, WorkerFrame::Ack(Ack { lane: Lane::B, standing }));
    assert_eq!(quiet(&mut desk, 4), Some(true));
}

#[test]
fn beats_are_answered_from_the_welcome_on_and_say_that_the_session_is_not_active() {
    let mut desk = Desk::default();
    desk.register(1, hello(7, 1));
    desk.frames(1);
    desk.say(1, beat(1));
    let answers = answers(&mut desk, 1);
    assert_eq!(answers.len(), 1);
    assert!(answers[0].known && !answers[0].flags.active && !answers[0].quiet);
}

#[test]
fn the_wished_interval_is_clamped_to_the_coordinators_bounds() {
    let wish = |millis, settings| {
        let mut desk = Desk::with(settings);
        let beat_interval = Duration::from_millis(millis);
        desk.register(1, Hello { beat_interval, ..hello(7, 1) });
        match desk.frames(1)[..] {
            [CoordinatorFrame::Welcome(welcome)] => welcome.beat_interval.as_millis(),
            _ => panic!("not welcomed"),
        }
    };
    let defaults = HubSettings::default();
    assert_eq!(wish(5_000, defaults), 5_000);
    assert_eq!(wish(0, defaults), 1_000);
    assert_eq!(wish(u64::MAX, defaults), 15_000);
    let quick = HubSettings { beat_min: 10 * MS, beat_max: 200 * MS, ..defaults };
    assert_eq!(wish(0, quick), 10);
    assert_eq!(wish(5_000, quick), 200);
}

#[test]
fn settings_that_contradict_each_other_are_refused_with_their_figures() {
    let defaults = HubSettings::default();
    let error = |settings| HubConfig::new(settings).expect_err("contradiction");
    assert_eq!(
        error(HubSettings { beat_min: 9 * MS, ..defaults }),
        HubConfigError::BeatRange { min: 9 * MS, max: 15 * SECOND }
    );
    assert_eq!(
        error(HubSettings { lost_after: 5 * SECOND, ..defaults }),
        HubConfigError::BeatRange { min: SECOND, max: 5 * SECOND / 6 }
    );
    assert_eq!(
        error(HubSettings { lost_after: 14 * SECOND, ..defaults }),
        HubConfigError::DisconnectAboveLost { disconnect: 15 * SECOND, lost: 14 * SECOND }
    );
    assert_eq!(
        error(HubSettings { pulse: Duration::ZERO, ..defaults }),
        HubConfigError::Zero { setting: "pulse" }
    );
    let lanes = LaneLimits { window_bytes: 0, ..LaneLimits::default() };
    assert_eq!(error(HubSettings { lanes, ..defaults }), HubConfigError::LanesClosed { lanes });
    for seconds in [1, 6, 90, 3_600] {
        let lost_after = Duration::from_secs(seconds);
        let config = HubConfig::new(HubSettings::for_lost_after(lost_after));
        assert!(config.is_ok_and(|config| config.settings().lost_after == lost_after));
    }
    assert_eq!(HubSettings::for_lost_after(90 * SECOND), defaults);
    let nine = HubSettings::for_lost_after(9 * SECOND);
    assert_eq!((nine.beat_min, nine.beat_max), (100 * MS, 1_500 * MS));
    assert_eq!((nine.suspect_after, nine.disconnect_after), (SECOND, 1_500 * MS));
}

#[test]
fn a_silent_worker_is_suspect_after_ten_seconds_and_detached_after_fifteen() {
    let mut desk = Desk::default();
    let session = desk.activate(1, hello(7, 1));
    let worker = WorkerId(7);
    desk.at(1_000).say(1, beat(1));
    desk.frames(1);
    desk.at(10_999);
    assert_eq!((desk.news(), desk.presence(7)), (vec![], Some(Presence::Active)));
    desk.at(11_000);
    assert_eq!(desk.news(), [HubAction::Suspect { worker, suspect: true }]);
    assert_eq!(desk.presence(7), Some(Presence::Suspect));
    desk.at(15_999);
    assert_eq!(desk.news(), []);
    desk.at(16_000);
    let (reason, last_received) = (Reason::HeartbeatTimeout, desk.instant(1_000));
    let news = desk.news();
    assert!(news.contains(&HubAction::Detached { worker, reason, last_received }), "{news:?}");
    assert!(news.contains(&closed(1, reason)), "{news:?}");
    assert_eq!(desk.frames(1), [go_away(reason, ComeBack::ByReason)]);
    let snapshot = desk.hub.worker(desk.now, worker).expect("it is known");
    assert_eq!((snapshot.presence, snapshot.conn), (Presence::Disconnected, None));
    assert_eq!((snapshot.reason, snapshot.session), (Some(reason), Some(session)));
}

#[test]
fn a_suspect_that_is_heard_again_is_not_suspect_any_more() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    let worker = WorkerId(7);
    // Part of a large frame, or a whole one: both prove life (P22).
    for (at, whole) in [(12_000, false), (24_000, true)] {
        desk.at(at);
        assert_eq!(desk.news(), [HubAction::Suspect { worker, suspect: true }]);
        if whole {
            desk.say(1, beat(1));
        } else {
            desk.tell(HubInput::Received { conn: ConnId(1) });
        }
        assert_eq!(desk.news(), [HubAction::Suspect { worker, suspect: false }]);
        assert_eq!(desk.presence(7), Some(Presence::Active));
    }
}

/// Also where that is sooner than when it would have been detached, and another one comes before it.
#[test]
fn a_suspect_that_is_heard_once_and_falls_silent_is_suspect_again_in_time() {
    let mut desk = Desk::with(HubSettings {
        suspect_after: 10 * SECOND,
        disconnect_after: 60 * SECOND,
        ..HubSettings::default()
    });
    desk.activate(1, hello(7, 1));
    desk.activate(2, hello(8, 1));
    let hear = |desk: &mut Desk, at, conn| {
        desk.at(at).tell(HubInput::Received { conn: ConnId(conn) });
    };
    let worker = WorkerId(7);
    hear(&mut desk, 9_000, 2);
    desk.at(10_000);
    assert_eq!(desk.news(), [HubAction::Suspect { worker, suspect: true }]);
    hear(&mut desk, 11_000, 1);
    assert_eq!(desk.news(), [HubAction::Suspect { worker, suspect: false }]);
    hear(&mut desk, 18_000, 2);
    desk.at(20_999);
    assert_eq!(desk.news(), []);
    desk.at(21_000);
    assert_eq!(desk.news(), [HubAction::Suspect { worker, suspect: true }]);
}

#[test]
fn what_we_send_does_not_prove_that_the_worker_lives() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    for tag in 1..=30u64 {
        desk.at(500 * tag);
        desk.enqueue(7, Lane::C, tag, 10);
    }
    assert!(desk.news().contains(&closed(1, Reason::HeartbeatTimeout)));
}

#[test]
fn a_worker_with_long_intervals_has_two_of_them_to_be_suspect_and_three_to_be_detached() {
    let mut desk = Desk::default();
    desk.activate(1, Hello { beat_interval: 12 * SECOND, ..hello(7, 1) });
    desk.at(23_999);
    assert_eq!(desk.presence(7), Some(Presence::Active));
    desk.at(24_000);
    assert_eq!(desk.presence(7), Some(Presence::Suspect));
    desk.at(35_999);
    assert_eq!(desk.presence(7), Some(Presence::Suspect));
    desk.at(36_000);
    assert_eq!(desk.presence(7), Some(Presence::Disconnected));
}

#[test]
fn presence_is_computed_from_freshness_even_if_no_timer_was_served() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.at(9_500);
    let look = |millis| {
        let snapshot = desk.hub.worker(desk.instant(millis), WorkerId(7)).expect("it is known");
        (snapshot.presence, snapshot.since)
    };
    assert_eq!(look(9_900), (Presence::Active, desk.instant(0)));
    assert_eq!(look(10_200), (Presence::Suspect, desk.instant(10_000)));
    let all: Vec<_> = desk.hub.workers(desk.instant(10_200)).map(|it| it.presence).collect();
    assert_eq!(all, [Presence::Suspect]);
}

#[test]
fn a_worker_is_told_from_another_by_either_half_of_its_id() {
    let ids = [1 << 64 | 7, 2 << 64 | 7, 7, 1 << 64, 1 << 127 | 7];
    let mut desk = Desk::default();
    for (conn, id) in (1..).zip(ids) {
        let name = Sym(u32::try_from(conn).expect("few"));
        desk.register(conn, Hello { worker: WorkerId(id), name, ..hello(7, conn) });
        desk.restore(conn);
    }
    desk.news();
    desk.at(15_000);
    let detached = |news: &HubAction| {
        if let HubAction::Detached { worker, .. } = news { Some(worker.0) } else { None }
    };
    let mut gone: Vec<u128> = desk.news().iter().filter_map(detached).collect();
    gone.sort_unstable();
    let mut all = ids;
    all.sort_unstable();
    assert_eq!(gone, all);
}

#[test]
fn what_a_worker_says_of_itself_is_told_once() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    let say = |desk: &mut Desk, draining, paused| {
        let flags = Flags { active: true, draining, paused };
        let beat = Beat { seq: 1, flags, free: 0, quiet: false, rtt_micros: 1_500 };
        desk.say(1, WorkerFrame::Beat(beat));
        desk.news()
    };
    let worker = WorkerId(7);
    assert_eq!(say(&mut desk, false, false), []);
    desk.at(400);
    let flags = HubAction::Flags { worker, draining: true, paused: true };
    assert_eq!(say(&mut desk, true, true), [flags]);
    assert_eq!(say(&mut desk, true, true), []);
    let snapshot = desk.hub.worker(desk.now, worker).expect("it is known");
    assert_eq!((snapshot.presence, snapshot.since), (Presence::Draining, desk.instant(400)));
    assert_eq!(snapshot.rtt, Some(Duration::from_micros(1_500)));
}

#[test]
fn what_a_worker_said_of_itself_is_not_told_again_when_its_session_goes_on() {
    for (draining, paused) in [(true, false), (false, true)] {
        let mut desk = Desk::default();
        let session = desk.activate(1, hello(7, 1));
        let flags = Flags { active: true, draining, paused };
        let says = WorkerFrame::Beat(Beat { seq: 1, flags, free: 0, quiet: false, rtt_micros: 0 });
        let told = |desk: &mut Desk| {
            let news = desk.news();
            news.iter().filter(|news| matches!(news, HubAction::Flags { .. })).count()
        };
        desk.say(1, says);
        assert_eq!(told(&mut desk), 1);
        desk.close(1, Reason::StreamLost);
        desk.register(2, resuming(7, 1, session));
        desk.restore(2);
        desk.say(2, says);
        assert_eq!(told(&mut desk), 0);
        desk.say(2, beat(2));
        assert_eq!(told(&mut desk), 1, "and that it is over is news");
    }
}

#[test]
fn the_statistics_of_a_link_are_shown_as_told_last_and_a_violation_where_not_agreed_to() {
    let mut desk = Desk::default();
    let features = Features::STATISTICS;
    desk.activate(1, Hello { features, ..hello(7, 1) });
    desk.activate(2, hello(8, 1));
    let shown =
        |desk: &Desk, id| desk.hub.worker(desk.now, WorkerId(id)).expect("it is known").statistics;
    assert_eq!(shown(&desk, 7), None);
    for dials in 1..=2 {
        let told = Statistics { dials, ..Statistics::default() };
        desk.say(1, WorkerFrame::Statistics(told));
        assert_eq!(shown(&desk, 7), Some(told));
    }
    desk.say(2, WorkerFrame::Statistics(Statistics::default()));
    assert_eq!(
        (desk.presence(7), desk.presence(8)),
        (Some(Presence::Active), Some(Presence::Disconnected),)
    );
    assert_eq!(shown(&desk, 8), None);
}

#[test]
fn the_hub_wants_to_be_run_every_second_even_if_it_knows_nobody() {
    let mut desk = Desk::default();
    for second in 1..=3u64 {
        let deadline = desk.instant(1_000 * second);
        assert_eq!(desk.hub.next_wake(), Wake::At { deadline, timer: HubTimer::Pulse });
        desk.at(1_000 * second);
    }
}

#[test]
fn a_hub_that_was_frozen_for_a_hundred_seconds_detaches_nobody() {
    let mut desk = Desk::default();
    let session = desk.activate(1, hello(7, 1));
    desk.at(4_000).say(1, beat(1));
    desk.at(4_600);
    desk.freeze(100 * SECOND);
    let before = desk.hub.worker(desk.now, WorkerId(7)).expect("it is known");
    assert_eq!(before.presence, Presence::Active, "also for who looks before the hub is run");
    desk.tell(HubInput::Timeout);
    let news = desk.news();
    let [HubAction::Stalled { late }] = news[..] else { panic!("{news:?}") };
    assert!(late <= 100 * SECOND && late >= 99 * SECOND, "{late:?}");
    // The worker notices only that its beats are not answered, and goes on on the same connection.
    desk.say(1, beat(2));
    let snapshot = desk.hub.worker(desk.now, WorkerId(7)).expect("it is known");
    assert_eq!((snapshot.presence, snapshot.session), (Presence::Active, Some(session)));
    assert_eq!(desk.news(), []);
}

#[test]
fn a_freeze_delays_the_detection_of_a_dead_worker_by_about_its_own_length() {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.at(3_000);
    desk.freeze(60 * SECOND);
    desk.tell(HubInput::Timeout);
    let effective = desk.effective();
    assert!((3_000..=4_000).contains(&effective), "{effective}");
    let dead = 15_000 - u64::try_from(effective).expect("small");
    let now = u64::try_from(desk.now.since(desk.instant(0)).as_millis()).expect("small");
    desk.at(now + dead - 1);
    assert_eq!(desk.presence(7), Some(Presence::Suspect));
    desk.at(now + dead);
    assert_eq!(desk.presence(7), Some(Presence::Disconnected));
}

#[test]
fn effective_and_actual_time_convert_into_each_other() {
    let mut desk = Desk::default();
    desk.at(2_500);
    desk.freeze(50 * SECOND);
    desk.tell(HubInput::Timeout);
    let effective = desk.hub.effective(desk.now);
    assert_eq!(desk.hub.actual(effective), desk.now);
    let deadline = effective + 7 * SECOND;
    assert_eq!(desk.hub.effective(desk.hub.actual(deadline)), deadline.min(effective + SECOND));
}

/// What happens in one slice of time: workers beat, and the hub is run or frozen.
#[derive(Clone, Copy, Debug)]
enum Slice {
    Run(u64),
    Freeze(u64),
}

fn slices() -> impl Strategy<Value = Vec<Slice>> {
    let slice =
        prop_oneof![(1u64..8_000).prop_map(Slice::Run), (1u64..200_000).prop_map(Slice::Freeze),];
    prop::collection::vec(slice, 1..25)
}

proptest! {
    /// The timers are served before the frames that waited in the buffers, which is the hard order.
    #[test]
    fn no_freeze_of_any_length_ever_costs_a_worker_that_beats(slices in slices()) {
        let mut desk = Desk::default();
        for worker in 1..=3u64 {
            desk.activate(worker, hello(u128::from(worker), worker));
        }
        let (mut now, mut next_beat, mut seq) = (0, 5_000, 0);
        for slice in slices {
            let (until, frozen) = match slice {
                Slice::Run(millis) => (now + millis, false),
                Slice::Freeze(millis) => (now + millis, true),
            };
            if frozen {
                desk.freeze(Duration::from_millis(until - now));
                desk.tell(HubInput::Timeout);
            }
            while next_beat <= until {
                if !frozen {
                    desk.at(next_beat);
                }
                seq += 1;
                for conn in 1..=3 {
                    prop_assert_eq!(desk.say(conn, beat(seq)), HubVerdict::Accepted);
                }
                next_beat += 5_000;
            }
            if !frozen {
                desk.at(until);
            }
            now = until;
        }
        let gone = |action: &HubAction| matches!(action, HubAction::Detached { .. });
        prop_assert!(!desk.news().iter().any(gone));
    }
}

#[test]
fn an_outage_lasts_from_the_loss_of_an_active_session_until_the_worker_is_active_again() {
    let aways = |desk: &mut Desk| {
        let away = |action| {
            let HubAction::Active { away, .. } = action else { return None };
            Some(away.map(|away| away.as_millis()))
        };
        desk.news().into_iter().filter_map(away).collect::<Vec<_>>()
    };
    let mut desk = Desk::default();
    desk.register(1, hello(7, 1));
    desk.restore(1);
    assert_eq!(aways(&mut desk), [None], "it was never here");
    let session = desk.hub.worker(desk.now, WorkerId(7)).and_then(|it| it.session);
    let back = || resuming(7, 1, session.expect("it has one"));
    desk.at(1_000).close(1, Reason::StreamLost);
    // A registration that comes to nothing ends no outage.
    desk.at(3_000).register(2, back());
    desk.at(3_500).close(2, Reason::StreamLost);
    desk.at(4_000).register(3, back());
    desk.at(4_250).restore(3);
    assert_eq!(aways(&mut desk), [Some(3_250)]);
    // Another connection of the same process that takes over from a live one is none.
    desk.register(4, back());
    desk.at(4_500).restore(4);
    assert_eq!(aways(&mut desk), [None]);
    // It is one also if its leases were given away meanwhile, or another process comes back ...
    desk.at(5_000).close(4, Reason::StreamLost);
    desk.tell(HubInput::Lost { worker: WorkerId(7) });
    desk.at(65_000).register(5, hello(7, 2));
    desk.restore(5);
    assert_eq!(aways(&mut desk), [Some(60_000)]);
    // ... but not if it left on purpose.
    desk.say(5, WorkerFrame::Goodbye { reason: Reason::WorkerStopping });
    desk.at(70_000).register(6, hello(7, 3));
    desk.restore(6);
    assert_eq!(aways(&mut desk), [None]);
}
