//! Waiting for what a peer says: the same on both sides.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::outcome::{Outcome, broken};

/// The last things that were heard, for people.
#[derive(Clone, Default, Debug)]
pub(crate) struct Trail(VecDeque<String>);

impl Trail {
    pub(crate) fn note(&mut self, words: String) {
        /// Things that are remembered.
        const KEPT: usize = 6;
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(words);
    }

    fn words(&self) -> String {
        if self.0.is_empty() {
            return "nothing".to_owned();
        }
        self.0.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// A side of a script: it hears what its connection brings.
pub(crate) trait Hears {
    type Heard;

    /// How long is waited where nothing else is said.
    fn patience(&self) -> Duration;

    fn trail(&self) -> &Trail;

    /// Whether this is the end of the connection.
    fn is_end(heard: &Self::Heard) -> bool;

    /// The next thing that is heard, if there is one in time.
    async fn hear(&mut self, end: Instant) -> Option<Self::Heard>;

    /// Waits for something, for as long as is patient.
    async fn until<T>(
        &mut self,
        expected: &str,
        is: impl FnMut(&Self::Heard) -> Option<T>,
    ) -> Outcome<T> {
        self.until_within(self.patience(), expected, is).await
    }

    /// Waits for something.
    async fn until_within<T>(
        &mut self,
        limit: Duration,
        expected: &str,
        mut is: impl FnMut(&Self::Heard) -> Option<T>,
    ) -> Outcome<T> {
        let end = Instant::now() + limit;
        loop {
            let Some(heard) = self.hear(end).await else {
                let trail = self.trail().words();
                return broken(expected, format!("not in {limit:?}; what was heard last: {trail}"));
            };
            if let Some(found) = is(&heard) {
                return Ok(found);
            }
            if Self::is_end(&heard) {
                let trail = self.trail().words();
                return broken(expected, format!("the connection ended: {trail}"));
            }
        }
    }

    /// Everything that is heard for so long.
    async fn lull(&mut self, time: Duration) -> Vec<Self::Heard> {
        let end = Instant::now() + time;
        let mut all = Vec::new();
        while let Some(heard) = self.hear(end).await {
            all.push(heard);
        }
        // A connection that has ended says nothing more; the time is waited all the same.
        tokio::time::sleep_until(end).await;
        all
    }
}
