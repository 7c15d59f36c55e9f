//! Changes that are made by themselves, at their times.

use std::time::Duration;

use crate::faults::Change;

/// A change and when it is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// When, counted from the start of the proxy.
    pub at: Duration,
    /// What.
    pub change: Change,
}

/// Changes in the order of their times; those of the same time in the order they were given.
///
/// ```
/// use moorline_chaos::{Change, Step, Timeline};
/// use std::time::Duration;
///
/// let at = Duration::from_secs;
/// let timeline = Timeline::new(vec![
///     Step { at: at(8), change: Change::Heal },
///     Step { at: at(5), change: Change::Cut },
/// ]);
/// assert_eq!(timeline.next_wake(), Some(at(5)));
/// ```
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Timeline {
    /// The next one last.
    steps: Vec<Step>,
}

impl Timeline {
    /// Of these steps, in any order.
    #[must_use]
    pub fn new(mut steps: Vec<Step>) -> Self {
        steps.sort_by_key(|step| step.at);
        steps.reverse();
        Self { steps }
    }

    /// When the next change is made; `None` if there is none any more.
    #[must_use]
    pub fn next_wake(&self) -> Option<Duration> {
        self.steps.last().map(|step| step.at)
    }

    /// The next change, if its time has come.
    ///
    /// ```
    /// use moorline_chaos::{Change, Step, Timeline};
    /// use std::time::Duration;
    ///
    /// let at = Duration::from_secs;
    /// let mut timeline = Timeline::new(vec![Step { at: at(5), change: Change::Cut }]);
    /// assert_eq!(timeline.due(at(4)), None);
    /// assert_eq!(timeline.due(at(5)), Some(Change::Cut));
    /// assert_eq!(timeline.due(at(6)), None);
    /// ```
    pub fn due(&mut self, now: Duration) -> Option<Change> {
        self.steps.pop_if(|step| step.at <= now).map(|step| step.change)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Step, Timeline};
    use crate::Change;

    #[test]
    fn changes_come_in_the_order_of_their_times_and_each_once() {
        let at = Duration::from_secs;
        let step = |seconds, change| Step { at: at(seconds), change };
        let mut timeline = Timeline::new(vec![
            step(2, Change::Heal),
            step(1, Change::Cut),
            step(2, Change::Reset),
        ]);
        assert_eq!(timeline.due(at(0)), None);
        // Late, all that was missed comes at once, in order.
        assert_eq!(timeline.due(at(9)), Some(Change::Cut));
        assert_eq!(timeline.next_wake(), Some(at(2)));
        assert_eq!(timeline.due(at(9)), Some(Change::Heal));
        assert_eq!(timeline.due(at(9)), Some(Change::Reset));
        assert_eq!((timeline.due(at(9)), timeline.next_wake()), (None, None));
    }
}
