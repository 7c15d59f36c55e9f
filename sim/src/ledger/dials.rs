//! When workers dial: never more than one at a time, and never sooner or later than their backoff says.

use std::time::Duration;

use moorline_link::{Backoff, ComeBack, First, Jitter, Reason, Reconnect, Retry, State};
use moorline_node::DownFrame;

use super::{Judgement, Ledger, broken};
use crate::Rule;
use crate::plan::nanos;

/// A process of a worker, as far as its dials go. Times are those of its own clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialler {
    state: State,
    /// Dials since the last stable session.
    made: u32,
    /// Those of them that were answered with a slot.
    put_off: u32,
    active_since: Option<u64>,
    /// It has dialled with a fresh credential, because one was refused, since the count began anew.
    renewed: bool,
    /// When and why it was disconnected last.
    lost: (u64, Option<Reason>),
    last: Option<u64>,
    /// Something else than its own timer may make it dial: what was asked for too soon is kept.
    disturbed: u64,
    /// When the coordinator wants it to come back.
    come_back: Option<ComeBack>,
    /// Over how long it is to spread its first dial.
    window: Option<Duration>,
    /// How often it has dialled.
    dials: u64,
}

impl Dialler {
    pub(super) fn begun(now: u64) -> Self {
        Self {
            state: State::Disconnected,
            made: 0,
            put_off: 0,
            renewed: false,
            active_since: None,
            lost: (now, None),
            last: None,
            disturbed: 0,
            come_back: None,
            window: None,
            dials: 0,
        }
    }
}

/// A wish that came too soon is remembered for so long at most.
const REMEMBERED: u64 = 2_000_000_000;

/// A policy, and by how many thousandths its delays grow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    pub(super) reconnect: Reconnect,
    pub(super) multiplier: u32,
}

impl Policy {
    /// What the delay before dial `next` has grown to, at least and at most: factors that are not whole
    /// are not exact.
    fn grown(&self, next: u32) -> (Duration, Duration) {
        let backoff = self.reconnect.backoff();
        let (first, most) = (nanos(backoff.initial_delay()), nanos(backoff.max_delay()));
        let longer = |delay: u64| {
            let longer = u128::from(delay) * u128::from(self.multiplier) / 1_000;
            u64::try_from(longer).unwrap_or(u64::MAX).min(most)
        };
        let steps = next.saturating_sub(1);
        let mut grown = first.min(most);
        for _ in 0..steps {
            if grown == longer(grown) {
                break;
            }
            grown = longer(grown);
        }
        let is_exact = self.multiplier.is_multiple_of(1_000) || grown == most;
        let error = if is_exact { 0 } else { (grown >> 20) + u64::from(steps) };
        let at = |delay: u64| Duration::from_nanos(delay.min(most));
        (at(grown - error), at(grown + error))
    }
}

/// The shortest and the longest delay before dial `next`, and whether that is by a hint.
fn delays(policy: &Policy, dialler: &Dialler, next: u32) -> (Duration, Duration) {
    let reconnect = &policy.reconnect;
    let backoff = reconnect.backoff();
    let longest = backoff.max_delay();
    let slow = (longest, longest + longest / 4);
    let retry = dialler.lost.1.map_or(Retry::Backoff, Reason::retry);
    let hinted = |after: Duration| {
        let delay = after.min(reconnect.longest_hint()).max(reconnect.spacing());
        (delay, delay)
    };
    match (dialler.come_back, retry) {
        (Some(ComeBack::After(after) | ComeBack::Slot { after, .. }), _) => hinted(after),
        (Some(ComeBack::ByReason | ComeBack::Never) | None, Retry::Renew)
            if !dialler.renewed && next > 1 =>
        {
            (Duration::ZERO, Duration::ZERO)
        }
        (Some(ComeBack::ByReason | ComeBack::Never) | None, Retry::Renew) if !dialler.renewed => {
            by_backoff(policy, backoff, dialler.window, true, next)
        }
        (
            Some(ComeBack::ByReason | ComeBack::Never) | None,
            Retry::Slow | Retry::Never | Retry::Renew,
        ) => match backoff.jitter() {
            Jitter::None => (longest, longest),
            Jitter::Full { .. }
            | Jitter::Proportional { .. }
            | Jitter::Equal
            | Jitter::Decorrelated => slow,
        },
        (Some(ComeBack::ByReason | ComeBack::Never) | None, Retry::Backoff) => {
            let first = next == 1 || dialler.lost.1.is_none();
            by_backoff(policy, backoff, dialler.window, first, next)
        }
    }
}

fn by_backoff(
    policy: &Policy,
    backoff: &Backoff,
    window: Option<Duration>,
    first: bool,
    next: u32,
) -> (Duration, Duration) {
    let window = window.map(|window| window.min(policy.reconnect.longest_first_window()));
    let initial = backoff.initial_delay();
    let (least, cap) = policy.grown(next);
    match (first, backoff.first()) {
        (true, First::Window) => {
            let second = Duration::from_secs(1).min(backoff.max_delay());
            return (Duration::ZERO, window.unwrap_or(second));
        }
        (true, First::Immediate) => return (Duration::ZERO, Duration::ZERO),
        (true, First::Backoff) | (false, _) => {}
    }
    // Who was told of a window spreads its later dials over it as well.
    let spread = match backoff.first() {
        First::Window => window.unwrap_or_default().min(backoff.max_delay()),
        First::Backoff | First::Immediate => Duration::ZERO,
    };
    match backoff.jitter() {
        Jitter::None => (least, cap),
        Jitter::Full { floor } => (floor.min(least), cap.max(spread)),
        Jitter::Proportional { ppm } => {
            let share = |of: Duration| of * ppm / 1_000_000;
            let high = (cap + share(cap)).min(backoff.max_delay());
            (least.saturating_sub(share(least)), high)
        }
        Jitter::Equal => (least / 2, cap),
        Jitter::Decorrelated => (initial, backoff.max_delay()),
    }
}

