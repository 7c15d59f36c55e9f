//! Timelines: what is given to a worker that does not take delivery is bounded, and nobody else waits
//! for it.

use crate::bench::*;
use moorline_work::*;

const MIB: u32 = 1 << 20;

/// Tasks with these numbers and so many bytes each.
fn submit(bench: &mut Bench, tasks: core::ops::RangeInclusive<u128>, bytes: u32) {
    for task in tasks {
        bench.submit_spec(task, TaskSpec { bytes, ..spec(H) });
    }
    bench.commit();
}

fn running(bench: &Bench, worker: u128) -> usize {
    bench.dispatcher.running(WorkerId(worker))
}

fn undelivered(bench: &Bench, worker: u128) -> (u32, u64) {
    bench.dispatcher.undelivered(WorkerId(worker))
}

#[test]
fn a_worker_that_takes_no_delivery_is_given_sixteen_mebibytes_and_no_more() {
    let mut bench = Bench::new(unguarded());
    bench.join(1, 1, u16::MAX);
    submit(&mut bench, 1..=200, MIB);
    assert_eq!((running(&bench, 1), undelivered(&bench, 1)), (16, (16, 16 << 20)));

    // With the time nothing changes, and each delivery makes room for one.
    bench.at(60);
    assert_eq!(running(&bench, 1), 16);
    bench.handed_over(1, key(1, 1)).commit();
    assert_eq!((running(&bench, 1), undelivered(&bench, 1).0), (17, 16));

    // Others get what it does not take.
    bench.join(2, 1, 3).commit();
    assert_eq!((running(&bench, 1), running(&bench, 2)), (17, 3));
}

#[test]
fn a_worker_that_takes_no_delivery_is_given_a_thousand_small_tasks_and_no_more() {
    let mut bench = Bench::new(unguarded());
    bench.join(1, 1, u16::MAX);
    submit(&mut bench, 1..=1_200, 0);
    assert_eq!((running(&bench, 1), undelivered(&bench, 1)), (1_024, (1_024, 0)));
    for task in 1..=200 {
        bench.handed_over(1, key(task, 1));
    }
    bench.commit();
    assert_eq!((running(&bench, 1), undelivered(&bench, 1)), (1_200, (1_000, 0)));
}

#[test]
fn no_task_is_too_large_to_be_given() {
    let settings = DispatcherSettings {
        undelivered_tasks: 0,
        undelivered_bytes: 0,
        undelivered_bytes_in_all: 0,
        ..unguarded()
    };
    for settings in [unguarded(), settings] {
        let mut bench = Bench::new(settings);
        bench.join(1, 1, 8);
        submit(&mut bench, 1..=3, u32::MAX);
        for task in 1..=3 {
            assert_eq!(undelivered(&bench, 1), (1, u64::from(u32::MAX)), "one at a time");
            bench.accept(1, key(task, 1)).commit();
        }
        assert_eq!((running(&bench, 1), undelivered(&bench, 1)), (3, (0, 0)));
    }
}

#[test]
fn when_too_much_is_undelivered_in_all_only_those_that_took_everything_are_given_more() {
    let settings = DispatcherSettings { undelivered_bytes_in_all: 8 << 20, ..unguarded() };
    let mut bench = Bench::new(settings);
    bench.join(1, 1, u16::MAX);
    submit(&mut bench, 1..=100, MIB);
    assert_eq!((running(&bench, 1), bench.dispatcher.undelivered_in_all()), (8, (8, 8 << 20)));

    // One that takes delivery works as if there were nobody else, one task at a time.
    bench.join(2, 1, 5).commit();
    for task in 9..=13 {
        assert_eq!(undelivered(&bench, 2).0, 1);
        bench.accept(2, key(task, 1)).commit();
    }
    assert_eq!((running(&bench, 1), running(&bench, 2)), (8, 5));

    // What the first one takes makes room for it again.
    bench.handed_over(1, key(1, 1)).commit();
    assert_eq!((running(&bench, 1), bench.dispatcher.undelivered_in_all()), (9, (8, 8 << 20)));
}

#[test]
fn what_was_not_delivered_goes_elsewhere_when_the_connection_ends() {
    let mut bench = Bench::new(unguarded());
    bench.join(1, 1, u16::MAX);
    submit(&mut bench, 1..=20, MIB);
    bench.handed_over(1, key(1, 1)).commit();
    bench.detach(1, 0).commit();
    // Its lanes give back what has no number.
    for task in 2..=17 {
        bench.withdrawn(1, key(task, 1), true);
    }
    bench.commit();
    assert_eq!((running(&bench, 1), bench.dispatcher.undelivered_in_all()), (1, (0, 0)));
    bench.join(2, 1, 30).commit();
    assert_eq!(undelivered(&bench, 2).0, 16);
    for task in 2..=4 {
        bench.accept(2, key(task, 2));
    }
    bench.commit();
    assert_eq!((running(&bench, 2), undelivered(&bench, 2)), (19, (16, 16 << 20)));
    // The one that was handed over is given away when the worker is lost.
    bench.at(90).commit();
    assert_eq!(running(&bench, 1), 0);
}

#[test]
fn a_cancelled_task_that_was_not_delivered_makes_room_for_another() {
    let mut bench = Bench::new(unguarded());
    bench.join(1, 1, u16::MAX);
    submit(&mut bench, 1..=20, MIB);
    bench.cancel(100, 3).commit();
    bench.withdrawn(1, key(3, 1), true).commit();
    assert_eq!((bench.state(3), bench.state(17)), (TaskState::Cancelled, TaskState::Leased));
    assert_eq!(undelivered(&bench, 1), (16, 16 << 20));
}
