use moorline_link::Reason;
use moorline_node::{Detail, Event, EventKind, KnownWorker, Requeue, StoreOp};
use moorline_store::{EventKinds, EventPage, EventQuery, EventRecord, Pruned, Retention, WallTime};
use moorline_work::{Attempt, End, TaskId};

use crate::world::*;

const KEEP_ALL: Retention = Retention {
    age_millis: u64::MAX,
    count: u64::MAX,
    event_age_millis: u64::MAX,
    event_count: u64::MAX,
    forget_millis: u64::MAX,
};

fn page(world: &World, query: &EventQuery) -> EventPage {
    world.reader().events(query).expect("a reading")
}

fn events(world: &World) -> Vec<EventRecord> {
    let all = page(world, &EventQuery { limit: u32::MAX, ..EventQuery::default() });
    assert!(!all.more);
    all.events
}

fn words(events: &[EventRecord]) -> Vec<(&'static str, Option<u128>, Option<u32>)> {
    let word = |record: &EventRecord| {
        let event = &record.event;
        let attempt = event.attempt.map(|attempt| attempt.0);
        (event.kind.name(), event.task.map(|task| task.0), attempt)
    };
    events.iter().map(word).collect()
}

fn happened(event: Event) -> StoreOp {
    StoreOp::Event { at_millis: None, event }
}

fn of_ann(kind: EventKind, reason: Option<Reason>) -> StoreOp {
    happened(Event { worker: Some(ANN), name: Some(name("ann")), reason, ..Event::new(kind) })
}

pub(crate) fn what_happens_to_a_task_is_written_down_with_it(mut world: World) {
    world.done(StoreOp::Worker(worker(ANN, "ann", FIRST_RUN)));
    world.queued(1);
    world.done(lease(1, 1));
    world.done(retry(1, 1, 10, "broken"));
    world.done(lease(1, 2));
    world.pass(5);
    world.done(requeue(1, 2, Requeue::Lost));
    world.done(adopt(1, 2, 3));
    world.done(cancel(1));
    world.done(cancel(1));
    world.done(requeue(1, 3, Requeue::Returned));
    world.done(lease(1, 4));
    world.done(succeed(1, 4));
    world.queued(2);
    world.done(cancel(2));
    world.leased(3, 1);
    world.done(finish(3, 1, End::Failed, "no"));
    world.leased(4, 1);
    world.done(finish(4, 1, End::Dead, ""));
    world.leased(5, 1);
    world.done(finish(5, 1, End::Cancelled, ""));
    let events = events(&world);
    let expected = [
        ("task.submitted", 1, None),
        ("task.leased", 1, Some(1)),
        ("task.retried", 1, Some(1)),
        ("task.leased", 1, Some(2)),
        ("task.redelivered", 1, Some(2)),
        ("task.adopted", 1, Some(3)),
        ("task.cancel_requested", 1, Some(3)),
        ("task.returned", 1, Some(3)),
        ("task.leased", 1, Some(4)),
        ("task.finished", 1, Some(4)),
        ("task.submitted", 2, None),
        ("task.cancelled", 2, None),
        ("task.submitted", 3, None),
        ("task.leased", 3, Some(1)),
        ("task.failed", 3, Some(1)),
        ("task.submitted", 4, None),
        ("task.leased", 4, Some(1)),
        ("task.dead", 4, Some(1)),
        ("task.submitted", 5, None),
        ("task.leased", 5, Some(1)),
        ("task.cancelled", 5, Some(1)),
    ];
    assert_eq!(words(&events), expected.map(|(kind, task, attempt)| (kind, Some(task), attempt)));
    let retried = EventRecord {
        seq: 3,
        at: START,
        epoch: world.epoch,
        event: Event {
            worker: Some(ANN),
            name: Some(name("ann")),
            task: Some(TaskId(1)),
            attempt: Some(Attempt(1)),
            handler: Some(name("resize")),
            detail: Some(Detail::new("broken")),
            ..Event::new(EventKind::TaskRetried)
        },
    };
    assert_eq!(events[2], retried);
    assert_eq!(events[4].at, WallTime(START.0 + 5));
    let adopted = &events[5].event;
    assert_eq!((adopted.worker, &adopted.name), (Some(BOB), &None), "a name nobody remembers");
    assert!(events.iter().map(|record| record.seq).eq(1..=21), "dense");
    assert_eq!(world.store.last_event(), 21);
}

