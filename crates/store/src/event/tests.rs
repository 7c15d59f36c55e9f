use std::convert::Infallible;

use moorline_node::{EventKind, Requeue};
use moorline_work::{Attempt, End, TaskId, TaskKey};

use super::*;

fn record(seq: u64) -> EventRecord {
    let kind = if seq.is_multiple_of(3) { EventKind::WorkerLost } else { EventKind::TaskLeased };
    EventRecord { seq, at: WallTime(seq * 10), epoch: Epoch(1), event: Event::new(kind) }
}

fn page(query: &EventQuery, rows: impl Iterator<Item = u64>, end: u64) -> (Vec<u64>, u64, bool) {
    let mut paging = Paging::new(query, end);
    for seq in rows {
        if !paging.look(Cow::Owned(record(seq))) {
            break;
        }
    }
    let page = paging.page();
    (page.events.iter().map(|record| record.seq).collect(), page.cursor, page.more)
}

#[test]
fn a_page_ends_at_its_limit_and_the_next_one_begins_behind_it() {
    let three = EventQuery { limit: 3, ..EventQuery::default() };
    assert_eq!(page(&three, 1..=9, 9), (vec![1, 2, 3], 3, true));
    assert_eq!(page(&three, 7..=9, 9), (vec![7, 8, 9], 9, false), "exactly full and the last");
    let back = EventQuery { newest_first: true, ..three };
    assert_eq!(page(&back, (1..=9).rev(), 1), (vec![9, 8, 7], 7, true));
}

#[test]
fn a_page_of_rare_events_ends_after_a_bounded_number_of_rows() {
    let none = EventQuery { kinds: EventKinds::of([]), ..EventQuery::default() };
    let (events, cursor, more) = page(&none, 1..=100_000, 100_000);
    assert_eq!((events.len(), cursor, more), (0, u64::from(SCAN_MAX), true));
}

#[test]
fn a_page_passes_a_bounded_number_of_places_where_nothing_is() {
    for newest_first in [false, true] {
        let query = EventQuery { newest_first, ..EventQuery::default() };
        let mut paging = Paging::new(&query, 0);
        let passed = (1..=u64::MAX).take_while(|place| paging.pass(place * 1_000)).count() as u64;
        assert_eq!(passed, u64::from(SCAN_MAX));
        let EventPage { events, cursor, more } = paging.page();
        let next = (u64::from(SCAN_MAX) + 1) * 1_000;
        let expected = if newest_first { next + 1 } else { next - 1 };
        assert_eq!((events.len(), cursor, more), (0, expected, true), "the next page begins there");
    }
}

#[test]
fn a_time_is_found_by_number_however_many_there_are() {
    let mut looked = 0;
    let mut range = |query: &EventQuery| {
        let at = |seq| {
            looked += 1;
            Ok::<_, Infallible>(WallTime(seq * 1_000))
        };
        let Ok(range) = query.range(11, 1_000_000, at);
        range
    };
    let all = EventQuery::default();
    assert_eq!(range(&all), (10, 1_000_001));
    let later = EventQuery { after: 500, before: Some(700), ..all.clone() };
    assert_eq!(range(&later), (500, 700));
    // Ten minutes of disorder are looked at as well.
    let since = EventQuery { since: Some(WallTime(5_000_000)), ..all.clone() };
    assert_eq!(range(&since), (4_399, 1_000_001));
    let until = EventQuery { until: Some(WallTime(5_000_000)), ..all.clone() };
    assert_eq!(range(&until), (10, 5_600));
    let never = EventQuery { since: Some(WallTime(u64::MAX)), ..all };
    assert_eq!(range(&never), (1_000_000, 1_000_001));
    let beyond = EventQuery { after: u64::MAX, ..EventQuery::default() };
    assert_eq!(range(&beyond), (1_000_000, 1_000_001), "one more is still a number");
    assert!(looked < 100, "{looked}");
    let Ok(empty) = never.range(1, 0, |_| Ok::<_, Infallible>(WallTime(0)));
    assert!(empty.1 <= empty.0 + 1, "{empty:?}");
}

#[test]
fn every_end_and_every_return_has_its_word() {
    let handler = || Name::new("h").expect("a name");
    let key = TaskKey { task: TaskId(1), attempt: Attempt(2) };
    let end = |end, body: &[u8]| ended(key, end, body, handler(), Who::default());
    let words = |event: Event| (event.kind.name(), event.detail.map(|text| text.to_string()));
    assert_eq!(words(end(End::Succeeded, b"result")), ("task.finished", None));
    assert_eq!(words(end(End::Failed, b"broken")), ("task.failed", Some("broken".to_owned())));
    assert_eq!(words(end(End::Cancelled, b"")), ("task.cancelled", None));
    assert_eq!(words(end(End::Dead, b"")), ("task.dead", None));
    let back = |cause| requeued(key, cause, "é".repeat(500).as_bytes(), handler(), Who::default());
    assert_eq!(back(Requeue::Lost).kind.name(), "task.redelivered");
    assert_eq!(back(Requeue::Returned).kind.name(), "task.returned");
    let retry = back(Requeue::Retry { delay: Duration::ZERO });
    assert_eq!(words(retry), ("task.retried", Some("é".repeat(100))));
}
