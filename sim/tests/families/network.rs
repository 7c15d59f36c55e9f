//! N: what lies between a worker and the coordinator.

use moorline_sim::{Family, Fault, Latency, Side, Way, What, WorkerPlan, Workers};

use super::{AT, MS, SEC, Trip, W0, hostile, run, struck, world};

const ONE: Workers = Workers::one(0);

/// Whether it was on its way while the fault was there.
fn is_during(trip: &Trip, lasts: u64) -> bool {
    (AT..AT + lasts).contains(&trip.sent)
}

#[test]
fn n1_a_link_follows_its_law_each_way_by_itself() {
    let mut plan = world();
    plan.workers[0].up = Latency::Fixed { at: 7 * MS };
    plan.workers[0].down = Latency::Exponential { min: 2 * MS, mean: 200 * MS, cap: 900 * MS };
    let ran = run(plan);
    let up = ran.trips_of(0, Side::Worker);
    // But for what healing makes of a path that is too slow.
    assert!(up.iter().all(|trip| trip.took() == 7 * MS));
    let mut down = ran.trips_of(0, Side::Coordinator);
    assert!(down.iter().all(|trip| (2 * MS..=900 * MS).contains(&trip.took())));
    down.sort_unstable_by_key(Trip::took);
    down.dedup_by_key(|trip| trip.took());
    assert!(down.len() > 20, "{} lengths", down.len());
    assert!(ran.trips_of(1, Side::Coordinator).iter().all(|trip| trip.took() == MS));
    assert!(ran.met(Family::N1) > 0);
}

#[test]
fn n2_a_distance_is_added_to_every_packet_of_its_link() {
    let mut plan = world();
    plan.workers[0].distance = 80 * MS;
    let ran = run(plan);
    for trip in ran.trips() {
        let expected = if trip.worker == 0 { 81 * MS } else { MS };
        assert_eq!(trip.took(), expected, "{trip:?}");
    }
    assert!(ran.met(Family::N2) > 0);
}

#[test]
fn n3_some_packets_take_longer_while_it_lasts_and_none_before_or_after() {
    let (most, lasts) = (300 * MS, 40 * SEC);
    let ran = run(struck(Fault::Spikes { workers: ONE, way: Way::Up, ppm: 300_000, most, lasts }));
    let up = ran.trips_of(0, Side::Worker);
    let slow: Vec<&Trip> = up.iter().filter(|trip| trip.took() > MS).collect();
    assert!(slow.len() > 10, "{}", slow.len());
    assert!(slow.iter().all(|trip| is_during(trip, lasts) && trip.took() <= most + MS));
    assert!(up.iter().filter(|trip| is_during(trip, lasts)).any(|trip| trip.took() == MS));
    assert!(ran.trips_of(0, Side::Coordinator).iter().all(|trip| trip.took() == MS));
    assert!(ran.met(Family::N3) > 0);
}

#[test]
fn n4_what_is_lost_comes_after_a_retransmit_and_what_is_behind_it_waits() {
    let (rto, lasts) = (100 * MS, 40 * SEC);
    let way = Way::Down;
    let fault = Fault::Stalls { workers: ONE, way, ppm: 200_000, burst: 3, rto, lasts };
    let ran = run(struck(fault));
    let down = ran.trips_of(0, Side::Coordinator);
    let late: Vec<&Trip> = down.iter().filter(|trip| trip.took() >= rto).collect();
    assert!(late.len() > 5, "{}", late.len());
    assert!(late.iter().all(|trip| is_during(trip, lasts)));
    assert!(late.iter().any(|trip| trip.took() > 2 * rto), "one to four of them");
    // Of each connection they arrive as they were sent.
    for pair in down.windows(2).filter(|pair| pair[0].conn == pair[1].conn) {
        assert!(pair[0].sent <= pair[1].sent, "{pair:?}");
    }
    assert!(ran.met(Family::N4) > 0);
}

