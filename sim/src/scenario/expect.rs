//! What is to happen in a scenario, and by when.

use std::fmt;

use moorline_link::State;

use super::form::{Form, Key};
use super::kind::{Kind, kebab, node};
use super::units;
use crate::plan::Who;
use crate::{FrameKind, Record, Recording, What};

/// Something that is to happen in a run, in a time, so many times.
///
/// ```
/// use moorline_sim::{Plan, Run, What, Who};
/// use moorline_sim::scenario::Expect;
///
/// let run = Run::new(Plan::new(7)).recorded(100_000).go();
/// let recording = run.recording.expect("it was asked for");
/// let dials = Expect { node: Some(Who::Worker(0)), ..Expect::of(What::Dials) };
/// assert_eq!(dials.is_met(&recording), Ok(()));
/// let never = Expect { times: Some(0), ..dials };
/// assert!(never.is_met(&recording).unwrap_err().contains("times"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expect {
    /// What.
    pub what: What,
    /// By which process, or to which; none: any.
    pub node: Option<Who>,
    /// About which task; none: any.
    pub task: Option<usize>,
    /// The value of the record; see [`What`]. None: any.
    pub value: Option<u64>,
    /// Only what is told with these words in it; empty: any.
    pub words: String,
    /// Not before this time, in nanoseconds.
    pub after: u64,
    /// Not after this time, in nanoseconds; none: any time.
    pub by: Option<u64>,
    /// So many times; none: at least once.
    pub times: Option<u64>,
}

/// The places of these states in [`State`].
const STATES: [State; 6] = [
    State::Disconnected,
    State::Connecting,
    State::Registered,
    State::Active,
    State::Failed,
    State::Shutdown,
];

fn state(place: usize) -> Option<String> {
    STATES.get(place).map(kebab)
}

fn frame(place: usize) -> Option<String> {
    FrameKind::ALL.get(place).map(|kind| kind.name().to_owned())
}

fn what(place: usize) -> Option<String> {
    What::ALL.get(place).map(kebab)
}

/// The key that says which value is meant, what that is, and its kind.
#[allow(clippy::wildcard_enum_match_arm, reason = "most kinds have no value that people name")]
fn of_value(what: What) -> Option<(&'static str, &'static str, Kind)> {
    match what {
        What::State => Some(("state", "The state of the worker's link.", Kind::Named(state))),
        What::Says => Some(("frame", "Which frame.", Kind::Named(frame))),
        What::Dials | What::Starts | What::Aborts | What::Ends => {
            Some(("attempt", "Which attempt.", Kind::up_to(1 << 40)))
        }
        _ => None,
    }
}

/// What is to happen: by that it is known which keys there are.
pub(super) const HAPPENS: Key =
    Key::new("happens", "What happens: a kind of record, as in state, dials or starts.").needed();
/// What stands there.
pub(super) const HAPPENED: Kind = Kind::Named(what);

/// `[[expect]]`.
pub(super) fn expect(form: &mut dyn Form, expect: &mut Expect) {
    let mut place = What::ALL.iter().position(|one| *one == expect.what).unwrap_or(0);
    form.put(HAPPENS, HAPPENED, &mut place);
    if let Some(what) = What::ALL.get(place) {
        expect.what = *what;
    }
    form.maybe(Key::new("node", "By which process, or to which."), Kind::Node, &mut expect.node);
    form.maybe(Key::new("task", "About which task."), Kind::Task, &mut expect.task);
    if let Some((name, doc, kind)) = of_value(expect.what) {
        form.maybe(Key::new(name, doc), kind, &mut expect.value);
    }
    form.text(Key::new("words", "Only what is told with these words in it."), &mut expect.words);
    let key = Key::new("after", "Not before this time.");
    form.put(key.unless(0), Kind::TIME, &mut expect.after);
    form.maybe(Key::new("by", "Not after this time."), Kind::TIME, &mut expect.by);
    let key = Key::new("times", "So many times; left out: at least once.");
    form.maybe(key, Kind::up_to(1_000_000), &mut expect.times);
}

impl Expect {
    /// This happens at least once, to anybody, at any time.
    #[must_use]
    pub const fn of(what: What) -> Self {
        Self {
            what,
            node: None,
            task: None,
            value: None,
            words: String::new(),
            after: 0,
            by: None,
            times: None,
        }
    }

    /// Whether a record is one of those that are meant, but for its time.
    fn is_meant(&self, record: &Record, words: &str) -> bool {
        // The frame of a record is below its attempt.
        let value = if self.what == What::Says { record.value & 0xffff_ffff } else { record.value };
        record.what == self.what
            && self.node.is_none_or(|node| record.who() == Some(node))
            && self.task.is_none_or(|task| usize::try_from(record.task) == Ok(task + 1))
            && self.value.is_none_or(|wanted| value == wanted)
            && words.contains(&self.words)
    }

    /// Whether it happened in a run of which everything is recorded.
    ///
    /// # Errors
    /// How often it happened, and when, in a sentence.
    pub fn is_met(&self, recording: &Recording) -> Result<(), String> {
        let meant = recording.iter().filter(|(number, record)| {
            self.is_meant(record, recording.words(*number).unwrap_or_default())
        });
        let at: Vec<u64> = meant.map(|(_, record)| record.at).collect();
        let in_time = |at: &&u64| **at >= self.after && self.by.is_none_or(|by| **at <= by);
        let count = at.iter().filter(in_time).count() as u64;
        let is_met = match self.times {
            Some(times) => count == times,
            None => count > 0,
        };
        if is_met {
            return Ok(());
        }
        let all: Vec<String> = at.iter().take(8).map(|at| units::time(*at)).collect();
        let all =
            if all.is_empty() { "never".to_owned() } else { format!("at {}", all.join(", ")) };
        let more = if at.len() > 8 { " and later" } else { "" };
        Err(format!("expected {self}; it happened {count} times then, and in all {all}{more}"))
    }
}

/// As in `w0 state active, at least once from 3s to 5s`.
impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(who) = self.node {
            let number = super::form::Whole::number(who);
            write!(f, "{} ", node(number))?;
        }
        f.write_str(&kebab(self.what))?;
        if let (Some(value), Some((name, _, kind))) = (self.value, of_value(self.what)) {
            let shown = kind.show(value.into());
            write!(f, " {name} {}", shown.trim_matches('"'))?;
        }
        if let Some(task) = self.task {
            write!(f, " t{task}")?;
        }
        if !self.words.is_empty() {
            write!(f, " with `{}`", self.words)?;
        }
        match self.times {
            Some(times) => write!(f, ", {times} times")?,
            None => f.write_str(", at least once")?,
        }
        write!(f, " from {}", units::time(self.after))?;
        match self.by {
            Some(by) => write!(f, " to {}", units::time(by)),
            None => f.write_str(" on"),
        }
    }
}
