//! Results on a disk of the worker's own: kept before their slot is used again, until they are answered.

use bytes::Bytes;
use moorline_link::*;
use moorline_node::*;
use moorline_work::{
    Attempt, Disposition, Holding, Judgement, Outcome, RunId, TaskKey, WorkerMessage,
};

use crate::script::{Rig, SECOND, WINDOW, config, key, name, pattern};

const OK: Outcome = Outcome::Succeeded;

fn one_slot() -> WorkerConfig {
    let mut config = config();
    config.runner.slots = 1;
    config
}

/// A worker with an empty journal, active in its first session.
fn active(config: WorkerConfig) -> Rig {
    let mut rig = Rig::journalling(config, Vec::new());
    rig.connect(false);
    assert_eq!(rig.node.state(), State::Active);
    rig
}

fn kept(run: u64, key: TaskKey, body: Bytes) -> KeptResult {
    KeptResult { run: RunId(run), key, outcome: OK, body }
}

fn keep(id: u64, kept: KeptResult) -> JournalWrite {
    JournalWrite { id: JournalId(id), op: JournalOp::Keep(kept) }
}

fn forget(id: u64, run: RunId) -> JournalWrite {
    JournalWrite { id: JournalId(id), op: JournalOp::Forget { run } }
}

fn written(rig: &mut Rig, up_to: u64) {
    let input = WorkerInput::Journaled { up_to: JournalId(up_to), full: Vec::new() };
    assert_eq!(rig.input(input), WorkerVerdict::Accepted);
}

fn full(rig: &mut Rig, id: u64) {
    let input = WorkerInput::Journaled { up_to: JournalId(id), full: vec![JournalId(id)] };
    assert_eq!(rig.input(input), WorkerVerdict::Accepted);
}

/// An assignment that is taken, whether or not it begins.
fn assign(rig: &mut Rig, key: TaskKey) {
    let handler = name("hash");
    rig.say(ToWorker::Assign { key, handler, timeout: None }, Bytes::from_static(b"in"));
    rig.exchange();
    let accept = WorkerMessage::Accept { key };
    assert!(rig.script.messages.iter().any(|(_, message, _)| *message == accept));
}

#[test]
fn a_result_is_written_down_and_offered_at_once_and_forgotten_when_it_is_answered() {
    let mut rig = active(config());
    let run = rig.assign(key(1, 1));
    rig.done(run, pattern(10));
    rig.exchange();
    assert_eq!(rig.writes(), [keep(1, kept(run.0, key(1, 1), pattern(10)))]);
    assert!(rig.last_result().is_some(), "the disk is not waited for");
    written(&mut rig, 1);
    rig.settle(key(1, 1));
    assert_eq!(rig.writes()[1..], [forget(2, run)]);
    written(&mut rig, 2);
    assert!(!rig.node.owes());
}

#[test]
fn nothing_begins_in_a_slot_before_its_last_result_is_kept() {
    let mut rig = active(one_slot());
    let first = rig.assign(key(1, 1));
    rig.done(first, pattern(1));
    assign(&mut rig, key(2, 1));
    rig.run_for(20 * SECOND);
    assert_eq!(rig.started(key(2, 1)), None, "the result before it is in memory only");
    written(&mut rig, 1);
    assert!(rig.started(key(2, 1)).is_some());
}

#[test]
fn nothing_begins_in_a_slot_before_its_last_result_is_kept_or_answered() {
    let mut rig = active(one_slot());
    let first = rig.assign(key(1, 1));
    rig.done(first, pattern(1));
    assign(&mut rig, key(2, 1));
    assert_eq!(rig.started(key(2, 1)), None);
    rig.settle(key(1, 1));
    assert!(rig.started(key(2, 1)).is_some(), "the coordinator has it, which is better still");
}

#[test]
fn only_as_many_begin_as_there_are_slots_without_a_result_in_memory_only() {
    let mut rig = active(config());
    let first = rig.assign(key(1, 1));
    rig.done(first, pattern(1));
    for task in 2..=4 {
        assert!(rig.assign(key(task, 1)) > first, "three of four slots are free");
    }
    assign(&mut rig, key(5, 1));
    assert_eq!(rig.started(key(5, 1)), None);
    written(&mut rig, 1);
    assert!(rig.started(key(5, 1)).is_some());
}

