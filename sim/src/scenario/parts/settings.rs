//! How both sides and the world are set.

use std::time::Duration;

use moorline_link::{First, Jitter};

use crate::plan::{JOURNAL_MAX, Settings};
use crate::scenario::form::{Form, Key};
use crate::scenario::kind::Kind;

/// `[settings.worker]`.
pub(in crate::scenario) fn worker(form: &mut dyn Form, settings: &mut Settings) {
    let key = Key::new("heartbeat", "The interval that workers wish for.");
    form.put(key, Kind::SOME_TIME, &mut settings.beat);
    let key =
        Key::new("misses", "Beats in a row that may go unanswered; the last ends the connection.");
    form.put(key, Kind::Count { min: 1, max: 255 }, &mut settings.misses);
    let key = Key::new("initial_delay", "The delay of the first retry of a dial, before it grows.");
    form.put(key, Kind::SOME_TIME, &mut settings.initial_delay);
    let key = Key::new("max_delay", "The longest delay of a retry.");
    form.put(key, Kind::SOME_TIME, &mut settings.max_delay);
    let key = Key::new("multiplier", "By how much delays grow.");
    form.put(key, Kind::Factor { min: 1_000, max: 1_000_000 }, &mut settings.multiplier);
    jitter(form, &mut settings.jitter);
    let firsts = [First::Window, First::Backoff, First::Immediate];
    let key = Key::new("first", "What the first dial after a loss waits for.");
    form.choose(key, &["window", "backoff", "immediate"], &firsts, &mut settings.first);
    let key = Key::new("stable_after", "A connection that lasts so long begins the backoff anew.");
    form.put(key, Kind::TIME, &mut settings.stable_after);
    let key =
        Key::new("max_attempts", "Dials after a loss before a worker gives up; 0 is no limit.");
    form.put(key.unless(0), Kind::up_to(1_000_000), &mut settings.max_attempts);
    let key = Key::new("connect", "How long a dial may take, and the answer to a Hello.");
    form.put(key, Kind::SOME_TIME, &mut settings.connect);
    let key = Key::new("restore", "How long a restore may stand still.");
    form.put(key, Kind::SOME_TIME, &mut settings.restore);
    let key =
        Key::new("window_messages", "Messages under way on a lane before some were released.");
    form.put(key, Kind::Count { min: 1, max: 1_000_000 }, &mut settings.window_messages);
    let key = Key::new("window_bytes", "Bytes under way on a lane before some were released.");
    form.put(key, Kind::Size { min: 1, max: 1 << 30 }, &mut settings.window_bytes);
    let key = Key::new("journal", "How long a write to a journal takes; left out: there is none.");
    form.maybe(key, Kind::TIME, &mut settings.journal);
    let key = Key::new("journal_max", "What the results in a journal may count for together.");
    form.put(
        key.unless(JOURNAL_MAX.into()),
        Kind::Size { min: 1, max: 1 << 40 },
        &mut settings.journal_max,
    );
}

const JITTERS: &[&str] = &["full", "none", "equal", "decorrelated", "proportional"];

const fn place(jitter: Jitter) -> usize {
    match jitter {
        Jitter::Full { .. } => 0,
        Jitter::None => 1,
        Jitter::Equal => 2,
        Jitter::Decorrelated => 3,
        Jitter::Proportional { .. } => 4,
    }
}

fn jitter(form: &mut dyn Form, jitter: &mut Jitter) {
    let mut chosen = place(*jitter);
    form.put(Key::new("jitter", "How delays are spread."), Kind::Word(JITTERS), &mut chosen);
    if chosen != place(*jitter) {
        let examples = [
            Jitter::FULL,
            Jitter::None,
            Jitter::Equal,
            Jitter::Decorrelated,
            Jitter::Proportional { ppm: 200_000 },
        ];
        *jitter = examples[chosen];
    }
    match jitter {
        Jitter::Full { floor } => {
            let mut nanos = u64::try_from(floor.as_nanos()).unwrap_or(u64::MAX);
            let key = Key::new("jitter_floor", "The shortest delay of a full jitter.");
            form.put(key.unless(100_000_000), Kind::TIME, &mut nanos);
            *floor = Duration::from_nanos(nanos);
        }
        Jitter::Proportional { ppm } => {
            let key =
                Key::new("jitter_share", "By which share of itself a delay varies, either way.");
            form.put(key, Kind::Share, ppm);
        }
        Jitter::None | Jitter::Equal | Jitter::Decorrelated => {}
    }
}

/// Every key that a kind of jitter has.
#[cfg(test)]
pub(in crate::scenario) fn jitter_keys(form: &mut dyn Form) {
    jitter(form, &mut Jitter::Proportional { ppm: 200_000 });
}

/// `[settings.coordinator]`.
pub(in crate::scenario) fn coordinator(form: &mut dyn Form, settings: &mut Settings) {
    let key = Key::new("lost_after", "After so much silence a worker's work is given away.");
    form.put(key, Kind::SOME_TIME, &mut settings.lost_after);
    let key = Key::new("start_grace", "So long it waits for workers of earlier lives.");
    form.put(key, Kind::TIME, &mut settings.start_grace);
    let key = Key::new("lost_cap", "So often a task may be lost before it is dead.");
    form.put(key, Kind::Count { min: 1, max: 1_000_000 }, &mut settings.lost_cap);
    let key = Key::new("accept_timeout", "So long an assignment may stay unanswered.");
    form.put(key, Kind::SOME_TIME, &mut settings.accept_timeout);
    let key = Key::new("answer_timeout", "So long a question about a task may stay unanswered.");
    form.put(key, Kind::SOME_TIME, &mut settings.answer_timeout);
    let key = Key::new("window", "Queued tasks of one handler that are held in memory.");
    form.put(key, Kind::Count { min: 1, max: 1_000_000 }, &mut settings.window);
    let key = Key::new(
        "registrations",
        "Registrations taken in a second; left out: as many as are measured.",
    );
    form.maybe(key, Kind::Count { min: 1, max: 1_000_000 }, &mut settings.registrations);
    let key = Key::new("retry_delay", "The longest delay before a retry of a task.");
    form.put(key, Kind::SOME_TIME, &mut settings.retry_delay);
}

/// `[settings.world]`.
pub(in crate::scenario) fn world(form: &mut dyn Form, settings: &mut Settings) {
    let key = Key::new("buffer", "Bytes under way on a connection before it takes no more.");
    form.put(key, Kind::Size { min: 1, max: 1 << 30 }, &mut settings.buffer);
    let key = Key::new("commit", "How long a commit takes at most.");
    form.put(key, Kind::TIME, &mut settings.commit);
    let key = Key::new("group", "How many operations a commit takes at most.");
    form.put(key, Kind::Count { min: 1, max: 1_000_000 }, &mut settings.group);
    let key = Key::new("late", "How late timers fire at most.");
    form.put(key, Kind::TIME, &mut settings.late);
    let key = Key::new("keeps", "Finished tasks that the store keeps; left out: all of them.");
    form.maybe(key, Kind::up_to(1_000_000), &mut settings.keeps);
}
