use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use moorline_node::JournalOp;
use moorline_store::MemoryJournal;
use moorline_work::{Attempt, Outcome, RunId, TaskId, TaskKey};

use super::*;
use crate::log::tests::lines;
use crate::runtime::Tokio;

/// Answers the next commits with these errors, and panics when it is asked for write 13.
struct Scripted {
    journal: MemoryJournal,
    errors: VecDeque<StoreError>,
}

impl Journal for Scripted {
    fn kept(&mut self) -> Result<Vec<KeptResult>, StoreError> {
        self.journal.kept()
    }
    fn commit(&mut self, batch: &[JournalWrite]) -> Result<Vec<JournalId>, StoreError> {
        assert!(batch.iter().all(|write| write.id != JournalId(13)), "this journal cannot");
        match self.errors.pop_front() {
            Some(error) => Err(error),
            None => self.journal.commit(batch),
        }
    }
    fn size(&self) -> JournalSize {
        self.journal.size()
    }
}

fn keep(id: u64) -> JournalWrite {
    let key = TaskKey { task: TaskId(id.into()), attempt: Attempt(1) };
    let body = Bytes::from_static(b"0123456789");
    let kept = KeptResult { run: RunId(id), key, outcome: Outcome::Succeeded, body };
    JournalWrite { id: JournalId(id), op: JournalOp::Keep(kept) }
}

fn io() -> StoreError {
    StoreError::Io { detail: "/w/journal.db: disk I/O error".into() }
}

fn damaged() -> StoreError {
    StoreError::Damaged { path: "/w/journal.db".into(), detail: "malformed".into() }
}

fn writer(errors: impl IntoIterator<Item = StoreError>) -> Writer<Tokio> {
    let journal =
        Scripted { journal: MemoryJournal::new(100), errors: errors.into_iter().collect() };
    let worker = Name::new("gpu-1").expect("a name");
    let tally = Arc::new(WorkerTally::new(&[], moorline_link::Instant::ZERO));
    Writer { runtime: Tokio, worker, journal: Box::new(journal), tally }
}

fn started(errors: impl IntoIterator<Item = StoreError>) -> JournalThread {
    let Writer { runtime, worker, journal, tally } = writer(errors);
    start(runtime, worker, journal, tally).expect("a thread")
}

fn next(thread: &mut JournalThread) -> Option<Answered> {
    block_on(std::future::poll_fn(|cx| thread.answers.poll_next(cx)))
}

#[test]
fn a_batch_that_fails_is_tried_again_until_it_is_kept_and_that_is_said_at_its_begin_and_its_end() {
    let mut writer = writer([io(), io(), io()]);
    let (_loop, asked) = channel();
    let mut answered = None;
    let said = lines(|| answered = writer.commit(&[keep(1), keep(2)], &asked));
    match answered {
        Some(Answered::Committed { full, size }) => {
            assert_eq!((full, size.results, size.bytes), (vec![JournalId(2)], 1, 74));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(writer.tally.journal.failures.get(), 3);
    let [failing, works] = &said[..] else { panic!("{said:#?}") };
    for part in
        ["ERROR", "journal.failing", "gpu-1", "ML5005", "/w/journal.db", "no handler starts"]
    {
        assert!(failing.contains(part), "`{part}` in {failing}");
    }
    assert!(works.starts_with("INFO") && works.contains("journal.works"), "{works}");
}

#[test]
fn a_journal_that_is_damaged_is_said_once_and_not_tried_again() {
    let mut writer = writer([io(), damaged(), io()]);
    let (_loop, asked) = channel();
    let mut answered = None;
    let said = lines(|| answered = writer.commit(&[keep(1)], &asked));
    assert!(matches!(answered, Some(Answered::Broken)), "{answered:?}");
    assert_eq!(writer.tally.journal.failures.get(), 2);
    let [_, broken] = &said[..] else { panic!("{said:#?}") };
    for part in ["ERROR", "journal.broken", "ML5004", "/w/journal.db", "malformed"] {
        assert!(broken.contains(part), "`{part}` in {broken}");
    }
}

#[test]
fn the_thread_takes_batches_one_after_the_other_and_ends_with_its_loop() {
    let mut thread = started([]);
    for id in [1, 2] {
        thread.batches.send(vec![keep(id)]).expect("taken");
        match next(&mut thread) {
            Some(Answered::Committed { full, .. }) => assert_eq!(full.is_empty(), id == 1),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(
        thread.answers.poll_next(&mut Context::from_waker(Waker::noop())),
        Poll::Pending
    ));
    thread.batches = channel().0;
    assert!(next(&mut thread).is_none());
}

#[test]
fn a_failing_batch_is_given_up_when_the_loop_has_ended() {
    let mut thread = started(std::iter::repeat_n(io(), 1_000));
    thread.batches.send(vec![keep(1)]).expect("taken");
    thread.batches = channel().0;
    assert!(next(&mut thread).is_none());
}

#[test]
fn a_broken_journal_ends_its_thread_and_so_does_one_that_panics() {
    let mut thread = started([damaged()]);
    thread.batches.send(vec![keep(1)]).expect("taken");
    assert!(matches!(next(&mut thread), Some(Answered::Broken)));
    assert!(next(&mut thread).is_none());

    let mut thread = started([]);
    thread.batches.send(vec![keep(13)]).expect("taken");
    assert!(next(&mut thread).is_none());
}

#[test]
fn the_wait_between_two_tries_grows_up_to_its_bound() {
    let mut waits = vec![RETRY_FIRST];
    while let Some(wait) = waits.last().filter(|wait| **wait < RETRY_LAST) {
        waits.push(longer(*wait));
    }
    assert_eq!(waits[..3], [100, 200, 400].map(Duration::from_millis));
    assert_eq!(longer(RETRY_LAST), RETRY_LAST);
}
