//! How long things may take once nothing goes wrong any more: by the settings, not by a guess.

use crate::plan::{Plan, SEC, SLOWEST_COMMIT, TaskPlan};

/// How long after the last fault a connection that it broke is noticed at the latest.
pub(crate) fn fading(plan: &Plan) -> u64 {
    plan.settings.beat * 4 + SEC * 2
}

/// How long after the last fault a session is ended whose worker has swallowed a question: the time for
/// the answer to a cancel, and that to a revoke.
fn unanswered(plan: &Plan) -> u64 {
    if plan.swallows() { plan.settings.answer_timeout * 2 + SEC } else { 0 }
}

/// How long after the last fault every worker is active: a sum of what each step may take.
pub(crate) fn back(plan: &Plan) -> u64 {
    // A dial that hangs since before is given up, and another waited for; or a half-open connection
    // is noticed, waited for, dialled again, held for the old one's sake and restored, when the
    // slowest commit is over.
    let dialled = plan.settings.max_delay * 5 / 4 + SEC * 2;
    let (connect, restore) = (plan.settings.connect, plan.settings.restore);
    fading(plan) + unanswered(plan) + connect + dialled * 2 + SLOWEST_COMMIT + restore
}

/// How long a task may wait, at the most, although somebody is there who could run it: for the store, for
/// answers about attempts that were assigned before, and until a worker that has refused is asked again.
pub(crate) fn idle(plan: &Plan) -> u64 {
    let settings = &plan.settings;
    let store = settings.commit * 8 + SLOWEST_COMMIT;
    store + settings.accept_timeout * 2 + plan.slowest() * 4 + settings.late * 4 + SEC * 5
}

/// How long after the last fault everything has ended.
pub(crate) fn ended(plan: &Plan) -> u64 {
    let settings = &plan.settings;
    // Work of whoever does not come back in time waits for that, or for the guard.
    let given_away = (settings.lost_after * 2).max(settings.start_grace) + SEC * 2;
    // Each task, one after the other on one slot, with every attempt it may have.
    let step = plan.slowest() * 4 + settings.commit * 8 + settings.late * 4 + SEC;
    let work: u64 = plan
        .tasks
        .iter()
        .map(|task| {
            let attempts = u64::from(task.max_retries) + 2;
            let work = if task.endless { 0 } else { task.work };
            attempts * (work + settings.retry_delay + step)
        })
        .sum();
    // Runs that are not wanted any more keep their slots until they have stopped.
    let stops = |task: &TaskPlan| if task.endless { task.stops } else { task.stops.min(task.work) };
    let stopping = plan.tasks.iter().map(stops).max().unwrap_or(0);
    back(plan) + given_away + settings.accept_timeout * 2 + stopping + work
}
