//! What came of the promises.

use std::fmt;
use std::time::Duration;

use futures::StreamExt;
use serde::Serialize;

use crate::outcome::{Failure, Outcome, Violation};

/// One thing that is promised.
///
/// ```
/// use moorline_conformance::worker::PROMISES;
///
/// let promise = PROMISES.iter().find(|one| one.name == "a_probe_is_answered_at_once").unwrap();
/// assert_eq!(promise.written, "docs/protocol.md#6-heartbeats");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Promise {
    /// The promise, as a sentence with underscores.
    pub name: &'static str,
    /// What is done to see whether it is kept.
    pub proves: &'static str,
    /// Where it is written.
    pub written: &'static str,
}

/// What came of a check.
///
/// ```
/// use moorline_conformance::Verdict;
///
/// let verdict = Verdict::NotJudged { why: "it needs --admin".to_owned() };
/// assert!(!matches!(verdict, Verdict::Broken(_)));
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The promise is kept.
    Kept,
    /// It could not be seen whether it is kept, or it says nothing about a peer like this one.
    NotJudged {
        /// Why.
        why: String,
    },
    /// It is not kept.
    Broken(Broken),
}

/// What is wrong where a promise is not kept.
///
/// ```
/// use moorline_conformance::Broken;
///
/// let broken = Broken {
///     expected: "a beat within 1 s of the probe".to_owned(),
///     saw: "nothing for 1 s".to_owned(),
///     while_judging: None,
///     said: String::new(),
/// };
/// assert!(broken.to_string().contains("expected: a beat"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Broken {
    /// What had to happen, in words.
    pub expected: String,
    /// What happened, in words.
    pub saw: String,
    /// It came up while another promise was judged: which.
    pub while_judging: Option<&'static str>,
    /// The last lines that the program printed; empty if there are none.
    pub said: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  expected: {}\n  saw:      {}", self.expected, self.saw)?;
        if let Some(other) = self.while_judging {
            write!(f, "\n  seen in:  {other}")?;
        }
        for (at, line) in self.said.lines().enumerate() {
            write!(f, "\n  {} {line}", if at == 0 { "said:    " } else { "         " })?;
        }
        Ok(())
    }
}

/// A promise and what came of it; as text a line, and more if it is broken.
///
/// ```
/// use std::time::Duration;
///
/// use moorline_conformance::worker::PROMISES;
/// use moorline_conformance::{Judged, Verdict};
///
/// let judged = Judged { promise: PROMISES[0], verdict: Verdict::Kept, took: Duration::ZERO };
/// assert!(judged.to_string().starts_with("kept (0.0 s): "));
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Judged {
    /// The promise.
    #[serde(flatten)]
    pub promise: Promise,
    /// What came of its check.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// How long the check took.
    #[serde(rename = "took_seconds", serialize_with = "seconds")]
    pub took: Duration,
}

fn seconds<S: serde::Serializer>(took: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(took.as_secs_f64())
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Promise { name, proves, written } = self.promise;
        match &self.verdict {
            Verdict::Kept => write!(f, "kept ({:.1} s): {name}", self.took.as_secs_f64()),
            Verdict::NotJudged { why } => write!(f, "not judged ({why}): {name}"),
            Verdict::Broken(broken) => {
                write!(f, "broken: {name}\n  {proves}\n{broken}\n  written:  {written}")
            }
        }
    }
}

/// Every promise that was judged, and what came of it.
///
/// ```
/// use moorline_conformance::Report;
///
/// let report = Report { judged: Vec::new() };
/// assert!(report.is_kept());
/// assert_eq!(report.to_string(), "0 kept, 0 broken, 0 not judged");
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Report {
    /// In the order in which they were asked for.
    pub judged: Vec<Judged>,
}

impl Report {
    /// Whether no promise is broken.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.broken().next().is_none()
    }

    /// Those that are broken.
    pub fn broken(&self) -> impl Iterator<Item = &Judged> {
        self.judged.iter().filter(|judged| matches!(judged.verdict, Verdict::Broken(_)))
    }

    /// How many are kept, broken and not judged.
    #[must_use]
    pub fn counts(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for judged in &self.judged {
            counts[match judged.verdict {
                Verdict::Kept => 0,
                Verdict::Broken(_) => 1,
                Verdict::NotJudged { .. } => 2,
            }] += 1;
        }
        counts
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for judged in &self.judged {
            writeln!(f, "{judged}")?;
        }
        let [kept, broken, not_judged] = self.counts();
        write!(f, "{kept} kept, {broken} broken, {not_judged} not judged")
    }
}

/// What came of a script that was let run for so long: a panic, the end of its time, or its own end.
type Played = std::thread::Result<Result<Outcome, tokio::time::error::Elapsed>>;

/// The verdict of a script. What was seen of its own promise meanwhile goes before what it says itself.
pub(crate) fn verdict(
    promise: Promise,
    limit: Duration,
    played: Played,
    violations: &mut Vec<Violation>,
    said: String,
) -> Verdict {
    let own = violations.iter().position(|one| one.promise == promise.name);
    if let Some(Violation { expected, saw, .. }) = own.map(|at| violations.swap_remove(at)) {
        return failed(Failure::Broken { expected, saw }, said);
    }
    match played {
        Ok(Ok(Ok(()))) => Verdict::Kept,
        Ok(Ok(Err(failure))) => failed(failure, said),
        Ok(Err(_)) => {
            let saw = format!("it goes on and on, for {limit:?}");
            failed(Failure::Broken { expected: "it is done by now".to_owned(), saw }, said)
        }
        Err(_) => failed(Failure::NotJudged("the script panicked".to_owned()), said),
    }
}

pub(crate) fn failed(failure: Failure, said: String) -> Verdict {
    match failure {
        Failure::NotJudged(why) => Verdict::NotJudged { why },
        Failure::Broken { expected, saw } => {
            Verdict::Broken(Broken { expected, saw, while_judging: None, said })
        }
    }
}

/// Plays scripts, so many at the same time, and tells what came of each as soon as it is known.
pub(crate) async fn judge_all<F>(
    scripts: impl Iterator<Item = F>,
    jobs: usize,
    mut told: impl FnMut(&Judged),
) -> Report
where
    F: Future<Output = (Judged, Vec<Violation>)>,
{
    let scripts = scripts.enumerate().map(|(at, playing)| async move { (at, playing.await) });
    let mut playing = futures::stream::iter(scripts).buffer_unordered(jobs.max(1));
    let mut all = Vec::new();
    while let Some((at, (judged, seen))) = playing.next().await {
        told(&judged);
        all.push((at, judged, seen));
    }
    merged(all)
}

/// A report of what was judged, each with its place and with what was seen of other promises meanwhile.
fn merged(mut all: Vec<(usize, Judged, Vec<Violation>)>) -> Report {
    all.sort_by_key(|(at, ..)| *at);
    let (mut judged, mut others) = (Vec::with_capacity(all.len()), Vec::new());
    for (_, one, seen) in all {
        others.extend(seen.into_iter().map(|violation| (one.promise.name, violation)));
        judged.push(one);
    }
    for (during, Violation { promise, expected, saw }) in others {
        let one = judged.iter_mut().find(|one: &&mut Judged| one.promise.name == promise);
        let Some(one) = one.filter(|one| !matches!(one.verdict, Verdict::Broken(_))) else {
            continue;
        };
        let (while_judging, said) = (Some(during), String::new());
        one.verdict = Verdict::Broken(Broken { expected, saw, while_judging, said });
    }
    Report { judged }
}
