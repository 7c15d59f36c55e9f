use super::*;

const OPEN: Credit = Credit { messages: Seq(4), bytes: 100 };

fn message(seq: u64, len: u32, body: &'static [u8]) -> Message<()> {
    Message { seq: Seq(seq), head: (), body_len: len, body: Bytes::from_static(body) }
}

#[test]
fn a_gap_is_seen_and_a_number_that_was_processed_is_told_as_such() {
    let mut lane = Receiving::new(OPEN);
    assert!(lane.message(message(1, 0, b"")).unwrap().is_some_and(|whole| !whole.again));
    assert!(lane.message(message(1, 0, b"")).unwrap().is_some_and(|whole| whole.again));
    assert_eq!(lane.begin(&message(2, 0, b"")), None);
    assert_eq!(lane.begin(&message(3, 0, b"")), Some(Wrong::Gap { expected: 2, saw: 3 }));
    assert!(lane.message(message(3, 0, b"")).unwrap().is_some(), "it is taken all the same");
    assert_eq!(lane.received, 3);
}

#[test]
fn the_last_message_may_exceed_the_bytes_and_the_next_one_may_not_begin() {
    let mut lane = Receiving::new(OPEN);
    for seq in 1..=3 {
        assert!(lane.message(message(seq, 4, b"body")).unwrap().is_some());
    }
    assert!(matches!(lane.begin(&message(4, 0, b"")), Some(Wrong::Credit { before: 108, .. })));
    lane.give(Credit { messages: Seq(1), bytes: 1 });
    assert_eq!(lane.begin(&message(4, 0, b"")), None);
    assert!(lane.message(message(4, 0, b"")).unwrap().is_some());
    assert!(matches!(lane.begin(&message(5, 0, b"")), Some(Wrong::Credit { number: 5, .. })));
}

#[test]
fn parts_have_to_fit_without_gap_or_overlap() {
    let part =
        |seq, offset, bytes| Part { seq: Seq(seq), offset, bytes: Bytes::from_static(bytes) };
    let mut lane = Receiving::new(OPEN);
    assert!(lane.message(message(1, 4, b"bo")).unwrap().is_none());
    for wrong in [part(1, 1, b"dy"), part(1, 3, b"y"), part(2, 2, b"dy"), part(1, 2, b"dies")] {
        assert!(matches!(lane.clone().part(&wrong), Err(Wrong::Body(_))), "{wrong:?}");
    }
    assert!(matches!(lane.clone().message(message(2, 0, b"")), Err(Wrong::Body(_))));
    assert_eq!(lane.part(&part(1, 2, b"dy")).unwrap().unwrap().body, "body");
    assert!(matches!(lane.part(&part(1, 4, b"?")), Err(Wrong::Body(_))));
}

#[test]
fn what_is_sent_keeps_to_the_credit_and_is_said_again_from_where_the_peer_stands() {
    let mut lane = Sending::new(Credit { messages: Seq(2), bytes: 1_000 });
    for _ in 0..3 {
        lane.say((), Bytes::new());
    }
    let numbers = |due: Vec<Message<()>>| due.iter().map(|one| one.seq.0).collect::<Vec<_>>();
    assert_eq!(numbers(lane.due()), [1, 2]);
    assert!(lane.due().is_empty());
    let standing = |received, messages| Standing {
        received: Seq(received),
        credit: Credit { messages: Seq(messages), bytes: 1_000 },
    };
    lane.acknowledge(standing(1, 3)).unwrap();
    lane.resume();
    assert_eq!(numbers(lane.due()), [2, 3]);
    assert!(lane.acknowledge(standing(4, 3)).is_err(), "more than was sent");
    assert!(lane.acknowledge(standing(0, 3)).is_err(), "less than before");
    assert!(lane.acknowledge(standing(2, 2)).is_err(), "less credit than before");
}