#[test]
fn what_found_no_room_uses_its_slot_until_something_was_forgotten() {
    let mut rig = active(config());
    let (one, two) = (rig.assign(key(1, 1)), rig.assign(key(2, 1)));
    rig.done(one, pattern(1));
    rig.done(two, pattern(2));
    rig.exchange();
    written(&mut rig, 1);
    full(&mut rig, 2);
    assert_eq!(rig.writes().len(), 2, "nothing has made room");
    rig.settle(key(1, 1));
    assert_eq!(rig.writes()[2..], [forget(3, one)]);
    written(&mut rig, 3);
    assert_eq!(rig.writes()[3..], [keep(4, kept(two.0, key(2, 1), pattern(2)))], "again");
    written(&mut rig, 4);
    rig.settle(key(2, 1));
    assert_eq!(rig.writes()[4..], [forget(5, two)]);
}

#[test]
fn of_what_was_never_written_nothing_is_forgotten() {
    let mut rig = active(config());
    let run = rig.assign(key(1, 1));
    rig.done(run, pattern(1));
    full(&mut rig, 1);
    rig.exchange();
    rig.settle(key(1, 1));
    assert_eq!(rig.writes().len(), 1);
    assert!(!rig.node.owes());
}

#[test]
fn what_was_answered_before_it_found_no_room_is_not_written_again() {
    let mut rig = active(config());
    let (one, two) = (rig.assign(key(1, 1)), rig.assign(key(2, 1)));
    rig.done(one, pattern(1));
    rig.done(two, pattern(1));
    rig.exchange();
    rig.settle(key(1, 1));
    rig.settle(key(2, 1));
    // Both keeps find no room, and behind them is room again.
    let full = vec![JournalId(1), JournalId(2)];
    rig.input(WorkerInput::Journaled { up_to: JournalId(4), full });
    assert_eq!(rig.writes().len(), 4, "two kept, two forgotten");
}

#[test]
fn a_disk_that_does_not_answer_makes_nothing_grow() {
    let mut rig = active(config());
    let mut sizes = Vec::new();
    for task in 1..=3_000 {
        let run = rig.assign(key(task, 1));
        rig.done(run, pattern(1));
        rig.exchange();
        rig.settle(key(task, 1));
        rig.actions.clear();
        rig.record.clear();
        rig.script.messages.clear();
        if task % 1_000 == 0 {
            rig.exchange();
            sizes.push(format!("{:?}", rig.node).len() / 64);
        }
    }
    assert!(sizes.iter().all(|size| *size == sizes[0]), "{sizes:?}");
}

#[test]
fn another_process_delivers_what_the_journal_has() {
    let results = vec![kept(3, key(1, 1), pattern(100)), kept(7, key(2, 4), pattern(70_000))];
    let mut rig = Rig::journalling(config(), results);
    assert!(rig.node.owes());
    assert_eq!(rig.node.free(), 4, "they use no slot");
    rig.script.judgements = [key(1, 1), key(2, 4)].map(|key| (key, Judgement::Send)).into();
    rig.connect(false);
    let finished = |len| Holding::Finished { outcome: OK, len };
    assert_eq!(rig.script.inventory, [(key(1, 1), finished(100)), (key(2, 4), finished(70_000))]);
    let results: Vec<_> = rig.script.messages.iter().map(|(_, _, body)| body.clone()).collect();
    assert_eq!(results, [pattern(100), pattern(70_000)]);
    assert_eq!(rig.writes(), [], "they are there");
    rig.settle(key(1, 1));
    rig.settle(key(2, 4));
    assert_eq!(rig.writes(), [forget(1, RunId(3)), forget(2, RunId(7))]);
    let disposition = Disposition::Accepted;
    let event = WorkerEvent::Settled { key: key(1, 1), disposition, resubmitted: true };
    assert!(rig.events().any(|said| *said == event));
    assert_eq!(rig.assign(key(3, 1)), RunId(8), "no number is used twice");
}

#[test]
fn what_the_coordinator_does_not_want_is_forgotten() {
    let results = vec![kept(1, key(1, 1), pattern(1)), kept(2, key(2, 1), pattern(1))];
    let mut rig = Rig::journalling(config(), results);
    let disposition = Disposition::Duplicate;
    rig.script.judgements.insert(key(1, 1), Judgement::Drop { disposition });
    rig.script.judgements.insert(key(2, 1), Judgement::Unknown);
    rig.connect(false);
    assert_eq!(rig.writes(), [forget(1, RunId(1)), forget(2, RunId(2))]);
    assert_eq!(rig.script.messages, [], "and never sent");
}

