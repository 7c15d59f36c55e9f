//! What each path answers.

use std::fmt::Write as _;

use http::StatusCode;
use serde_json::{Value, json};

use super::page::html;
use super::{PULSE_EVERY, Subject, stuck};
use crate::Code;
use crate::metrics::Page;

/// Every path there is.
pub(crate) const PATHS: [&str; 6] =
    ["/livez", "/readyz", "/startupz", "/metrics", "/status", "/status.json"];

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// An answer, before it is one of some HTTP library.
#[derive(Debug)]
pub(crate) struct Answer {
    /// 200 or 503, or what was wrong with the question.
    pub(crate) status: StatusCode,
    /// The media type.
    pub(crate) kind: &'static str,
    /// The body.
    pub(crate) body: String,
}

impl Answer {
    fn json(well: bool, body: &Value) -> Self {
        Self { status: status(well), kind: JSON, body: format!("{body}\n") }
    }

    /// What is not asked for by GET or HEAD.
    pub(crate) fn no_method() -> Self {
        let body = json!({"error": "only GET and HEAD are answered here"});
        Self { status: StatusCode::METHOD_NOT_ALLOWED, ..Self::json(true, &body) }
    }

    /// What is not there.
    pub(crate) fn no_path() -> Self {
        let body = json!({"error": "there is no such path", "paths": PATHS});
        Self { status: StatusCode::NOT_FOUND, ..Self::json(true, &body) }
    }
}

fn status(well: bool) -> StatusCode {
    if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// Answers a GET; `None` if the path is none of [`PATHS`].
pub(crate) async fn answer(
    path: &str,
    query: Option<&str>,
    subject: &dyn Subject,
) -> Option<Answer> {
    let verbose = query.unwrap_or_default().split('&').any(|word| {
        word == "verbose" || word.strip_prefix("verbose=").is_some_and(|value| value != "0")
    });
    Some(match path {
        "/livez" => live(subject, verbose).await,
        "/readyz" => {
            let report = subject.report().await;
            let well = report.is_ready();
            if verbose {
                Answer { status: status(well), kind: TEXT, body: report.verbose() }
            } else {
                Answer::json(well, &report.verdict(well, ["ready", "unready"], false))
            }
        }
        "/startupz" => {
            let report = subject.report().await;
            let well = report.has_started();
            if verbose {
                Answer { status: status(well), kind: TEXT, body: report.verbose() }
            } else {
                Answer::json(well, &report.verdict(well, ["started", "starting"], true))
            }
        }
        "/metrics" => {
            let mut page = Page::default();
            subject.measure(&mut page).await;
            Answer { status: StatusCode::OK, kind: Page::MEDIA_TYPE, body: page.finish() }
        }
        // A page about something that is not well is still a page.
        "/status.json" => Answer::json(true, &subject.report().await.json()),
        "/status" => {
            let body = html(&subject.report().await.json());
            Answer { status: StatusCode::OK, kind: HTML, body }
        }
        _ => return None,
    })
}

/// Only whether the loop turns: no store, no network, nothing that waits for the loop.
async fn live(subject: &dyn Subject, verbose: bool) -> Answer {
    let stuck = stuck(subject).await;
    if verbose {
        let mut body = String::new();
        // Writing into a text does not fail.
        let _ = match stuck {
            None => writeln!(body, "✓ loop       turns at least every {PULSE_EVERY:?}"),
            Some(age) => writeln!(
                body,
                "✗ loop       has not turned for {:.1} s\n  {:<10} loop_stuck ({})\n  {:<10} {}",
                age.as_secs_f64(),
                "",
                Code::LOOP_STUCK,
                "",
                Code::LOOP_STUCK.hint()
            ),
        };
        return Answer { status: status(stuck.is_none()), kind: TEXT, body };
    }
    match stuck {
        None => Answer::json(true, &json!({"status": "live"})),
        Some(age) => {
            let since = std::time::SystemTime::now().checked_sub(age).map(super::report::time);
            let code = Code::LOOP_STUCK.to_string();
            let body =
                json!({"status": "stuck", "reason": "loop_stuck", "code": code, "since": since});
            Answer::json(false, &body)
        }
    }
}
