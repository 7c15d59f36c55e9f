use std::time::Duration;

use super::{printable, roughly, short, table_within, told};
use crate::Error;

#[test]
fn a_table_is_aligned_and_has_no_trailing_spaces() {
    let rows = [
        vec!["gpu-1".to_owned(), "active".to_owned(), String::new()],
        vec!["ä".to_owned(), "disconnected".to_owned(), "stream_lost".to_owned()],
    ];
    let expected = "\
NAME   STATE         REASON
gpu-1  active
ä      disconnected  stream_lost";
    assert_eq!(table_within(&["NAME", "STATE", "REASON"], &rows, None), expected);
}

#[test]
fn a_table_is_as_wide_as_the_terminal_and_never_cuts_what_other_commands_are_given() {
    let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
    let rows = [
        row([
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "failed",
            "the file is not there, nor is its directory",
        ]),
        row(["01ARZ3NDEKTSV4RRFFQ69G5FAW", "succeeded", "-"]),
    ];
    let head = ["ID", "STATE", "ERROR"];
    let fitted = table_within(&head, &rows, Some(60));
    assert_eq!(
        fitted,
        "\
ID                          STATE      ERROR
01ARZ3NDEKTSV4RRFFQ69G5FAV  failed     the file is not ther…
01ARZ3NDEKTSV4RRFFQ69G5FAW  succeeded  -"
    );
    let narrow = table_within(&head, &rows, Some(10));
    assert!(
        narrow.lines().nth(2).unwrap().starts_with("01ARZ3NDEKTSV4RRFFQ69G5FAW  succ…"),
        "{narrow}"
    );
    assert_eq!(table_within(&head, &rows, Some(200)), table_within(&head, &rows, None));
}

#[test]
fn an_error_says_what_and_why_and_what_to_do_each_on_a_line() {
    let away = Error::Unreachable {
        server: "http://127.0.0.1:8741".to_owned(),
        detail: "Connection refused (os error 111)".to_owned(),
    };
    let hint = away.hint();
    assert_eq!(
        told(&away, false),
        format!(
            "error[ML6002]: the coordinator at http://127.0.0.1:8741 does not answer\n  \
             cause: Connection refused (os error 111)\n  hint: {hint}"
        )
    );
    assert!(told(&away, true).contains("\n  \x1b[1mcause:\x1b[0m Connection"));
    let stopped = told(&Error::Stopped, false);
    assert_eq!(stopped.lines().count(), 2, "without a cause there is no line of it: {stopped}");
}

#[test]
fn every_error_with_a_cause_ends_with_it() {
    let io = || std::io::Error::from_raw_os_error(28);
    let (path, address) = (std::path::PathBuf::from("x"), "127.0.0.1:1".to_owned());
    let task = crate::TaskId::from(7);
    let detail = || "a: b: c".to_owned();
    let errors = [
        Error::DataDir { path: path.clone(), source: io() },
        Error::AdminListen { address: address.clone(), source: io() },
        Error::HealthListen { address, source: io() },
        Error::Input { path, source: io() },
        Error::Start(io()),
        Error::Output(io()),
        Error::Store(moorline_store::StoreError::Io { detail: detail() }),
        Error::Store(moorline_store::StoreError::Full { path: "x".to_owned(), detail: detail() }),
        Error::Unreachable { server: "x".to_owned(), detail: detail() },
        Error::Answer { server: "x".to_owned(), detail: detail() },
        Error::Json(serde_json::from_str::<u8>("x").unwrap_err()),
        Error::TaskFailed { task, state: crate::TaskState::Failed, error: Some(detail()) },
        Error::NotActive {
            limit: Duration::from_secs(1),
            reason: Some(moorline_link::Reason::ConnectRefused),
        },
    ];
    for error in errors {
        let cause = error.cause().unwrap();
        assert!(error.to_string().ends_with(&format!(": {cause}")), "{error}");
        assert_eq!(told(&error, false).lines().count(), 3, "{}", told(&error, false));
    }
}

#[test]
fn a_text_of_others_cannot_steer_the_terminal() {
    assert_eq!(printable("a\x1b[2Jb\r\x07\nc"), "a [2Jb  \nc");
    assert_eq!(short("one\ntwo three", 8), "one two…");
    assert_eq!(short("short", 8), "short");
}

#[test]
fn an_age_is_told_in_its_largest_unit() {
    let cases = [
        (0, "250ms"),
        (42, "42s"),
        (119, "119s"),
        (120, "2m"),
        (7_199, "119m"),
        (7_200, "2h"),
        (172_800, "2d"),
    ];
    for (seconds, text) in cases {
        let millis = if seconds == 0 { 250 } else { 0 };
        assert_eq!(roughly(Duration::from_secs(seconds) + Duration::from_millis(millis)), text);
    }
}
