use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use super::{Current, Shape};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Captured {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn say() {
    tracing::warn!(
        event = "link.lost",
        role = "worker",
        worker = "gpu-1",
        reason = %moorline_link::Reason::StreamLost,
        outage_ms = 1_500u64,
        resumed = false,
        "Lost connection\nto \x1b[2Jcoordinator"
    );
}

#[test]
fn a_json_line_has_the_stable_names() {
    let captured = Captured::default();
    let subscriber = tracing_subscriber::fmt()
        .event_format(Current::new(Shape::Json))
        .with_writer(captured.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, say);
    let text = captured.text();
    assert_eq!(text.lines().count(), 1, "one event is one line: {text}");
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["level"], "warn");
    assert_eq!(line["event"], "link.lost");
    assert_eq!(line["worker"], "gpu-1");
    assert_eq!(line["reason"], "stream_lost");
    assert_eq!(line["outage_ms"], 1_500);
    assert_eq!(line["resumed"], false);
    assert_eq!(line["msg"], "Lost connection\nto \u{1b}[2Jcoordinator");
    humantime::parse_rfc3339(line["ts"].as_str().unwrap()).unwrap();
}

#[test]
fn a_pretty_line_is_one_sentence_that_cannot_steer_the_terminal() {
    let captured = Captured::default();
    let format = Current::new(Shape::Pretty { colour: false });
    let subscriber =
        tracing_subscriber::fmt().event_format(format).with_writer(captured.clone()).finish();
    tracing::subscriber::with_default(subscriber, say);
    let text = captured.text();
    let rest = &text[12..];
    assert_eq!(
        rest,
        "  WARN Lost connection to  [2Jcoordinator  outage_ms=1500  reason=stream_lost  \
         resumed=false  worker=gpu-1\n"
    );
}

#[test]
fn a_logfmt_line_has_the_same_names_and_quotes_what_would_be_misread() {
    let captured = Captured::default();
    let format = Current::new(Shape::Logfmt);
    let subscriber =
        tracing_subscriber::fmt().event_format(format).with_writer(captured.clone()).finish();
    tracing::subscriber::with_default(subscriber, say);
    let text = captured.text();
    let (ts, rest) = text.split_once(' ').unwrap();
    humantime::parse_rfc3339(ts.strip_prefix("ts=").unwrap()).unwrap();
    assert_eq!(
        rest,
        "level=warn target=moorline::cli::logs::format::tests event=link.lost outage_ms=1500 \
         reason=stream_lost resumed=false role=worker worker=gpu-1 \
         msg=\"Lost connection\\nto \\u001b[2Jcoordinator\"\n"
    );
    assert_eq!(super::quoted(""), "\"\"");
    assert_eq!(super::quoted("a=b"), "\"a=b\"");
}

#[test]
fn a_running_server_takes_another_shape_for_its_next_line() {
    let captured = Captured::default();
    let format = Current::new(Shape::Json);
    let subscriber = tracing_subscriber::fmt()
        .event_format(format.clone())
        .with_writer(captured.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        say();
        format.set(Shape::Logfmt);
        say();
    });
    let text = captured.text();
    let (first, second) = text.split_once('\n').unwrap();
    assert!(first.starts_with('{') && second.starts_with("ts="), "{text}");
}
