//! Settings, each towards what moorline runs with where nobody sets anything.

use super::Shrinker;
use crate::plan::{MS, SEC, Settings};

/// The standard ones, over a disk and with timers that are as quick as a picture can show.
pub(super) const fn simplest() -> Settings {
    Settings { retry_delay: SEC, commit: MS, late: 1, ..Settings::standard() }
}

/// Where a time is.
type Time = fn(&mut Settings) -> &mut u64;

/// Those that are brought closer step by step. The others are as they should be, or as they were.
const TIMES: [Time; 13] = [
    |settings| &mut settings.commit,
    |settings| &mut settings.late,
    |settings| &mut settings.lost_after,
    |settings| &mut settings.start_grace,
    |settings| &mut settings.accept_timeout,
    |settings| &mut settings.answer_timeout,
    |settings| &mut settings.beat,
    |settings| &mut settings.initial_delay,
    |settings| &mut settings.max_delay,
    |settings| &mut settings.stable_after,
    |settings| &mut settings.connect,
    |settings| &mut settings.restore,
    |settings| &mut settings.retry_delay,
];

/// Puts a setting to its simplest value.
type Choice = fn(&mut Settings, &Settings);

/// Those that are only as they should be, or as they were.
const CHOICES: [Choice; 15] = [
    // A window of few messages is one of few bytes.
    |settings, simplest| {
        settings.window_messages = simplest.window_messages;
        settings.window_bytes = simplest.window_bytes;
    },
    |settings, simplest| settings.window = simplest.window,
    |settings, simplest| settings.group = simplest.group,
    |settings, simplest| settings.buffer = simplest.buffer,
    |settings, simplest| settings.keeps = simplest.keeps,
    |settings, simplest| settings.journal = simplest.journal,
    |settings, simplest| settings.journal_max = simplest.journal_max,
    |settings, simplest| settings.registrations = simplest.registrations,
    |settings, simplest| settings.misses = simplest.misses,
    |settings, simplest| settings.multiplier = simplest.multiplier,
    |settings, simplest| settings.jitter = simplest.jitter,
    |settings, simplest| settings.first = simplest.first,
    |settings, simplest| settings.lost_cap = simplest.lost_cap,
    |settings, simplest| settings.max_attempts = simplest.max_attempts,
    // The longest delay is no shorter than the first: so both at once.
    |settings, simplest| {
        settings.initial_delay = simplest.initial_delay;
        settings.max_delay = simplest.max_delay;
    },
];

impl Shrinker<'_> {
    /// Each as it should be, or as it was.
    pub(super) fn leap_settings(&mut self) {
        let mut simplest = simplest();
        if self.best.settings == simplest || self.change(|plan| plan.settings = simplest.clone()) {
            return;
        }
        for choice in CHOICES {
            self.change(|plan| choice(&mut plan.settings, &simplest));
        }
        for time in TIMES {
            self.change(|plan| *time(&mut plan.settings) = *time(&mut simplest));
        }
    }

    pub(super) fn simplify_settings(&mut self) {
        let mut simplest = simplest();
        for time in TIMES {
            self.towards(|plan| Some(time(&mut plan.settings)), *time(&mut simplest));
            self.round(|plan| Some(time(&mut plan.settings)));
        }
    }
}
