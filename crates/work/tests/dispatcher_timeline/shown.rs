//! Timelines: what a dispatcher shows of itself, and when it is as another one.

use core::time::Duration;

use crate::bench::*;
use moorline_work::*;

const FAR: Duration = Duration::from_secs(3_600);

/// A dispatcher as it is so many seconds after the start.
fn seen(bench: &Bench, seconds: u64) -> Canonical<'_, Dispatcher> {
    Canonical::new(&bench.dispatcher, bench.second(seconds), FAR)
}

#[test]
fn a_dispatcher_is_ready_when_the_leases_are_read_and_settled_when_all_is_stored() {
    let mut bench = Bench::starting(unguarded(), Default::default());
    assert!(!bench.dispatcher.is_ready() && !bench.dispatcher.is_settled());
    bench.commit();
    assert!(bench.dispatcher.is_ready() && bench.dispatcher.is_settled());
    bench.submit(1);
    assert!(bench.dispatcher.is_ready() && !bench.dispatcher.is_settled());
}

#[test]
fn the_tasks_it_knows_are_those_that_are_leased_and_those_that_wait() {
    let mut bench = Bench::new(unguarded());
    assert_eq!(bench.dispatcher.tasks(), 0);
    bench.join(1, 1, 1).submit(1).submit(2).submit(3).commit();
    assert_eq!(bench.dispatcher.tasks(), 3);
    bench.accept(1, key(1, 1)).result(1, key(1, 1), Outcome::Succeeded).commit();
    assert_eq!(bench.dispatcher.tasks(), 2);
}

#[test]
fn a_lease_is_shown_with_how_far_it_has_come() {
    let mut bench = Bench::new(unguarded());
    bench.join(1, 1, 1).submit(1).commit();
    let shown = |bench: &Bench| {
        let lease = bench.dispatcher.leases().next().expect("one");
        (lease.handed_over, lease.accepted, lease.cancel_requested)
    };
    assert_eq!(shown(&bench), (false, false, false), "its payload is here");
    bench.handed_over(1, key(1, 1));
    assert_eq!(shown(&bench), (true, false, false));
    bench.says(1, 1, WorkerMessage::Accept { key: key(1, 1) });
    assert_eq!(shown(&bench), (true, true, false));
    bench.cancel(7, 1).commit();
    assert_eq!(shown(&bench), (true, true, true));
}

#[test]
fn the_words_for_what_became_of_a_result_and_of_a_task() {
    let dispositions = [
        (Disposition::Accepted, "accepted"),
        (Disposition::LateAccepted, "late_accepted"),
        (Disposition::Duplicate, "duplicate"),
        (Disposition::Stale, "stale"),
        (Disposition::Unknown, "unknown"),
    ];
    for (disposition, word) in dispositions {
        assert_eq!(disposition.name(), word);
    }
    let states = [
        (TaskState::Queued, "queued"),
        (TaskState::Leased, "leased"),
        (TaskState::Succeeded, "succeeded"),
        (TaskState::Failed, "failed"),
        (TaskState::Cancelled, "cancelled"),
        (TaskState::Dead, "dead"),
    ];
    for (state, word) in states {
        assert_eq!(state.name(), word);
    }
}

#[test]
fn how_long_a_worker_has_left_to_answer_counts() {
    let told_at = |second| {
        let mut bench = Bench::with_one_running(unguarded(), spec(H));
        bench.at(second).cancel(9, 1).commit().at(5);
        bench
    };
    assert_eq!(seen(&told_at(1), 5), seen(&told_at(1), 5));
    assert_ne!(seen(&told_at(1), 5), seen(&told_at(2), 5));
}

#[test]
fn of_times_that_are_over_the_order_counts_because_they_are_served_in_it() {
    let lost_in = |heard: [u64; 2]| {
        let mut bench = Bench::new(unguarded());
        bench.join(1, 1, 1).join(2, 1, 1).commit();
        bench.detach(1, heard[0]).detach(2, heard[1]);
        bench
    };
    let (mut one, mut other) = (lost_in([0, 1]), lost_in([1, 0]));
    assert_ne!(seen(&one, 300), seen(&other, 300));
    one.at(300);
    other.at(300);
    let lost_first = |bench: &mut Bench| bench.seen().first().copied();
    assert_eq!((lost_first(&mut one), lost_first(&mut other)), (Some(lost(1)), Some(lost(2))));
}
