use std::sync::{Arc, Mutex};

use futures::channel::mpsc;
use futures::future::BoxFuture;
use moorline_link::{Incarnation, Instant, WorkerId};
use moorline_node::Name;
use moorline_store::WallTime;

use super::*;

/// Keeps what is spawned.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<BoxFuture<'static, ()>>>>);

impl Kept {
    fn count(&self) -> usize {
        self.0.lock().expect("nobody panics").len()
    }
}

impl Runtime for Kept {
    fn now(&self) -> Instant {
        Instant::ZERO
    }

    fn wall(&self) -> WallTime {
        WallTime(0)
    }

    fn sleep_until(&self, _: Instant) -> BoxFuture<'static, ()> {
        std::future::pending().boxed()
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) {
        self.0.lock().expect("nobody panics").push(future);
    }
}

fn applicant(n: u64) -> Applicant {
    let name = Name::new("w").expect("a name");
    let (worker, incarnation) = (WorkerId(n.into()), Incarnation(1));
    Applicant { worker, incarnation, name, proven: None, credential: None }
}

#[test]
fn so_many_are_looked_at_at_a_time_and_the_others_in_turn() {
    let (kept, all) = (Kept::default(), 2 * AT_A_TIME as u64);
    let (judged, mut verdicts) = mpsc::unbounded();
    let authenticator = Authenticator::new(|_| std::future::pending());
    let mut judges = Judges::new(kept.clone(), Some(authenticator), judged);
    for n in 0..all {
        judges.judge(ConnId(n), applicant(n));
    }
    assert_eq!(kept.count(), AT_A_TIME);
    // Nobody waits any more for one that waits, nor for one that is looked at.
    judges.forget(ConnId(all - 1));
    assert_eq!(kept.count(), AT_A_TIME);
    judges.forget(ConnId(0));
    judges.forget(ConnId(0));
    assert_eq!(kept.count(), AT_A_TIME + 1);
    for n in 1..all {
        judges.forget(ConnId(n));
    }
    assert!(judges.running.is_empty() && judges.waiting.is_empty());
    // Those that were begun end without a word.
    for judging in kept.0.lock().expect("nobody panics").drain(..) {
        futures::executor::block_on(judging);
    }
    assert!(verdicts.try_recv().is_err());
}
