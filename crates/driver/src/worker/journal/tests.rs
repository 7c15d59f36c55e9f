use std::sync::mpsc::{Receiver, channel};
use std::task::Waker;

use bytes::Bytes;
use moorline_node::KeptResult;
use moorline_sync::{Sender, mailbox};
use moorline_work::{Attempt, Outcome, TaskId, TaskKey};

use super::*;
use crate::log::tests::lines;

fn result(run: u64, len: usize) -> KeptResult {
    let key = TaskKey { task: TaskId(run.into()), attempt: Attempt(1) };
    KeptResult {
        run: RunId(run),
        key,
        outcome: Outcome::Succeeded,
        body: Bytes::from(vec![7; len]),
    }
}

fn keep(run: u64) -> JournalOp {
    JournalOp::Keep(result(run, 10))
}

fn forget(run: u64) -> JournalOp {
    JournalOp::Forget { run: RunId(run) }
}

fn renumber(run: u64, attempt: u32) -> JournalOp {
    JournalOp::Renumber { run: RunId(run), attempt: Attempt(attempt) }
}

/// A journal whose thread is the test.
struct Played {
    journal: LoopJournal,
    last: u64,
    batches: Receiver<Vec<JournalWrite>>,
    answers: Option<Sender<Answered>>,
}

impl Played {
    fn new() -> Self {
        let (to_thread, batches) = channel();
        let (answers, answered) = mailbox();
        let thread = JournalThread { batches: to_thread, answers: answered };
        let journal = LoopJournal::new(Name::new("gpu-1").expect("a name"), Some(thread));
        Self { journal, last: 0, batches, answers: Some(answers) }
    }

    /// As the node asks, and what a turn answers without the thread.
    fn turn(&mut self, ops: impl IntoIterator<Item = JournalOp>) -> Option<u64> {
        for op in ops {
            self.last += 1;
            self.journal.push(JournalWrite { id: JournalId(self.last), op });
        }
        self.journal.hand_over().map(|journaled| match up_to(&journaled) {
            (up_to, full) if full.is_empty() => up_to,
            other => panic!("{other:?}"),
        })
    }

    /// What the thread was given, if anything.
    fn given(&self) -> Option<Vec<(u64, JournalOp)>> {
        let batch = self.batches.try_recv().ok()?;
        Some(batch.into_iter().map(|write| (write.id.0, write.op)).collect())
    }

    fn answer(&self, answer: Answered) {
        self.answers.as_ref().expect("it lives").send(answer).expect("somebody reads");
    }

    fn commit(&self, full: &[u64]) {
        let size = JournalSize { results: 3, bytes: 222, max_bytes: 250 };
        let full = full.iter().copied().map(JournalId).collect();
        self.answer(Answered::Committed { full, size });
    }

    fn poll(&mut self) -> Poll<Option<(u64, Vec<u64>)>> {
        let polled = self.journal.poll(&mut Context::from_waker(Waker::noop()));
        polled.map(|answer| answer.map(|(journaled, _)| up_to(&journaled)))
    }

    fn poll_close(&mut self) -> Poll<()> {
        self.journal.poll_close(&mut Context::from_waker(Waker::noop()))
    }
}

fn up_to(journaled: &WorkerInput) -> (u64, Vec<u64>) {
    let WorkerInput::Journaled { up_to, full } = journaled else { panic!("{journaled:?}") };
    (up_to.0, full.iter().map(|id| id.0).collect())
}

#[test]
fn what_comes_while_a_batch_is_committed_is_the_next_one() {
    let mut played = Played::new();
    assert_eq!(played.turn([keep(1)]), None);
    assert_eq!(played.given(), Some(vec![(1, keep(1))]));
    assert_eq!(played.turn([keep(2)]), None);
    assert_eq!(played.turn([forget(1), keep(3)]), None);
    assert_eq!(played.given(), None, "one at a time");
    assert!(played.poll().is_pending());
    played.commit(&[]);
    assert_eq!(played.poll(), Poll::Ready(Some((1, vec![]))));
    assert_eq!(played.turn([]), None);
    assert_eq!(played.given(), Some(vec![(2, keep(2)), (3, forget(1)), (4, keep(3))]));
    played.commit(&[4]);
    assert_eq!(played.poll(), Poll::Ready(Some((4, vec![4]))));
}

#[test]
fn a_result_that_is_answered_before_it_is_handed_over_never_touches_the_disk() {
    let mut played = Played::new();
    assert_eq!(played.turn([keep(1), renumber(1, 2), forget(1)]), Some(3), "answered at once");
    assert_eq!(played.turn([]), None, "and once");
    assert_eq!(played.turn([keep(2)]), None);
    assert_eq!(played.given(), Some(vec![(4, keep(2))]));
    // Behind a batch that is being committed, and before what stays.
    assert_eq!(played.turn([keep(3), forget(3), keep(4), keep(5), forget(4)]), None);
    played.commit(&[]);
    assert_eq!(played.poll(), Poll::Ready(Some((7, vec![]))), "all before the result that waits");
    assert_eq!(played.turn([]), None);
    assert_eq!(played.given(), Some(vec![(8, keep(5))]));
    assert_eq!(played.turn([forget(5)]), None, "it may be on the disk by now");
    played.commit(&[]);
    assert_eq!(played.poll(), Poll::Ready(Some((9, vec![]))));
    assert_eq!(played.turn([]), None);
    assert_eq!(played.given(), Some(vec![(10, forget(5))]));
}