impl Ledger {
    /// Something beside its own timer may make this worker dial, now or soon; or it is not run in time.
    pub(crate) fn disturbed(&mut self, worker: usize, now: u64) {
        self.diallers[worker].disturbed = now + 1;
    }

    /// What a worker is told that bears on its next dial.
    pub(super) fn dialler_hears(&mut self, worker: usize, frame: &DownFrame) {
        let dialler = &mut self.diallers[worker];
        match frame {
            DownFrame::Welcome { head, .. } => {
                dialler.window = head.first_window.or(dialler.window);
            }
            DownFrame::BeatAnswer(answer) => {
                dialler.window = answer.first_window.or(dialler.window);
            }
            DownFrame::Refused { dismissal, .. } | DownFrame::GoAway { dismissal, .. } => {
                dialler.come_back = Some(dismissal.come_back);
                dialler.put_off += u32::from(matches!(dismissal.come_back, ComeBack::Slot { .. }));
            }
            DownFrame::InventoryAnswer { .. }
            | DownFrame::Active
            | DownFrame::Probe
            | DownFrame::Ack(_)
            | DownFrame::Message(_)
            | DownFrame::Part(_)
            | DownFrame::Endpoints(_)
            | DownFrame::Redirect(_) => {}
        }
    }

    /// The link of a worker has another state.
    pub(crate) fn turned(&mut self, worker: usize, to: State, reason: Option<Reason>, now: u64) {
        let stable = self.stable_after;
        let dialler = &mut self.diallers[worker];
        dialler.state = to;
        match to {
            State::Active => {
                dialler.active_since.get_or_insert(now);
            }
            State::Disconnected => {
                let lasted = dialler.active_since.take().map_or(0, |since| now - since);
                if lasted >= stable {
                    (dialler.made, dialler.put_off) = (0, 0);
                }
                dialler.lost = (now, reason);
            }
            State::Connecting | State::Registered | State::Failed | State::Shutdown => {}
        }
    }

    /// A worker dials. `others`: connections of it that are not registered yet.
    pub(crate) fn dials(
        &mut self,
        worker: usize,
        attempt: u32,
        others: usize,
        now: u64,
    ) -> Judgement {
        let (policy, late) = (self.policy, self.late);
        let reconnect = policy.reconnect;
        let stable = self.stable_after;
        let dialler = &mut self.diallers[worker];
        dialler.dials += 1;
        if others > 0 {
            let words = format!("w{worker} dials while it dials");
            return broken(Rule::DialledWrongly, words);
        }
        let since_last = dialler.last.replace(now).map(|last| now - last);
        if since_last.is_some_and(|since| since < nanos(reconnect.spacing())) {
            let words =
                format!("w{worker} dials again after {} us", since_last.unwrap_or(0) / 1_000);
            return broken(Rule::DialledWrongly, words);
        }
        // Beside a connection it counts only if that is lost meanwhile.
        let counts = matches!(dialler.state, State::Connecting | State::Disconnected);
        let is_stable = dialler.active_since.is_some_and(|since| now - since >= stable);
        let may_begin_anew = is_stable && attempt == 1;
        if attempt <= dialler.made && !may_begin_anew {
            let words = format!(
                "w{worker} dials for the {attempt}. time, and has dialled {} times since it was stable",
                dialler.made
            );
            return broken(Rule::DialledWrongly, words);
        }
        if !counts {
            return Ok(());
        }
        dialler.made = attempt;
        // When a session counts as stable the worker knows: by then it counts anew.
        dialler.renewed &= attempt > 1;
        let next = attempt.saturating_sub(dialler.put_off).max(1);
        let (low, high) = delays(&policy, dialler, next);
        dialler.renewed |= dialler.lost.1.map(Reason::retry) == Some(Retry::Renew);
        let (low, high) = (nanos(low), nanos(high).max(nanos(reconnect.spacing())));
        let (lost, come_back) = (dialler.lost.0, dialler.come_back.take());
        let waited = now - lost;
        if dialler.disturbed + REMEMBERED > lost {
            return Ok(());
        }
        // Two dials keep their distance also where that takes longer.
        let spaced = since_last.is_some_and(|since| since <= nanos(reconnect.spacing()) + late);
        if waited < low || (waited > high + late && !spaced) {
            let words = format!(
                "w{worker} dials for the {attempt}. time after {} us, which is not within {} and {} ({:?}, {come_back:?})",
                waited / 1_000,
                low / 1_000,
                high / 1_000,
                dialler.lost.1,
            );
            return broken(Rule::DialledWrongly, words);
        }
        Ok(())
    }

    /// How late its timers fire at most for a worker, where no fault makes them later.
    pub(crate) fn late(&self) -> u64 {
        self.late
    }

    /// How often the present process of a worker has dialled.
    pub(crate) fn dialled(&self, worker: usize) -> u64 {
        self.diallers[worker].dials
    }
}
