//! An explanation as people read it.

use std::fmt;
use std::time::SystemTime;

use super::{Candidate, Cause, Certainty, Explanation, Sighting};

/// Lines of history that are shown; all of it is in the timeline.
const SHOWN: usize = 4;
/// The width of the labels.
const LABEL: usize = 10;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline)?;
        if let Some(cause) = &self.cause {
            section(f, "Because", [cause.to_string()])?;
        }
        section(f, "Seen", self.seen.iter().map(Sighting::to_string))?;
        section(f, "Before", self.before.iter().take(SHOWN).map(Sighting::to_string))?;
        section(f, "Since", self.after.iter().take(SHOWN).map(Sighting::to_string))?;
        section(f, "Not it", (!self.ruled_out.is_empty()).then(|| self.ruled_out.join(" · ")))?;
        section(f, "Others", self.others.clone())?;
        let names = self.candidates.iter().map(|one| one.worker.chars().count()).max();
        let states = self.candidates.iter().map(|one| one.state.len()).max();
        let (names, states) = (names.unwrap_or(0), states.unwrap_or(0));
        for Candidate { worker, state, text, .. } in &self.candidates {
            writeln!(f, "  {worker:names$}  {state:states$}  {text}")?;
        }
        section(f, "Next", self.next.iter().cloned())?;
        section(f, "Do", self.todo.iter().cloned())
    }
}

/// Lines under one label, which stands before the first of them.
fn section(
    f: &mut fmt::Formatter<'_>,
    label: &str,
    lines: impl IntoIterator<Item = String>,
) -> fmt::Result {
    let mut label = label;
    for line in lines {
        writeln!(f, "{label:LABEL$}{line}")?;
        label = "";
    }
    Ok(())
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.reason, &self.code) {
            (Some(reason), Some(code)) => write!(f, "{reason} ({code}): {}", self.text)?,
            (Some(_) | None, _) => f.write_str(&self.text)?,
        }
        write!(f, "   [{}]", self.certainty)
    }
}

impl fmt::Display for Certainty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sure => "sure",
            Self::Likely => "likely",
            Self::Unknown => "unknown",
        })
    }
}

impl fmt::Display for Sighting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => write!(f, "{} {}: {}", clock(at), self.by, self.text),
            None => write!(f, "{}: {}", self.by, self.text),
        }
    }
}

/// The time of day in UTC, to the millisecond.
fn clock(at: SystemTime) -> String {
    let text = humantime::format_rfc3339_millis(at).to_string();
    text.get(11..23).map_or(text.clone(), str::to_owned)
}
