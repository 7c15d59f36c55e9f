//! A worker's journal under kills.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use moorline_node::{JournalId, JournalOp, JournalWrite, KeptResult};
use moorline_store::{Journal, SqliteJournal};
use moorline_work::{Attempt, Outcome, RunId, TaskId, TaskKey};

use crate::part::{Part, my_file, random, say};

const MAX: u64 = 64 << 20;

fn result(n: u64) -> KeptResult {
    let key = TaskKey { task: TaskId(n.into()), attempt: Attempt(2) };
    let body: Vec<u8> = (0..3_000 + n % 5_000).map(|at| (at.wrapping_mul(31) ^ n) as u8).collect();
    KeptResult { run: RunId(n), key, outcome: Outcome::Succeeded, body: Bytes::from(body) }
}

/// Batch `n` keeps the results `2n` and `2n + 1`, and forgets the first one of the batch before.
fn batch(n: u64) -> Vec<JournalWrite> {
    let mut ops = vec![JournalOp::Keep(result(2 * n)), JournalOp::Keep(result(2 * n + 1))];
    ops.extend(n.checked_sub(1).map(|before| JournalOp::Forget { run: RunId(2 * before) }));
    ops.into_iter()
        .zip(1..)
        .map(|(op, id)| JournalWrite { id: JournalId(10 * n + id), op })
        .collect()
}

/// How many batches are in the journal: each whole, and none after a gap.
fn whole_batches(journal: &mut SqliteJournal) -> u64 {
    let kept = journal.kept().expect("a reading");
    let Some(last) = kept.last() else { return 0 };
    let batches = last.run.0 / 2 + 1;
    let there = (0..batches).map(|n| 2 * n + 1).chain([2 * batches - 2]).map(result);
    let mut there: Vec<_> = there.collect();
    there.sort_by_key(|result| result.run);
    assert_eq!(kept, there, "a gap, or a part, in {batches} batches");
    assert_eq!(journal.size().bytes, kept.iter().map(KeptResult::cost).sum::<u64>());
    batches
}

fn commit_until_killed(file: &Path) -> ! {
    let mut journal = SqliteJournal::open(file, MAX).expect("the journal");
    for n in whole_batches(&mut journal).. {
        assert!(journal.commit(&batch(n)).expect("a commit").is_empty());
        say(format_args!("acknowledged {n}"));
    }
    unreachable!("it is killed before its numbers end")
}

#[test]
fn a_kill_at_any_moment_loses_no_result_that_was_kept() {
    const SELF: &str = "journal::a_kill_at_any_moment_loses_no_result_that_was_kept";
    if let Some(file) = my_file() {
        commit_until_killed(&file);
    }
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("journal.db");
    let mut acknowledged = 0;
    for _ in 0..20 {
        let moment = random();
        let mut part = Part::of(SELF, &file);
        let mut words = Vec::new();
        // Often before anything is said: then it dies while it opens the journal, or recovers it.
        for _ in 0..moment % 8 * 6 {
            words.extend(part.hear());
        }
        std::thread::sleep(Duration::from_micros(moment / 8 % 4_000));
        words.extend(part.kill());
        for word in &words {
            let n = word.strip_prefix("acknowledged ").map(str::parse);
            assert_eq!(n, Some(Ok(acknowledged)), "moment {moment}: {word}");
            acknowledged += 1;
        }
        let mut journal = SqliteJournal::open(&file, MAX).expect("a journal that survived");
        let whole = whole_batches(&mut journal);
        // The last one may have been committed and not been said.
        assert!(
            (acknowledged..=acknowledged + 1).contains(&whole),
            "moment {moment}: {acknowledged} acknowledged, {whole} there"
        );
        acknowledged = whole;
    }
    assert!(acknowledged > 20, "it did work: {acknowledged} batches");
}
