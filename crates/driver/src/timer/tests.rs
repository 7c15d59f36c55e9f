use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use futures::channel::oneshot;
use moorline_store::WallTime;

use super::*;

/// Sleeps that end when the test says so, whatever their time.
#[derive(Clone, Default)]
struct Sleeps {
    begun: Arc<AtomicU32>,
    running: Arc<Mutex<Vec<Sleep>>>,
}

type Sleep = (Instant, oneshot::Sender<()>);

impl Runtime for Sleeps {
    fn now(&self) -> Instant {
        Instant::ZERO
    }
    fn wall(&self) -> WallTime {
        WallTime(0)
    }
    fn sleep_until(&self, at: Instant) -> BoxFuture<'static, ()> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let (end, ended) = oneshot::channel();
        self.running.lock().expect("not poisoned").push((at, end));
        ended.map(|_| ()).boxed()
    }
    fn spawn(&self, _future: BoxFuture<'static, ()>) {}
}

fn second(n: u64) -> Option<Instant> {
    Some(Instant::ZERO + Duration::from_secs(n))
}

#[test]
fn a_deadline_that_moves_on_costs_no_new_sleep_and_one_that_comes_nearer_does() {
    let sleeps = Sleeps::default();
    let mut timer = Timer::default();
    let mut cx = Context::from_waker(Waker::noop());
    for deadline in [second(5), second(6), second(500), None, second(7)] {
        assert!(timer.poll(&mut cx, &sleeps, deadline).is_pending());
    }
    assert_eq!(sleeps.begun.load(Ordering::SeqCst), 1);
    assert!(timer.poll(&mut cx, &sleeps, second(4)).is_pending());
    assert_eq!(sleeps.begun.load(Ordering::SeqCst), 2);
}

#[test]
fn a_sleep_that_ends_wakes_once() {
    let sleeps = Sleeps::default();
    let mut timer = Timer::default();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(timer.poll(&mut cx, &sleeps, second(5)).is_pending());
    let (at, end) = sleeps.running.lock().expect("not poisoned").pop().expect("it sleeps");
    assert_eq!(Some(at), second(5));
    end.send(()).expect("it waits");
    assert!(
        timer.poll(&mut cx, &sleeps, second(9)).is_ready(),
        "early, for a deadline that moved on"
    );
    assert!(
        timer.poll(&mut cx, &sleeps, second(9)).is_pending(),
        "the clock said no: it sleeps again"
    );
    assert_eq!(sleeps.running.lock().expect("not poisoned").pop().map(|(at, _)| at), second(9));
}