pub(crate) fn a_submission_that_leases_leaves_the_events_of_both(mut world: World) {
    world.done(StoreOp::Worker(worker(ANN, "ann", FIRST_RUN)));
    world.batch([submit_leased(1), submit_leased(1), submit(2), succeed(1, 1)]);
    let events = events(&world);
    let expected = [
        ("task.submitted", 1, None),
        ("task.leased", 1, Some(1)),
        ("task.submitted", 2, None),
        ("task.finished", 1, Some(1)),
    ];
    assert_eq!(words(&events), expected.map(|(kind, task, attempt)| (kind, Some(task), attempt)));
    assert!(events.iter().map(|record| record.seq).eq(1..=4), "dense");
    assert_eq!(world.store.last_event(), 4);
    // As the operations one after the other leave them.
    world.queued(3);
    world.done(lease(3, 1));
    let all = self::events(&world);
    for (at_once, after) in [(0, 4), (1, 5)] {
        let (at_once, after) = (&all[at_once], &all[after]);
        let event = Event { task: at_once.event.task, ..after.event.clone() };
        assert_eq!(*at_once, EventRecord { seq: at_once.seq, event, ..after.clone() });
    }
    assert_eq!((events[1].event.worker, &events[1].event.name), (Some(ANN), &Some(name("ann"))));
}

pub(crate) fn an_operation_that_changes_nothing_leaves_no_event(mut world: World) {
    world.leased(1, 1);
    world.done(succeed(1, 1));
    let before = events(&world);
    world.refused(submit(1));
    world.refused(submit_leased(1));
    world.refused(lease(1, 2));
    world.refused(adopt(1, 1, 2));
    world.refused(requeue(1, 1, Requeue::Lost));
    world.refused(succeed(1, 1));
    world.refused(unclaim(1));
    world.done(cancel(1));
    world.done(cancel(9));
    world.done(lookup(1));
    world.claim("resize", 9);
    world.done(StoreOp::Leases);
    world.done(StoreOp::Worker(worker(ANN, "ann", FIRST_RUN)));
    assert_eq!(events(&world), before);
}

pub(crate) fn what_is_handed_in_is_kept_as_it_is_with_the_time_it_happened(mut world: World) {
    let full = Event {
        worker: Some(moorline_work::WorkerId(u128::MAX)),
        name: Some(name("größe")),
        task: Some(TaskId(u128::MAX)),
        attempt: Some(Attempt(u32::MAX)),
        handler: Some(name(&"é".repeat(64))),
        reason: Some(Reason::HalfOpen),
        session: Some(u64::MAX),
        detail: Some(Detail::new(&"ß".repeat(100))),
        ..Event::new(EventKind::WorkerDisconnected)
    };
    let at = WallTime(START.0 - 7_000);
    world.done(StoreOp::Event { at_millis: Some(at.0), event: full.clone() });
    world.done(happened(Event::new(EventKind::CoordinatorStopping)));
    let first = world.epoch;
    world.next_life();
    world.done(happened(Event::new(EventKind::CoordinatorStarted)));
    let read = events(&world);
    assert_eq!(read[0], EventRecord { seq: 1, at, epoch: first, event: full });
    assert_eq!((read[1].seq, read[1].at, read[1].epoch), (2, world.now, first));
    assert_eq!((read[2].seq, read[2].epoch), (3, world.epoch));
    for &kind in EventKind::ALL {
        world.done(happened(Event::new(kind)));
        let last = EventQuery { newest_first: true, limit: 1, ..EventQuery::default() };
        assert_eq!(page(&world, &last).events[0].event.kind, kind);
    }
}

/// Four events each 400 s: a lease, a loss of Ann's connection, a task's end, a note.
fn an_hour(world: &mut World) {
    for round in 0..9 {
        let task = 100 + round;
        world.leased(task, 1);
        let reason = if round % 2 == 0 { Reason::StreamLost } else { Reason::HalfOpen };
        world.done(of_ann(EventKind::WorkerDisconnected, Some(reason)));
        world.done(succeed(task, 1));
        world.done(happened(Event::new(EventKind::ClockJump)));
        world.pass(400_000);
    }
}