#[test]
fn numbers_of_one_run_are_one_write_however_often_they_change() {
    let mut played = Played::new();
    assert_eq!(played.turn([keep(1)]), None);
    assert!(played.given().is_some());
    let ops = (2..1_000).flat_map(|attempt| [renumber(1, attempt), renumber(9, attempt)]);
    assert_eq!(played.turn(ops), None);
    assert_eq!(played.turn([keep(2), renumber(2, 7), forget(9)]), None);
    assert_eq!(played.journal.writes.waiting.len(), 3);
    played.commit(&[]);
    assert_eq!(played.poll(), Poll::Ready(Some((1, vec![]))));
    assert_eq!(played.turn([]), None);
    let mut second = result(2, 10);
    second.key.attempt = Attempt(7);
    let (first, last) = ((2, renumber(1, 999)), (2_000, forget(9)));
    assert_eq!(played.given(), Some(vec![first, (1_998, JournalOp::Keep(second)), last]));
    played.commit(&[]);
    assert_eq!(played.poll(), Poll::Ready(Some((2_000, vec![]))));
}

#[test]
fn a_batch_is_bounded_by_its_writes_and_by_its_bytes() {
    let mut played = Played::new();
    let half = BATCH_BYTES / 2 + 1;
    let large = (1..=3).map(|run| JournalOp::Keep(result(run, half)));
    let small = (10..10 + 2 * BATCH as u64).map(keep);
    assert_eq!(played.turn(large.chain(small)), None);
    let mut sizes = Vec::new();
    while let Some(batch) = played.given() {
        sizes.push(batch.len());
        played.commit(&[]);
        let last = batch.last().expect("some").0;
        assert_eq!(played.poll(), Poll::Ready(Some((last, vec![]))));
        assert_eq!(played.turn([]), None);
    }
    assert_eq!(sizes, [2, BATCH, BATCH, 1]);
}

#[test]
fn that_there_is_no_room_is_said_once_until_a_result_finds_room() {
    let mut played = Played::new();
    let mut round = |op: JournalOp, is_full: bool| {
        lines(|| {
            assert_eq!(played.turn([op]), None);
            let id = played.given().expect("a batch")[0].0;
            let full = if is_full { vec![id] } else { vec![] };
            played.commit(&full);
            assert_eq!(played.poll(), Poll::Ready(Some((id, full))));
        })
    };
    assert!(round(keep(1), false).is_empty());
    let said = round(keep(2), true);
    let [full] = &said[..] else { panic!("{said:#?}") };
    for part in
        ["WARN", "journal.full", "gpu-1", "222 of 250 bytes", "worker.disconnected.journal_max"]
    {
        assert!(full.contains(part), "`{part}` in {full}");
    }
    assert!(round(keep(3), true).is_empty(), "it goes on");
    assert!(round(forget(1), false).is_empty());
    assert!(round(keep(2), true).is_empty(), "a result that was forgotten made no room for it");
    assert!(round(keep(2), false).is_empty());
    assert_eq!(round(keep(4), true).len(), 1, "another one");
}

#[test]
fn a_journal_of_no_use_is_asked_for_nothing_more() {
    for dies in [false, true] {
        let mut played = Played::new();
        assert_eq!(played.turn([keep(1)]), None);
        assert!(played.given().is_some());
        assert_eq!(played.turn([keep(2)]), None);
        let said = lines(|| {
            if dies {
                played.answers = None;
            } else {
                played.answer(Answered::Broken);
            }
            assert_eq!(played.poll(), Poll::Ready(None));
        });
        // A thread that breaks says so itself.
        assert_eq!(said.iter().filter(|line| line.contains("panicked")).count(), usize::from(dies));
        assert!(played.poll().is_pending());
        assert_eq!(played.turn([keep(3), forget(3)]), None);
        assert!(played.journal.writes.is_empty(), "nothing is gathered for it");
        assert!(played.poll_close().is_ready());
    }
}

#[test]
fn the_end_hands_over_what_is_left_and_waits_until_the_journal_is_closed() {
    let mut played = Played::new();
    assert_eq!(played.turn([keep(1)]), None);
    assert!(played.given().is_some());
    played.journal.push(JournalWrite { id: JournalId(2), op: forget(1) });
    assert!(played.poll_close().is_pending());
    played.commit(&[]);
    assert!(played.poll_close().is_pending());
    assert_eq!(played.given(), Some(vec![(2, forget(1))]));
    played.commit(&[]);
    assert!(played.poll_close().is_pending());
    assert!(played.batches.recv().is_err(), "the thread sees the end");
    played.answers = None;
    assert!(lines(|| assert!(played.poll_close().is_ready())).is_empty());
    assert!(lines(|| played.journal.abandon()).is_empty(), "nothing was left behind");
}

#[test]
fn what_the_end_does_not_wait_for_is_said() {
    let mut played = Played::new();
    assert_eq!(played.turn([keep(1)]), None);
    played.journal.push(JournalWrite { id: JournalId(2), op: keep(2) });
    assert!(played.poll_close().is_pending());
    let said = lines(|| played.journal.abandon());
    let [line] = &said[..] else { panic!("{said:#?}") };
    assert!(line.starts_with("WARN") && line.contains("2 writes to the journal"), "{line}");
}

#[test]
fn without_a_journal_there_is_nothing_to_wait_for() {
    let mut journal = LoopJournal::new(Name::new("gpu-1").expect("a name"), None);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(journal.hand_over().is_none());
    assert!(journal.poll(&mut cx).is_pending());
    assert!(journal.poll_close(&mut cx).is_ready());
}
