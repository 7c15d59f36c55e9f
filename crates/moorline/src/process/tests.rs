use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use moorline_work::{AbortReason, Attempt, Outcome, TaskKey};

use super::{ChildExits, CommandHandler, ProcessGroups, is_withheld};
use crate::task::{Abort, Finished, Handler, Stop, TaskCtx};

const KEY: TaskKey = TaskKey { task: moorline_work::TaskId(7), attempt: Attempt(3) };

fn handler(command: &str) -> (CommandHandler, ProcessGroups) {
    let groups = ProcessGroups::new();
    (CommandHandler::new(command, groups.clone(), ChildExits::default()).unwrap(), groups)
}

/// Counts of the exits that happened.
fn exits(handler: &CommandHandler) -> Vec<(&'static str, u64)> {
    let all = handler.exits.all().into_iter().map(|(how, count)| (how.name(), count));
    all.filter(|(_, count)| *count > 0).collect()
}

async fn run(command: &str, input: &'static [u8]) -> Finished {
    let ctx = TaskCtx::new(KEY, None, Abort::new());
    let (handler, groups) = handler(command);
    let finished = handler.call(ctx, Bytes::from_static(input)).await;
    assert!(groups.running().is_empty(), "an ended child is off the list");
    finished
}

fn text(finished: &Finished) -> &str {
    std::str::from_utf8(&finished.body).unwrap()
}

#[tokio::test]
async fn stdin_is_the_input_and_stdout_the_result() {
    let finished = run("cat", b"\x00any\xff").await;
    assert_eq!(finished, Finished::succeeded(Bytes::from_static(b"\x00any\xff")));
}