#[test]
fn n5_packets_arrive_again_in_a_hostile_world_only() {
    let fault = Fault::Replay {
        workers: ONE,
        way: Way::Both,
        ppm: 300_000,
        copies: 2,
        delay: 500 * MS,
        lasts: 20 * SEC,
    };
    let ran = run(hostile(fault));
    let mut sent: Vec<(u32, u64, u64)> =
        ran.trips_of(0, Side::Worker).iter().map(|trip| (trip.conn, trip.sent, trip.len)).collect();
    let all = sent.len();
    sent.sort_unstable();
    sent.dedup();
    assert!(sent.len() < all, "{all} arrived, each once");
    assert!(ran.report.seen.replays > 0);
    assert!(ran.met(Family::N5) > 0);
    let honest = run(struck(fault));
    assert_eq!((honest.report.seen.replays, honest.struck_at().len()), (0, 0));
}

#[test]
fn n7_what_changes_on_its_way_ends_the_connection_or_is_read_in_a_hostile_world() {
    let fault = Fault::Corrupt { workers: ONE, way: Way::Both, ppm: 60_000, lasts: 30 * SEC };
    let honest = run(struck(fault));
    let changed = honest.report.seen.corrupted;
    assert!(changed > 0);
    assert_eq!(honest.of(What::Cut, W0).len() as u64, changed, "each ends a connection");
    assert_eq!(honest.report.tasks, 40);
    assert!(honest.met(Family::N7) > 0);
    let other = run(hostile(fault));
    assert!(other.report.seen.corrupted > 0);
    assert!(other.of(What::Cut, W0).is_empty(), "nobody on the way has noticed");
}

#[test]
fn n8_nothing_travels_that_way_in_a_partition() {
    for (way, is_up, is_down) in
        [(Way::Up, false, true), (Way::Down, true, false), (Way::Both, false, false)]
    {
        let lasts = 2_300 * MS;
        let ran = run(struck(Fault::Partition { workers: ONE, way, lasts, again: 0 }));
        let arrives = |from| {
            let trips = ran.trips_of(0, from);
            trips.iter().any(|trip| (AT + 1..=AT + lasts).contains(&trip.got))
        };
        assert_eq!(
            (arrives(Side::Worker), arrives(Side::Coordinator)),
            (is_up, is_down),
            "{way:?}"
        );
        let other = ran.trips_of(1, Side::Worker);
        assert!(other.iter().all(|trip| trip.took() == MS));
        assert!(ran.met(Family::N8) > 0);
    }
}

#[test]
fn n8_a_long_partition_makes_a_worker_lost_and_it_comes_back() {
    let lasts = 30 * SEC;
    let ran = run(struck(Fault::Partition { workers: ONE, way: Way::Both, lasts, again: SEC }));
    assert!(ran.report.seen.lost > 0 && ran.report.dials > 2, "{:?}", ran.report);
    assert_eq!(ran.report.tasks, 40);
}

#[test]
fn n9_a_link_that_flaps_carries_something_between_two_breaks_only() {
    let (period, lasts) = (2 * SEC, 20 * SEC);
    let flap = Fault::Flap { workers: ONE, way: Way::Both, period, broken: 500_000, lasts };
    let ran = run(struck(flap));
    let trips = ran.trips_of(0, Side::Worker);
    let of_turn = |turn: u64| {
        let from = AT + turn * period;
        let broken = trips.iter().filter(|trip| (from + 1..=from + SEC).contains(&trip.got));
        let whole = trips.iter().filter(|trip| (from + SEC + 1..from + period).contains(&trip.got));
        (broken.count(), whole.count())
    };
    for turn in 0..lasts / period {
        let (broken, whole) = of_turn(turn);
        assert!(broken == 0 && whole > 0, "turn {turn}: {broken} and {whole}");
    }
    assert!(of_turn(lasts / period).0 > 0, "it is over");
    assert!(ran.met(Family::N9) > 0);
}

