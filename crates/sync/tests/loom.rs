//! Every interleaving of what is shared, within loom's bound on preemptions: `cargo xtask loom`.
//!
//! A wake that is lost is a deadlock here, which loom reports. What each test would find was tried by
//! planting it; it stands with the test.
#![cfg(loom)]

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use loom::future::block_on;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;
use moorline_sync::{Mark, Ready, Receiver, Watch, mailbox};

fn next<T>(receiver: &mut Receiver<T>) -> Option<T> {
    block_on(poll_fn(|cx| receiver.poll_next(cx)))
}

/// Fails when `send` does not wake, and when it takes the waker before it has put the value in.
#[test]
fn a_command_wakes_the_loop() {
    loom::model(|| {
        let (commands, mut asked) = mailbox();
        let handle = thread::spawn(move || commands.send(7));
        assert_eq!(next(&mut asked), Some(7));
        assert_eq!(handle.join().unwrap(), Ok(()));
        assert_eq!(next(&mut asked), None);
    });
}

/// Fails when the last sender leaves without a wake, and when a reader believes that before it has
/// looked into the queue.
#[test]
fn what_two_handlers_say_is_read_before_the_end_of_both() {
    loom::model(|| {
        let (ends, mut finished) = mailbox();
        let other = ends.clone();
        let first = thread::spawn(move || ends.send(1));
        let second = thread::spawn(move || other.send(2));
        let mut sum = 0;
        while let Some(end) = next(&mut finished) {
            sum += end;
        }
        assert_eq!(sum, 3);
        assert_eq!((first.join().unwrap(), second.join().unwrap()), (Ok(()), Ok(())));
    });
}

/// Counts its drop.
struct Counted(Arc<AtomicU32>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Fails when a loop that ends leaves in the queue what nobody reads, and when a sender does not look
/// whether anybody reads.
#[test]
fn what_is_sent_to_a_loop_that_ends_is_read_or_dropped_or_given_back() {
    loom::model(|| {
        let drops = Arc::new(AtomicU32::new(0));
        let (sender, mut receiver) = mailbox();
        let value = Counted(Arc::clone(&drops));
        // One sender stays: the queue itself does not go with the threads.
        let stays = sender.clone();
        let handler = thread::spawn(move || drop(sender.send(value)));
        drop(receiver.try_next());
        drop(receiver);
        handler.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        assert!(stays.send(Counted(Arc::clone(&drops))).is_err());
    });
}

/// Fails when `set` does not wake, when it wakes one only, and when a waiter looks at the version before
/// it takes the lock under which it registers.
#[test]
fn a_change_wakes_everybody_who_waits_for_it() {
    loom::model(|| {
        let status = Watch::new(0);
        let (first, second) = (status.clone(), status.clone());
        let waiting = thread::spawn(move || block_on(first.changed(0)));
        let reading = thread::spawn(move || block_on(second.until(|n| (*n == 2).then_some(*n))));
        status.set(2, true);
        assert_eq!(waiting.join().unwrap(), 1);
        assert_eq!(reading.join().unwrap(), 2);
    });
}

/// Fails when a version is said before the value it stands for can be read.
#[test]
fn a_new_version_is_never_seen_with_an_older_value() {
    loom::model(|| {
        let status = Watch::new(0);
        let looking = status.clone();
        let looker = thread::spawn(move || {
            let version = looking.version();
            let value = looking.get();
            assert!(value >= version, "version {version} with the value {value}");
        });
        status.set(1, true);
        status.set(2, true);
        looker.join().unwrap();
    });
}

/// Polls twice at most: a task that was woken once, and then is given up.
async fn given_up<F: Future + Unpin>(mut future: F) {
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        if Pin::new(&mut future).poll(cx).is_ready() || polls == 2 {
            Poll::Ready(())
        } else {
            wake(cx)
        }
    })
    .await;
}