#[tokio::test]
async fn a_command_is_split_as_a_shell_would_but_no_shell_reads_it() {
    let finished = run(r#"printf '%s|' "a b" $HOME '*' a\;b"#, b"").await;
    assert_eq!(text(&finished), "a b|$HOME|*|a;b|");
    for command in ["", "  ", "''", "echo 'open"] {
        assert!(
            CommandHandler::new(command, ProcessGroups::new(), ChildExits::default()).is_err(),
            "{command:?}"
        );
    }
}

#[tokio::test]
async fn a_child_knows_its_task_and_no_other_variable_of_moorline() {
    assert!(is_withheld("MOORLINE_ADMIN_TOKEN_FILE".as_ref()));
    assert!(!is_withheld("PATH".as_ref()) && !is_withheld("MOORLINER".as_ref()));
    let finished = run("env", b"").await;
    let mut lines: Vec<_> =
        text(&finished).lines().filter(|l| l.starts_with("MOORLINE_")).collect();
    lines.sort_unstable();
    let key = crate::TaskId::from(7);
    let expected = [
        "MOORLINE_ATTEMPT=3".to_owned(),
        format!("MOORLINE_IDEMPOTENCY_KEY={key}"),
        format!("MOORLINE_TASK_ID={key}"),
    ];
    assert_eq!(lines, expected);
    assert!(text(&finished).contains("PATH="), "the rest is passed on");
}

#[tokio::test]
async fn the_exit_code_says_whether_a_retry_may_help() {
    for (code, retryable) in
        [(1, true), (63, true), (64, false), (78, false), (79, true), (255, true)]
    {
        let finished = run(&format!("sh -c 'echo why >&2; exit {code}'"), b"").await;
        assert_eq!(finished.outcome, Outcome::Failed { retryable }, "{code}");
        assert_eq!(text(&finished), format!("exit code {code}: why"));
    }
    let killed = run("sh -c 'kill -9 $$'", b"").await;
    assert_eq!(killed, Finished::failed(true, "killed by signal 9"));
    assert_eq!(run("false", b"unread").await, Finished::failed(true, "exit code 1"));
}

#[tokio::test]
async fn a_program_that_is_not_there_fails_for_good_and_is_named() {
    let finished = run("moorline-no-such-program x", b"").await;
    assert_eq!(finished.outcome, Outcome::Failed { retryable: false });
    assert!(text(&finished).contains("`moorline-no-such-program` cannot be started"));
}

#[tokio::test]
async fn a_large_input_that_nobody_reads_does_not_hold_the_child_up() {
    let ctx = TaskCtx::new(KEY, None, Abort::new());
    let input = Bytes::from(vec![7; 1 << 20]);
    let finished = handler("true").0.call(ctx, input).await;
    assert_eq!(finished, Finished::succeeded(Bytes::new()));
}

#[tokio::test]
async fn a_result_above_the_limit_is_a_fatal_failure_and_ends_the_child() {
    let start = Instant::now();
    let finished = run("sh -c 'head -c 20000000 /dev/zero; sleep 100'", b"").await;
    assert_eq!(finished.outcome, Outcome::Failed { retryable: false });
    assert!(text(&finished).contains("larger than"), "{}", text(&finished));
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn only_the_end_of_a_long_complaint_is_kept() {
    let finished = run("sh -c 'seq 1 100000 >&2; exit 1'", b"").await;
    assert!(finished.body.len() < 9 << 10, "{}", finished.body.len());
    assert!(text(&finished).starts_with("exit code 1: …\n"));
    assert!(text(&finished).ends_with("\n100000"));
}

#[tokio::test]
async fn a_child_that_is_told_to_stop_gets_a_signal_and_time() {
    let home = tempfile::tempdir().unwrap();
    let up = home.path().join("up");
    let script = format!(
        "sh -c 'trap \"echo saved; exit 0\" TERM; echo up; touch {}; while :; do sleep 0.01; done'",
        up.display()
    );
    let abort = Abort::new();
    let ctx = TaskCtx::new(KEY, None, Arc::clone(&abort));
    let (handler, _groups) = handler(&script);
    let running = tokio::spawn(handler.call(ctx, Bytes::new()));
    while !up.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    abort.tell(Stop::Asked(AbortReason::Cancelled));
    assert_eq!(text(&running.await.unwrap()), "up\nsaved\n");
}

#[tokio::test]
async fn dropping_an_attempt_kills_the_whole_group() {
    let home = tempfile::tempdir().unwrap();
    let pid_file = home.path().join("pid");
    let script =
        format!("sh -c 'trap \"\" TERM; sleep 1000 & echo $! > {}; wait'", pid_file.display());
    let ctx = TaskCtx::new(KEY, None, Abort::new());
    let (handler, groups) = handler(&script);
    let running = tokio::spawn(handler.call(ctx, Bytes::new()));
    let grandchild: i32 = loop {
        let text = std::fs::read_to_string(&pid_file).unwrap_or_default();
        if let Ok(pid) = text.trim().parse() {
            break pid;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    dies(grandchild).await;
    assert!(groups.running().is_empty());
}

#[tokio::test]
async fn what_a_child_leaves_behind_does_not_hold_its_result_back() {
    let start = Instant::now();
    let finished = run("sh -c 'sleep 1000 & echo done'", b"").await;
    assert_eq!(finished, Finished::succeeded(Bytes::from_static(b"done\n")));
    assert!(start.elapsed() < Duration::from_secs(8));
}

#[tokio::test]
async fn what_a_child_leaves_in_its_group_ends_with_the_attempt() {
    let home = tempfile::tempdir().unwrap();
    let pid_file = home.path().join("pid");
    let script = format!(
        "sh -c 'sleep 1000 </dev/null >/dev/null 2>&1 & echo $! > {}; echo done'",
        pid_file.display()
    );
    assert_eq!(text(&run(&script, b"").await), "done\n");
    let left: i32 = std::fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap();
    dies(left).await;
}

#[tokio::test]
async fn a_group_that_is_told_to_end_has_its_time_also_when_its_leader_is_gone() {
    let home = tempfile::tempdir().unwrap();
    let (up, saved) = (home.path().join("up"), home.path().join("saved"));
    // The leader dies of the signal; what it has started saves its work first, and needs a while.
    let script = format!(
        "sh -c 'sh -c \"trap \\\"sleep 0.5; echo saved > {}; exit\\\" TERM; echo up > {}; \
         while :; do sleep 0.01; done\" </dev/null >/dev/null 2>&1 & wait'",
        saved.display(),
        up.display()
    );
    let abort = Abort::new();
    let ctx = TaskCtx::new(KEY, None, Arc::clone(&abort));
    let (handler, _groups) = handler(&script);
    let running = tokio::spawn(handler.call(ctx, Bytes::new()));
    while !up.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    abort.tell(Stop::Asked(AbortReason::Cancelled));
    assert_eq!(running.await.unwrap(), Finished::failed(true, "killed by signal 15"));
    assert!(saved.exists(), "it was killed before its time was over");
}

#[tokio::test]
async fn every_end_of_a_child_is_counted_by_how_it_came() {
    for (command, how) in [
        ("true", "ok"),
        ("sh -c 'exit 3'", "error"),
        ("sh -c 'head -c 20000000 /dev/zero; sleep 100'", "error"),
        ("sh -c 'kill -9 $$'", "signal"),
    ] {
        let (handler, _groups) = handler(command);
        let ctx = TaskCtx::new(KEY, None, Abort::new());
        handler.call(ctx, Bytes::new()).await;
        assert_eq!(exits(&handler), [(how, 1)], "{command}");
    }
    for (stop, how) in [
        (Stop::Asked(AbortReason::TimedOut), "timeout"),
        (Stop::Asked(AbortReason::Cancelled), "cancelled"),
        (Stop::Asked(AbortReason::HandedBack), "cancelled"),
        (Stop::Now, "cancelled"),
    ] {
        let abort = Abort::new();
        let (handler, _groups) = handler("sleep 1000");
        let call = || handler.call(TaskCtx::new(KEY, None, Arc::clone(&abort)), Bytes::new());
        // One that ends when it is told to, and one that nobody waits for any longer.
        let (ends, dropped) = (call(), call());
        abort.tell(stop);
        ends.await;
        assert_eq!(exits(&handler), [(how, 1)], "{stop:?}");
        drop(dropped);
        assert_eq!(exits(&handler), [(how, 2)], "{stop:?}");
    }
}

#[tokio::test]
async fn a_child_that_ends_well_counts_as_that_whatever_it_was_told() {
    let home = tempfile::tempdir().unwrap();
    let up = home.path().join("up");
    let script = format!(
        "sh -c 'trap \"exit 0\" TERM; touch {}; while :; do sleep 0.01; done'",
        up.display()
    );
    let (handler, _groups) = handler(&script);
    let abort = Abort::new();
    let ctx = TaskCtx::new(KEY, None, Arc::clone(&abort));
    let running = tokio::spawn(handler.call(ctx, Bytes::new()));
    while !up.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    abort.tell(Stop::Asked(AbortReason::TimedOut));
    running.await.unwrap();
    assert_eq!(exits(&handler), [("ok", 1)]);
}

#[tokio::test]
async fn a_program_that_could_not_be_started_is_no_exit() {
    let (handler, _groups) = handler("moorline-no-such-program x");
    handler.call(TaskCtx::new(KEY, None, Abort::new()), Bytes::new()).await;
    assert_eq!(exits(&handler), []);
}

/// Resolves when the process has ended; it has to, soon.
async fn dies(pid: i32) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while is_alive(pid) {
        assert!(Instant::now() < deadline, "{pid} lives on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether the process runs: one that is dead but not collected does not.
fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
}