#[test]
fn n10_links_go_one_by_one_and_come_back_in_another_order() {
    let mut plan =
        struck(Fault::Swizzle { workers: Workers::first(6), spread: 5 * SEC, lasts: 6 * SEC });
    let first = plan.workers[0].clone();
    plan.workers = (0..6)
        .map(|index| WorkerPlan {
            id: u128::from(index + 1_u32) << 64 | u128::from(index),
            ..first.clone()
        })
        .collect();
    let ran = run(plan);
    // The longest silence of each.
    let gap = |worker: usize| {
        let got: Vec<u64> =
            ran.trips_of(worker, Side::Worker).iter().map(|trip| trip.got).collect();
        got.windows(2).map(|pair| (pair[1] - pair[0], pair[0], pair[1])).max().expect("it spoke")
    };
    let gaps: Vec<_> = (0..6).map(gap).collect();
    assert!(gaps.iter().all(|(lasts, ..)| *lasts > 3 * SEC), "{gaps:?}");
    let order = |key: fn(&(u64, u64, u64)) -> u64| {
        let mut order: Vec<usize> = (0..6).collect();
        order.sort_by_key(|worker| key(&gaps[*worker]));
        order
    };
    let (going, coming) = (order(|gap| gap.1), order(|gap| gap.2));
    assert_ne!(going, coming, "{gaps:?}");
    assert!(ran.met(Family::N10) > 0);
}

#[test]
fn n11_bytes_leave_one_after_the_other_and_a_full_queue_takes_no_more() {
    let (rate, lasts) = (4_000, 30 * SEC);
    let mut plan = struck(Fault::Narrow { workers: ONE, way: Way::Up, rate, queue: 2_000, lasts });
    plan.workers[1].absent = true;
    for task in &mut plan.tasks {
        (task.size, task.work) = (6_000, 10 * MS);
        task.submit_at = AT + SEC;
    }
    plan.tasks.truncate(12);
    let ran = run(plan);
    let up = ran.trips_of(0, Side::Worker);
    let from = AT + 2 * SEC;
    for second in 0..20 {
        let window = from + second * SEC..from + (second + 1) * SEC;
        let inside = up.iter().filter(|trip| window.contains(&trip.got));
        let (bytes, most) =
            inside.fold((0, 0), |(sum, most), trip| (sum + trip.len, most.max(trip.len)));
        assert!(bytes <= rate + most, "{bytes} bytes in second {second}");
    }
    assert!(ran.report.seen.blocked > 0);
    assert!(ran.met(Family::N11) > 0);
}

#[test]
fn n12_a_packet_is_there_when_its_last_piece_is() {
    let (size, gap, lasts) = (64, 10 * MS, 40 * SEC);
    let ran = run(struck(Fault::Segments { workers: ONE, way: Way::Both, size, gap, lasts }));
    let during = |trip: &&Trip| is_during(trip, lasts);
    let trips: Vec<Trip> = ran.trips().into_iter().filter(|trip| trip.worker == 0).collect();
    // Behind another one on the same lane it may have to wait for that.
    let longest = trips.iter().map(|trip| trip.len.div_ceil(size)).max().unwrap_or(0);
    assert!(trips.iter().all(|trip| trip.took() <= MS + gap * longest));
    let slow = trips.iter().filter(during).filter(|trip| trip.len > size && trip.took() > MS);
    assert!(slow.count() > 5);
    assert!(trips.iter().filter(|trip| !is_during(trip, lasts)).all(|trip| trip.took() == MS));
    assert!(ran.met(Family::N12) > 0);
}

#[test]
fn a_path_that_is_too_slow_for_heartbeats_heals_as_everything_does() {
    let mut plan = world();
    plan.workers[0].up = Latency::Fixed { at: 900 * MS };
    let quiet_at = plan.quiet_at;
    let ran = run(plan);
    let up = ran.trips_of(0, Side::Worker);
    let after: Vec<_> = up.iter().filter(|trip| trip.sent > quiet_at + SEC).collect();
    assert!(!after.is_empty() && after.iter().all(|trip| trip.took() <= 125 * MS), "{after:?}");
    assert!(up.iter().any(|trip| trip.sent < quiet_at && trip.took() == 900 * MS));
}