fn wake(cx: &Context<'_>) -> Poll<()> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Fails when a waiter that leaves takes another one's waker with it, and when it leaves while it holds
/// the lock.
#[test]
fn a_waiter_that_gives_up_takes_no_wake_from_another() {
    loom::model(|| {
        let ended = Watch::new(false);
        let (leaving, staying) = (ended.clone(), ended.clone());
        let leaver = thread::spawn(move || block_on(given_up(pin!(leaving.changed(0)))));
        let stayer = thread::spawn(move || block_on(staying.until(|ended| ended.then_some(()))));
        ended.set(true, true);
        leaver.join().unwrap();
        stayer.join().unwrap();
    });
}

/// How much has arrived on each connection. Relaxed throughout: it is the marks that order it.
type Wires = Arc<[AtomicU32; 2]>;

/// What a transport does: it lays down what has arrived, and wakes whoever polled it last.
fn arrive(wires: &Wires, conn: usize, waker: &Waker) {
    let before = wires[conn].load(Ordering::Relaxed);
    wires[conn].store(before + 1, Ordering::Relaxed);
    waker.wake_by_ref();
}

/// What a loop does in its turns: looks at those that are listed, until so much has arrived.
fn read(ready: &Ready<usize>, wires: &Wires, all: u32) {
    let (mut listed, mut seen): (Vec<Arc<Mark<usize>>>, _) = (Vec::new(), [0; 2]);
    block_on(poll_fn(|cx| {
        ready.register(cx);
        ready.take(&mut listed);
        for mark in listed.drain(..) {
            mark.seen();
            seen[*mark.name()] = wires[*mark.name()].load(Ordering::Relaxed);
        }
        if seen.iter().sum::<u32>() == all { Poll::Ready(()) } else { Poll::Pending }
    }));
}

/// Fails when `seen` is a mere store, when it is said behind the look, when a mark is listed by a relaxed
/// exchange or without a wake of the loop, and when the loop registers behind its look at the list.
#[test]
fn what_arrives_while_the_loop_looks_is_seen_in_the_next_turn() {
    loom::model(|| {
        let (ready, wires) = (Arc::new(Ready::default()), Wires::default());
        let (waker, at_transport) = (Ready::mark(&ready, 0), Arc::clone(&wires));
        let transport = thread::spawn(move || {
            arrive(&at_transport, 0, &waker);
            arrive(&at_transport, 0, &waker);
        });
        read(&ready, &wires, 2);
        transport.join().unwrap();
    });
}

/// Fails when only who wakes the loop is listed.
#[test]
fn two_connections_that_wake_the_loop_at_once_are_both_looked_at() {
    loom::model(|| {
        let (ready, wires) = (Arc::new(Ready::default()), Wires::default());
        let transports = [0, 1].map(|conn| {
            let (waker, wires) = (Ready::mark(&ready, conn), Arc::clone(&wires));
            thread::spawn(move || arrive(&wires, conn, &waker))
        });
        read(&ready, &wires, 2);
        for transport in transports {
            transport.join().unwrap();
        }
    });
}

/// The worker's handle and its loop: a command goes one way, what became of it comes back, and the end
/// is told to whoever waits.
///
/// Fails when the loop publishes without a notice, and when its end is not one.
#[test]
fn a_handle_that_asks_the_loop_to_end_hears_of_it() {
    loom::model(|| {
        let (commands, mut asked) = mailbox();
        let (status, ended) = (Watch::new("active"), Watch::new(None));
        let (told, over) = (status.clone(), ended.clone());
        let worker = thread::spawn(move || {
            assert_eq!(next(&mut asked), Some("shutdown"));
            told.set("shutdown", true);
            drop(asked);
            over.set(Some("on purpose"), true);
        });
        let seen = status.version();
        assert_eq!(commands.send("shutdown"), Ok(()));
        block_on(status.changed(seen));
        assert_eq!(block_on(ended.until(Clone::clone)), "on purpose");
        assert_eq!((status.get(), commands.send("again")), ("shutdown", Err("again")));
        worker.join().unwrap();
    });
}
