//! Timelines: the store is far behind, and what workers ask meanwhile stays bounded.

use crate::bench::*;
use moorline_work::*;

const QUESTIONS_MAX: usize = 16_384;

fn outcome(task: u128) -> Outcome {
    if task.is_multiple_of(2) { Outcome::Succeeded } else { Outcome::Failed { retryable: true } }
}

#[test]
fn results_of_unknown_tasks_wait_with_their_worker_and_are_all_answered_in_the_end() {
    let mut bench = Bench::new(unguarded());
    bench.join(1, 1, 1).commit().hush();
    let tasks = 1_000..21_000_u128;
    for task in tasks.clone() {
        bench.result(1, key(task, 1), outcome(task));
    }
    assert_eq!(bench.dispatcher.pending_ops(), QUESTIONS_MAX);
    assert_eq!(bench.seen(), [], "nothing is settled");
    bench.commit();
    let mut answered = bench.seen();
    answered.sort_by_key(|action| {
        let DispatcherAction::Send { message: CoordinatorMessage::Settled { key, .. }, .. } =
            action
        else {
            panic!("{action:?}")
        };
        key.task
    });
    let all: Vec<_> = tasks.map(|task| settled(1, key(task, 1), Disposition::Unknown)).collect();
    assert_eq!(answered, all, "each once");
    assert!(bench.dispatcher.is_settled());
}

#[test]
fn a_worker_that_registers_again_and_again_asks_again_and_is_answered_for_the_last_time_only() {
    let mut bench = Bench::new(unguarded());
    bench.join(1, 1, 1).commit().hush();
    let keys = || (1_000..9_000_u128).map(|task| key(task, 1));
    for _ in 0..5 {
        bench.register(1, 1, 1, false);
        for key in keys() {
            let holding = running(1);
            bench.input(DispatcherInput::Item { worker: WorkerId(1), key, holding });
        }
        assert!(bench.dispatcher.pending_ops() <= QUESTIONS_MAX);
    }
    assert_eq!(bench.dispatcher.pending_ops(), QUESTIONS_MAX);
    bench.hush().commit();
    let key_of = |action| {
        let DispatcherAction::Answer { key, .. } = action else { panic!("{action:?}") };
        key
    };
    let mut answered: Vec<TaskKey> = bench.seen().into_iter().map(key_of).collect();
    answered.sort_unstable();
    assert!(answered.into_iter().eq(keys()), "each once");
}

#[test]
fn what_waits_for_the_store_is_asked_in_the_session_it_came_in() {
    for resumed in [true, false] {
        let mut bench = Bench::new(unguarded());
        bench.join(1, 1, 1).join(2, 1, 1).commit().hush();
        for task in 1_000..1_000 + QUESTIONS_MAX as u128 {
            bench.result(2, key(task, 1), outcome(task));
        }
        bench.result(1, key(9, 1), Outcome::Succeeded);
        bench.register(1, 1, 1, resumed).end(1).active(1).commit();
        let told = bench.seen().contains(&settled(1, key(9, 1), Disposition::Unknown));
        assert_eq!(told, resumed, "else its inventory would have named it");
    }
}
