//! What waits on the lanes of a link, as it is shown and as a driver asks for it.

mod support;

use moorline_link::{ConnId, Lane, LinkConfig, LinkInput, Reason, Tag};
use support::Bench;

fn enqueue(bench: &mut Bench, lane: Lane, sizes: &[u32]) {
    for len in sizes {
        bench.input(LinkInput::Enqueue { lane, tag: Tag(1), len: *len });
    }
}

#[test]
fn what_waits_is_told_by_lane_in_messages_and_bytes_until_it_is_acknowledged() {
    let mut bench = Bench::new(LinkConfig::default());
    assert_eq!(bench.link.held(), [(0, 0); 2], "there is no session");
    bench.until_active();
    bench.writable = false;
    enqueue(&mut bench, Lane::C, &[10]);
    enqueue(&mut bench, Lane::B, &[100, 200, 300]);
    assert_eq!(bench.link.held(), [(1, 10), (3, 600)]);
    bench.cut(Reason::StreamLost);
    assert_eq!(bench.link.held(), [(1, 10), (3, 600)], "it waits for the next connection");
    bench.writable = true;
    bench.until_active();
    assert_eq!(bench.link.held(), [(0, 0); 2]);
}

#[test]
fn a_connection_wants_to_write_as_long_as_there_is_something_on_either_lane() {
    for lane in Lane::ALL {
        let mut bench = Bench::active(LinkConfig::default());
        let conn = bench.conn();
        assert!(!bench.link.wants_transmit(conn));
        bench.writable = false;
        enqueue(&mut bench, lane, &[10]);
        assert!(bench.link.wants_transmit(conn));
        assert!(!bench.link.wants_transmit(ConnId(conn.0 + 1)), "it is not there");
        bench.writable = true;
        bench.drain();
        assert!(!bench.link.wants_transmit(conn));
    }
}