#[test]
fn of_two_results_of_one_attempt_one_is_offered() {
    let results = vec![kept(1, key(1, 1), pattern(1)), kept(2, key(1, 1), pattern(2))];
    let mut rig = Rig::journalling(config(), results);
    rig.act();
    assert_eq!(rig.writes(), [forget(1, RunId(2))]);
    rig.connect(false);
    assert_eq!(rig.script.inventory.len(), 1);
}

#[test]
fn a_result_that_gets_another_number_is_kept_under_that() {
    let mut rig = active(config());
    let run = rig.assign(key(1, 1));
    rig.cut();
    rig.done(run, pattern(5));
    rig.script.judgements.insert(key(1, 1), Judgement::Adopt { attempt: Attempt(3) });
    rig.connect(false);
    let renumbered = JournalOp::Renumber { run, attempt: Attempt(3) };
    assert_eq!(rig.writes()[1..], [JournalWrite { id: JournalId(2), op: renumbered }]);
    assert_eq!(rig.last_result().map(|(_, key, _)| key), Some(key(1, 3)));
}

#[test]
fn what_is_cancelled_before_it_began_never_begins() {
    let mut rig = active(one_slot());
    let first = rig.assign(key(1, 1));
    rig.done(first, pattern(1));
    assign(&mut rig, key(2, 1));
    rig.say(ToWorker::Cancel { key: key(2, 1) }, Bytes::new());
    rig.exchange();
    let ended = WorkerMessage::Result { key: key(2, 1), outcome: Outcome::Cancelled };
    assert!(rig.script.messages.iter().any(|(_, message, _)| *message == ended));
    let is_kept = |write: &JournalWrite| match &write.op {
        JournalOp::Keep(kept) => kept.key == key(2, 1) && kept.outcome == Outcome::Cancelled,
        JournalOp::Renumber { .. } | JournalOp::Forget { .. } => false,
    };
    assert!(rig.writes().iter().any(is_kept), "it is a result like any other");
    rig.settle(key(1, 1));
    rig.settle(key(2, 1));
    written(&mut rig, 4);
    assert_eq!(rig.started(key(2, 1)), None);
    let aborts = rig.actions.iter().any(|action| matches!(action, WorkerAction::Abort { .. }));
    assert!(!aborts, "there is nothing to abort");
    assert_eq!(rig.node.free(), 1);
    assert!(rig.assign(key(3, 1)) > first);
    rig.exchange();
    let credit = rig.script.session.acked[Lane::B.index()].credit;
    assert_eq!(credit.messages, Seq(WINDOW + 3), "its payload is not held any more");
}

#[test]
fn of_a_run_that_nobody_wants_nothing_is_written() {
    let mut rig = active(one_slot());
    let run = rig.assign(key(1, 1));
    rig.cut();
    rig.script.judgements.insert(key(1, 1), Judgement::Unknown);
    rig.connect(false);
    rig.done(run, pattern(5));
    assert_eq!(rig.writes(), []);
    rig.assign(key(2, 1));
}

#[test]
fn the_time_of_a_task_does_not_begin_before_its_handler_does() {
    let mut rig = active(one_slot());
    let first = rig.assign(key(1, 1));
    rig.done(first, pattern(1));
    let (key, handler) = (key(2, 1), name("hash"));
    let timeout = Some(2 * SECOND);
    rig.say(ToWorker::Assign { key, handler, timeout }, Bytes::from_static(b"in"));
    rig.run_for(10 * SECOND);
    written(&mut rig, 1);
    let deadline = rig.actions.iter().find_map(|action| {
        let WorkerAction::Start { key: started, deadline, .. } = action else { return None };
        deadline.filter(|_| *started == key)
    });
    let begins = rig.now.as_nanos();
    assert_eq!(deadline.map(|at| at.as_nanos()), Some(begins + 2_000_000_000));
    rig.run_for(3 * SECOND);
    let stops = |action: &WorkerAction| matches!(action, WorkerAction::Abort { .. });
    assert!(rig.actions.iter().any(stops), "then it counts");
}

#[test]
fn a_worker_without_a_journal_asks_for_no_writes_and_waits_for_none() {
    let mut rig = Rig::new(one_slot());
    rig.connect(false);
    let first = rig.assign(key(1, 1));
    rig.done(first, pattern(1));
    rig.assign(key(2, 1));
    assert_eq!(rig.writes(), []);
    let input = WorkerInput::Journaled { up_to: JournalId(1), full: Vec::new() };
    assert_eq!(rig.input(input), WorkerVerdict::Stale);
}