pub(crate) fn every_filter_takes_exactly_what_fits_in_either_direction_in_pages(mut world: World) {
    an_hour(&mut world);
    let all = events(&world);
    assert_eq!(all.len(), 45);
    let time = |seconds: u64| Some(WallTime(START.0 + seconds * 1_000));
    let base = EventQuery::default();
    let losses = EventKinds::of([EventKind::WorkerDisconnected, EventKind::WorkerLost]);
    let queries = [
        base.clone(),
        EventQuery { after: 7, before: Some(40), ..base.clone() },
        EventQuery { since: time(800), ..base.clone() },
        EventQuery { until: time(800), ..base.clone() },
        EventQuery { since: time(400), until: time(1_201), ..base.clone() },
        EventQuery { since: time(100_000), ..base.clone() },
        EventQuery { kinds: losses, ..base.clone() },
        EventQuery { worker: Some(ANN), ..base.clone() },
        EventQuery { worker: Some(ANN), since: time(1_600), kinds: losses, ..base.clone() },
        EventQuery { worker: Some(BOB), ..base.clone() },
        EventQuery { task: Some(TaskId(103)), ..base.clone() },
        EventQuery { task: Some(TaskId(103)), worker: Some(ANN), ..base.clone() },
        EventQuery { reason: Some(Reason::HalfOpen), ..base.clone() },
    ];
    let mut found = Vec::new();
    for query in queries {
        let fits = |record: &&EventRecord| {
            let EventRecord { seq, at, event, .. } = record;
            *seq > query.after
                && query.before.is_none_or(|before| *seq < before)
                && query.since.is_none_or(|since| *at >= since)
                && query.until.is_none_or(|until| *at < until)
                && query.kinds.contains(event.kind)
                && query.worker.is_none_or(|worker| event.worker == Some(worker))
                && query.task.is_none_or(|task| event.task == Some(task))
                && query.reason.is_none_or(|reason| event.reason == Some(reason))
        };
        let expected: Vec<_> = all.iter().filter(fits).cloned().collect();
        found.push(expected.len());
        for limit in [1, 4, 100] {
            let mut forth = EventQuery { limit, ..query.clone() };
            let mut back = EventQuery { newest_first: true, ..forth.clone() };
            let (mut read, mut reversed) = (Vec::new(), Vec::new());
            loop {
                let page = page(&world, &forth);
                assert!(page.events.len() as u64 <= u64::from(limit));
                forth.after = page.cursor;
                read.extend(page.events);
                if !page.more {
                    break;
                }
            }
            loop {
                let page = page(&world, &back);
                back.before = Some(page.cursor);
                reversed.extend(page.events);
                if !page.more {
                    break;
                }
            }
            assert_eq!(read, expected, "{query:?}");
            reversed.reverse();
            assert_eq!(reversed, expected, "{query:?}");
        }
    }
    assert_eq!(found, [45, 32, 35, 10, 15, 0, 9, 27, 5, 0, 3, 2, 4], "no query is without a point");
}

pub(crate) fn a_timeline_is_whole_however_far_apart_its_events_are(mut world: World) {
    let mut expected = Vec::new();
    for gap in [1_u64, 1_021, 1_024, 1, 2_047, 3_000, 5] {
        let task = Event {
            task: Some(TaskId(7)),
            worker: Some(ANN),
            ..Event::new(EventKind::TaskResultSettled)
        };
        let others = (1..gap).map(|_| happened(Event::new(EventKind::ClockJump)));
        world.batch(others.chain([happened(task)]));
        expected.push(world.store.last_event());
    }
    let seqs = |page: &EventPage| page.events.iter().map(|event| event.seq).collect::<Vec<_>>();
    let of_task = EventQuery { task: Some(TaskId(7)), ..EventQuery::default() };
    let of_worker = EventQuery { worker: Some(ANN), ..EventQuery::default() };
    for query in [of_task, of_worker] {
        let end = world.store.last_event();
        for (after, before) in [(0, u64::MAX), (1, end), (1_022, 4_095), (1_024, 1_025)] {
            let mut forth = EventQuery { after, before: Some(before), limit: 2, ..query.clone() };
            let mut back = EventQuery { newest_first: true, ..forth.clone() };
            let (mut read, mut reversed) = (Vec::new(), Vec::new());
            loop {
                let page = page(&world, &forth);
                read.extend(seqs(&page));
                forth.after = page.cursor;
                if !page.more {
                    assert_eq!(page.cursor, end.min(before - 1));
                    break;
                }
            }
            loop {
                let page = page(&world, &back);
                reversed.extend(seqs(&page));
                back.before = Some(page.cursor);
                if !page.more {
                    assert_eq!(page.cursor, after + 1);
                    break;
                }
            }
            let fits = |seq: &u64| *seq > after && *seq < before;
            let fit: Vec<u64> = expected.iter().copied().filter(fits).collect();
            assert_eq!(read, fit, "{after}..{before}");
            reversed.reverse();
            assert_eq!(reversed, fit, "{after}..{before}");
        }
    }
    let beyond = EventQuery { after: u64::MAX, ..EventQuery::default() };
    assert_eq!(page(&world, &beyond).events, []);
    assert_eq!(page(&world, &EventQuery { newest_first: true, ..beyond }).events, []);
}

pub(crate) fn the_cursor_at_the_newest_end_is_the_last_event_whatever_was_asked_for(
    mut world: World,
) {
    let none = EventQuery { kinds: EventKinds::of([]), ..EventQuery::default() };
    assert_eq!(page(&world, &none), EventPage { cursor: 0, ..EventPage::default() });
    an_hour(&mut world);
    let end = EventPage { events: Vec::new(), cursor: 45, more: false };
    assert_eq!(page(&world, &none), end);
    assert_eq!(page(&world, &EventQuery { after: 45, ..EventQuery::default() }), end);
    let beyond = EventQuery { after: 1_000, ..EventQuery::default() };
    assert_eq!(page(&world, &beyond), end, "of a store that was replaced");
}

