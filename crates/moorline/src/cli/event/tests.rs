use std::time::{Duration, SystemTime};

use clap::Parser;
use moorline_link::Reason;
use moorline_node::EventKind;

use super::{Command, ListArgs, streamed, time};
use crate::EventInfo;

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

fn list(line: &[&str]) -> Result<ListArgs, clap::Error> {
    let line = [&["event", "list"], line].concat();
    match Line::try_parse_from(line)?.command {
        Command::List(args) => Ok(args),
        Command::Tail(_) => panic!("another command"),
    }
}

#[test]
fn a_time_is_a_moment_or_how_long_ago() {
    let moment = humantime::parse_rfc3339("2026-11-22T10:00:00Z").unwrap();
    assert_eq!(time("2026-11-22T10:00:00Z"), Ok(moment));
    let then = time("15m").unwrap();
    let ago = SystemTime::now().duration_since(then).unwrap();
    assert!(ago >= Duration::from_secs(900) && ago < Duration::from_secs(960), "{ago:?}");
    for wrong in ["", "15", "yesterday", "2026-11-22", "-5m"] {
        assert!(time(wrong).unwrap_err().contains("15m"), "{wrong}");
    }
}

#[test]
fn the_flags_of_a_list_are_its_query() {
    let query =
        list(&["--kind", "worker.lost,clock.jump", "--reason", "stream_lost", "--limit", "7"])
            .unwrap()
            .filter
            .query();
    assert_eq!(query.kinds, [EventKind::WorkerLost, EventKind::ClockJump]);
    assert_eq!((query.reason, query.limit), (Some(Reason::StreamLost), 7));
    assert!(query.newest_first, "the latest so many");
    let group = list(&["--kind", "coordinator"]).unwrap().filter.query();
    assert_eq!(group.kinds, [EventKind::CoordinatorStarted, EventKind::CoordinatorStopping]);
    for wrong in [["--kind", "wörker"], ["--reason", "bad_luck"], ["--since", "5"]] {
        assert_eq!(list(&wrong).unwrap_err().exit_code(), 2, "{wrong:?}");
    }
}

#[test]
fn a_line_of_a_stream_is_one_line_whatever_is_in_it() {
    let json = r#"{
        "seq": 1, "at": "2026-11-22T10:00:00.000Z", "epoch": "7", "kind": "worker.disconnected",
        "worker": "gpu-1\u001b[2J", "worker_id": null, "task": null, "attempt": null, "type": null,
        "reason": "stream_lost", "code": "ML2104", "session": null, "detail": "two\nlines"
    }"#;
    let event: EventInfo = serde_json::from_str(json).unwrap();
    insta::assert_snapshot!(streamed(&event));
    let quiet = EventInfo { reason: None, detail: None, worker: None, ..event };
    insta::assert_snapshot!(streamed(&quiet));
}
