use std::future::poll_fn;

use futures::executor::block_on;

use super::*;

#[test]
fn everything_arrives_in_the_order_of_each_sender() {
    let (sender, mut receiver) = mailbox();
    let threads: Vec<_> = (0..3)
        .map(|thread| {
            let sender = sender.clone();
            std::thread::spawn(move || (0..100).try_for_each(|n| sender.send((thread, n))))
        })
        .collect();
    drop(sender);
    let mut read = [0; 3];
    while let Some((thread, n)) = block_on(poll_fn(|cx| receiver.poll_next(cx))) {
        let next: &mut i32 = &mut read[thread];
        assert_eq!(n, *next);
        *next += 1;
    }
    assert_eq!(read, [100; 3]);
    for thread in threads {
        assert_eq!(thread.join().expect("no panic"), Ok(()));
    }
}

#[test]
fn what_was_sent_before_the_last_sender_left_is_read() {
    let (sender, mut receiver) = mailbox();
    assert_eq!(sender.send('a'), Ok(()));
    assert_eq!(sender.send('b'), Ok(()));
    drop(sender);
    assert_eq!(block_on(poll_fn(|cx| receiver.poll_next(cx))), Some('a'));
    assert_eq!(receiver.try_next(), Some('b'));
    assert_eq!(block_on(poll_fn(|cx| receiver.poll_next(cx))), None);
}

/// Says so when it is dropped.
struct Last(Sender<Option<Last>>);

impl Drop for Last {
    fn drop(&mut self) {
        assert!(self.0.send(None).is_err(), "nobody reads any more");
    }
}

#[test]
fn what_is_dropped_unread_may_send() {
    let (sender, receiver) = mailbox();
    assert!(sender.send(Some(Last(sender.clone()))).is_ok());
    drop(receiver);
    assert!(sender.send(None).is_err());
}
