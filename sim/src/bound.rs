//! How long things may take once nothing goes wrong any more: by the settings and the plan, not by a
//! guess.

use std::time::Duration;

use crate::disk::RETRY_LAST;
use crate::plan::{Fault, Plan, SEC, TaskPlan, Twin, nanos};
use crate::world::RESTART;

/// How long after the last fault a connection that it broke is noticed at the latest: by the worker when
/// all its beats were missed, or by the coordinator that heard nothing.
pub(crate) fn fading(plan: &Plan) -> u64 {
    let settings = &plan.settings;
    let Ok(configs) = settings.configs() else { return SEC };
    let interval = plan.interval(&configs);
    let missed = interval * (u64::from(settings.misses) + 1);
    let unheard = nanos(configs.hub.disconnect_after(Duration::from_nanos(interval)));
    missed.max(unheard) + SEC * 2
}

/// How long after the last fault a session is ended whose worker has swallowed a question: the time for
/// the answer to a cancel, and that to a revoke.
fn unanswered(plan: &Plan) -> u64 {
    if plan.swallows() { plan.settings.answer_timeout * 2 + SEC } else { 0 }
}

/// How long a commit lasts at most that was begun under a fault: by how much the slowest is slower, and
/// when one that has failed is tried again.
fn slowest_commit(plan: &Plan) -> u64 {
    let by = |fault: &Fault| {
        if let Fault::Slow { delay, .. } = fault {
            *delay
        } else if matches!(fault, Fault::Fails { .. }) {
            RETRY_LAST
        } else {
            0
        }
    };
    let slowest = plan.episodes.iter().map(|episode| by(&episode.fault)).max();
    plan.settings.commit * 4 + slowest.unwrap_or(0)
}

/// How long it takes the store to write down that everybody has come, or gone: a row and an event for each
/// step of a worker, in as many commits as there are operations.
fn written_down(plan: &Plan) -> u64 {
    const STEPS: u64 = 4;
    (plan.present().count() as u64 * STEPS).saturating_mul(plan.settings.commit)
}

/// How long it takes until everybody has been let in, where only so many are in a second.
fn herd(plan: &Plan) -> u64 {
    /// What a coordinator takes that has measured nothing.
    const STANDARD: u32 = 200;
    let rate = plan.settings.registrations.unwrap_or(STANDARD).max(1);
    // They spread their first dial over as long as it takes, and who comes too early has a slot.
    plan.present().count() as u64 * SEC / u64::from(rate) * 2
}

/// How long after the last fault a worker is let in again that was kept out by a second process: one that
/// has taken its place for good is started again; and a name is free when whoever had it is lost.
fn kept_out(plan: &Plan) -> u64 {
    let of = |fault: &Fault| {
        let Fault::Twin { twin, .. } = *fault else { return 0 };
        let settings = &plan.settings;
        let slow = settings.max_delay * 5 / 4;
        RESTART
            + slow
            + match twin {
                Twin::Same | Twin::Renamed => 0,
                Twin::Namesake => settings.lost_after.max(settings.start_grace) + SEC * 2,
            }
    };
    plan.episodes.iter().map(|episode| of(&episode.fault)).max().unwrap_or(0)
}

/// How long after the last fault a worker is let in again whose credential was not good: it may have used
/// its one quick dial already, or was told that it is final and is started again.
fn turned_away(plan: &Plan) -> u64 {
    if plan.authenticates() { RESTART + plan.settings.max_delay * 5 / 2 + SEC * 2 } else { 0 }
}

/// How long after the last fault every worker is active: a sum of what each step may take.
pub(crate) fn back(plan: &Plan) -> u64 {
    let settings = &plan.settings;
    // A dial that hangs since before is given up, and another waited for; or a half-open connection
    // is noticed, waited for, dialled again, held for the old one's sake and restored, when the
    // slowest commit is over.
    let dialled = settings.max_delay * 5 / 4 + SEC * 2;
    let steps = fading(plan) + unanswered(plan) + settings.connect + dialled * 2;
    let steps = steps + slowest_commit(plan) + settings.restore + herd(plan) + kept_out(plan);
    let steps = steps + turned_away(plan);
    let steps = steps + written_down(plan);
    // Clocks that run slowly.
    steps + steps / 1_000
}

/// Commits that a task waits for on its way to somebody who could run it. A store that has failed may be
/// behind by more, for clients ask again: until it has caught up nobody waits for anything else.
const COMMITS: u64 = 4;

/// With more operations than these a store is behind: a commit may take no more than one of them.
pub(crate) const BEHIND: u64 = COMMITS - 1;

/// How long a task may wait, at the most, although somebody is there who could run it: for the store, for
/// answers about attempts that were assigned before, and until a worker that has refused is asked again.
pub(crate) fn idle(plan: &Plan) -> u64 {
    let settings = &plan.settings;
    let store = settings.commit * COMMITS + slowest_commit(plan);
    store + settings.accept_timeout * 2 + plan.slowest() * 4 + settings.late * 4 + SEC * 5
}

/// How long after the last fault everything has ended.
pub(crate) fn ended(plan: &Plan) -> u64 {
    let settings = &plan.settings;
    // Work of whoever does not come back in time waits for that, or for the guard.
    let given_away = (settings.lost_after * 2).max(settings.start_grace) + SEC * 2;
    // Each task, one after the other on one slot, with every attempt it may have.
    let step = plan.slowest() * 4 + settings.commit * 8 + settings.late * 4 + SEC;
    let tasks = || plan.tasks.iter().filter(|task| !task.absent);
    let work: u64 = tasks()
        .map(|task| {
            let attempts = u64::from(task.max_retries) + 2;
            let work = if task.endless { 0 } else { task.work };
            attempts * (work + settings.retry_delay + step)
        })
        .sum();
    // Runs that are not wanted any more keep their slots until they have stopped.
    let stops = |task: &TaskPlan| if task.endless { task.stops } else { task.stops.min(task.work) };
    let stopping = tasks().map(stops).max().unwrap_or(0);
    let steps = given_away + settings.accept_timeout * 2 + stopping + work;
    back(plan) + steps + steps / 1_000
}

/// How long it takes a process that has nothing left to do to end in order.
pub(crate) fn closed(plan: &Plan) -> u64 {
    // The last frame, what it waits for, and a round trip for each.
    plan.slowest() * 4 + plan.settings.late * 4 + written_down(plan) + SEC * 8
}
