use std::sync::atomic::AtomicBool;
use std::task::{Context, Wake, Waker};

use super::*;

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn places_are_bounded_and_come_back() {
    let unattached = Arc::new(Unattached::default());
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    let mut places = Vec::new();
    for n in 0..UNATTACHED_MAX {
        assert_eq!(unattached.is_busy(), n >= PROVE_FROM, "{n}");
        match pin!(unattached.place()).poll_unpin(&mut cx) {
            Poll::Ready(place) => places.push(place),
            Poll::Pending => panic!("there are {n}"),
        }
    }
    let mut next = pin!(unattached.place());
    assert!(next.poll_unpin(&mut cx).is_pending(), "that is one too many");
    assert!(!woken.0.load(Ordering::Relaxed));
    places.pop();
    assert!(woken.0.load(Ordering::Relaxed));
    assert!(next.poll_unpin(&mut cx).is_ready());
    places.clear();
    assert!(!unattached.is_busy());
}
