//! What the main commands print for people, as it was reviewed: a coordinator, a worker that works, one
//! that is gone, and the errors of every day.

use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::rig::{MOORLINE, Rig, STEADY, until};

/// A word that is another one each time, by what it is.
fn steady(word: &str) -> Option<&'static str> {
    let is = |all: fn(char) -> bool| word.chars().all(all);
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = &word[..word.len() - unit.len()];
    if !number.is_empty() && matches!(unit, "µs" | "ms" | "s" | "m" | "h" | "d") {
        return Some("TIME");
    }
    if word.len() == 32 && is(|c| c.is_ascii_hexdigit()) {
        return Some("WORKER-ID");
    }
    if word.len() == 26 && is(|c| c.is_ascii_uppercase() || c.is_ascii_digit()) {
        return Some("TASK");
    }
    // A time of day, also with its date.
    if word.len() >= 8
        && word.matches(':').count() == 2
        && word.starts_with(|c: char| c.is_ascii_digit())
    {
        return Some("WHEN");
    }
    if word.starts_with("127.0.0.1:") {
        return Some("ADDRESS");
    }
    // An epoch.
    (word.len() >= 16 && is(|c| c.is_ascii_digit() || c == '.')).then_some("NUMBER")
}

/// The same text from each run: words that differ are replaced, and so are the spaces that a table has
/// for their sake.
fn same(text: &str) -> String {
    let belongs = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '_' | 'µ');
    let mut said = String::new();
    for line in text.lines() {
        let (mut rest, mut out) = (line, String::new());
        while let Some(first) = rest.chars().next() {
            let end = if belongs(first) {
                rest.find(|c| !belongs(c)).unwrap_or(rest.len())
            } else {
                first.len_utf8()
            };
            let (word, after) = rest.split_at(end);
            let bare = word.trim_end_matches(['.', ':']);
            match steady(bare) {
                Some(name) => {
                    out.push_str(name);
                    out.push_str(&word[bare.len()..]);
                }
                None if word == " " && out.ends_with("  ") => {}
                None => out.push_str(word),
            }
            rest = after;
        }
        said.push_str(out.trim_end());
        said.push('\n');
    }
    said
}

/// What these commands print, one after the other.
fn transcript(rig: &Rig, lines: &[&str]) -> String {
    let mut all = String::new();
    for line in lines {
        let output = Command::new(MOORLINE)
            .args(line.split(' '))
            .env("MOORLINE_SERVER", format!("http://{}", rig.admin))
            .env("XDG_CONFIG_HOME", rig.home.path().join("config"))
            .env_remove("COLUMNS")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let end = match output.status.code().unwrap() {
            0 => String::new(),
            code => format!("[exit {code}]\n"),
        };
        all += &same(&format!("$ moorline {line}\n{}{end}\n", String::from_utf8_lossy(&said)));
    }
    all
}

#[test]
fn what_commands_print_for_people_is_as_it_was_reviewed() {
    let rig = Rig::new("60s");
    let flags =
        ["--slots=2", "--handler=greet=cat", "--handler=broken=sh -c 'echo no luck >&2; exit 64'"];
    let _worker = rig.worker("gpu-1", &[STEADY, &flags].concat());
    let mut gone = rig.worker("gpu-2", &[STEADY, &flags[1..2]].concat());
    rig.until_worker("gpu-1", "active");
    rig.until_worker("gpu-2", "active");
    gone.signal(Signal::TERM);
    assert!(gone.ends().success());
    rig.until_worker("gpu-2", "departed");
    let done = rig.submit("greet", "you", &["--wait", "--timeout=60s"]);
    let failed = rig.submit("broken", "", &[]);
    rig.until_task(&failed, "failed");
    let queued = rig.submit("paint", "", &[]);
    // Told with a heartbeat: what the link has counted.
    until("its link is told of", || rig.seen("gpu-1")["link"].is_object().then_some(()));

    let workers = transcript(
        &rig,
        &[
            "worker list",
            "worker list --state active -o name",
            "worker drain gpu-1 gpu-2 --dry-run",
            "worker drain gpu-1",
            "worker resume gpu-1 --wait",
            "worker reconnect gpu-2",
            "worker forget gpu-1",
            "worker get nobody",
        ],
    );
    insta::assert_snapshot!("workers", workers);
    let tasks = transcript(
        &rig,
        &[
            "task list",
            &format!("task get {done}"),
            &format!("task result {done}"),
            &format!("task get {failed}"),
            &format!("task explain {queued}"),
            &format!("task timeline {done}"),
            &format!("task cancel {queued} --dry-run"),
            &format!("task cancel {queued}"),
            &format!("task cancel {queued}"),
            &format!("task retry {done}"),
            &format!("task result {failed}"),
            &format!("task wait {failed}"),
            "task cancel --all",
        ],
    );
    insta::assert_snapshot!("tasks", tasks);
    let rest = transcript(
        &rig,
        &[
            "event list --kind task --limit 3",
            "check coordinator",
            "check fleet",
            "task list --server http://127.0.0.1:1 --timeout 200ms",
            "task submit greet --input-file missing",
            "explain ML6018",
        ],
    );
    insta::assert_snapshot!("others", rest);
}

#[test]
fn what_differs_from_run_to_run_is_replaced_and_nothing_else() {
    assert_eq!(same("gpu-1   active   42s   -   1"), "gpu-1  active  TIME  -  1\n");
    assert_eq!(same("at 2026-11-22T10:02:11.480Z: 3.5s."), "at WHEN: TIME.\n");
    assert_eq!(same("01ARZ3NDEKTSV4RRFFQ69G5FAV 127.0.0.1:81"), "TASK ADDRESS\n");
    assert_eq!(same("ML6018 0.1.0 2m ago 394.0µs"), "ML6018 0.1.0 TIME ago TIME\n");
}
