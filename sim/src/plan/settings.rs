//! How both sides and the world are set: from close to the limits to leisurely.

use moorline_link::{First, Jitter};

use super::{Families, Family, MS, SEC, Temper};
use crate::decide::{Decide, Site};

/// How both sides and the world are set. Times are in nanoseconds. The configurations of the machines
/// are made of this at the start of a world; see [`Settings::is_fit`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// After how long a silent worker's work is given away.
    pub lost_after: u64,
    /// How long a coordinator waits for workers of earlier lives.
    pub start_grace: u64,
    /// How often a task may be lost.
    pub lost_cap: u32,
    /// How long an assignment may stay unanswered.
    pub accept_timeout: u64,
    /// How long a question about a task may stay unanswered.
    pub answer_timeout: u64,
    /// Queued tasks of one handler that the coordinator holds in memory at most.
    pub window: u32,
    /// Registrations that the coordinator takes in a second; none: as many as are measured.
    pub registrations: Option<u32>,
    /// The heartbeat interval workers wish for.
    pub beat: u64,
    /// Beats in a row that may go unanswered, the last of which ends the connection.
    pub misses: u8,
    /// The delay of the first retry of a dial, before it grows.
    pub initial_delay: u64,
    /// The longest delay of the backoff.
    pub max_delay: u64,
    /// By how much delays grow, in thousandths.
    pub multiplier: u32,
    /// How delays are spread.
    pub jitter: Jitter,
    /// What the first dial after a loss waits for.
    pub first: First,
    /// For how long a session has to be active before the backoff begins anew.
    pub stable_after: u64,
    /// Dials after a loss before a worker gives up; 0: without limit.
    pub max_attempts: u32,
    /// How long a dial may take, and the answer to a Hello.
    pub connect: u64,
    /// How long a restore may stand still.
    pub restore: u64,
    /// Messages a peer may send on a lane beyond what was released.
    pub window_messages: u32,
    /// Bytes a peer may send on a lane beyond what was released.
    pub window_bytes: u64,
    /// The longest delay before a retry of a task.
    pub retry_delay: u64,
    /// Bytes that may be under way on a connection before it takes no more.
    pub buffer: usize,
    /// How long a commit takes at most, without a fault.
    pub commit: u64,
    /// How many operations one commit takes at most.
    pub group: u64,
    /// How late timers fire at most.
    pub late: u64,
    /// How many finished tasks the store keeps; none: all of them.
    pub keeps: Option<u64>,
    /// How long a commit of a worker's journal takes at most; none: workers have no journal.
    pub journal: Option<u64>,
    /// What the results in a journal may count for together, in bytes.
    pub journal_max: u64,
}

/// What a worker's journal takes where nobody says so.
pub(crate) const JOURNAL_MAX: u64 = 256 << 20;

/// The longest latency with which heartbeats are answered in time: their deadline is their interval,
/// or a second if that is shorter.
pub(crate) fn good_path(beat: u64) -> u64 {
    beat.min(SEC) / 8
}

impl Settings {
    /// What moorline runs with where nobody sets anything, in a world with a good disk.
    pub(crate) const fn standard() -> Self {
        Self {
            lost_after: 90 * SEC,
            start_grace: 120 * SEC,
            lost_cap: 3,
            accept_timeout: 10 * SEC,
            answer_timeout: 30 * SEC,
            window: 256,
            registrations: None,
            beat: 5 * SEC,
            misses: 3,
            initial_delay: SEC,
            max_delay: 60 * SEC,
            multiplier: 2_000,
            jitter: Jitter::FULL,
            first: First::Window,
            stable_after: 30 * SEC,
            max_attempts: 0,
            connect: 10 * SEC,
            restore: 30 * SEC,
            window_messages: 256,
            window_bytes: 256 << 10,
            retry_delay: 5 * SEC,
            buffer: 128 << 10,
            commit: 5 * MS,
            group: 256,
            late: MS,
            keeps: None,
            journal: None,
            journal_max: JOURNAL_MAX,
        }
    }

