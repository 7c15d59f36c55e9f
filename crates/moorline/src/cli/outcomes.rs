//! What became of several targets of one command, one after the other.

use super::exit::Exit;
use super::{Context, output};
use crate::{Error, Result};

pub(super) struct Outcomes<F> {
    /// Tells the user of a failure, and says with which code it ends.
    tell: F,
    done: usize,
    failed: Vec<Exit>,
}

impl Outcomes<Box<dyn Fn(&Error) -> Exit>> {
    /// Failures are told on stderr.
    pub(super) fn new(context: Context) -> Self {
        Self::telling(Box::new(move |error| output::failed(error, context.json)))
    }
}

impl<F: Fn(&Error) -> Exit> Outcomes<F> {
    pub(super) fn telling(tell: F) -> Self {
        Self { tell, done: 0, failed: Vec::new() }
    }

    /// Tells the user of a failure that is about one target; any other ends the command.
    pub(super) fn note<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => {
                self.done += 1;
                Ok(Some(value))
            }
            Err(error) => match Exit::from(&error) {
                Exit::NotFound | Exit::Conflict => {
                    self.failed.push((self.tell)(&error));
                    Ok(None)
                }
                Exit::Done
                | Exit::Failed
                | Exit::Usage
                | Exit::NotMet
                | Exit::Partly
                | Exit::Input
                | Exit::Unavailable
                | Exit::Internal
                | Exit::InUse
                | Exit::Io
                | Exit::Later
                | Exit::Version
                | Exit::Denied
                | Exit::Config
                | Exit::Interrupted
                | Exit::Terminated => Err(error),
                #[cfg(feature = "sim")]
                Exit::Safety
                | Exit::Liveness
                | Exit::Panicked
                | Exit::Nondeterministic
                | Exit::Resource
                | Exit::Uncovered => Err(error),
            },
        }
    }

    pub(super) fn exit(&self) -> Exit {
        match self.failed.first() {
            None => Exit::Done,
            Some(&first) if self.done == 0 && self.failed.iter().all(|exit| *exit == first) => {
                first
            }
            Some(_) => Exit::Partly,
        }
    }
}

#[cfg(test)]
mod tests;
