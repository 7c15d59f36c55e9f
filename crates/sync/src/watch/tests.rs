use futures::FutureExt;
use futures::executor::block_on;

use super::*;

#[test]
fn a_waiter_sees_the_latest_of_several_changes() {
    let watch = Watch::new(0);
    let other = watch.clone();
    let waiting =
        std::thread::spawn(move || block_on(other.until(|value| (*value > 2).then_some(*value))));
    watch.set(1, true);
    watch.set(3, true);
    assert_eq!(waiting.join().expect("no panic"), 3);
    assert_eq!(watch.changed(0).now_or_never(), Some(2));
}

#[test]
fn a_quiet_change_is_read_but_wakes_nobody() {
    let watch = Watch::new('a');
    watch.set('b', false);
    assert_eq!(watch.get(), 'b');
    assert!(watch.changed(0).now_or_never().is_none());
    watch.set('c', true);
    assert_eq!(watch.changed(0).now_or_never(), Some(1));
}

#[test]
fn a_waiter_that_is_dropped_leaves_nothing_behind() {
    let watch = Watch::new(());
    for _ in 0..3 {
        assert!(watch.changed(0).now_or_never().is_none());
    }
    assert!(lock(&watch.shared).wakers.is_empty());
}