    /// The settings of a seed.
    #[must_use]
    pub fn draw(draws: &dyn Decide, temper: Temper, families: Families) -> Self {
        let draw = |k, bound| draws.draw(Site::Plan, 2, k, bound);
        let pick = |k, of: &[u64]| of[usize::try_from(draw(k, of.len() as u64)).unwrap_or(0)];
        let log = |k, low, high| draws.log_between(Site::Plan, 2, k, low, high);
        let lost_after = pick(0, &[90, 30, 12, 6]) * SEC;
        let beat = lost_after / 18;
        let small = draw(8, 4) == 3;
        let mut settings = Self {
            lost_after,
            start_grace: lost_after * draws.between(Site::Plan, 2, 1, 1, 2),
            lost_cap: 1 + u32::try_from(draw(9, 4)).unwrap_or(2),
            accept_timeout: log(2, SEC, 10 * SEC),
            answer_timeout: 30 * SEC,
            window: u32::try_from(pick(10, &[256, 256, 1, 3])).unwrap_or(256),
            registrations: None,
            beat,
            misses: 3,
            initial_delay: log(16, 100 * MS, SEC),
            max_delay: log(3, SEC, 60 * SEC),
            multiplier: 2_000,
            jitter: match draw(17, 5) {
                0 | 1 => Jitter::FULL,
                2 => Jitter::Equal,
                3 => Jitter::Decorrelated,
                _ => Jitter::Proportional { ppm: 200_000 },
            },
            first: match draw(18, 3) {
                0 => First::Window,
                1 => First::Backoff,
                _ => First::Immediate,
            },
            stable_after: 30 * SEC,
            max_attempts: 0,
            connect: 10 * SEC,
            restore: 30 * SEC,
            window_messages: if small { 2 } else { 256 },
            window_bytes: if small { 4 << 10 } else { 256 << 10 },
            retry_delay: 5 * SEC,
            buffer: usize::try_from(pick(7, &[128 << 10, 128 << 10, 70_000])).unwrap_or(70_000),
            commit: log(11, MS / 10, 50 * MS),
            group: log(12, 1, 256),
            late: log(13, 1, 20 * MS),
            keeps: (draw(14, 4) == 3).then(|| draw(15, 4)),
            journal: (draw(20, 2) == 1).then(|| log(21, MS / 10, 200 * MS)),
            journal_max: pick(22, &[JOURNAL_MAX, JOURNAL_MAX, 1 << 10]),
        };
        if families.contains(Family::H7) {
            let rate = log(19, 1, 1_000);
            settings.registrations = Some(u32::try_from(rate).unwrap_or(1));
        }
        if families.contains(Family::K1) {
            settings.vary(draws, temper == Temper::Extreme);
        }
        settings
    }

    /// Whether the library is set in a usual way.
    pub(crate) fn is_usual(&self) -> bool {
        let times = (self.beat, self.stable_after, self.connect, self.retry_delay);
        let usual = (self.lost_after / 18, 30 * SEC, 10 * SEC, 5 * SEC);
        times == usual && (self.misses, self.multiplier) == (3, 2_000)
    }

    /// Sets the library otherwise: each setting by itself, at its ends if `extreme`.
    fn vary(&mut self, draws: &dyn Decide, extreme: bool) {
        let draw = |k, bound| draws.draw(Site::Plan, 3, k, bound);
        // Half of them stay as they are; of the others one in ten is at an end, or all are.
        let vary = |k: u64, value: &mut u64, low: u64, high: u64| match draw(2 * k, 20) {
            0..=9 if extreme => *value = if draw(2 * k + 1, 2) == 0 { low } else { high },
            10 => *value = low,
            11 => *value = high,
            12.. => *value = draws.log_between(Site::Plan, 3, 2 * k + 1, low, high),
            0..=9 => {}
        };
        let lost_after = self.lost_after;
        // As often as ninety times before a worker is lost: so short that a path has to be good.
        vary(0, &mut self.beat, (lost_after / 90).max(50 * MS), lost_after / 6);
        vary(1, &mut self.start_grace, MS, 4 * lost_after);
        vary(2, &mut self.accept_timeout, 100 * MS, 60 * SEC);
        vary(3, &mut self.initial_delay, 100 * MS, 10 * SEC);
        vary(4, &mut self.max_delay, SEC, 120 * SEC);
        self.initial_delay = self.initial_delay.min(self.max_delay);
        vary(5, &mut self.stable_after, MS, 300 * SEC);
        vary(6, &mut self.connect, SEC, 60 * SEC);
        vary(7, &mut self.window_bytes, 1 << 10, 1 << 20);
        vary(8, &mut self.retry_delay, MS, 60 * SEC);
        vary(9, &mut self.commit, 1, 500 * MS);
        vary(10, &mut self.group, 1, 1_024);
        vary(11, &mut self.late, 1, (100 * MS).min(self.beat / 4));
        let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        let mut value = u64::from(self.window);
        vary(12, &mut value, 1, 4_096);
        self.window = narrow(value);
        value = self.window_messages.into();
        vary(13, &mut value, 1, 4_096);
        self.window_messages = narrow(value);
        value = self.misses.into();
        vary(14, &mut value, 2, 10);
        self.misses = u8::try_from(value).unwrap_or(3);
        value = self.multiplier.into();
        vary(15, &mut value, 1_000, 10_000);
        self.multiplier = narrow(value);
        value = self.lost_cap.into();
        vary(16, &mut value, 1, 20);
        self.lost_cap = narrow(value);
        if draw(40, 4) == 3 {
            self.jitter = Jitter::None;
        }
    }
}
