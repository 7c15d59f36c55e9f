//! What a link does and why, in words.

use std::fmt;
use std::time::Duration;

use moorline_link::{Reason, Retry, State};

use super::LinkStatus;
use crate::Code;

/// Why a link is in its state: what it is, why, what comes next and what to do
/// ([`LinkStatus::why`]). Its text is all of that in one line.
///
/// ```
/// # fn example(link: moorline::LinkStatus) {
/// let why = link.why();
/// // disconnected for 12.0s: Nothing listens at the coordinator's address. (connect_refused, ML2202)
/// // Next: dial 4 in 3.2s. To do: Check that the coordinator runs, and its --listen address and port.
/// println!("{why}");
/// if let Some(code) = why.code() {
///     println!("see {code}, {}", code.hint());
/// }
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Why {
    /// The state.
    pub state: State,
    /// For how long.
    pub since: Duration,
    /// Why it is not active, or why the connection before ended.
    pub reason: Option<Reason>,
    /// The same in words: one sentence.
    pub cause: &'static str,
    /// What happens next by itself, and when: one sentence.
    pub next: String,
    /// What a person can do: one sentence; `None` if there is nothing to do.
    pub todo: Option<&'static str>,
}

impl Why {
    /// The code of the reason, to be looked up.
    ///
    /// ```
    /// # fn example(link: moorline::LinkStatus) {
    /// let code = link.why().code().map(|code| code.to_string());
    /// # let _ = code;
    /// # }
    /// ```
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        self.reason.map(Code::from)
    }
}

impl LinkStatus {
    /// Why the link is as it is, in words.
    ///
    /// ```
    /// # fn example(handle: &moorline::WorkerHandle) {
    /// if !handle.connected() {
    ///     eprintln!("not connected: {}", handle.link().why());
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn why(&self) -> Why {
        let reason = self.reason;
        // Of a link that stands, the reason is that of the connection before: nothing to do about.
        let todo = match self.state {
            State::Disconnected | State::Connecting | State::Failed => {
                reason.map(Reason::remedy).filter(|remedy| !remedy.starts_with("Nothing"))
            }
            State::Registered | State::Active | State::Shutdown => None,
        };
        Why {
            state: self.state,
            since: self.since,
            reason,
            cause: self.cause(),
            next: self.next(),
            todo,
        }
    }

    fn cause(&self) -> &'static str {
        match (self.state, self.reason) {
            (State::Active, _) if self.missed > 0 => {
                "The last heartbeats were not answered; the connection still counts as good."
            }
            (State::Active, _) if self.draining => {
                "It is drained: it finishes what runs and takes nothing new."
            }
            (State::Active, _) => "Registered, restored and proven by a round trip.",
            (State::Registered, _) => "Registered; what both sides hold is being compared.",
            (State::Disconnected | State::Connecting, None) => "It was not connected before.",
            (State::Failed | State::Shutdown, None) => "It has ended.",
            (
                State::Disconnected | State::Connecting | State::Failed | State::Shutdown,
                Some(reason),
            ) => reason.meaning(),
        }
    }

    fn next(&self) -> String {
        match self.state {
            State::Disconnected => {
                let dial = self.attempts.saturating_add(1);
                match self.next_attempt {
                    Some(wait) if wait.is_zero() => format!("Dial {dial} begins now."),
                    Some(wait) => format!("Dial {dial} begins in {}.", Time(wait)),
                    None => "It dials as soon as it runs.".to_owned(),
                }
            }
            State::Connecting => {
                format!("Dial {} is under way; if it fails, another follows.", self.attempts)
            }
            State::Registered => "Work flows when the comparison is done.".to_owned(),
            State::Active if self.draining => {
                let left = self.running.saturating_add(self.kept_results);
                format!("It ends when what is left is done and answered: {left}.")
            }
            State::Active => "Work may flow.".to_owned(),
            State::Failed => match self.reason.map(Reason::retry) {
                Some(Retry::Never) | None => {
                    "Nothing by itself: it must be started again.".to_owned()
                }
                // It would have come back, but was told not to, or for no longer.
                Some(Retry::Backoff | Retry::Slow | Retry::Renew) => {
                    "Nothing by itself: it is not allowed to come back.".to_owned()
                }
            },
            State::Shutdown => "Nothing: it has ended on purpose.".to_owned(),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, since, reason, cause, next, todo } = self;
        write!(f, "{} for {}: {cause}", name(*state), Time(*since))?;
        if let Some(reason) = reason {
            let before = match state {
                State::Registered | State::Active => "before: ",
                State::Disconnected | State::Connecting | State::Failed | State::Shutdown => "",
            };
            write!(f, " ({before}{reason}, {})", Code::from(*reason))?;
        }
        write!(f, " Next: {next}")?;
        match todo {
            Some(todo) => write!(f, " To do: {todo}"),
            None => Ok(()),
        }
    }
}

/// The state as it is written everywhere.
fn name(state: State) -> &'static str {
    match state {
        State::Disconnected => "disconnected",
        State::Connecting => "connecting",
        State::Registered => "registered",
        State::Active => "active",
        State::Failed => "failed",
        State::Shutdown => "shutdown",
    }
}

/// A time as people say it: `7.4s`, `2m10s`, `4h12m`.
struct Time(Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0..60 => write!(f, "{:.1}s", self.0.as_secs_f64()),
            60..3_600 => write!(f, "{}m{:02}s", seconds / 60, seconds % 60),
            _ => write!(f, "{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
        }
    }
}

#[cfg(test)]
mod tests;