fn prune(world: &mut World, retention: Retention) -> Pruned {
    let now = world.now;
    world.store.prune(now, &retention).expect("a pruning")
}

pub(crate) fn old_events_and_too_many_go_and_the_last_one_stays(mut world: World) {
    an_hour(&mut world);
    let gone = |events| Pruned { events, ..Pruned::default() };
    assert_eq!(prune(&mut world, KEEP_ALL), gone(0));
    // The last round was 400 s ago, the first one 3,600 s.
    let age = |seconds: u64| Retention { event_age_millis: seconds * 1_000, ..KEEP_ALL };
    assert_eq!(prune(&mut world, age(3_600)), gone(0));
    assert_eq!(prune(&mut world, age(3_199)), gone(10));
    assert_eq!(events(&world)[0].seq, 11);
    assert_eq!(prune(&mut world, Retention { event_count: 20, ..KEEP_ALL }), gone(15));
    assert_eq!(events(&world)[0].seq, 26);
    let since = EventQuery { since: Some(START), limit: 1, ..EventQuery::default() };
    assert_eq!(page(&world, &since).events[0].seq, 26);
    assert_eq!(prune(&mut world, Retention { event_count: 0, ..age(0) }), gone(19));
    assert_eq!(events(&world).len(), 1);
    world.queued(1);
    assert_eq!(events(&world)[1].seq, 46, "a number is never used twice");
}

pub(crate) fn one_call_deletes_a_bounded_number_of_events(mut world: World) {
    let many = (0..9_000).map(|_| happened(Event::new(EventKind::ClockJump)));
    world.batch(many);
    let few = Retention { event_count: 1, ..KEEP_ALL };
    let gone = [prune(&mut world, few).events, prune(&mut world, few).events];
    assert_eq!((gone, prune(&mut world, few)), ([8_192, 807], Pruned::default()));
}

fn known(world: &mut World) -> Vec<KnownWorker> {
    let rows = world.done(StoreOp::Workers);
    let read = |row| {
        let moorline_node::StoreRow::Worker(worker) = row else { panic!("not a worker: {row:?}") };
        worker
    };
    rows.into_iter().map(read).collect()
}

pub(crate) fn a_worker_that_is_gone_is_forgotten_after_a_while_unless_it_has_a_lease(
    mut world: World,
) {
    let day = Retention { forget_millis: 1_000, ..KEEP_ALL };
    let ann = worker(ANN, "ann", FIRST_RUN);
    let bob = worker(BOB, "bob", FIRST_RUN);
    let lost = KnownWorker { lost: true, ..ann.clone() };
    let left = KnownWorker { departed: true, ..bob.clone() };
    world.done(StoreOp::Worker(ann.clone()));
    world.done(StoreOp::Worker(bob.clone()));
    world.pass(5_000);
    assert_eq!(prune(&mut world, day).workers, 0, "they are not gone");
    world.done(StoreOp::Worker(lost.clone()));
    world.pass(600);
    world.done(StoreOp::Worker(left.clone()));
    // Said again, also with another process of it: gone since the first time.
    world.done(StoreOp::Worker(lost.clone()));
    world.next_life();
    assert_eq!(known(&mut world), [lost.clone(), left.clone()]);
    world.leased(1, 1);
    world.pass(401);
    assert_eq!(prune(&mut world, day).workers, 0, "the lease of task 1 names Ann");
    world.done(requeue(1, 1, Requeue::Lost));
    assert_eq!(prune(&mut world, day).workers, 1);
    assert_eq!(known(&mut world), [left]);
    let last = events(&world).pop().expect("an event").event;
    assert_eq!((last.kind, last.worker), (EventKind::WorkerForgotten, Some(ANN)));
    assert_eq!(last.name, Some(name("ann")));

    world.done(StoreOp::Worker(bob.clone()));
    world.pass(10_000);
    assert_eq!(prune(&mut world, day).workers, 0, "it came back");
    world.done(StoreOp::Worker(ann.clone()));
    assert_eq!(known(&mut world), [ann, bob], "a row like a new one");
}

pub(crate) fn a_worker_is_found_by_its_name(mut world: World) {
    let find = |world: &mut World, text: &str| {
        world.reader().worker_named(&name(text)).expect("a reading")
    };
    assert_eq!(find(&mut world, "twin"), None);
    let left = KnownWorker { departed: true, ..worker(ANN, "twin", FIRST_RUN) };
    world.done(StoreOp::Worker(left));
    assert_eq!(find(&mut world, "twin"), Some(ANN));
    world.done(StoreOp::Worker(worker(BOB, "twin", FIRST_RUN)));
    assert_eq!(find(&mut world, "twin"), Some(BOB), "the one that is not gone");
}
