//! Numbers of a plan, each towards the simplest it can be.

use super::Shrinker;
use crate::plan::{
    CoordinatorPlan, Dialled, Fault, Kept, Latency, MS, Mode, Nudge, Plan, Refusal, SEC, TaskPlan,
    Temper, WorkerPlan,
};

/// Steps of a bisection: what is left then is within a thousandth of where it began.
const STEPS: u32 = 10;

/// A number of a task: where it is, and the simplest it can be.
type TaskNumber = (fn(&mut TaskPlan) -> &mut u64, u64);

impl Shrinker<'_> {
    pub(super) fn simplify_numbers(&mut self) {
        // An honest world has no hostile fault.
        if !self.best.episodes.iter().any(|episode| episode.fault.is_hostile()) {
            self.change(|plan| plan.mode = Mode::Honest);
        }
        self.leap_numbers();
        self.simplify_settings();
        for worker in 0..self.best.workers.len() {
            if !self.best.workers[worker].absent {
                self.simplify_worker(worker);
            }
        }
        for task in 0..self.best.tasks.len() {
            if !self.best.tasks[task].absent {
                self.simplify_task(task);
            }
        }
        for episode in 0..self.best.episodes.len() {
            self.simplify_episode(episode);
        }
        for decision in 0..self.best.decisions.len() {
            self.towards(|plan| plan.decisions.get_mut(decision).map(|d| &mut d.value), 0);
        }
        self.towards(|plan| Some(&mut plan.quiet_at), SEC);
        self.round(|plan| Some(&mut plan.quiet_at));
    }

    /// Whatever is as simple as it can be at once. Then less happens, and all that is tried afterwards takes
    /// less time.
    pub(super) fn leap_numbers(&mut self) {
        self.change(|plan| plan.temper = Temper::Common);
        self.change(|plan| plan.coordinator = CoordinatorPlan::default());
        self.leap_settings();
        self.change(|plan| plan.workers.iter_mut().for_each(simplify_worker));
        self.change(|plan| plan.tasks.iter_mut().for_each(simplify_task));
    }

    /// Brings a number as close to its simplest value as the promise stays broken.
    pub(super) fn towards(
        &mut self,
        mut at: impl FnMut(&mut Plan) -> Option<&mut u64>,
        simplest: u64,
    ) {
        let mut plan = self.best.clone();
        let Some(number) = at(&mut plan) else { return };
        let mut bad = *number;
        let mut set = |shrinker: &mut Self, value: u64| {
            let mut plan = shrinker.best.clone();
            if let Some(number) = at(&mut plan) {
                *number = value;
            }
            shrinker.attempt(plan)
        };
        if bad == simplest || set(self, simplest) {
            return;
        }
        let mut good = simplest;
        for _ in 0..STEPS {
            let middle = good.midpoint(bad);
            if middle == good || middle == bad || self.is_over {
                return;
            }
            if set(self, middle) {
                bad = middle;
            } else {
                good = middle;
            }
        }
    }

    /// Makes a time a round one that is near: a short one does not become a long one.
    pub(super) fn round(&mut self, mut at: impl FnMut(&mut Plan) -> Option<&mut u64>) {
        for unit in [10 * SEC, SEC, 100 * MS, 10 * MS, MS, MS / 1_000] {
            let mut plan = self.best.clone();
            let Some(number) = at(&mut plan) else { return };
            if number.is_multiple_of(unit) {
                return;
            }
            let exact = *number;
            for rounded in [exact / unit * unit, exact.next_multiple_of(unit)] {
                let mut plan = self.best.clone();
                if let Some(number) = at(&mut plan) {
                    *number = rounded;
                }
                let is_near = rounded > 0 && rounded <= exact.saturating_mul(2);
                if is_near && self.attempt(plan) {
                    return;
                }
            }
        }
    }

    fn simplify_worker(&mut self, worker: usize) {
        if self.change(|plan| simplify_worker(&mut plan.workers[worker])) {
            return;
        }
        self.change(|plan| plan.workers[worker].slots = 1);
        self.change(|plan| plan.workers[worker].handlers = 3);
        self.change(|plan| plan.workers[worker].rate = 0);
        self.change(|plan| plan.workers[worker].up = Latency::Fixed { at: MS });
        self.change(|plan| plan.workers[worker].down = Latency::Fixed { at: MS });
        let numbers: [fn(&mut WorkerPlan) -> &mut u64; 3] = [
            |worker| &mut worker.begins_at,
            |worker| &mut worker.clock,
            |worker| &mut worker.distance,
        ];
        for at in numbers {
            self.towards(|plan| plan.workers.get_mut(worker).map(at), 0);
            self.round(|plan| plan.workers.get_mut(worker).map(at));
        }
    }

    fn simplify_task(&mut self, task: usize) {
        if self.change(|plan| simplify_task(&mut plan.tasks[task])) {
            return;
        }
        self.change(|plan| plan.tasks[task].cancel_at = None);
        self.change(|plan| plan.tasks[task].again_at = None);
        self.change(|plan| plan.tasks[task].clash_at = None);
        self.change(|plan| plan.tasks[task].timeout = None);
        self.change(|plan| plan.tasks[task].endless = false);
        self.change(|plan| plan.tasks[task].twice = false);
        self.change(|plan| plan.tasks[task].priority = 0);
        self.change(|plan| plan.tasks[task].handler = 0);
        self.change(|plan| plan.tasks[task].size = 1);
        self.change(|plan| plan.tasks[task].max_retries = 0);
        let chances: [fn(&mut TaskPlan) -> &mut u64; 2] =
            [|task| &mut task.failing, |task| &mut task.panics];
        for at in chances {
            // Never, or else always.
            let is_never = *at(&mut self.best.tasks[task].clone()) == 0;
            if !is_never && !self.change(|plan| *at(&mut plan.tasks[task]) = 0) {
                self.change(|plan| *at(&mut plan.tasks[task]) = 1_000_000);
            }
        }
        let times: [TaskNumber; 3] = [
            (|task| &mut task.submit_at, 0),
            (|task| &mut task.work, MS),
            (|task| &mut task.stops, MS),
        ];
        for (at, simplest) in times {
            self.towards(|plan| plan.tasks.get_mut(task).map(at), simplest);
            self.round(|plan| plan.tasks.get_mut(task).map(at));
        }
    }

    fn simplify_episode(&mut self, episode: usize) {
        self.change(|plan| calm_down(&mut plan.episodes[episode].fault));
        let count = numbers(&mut self.best.episodes[episode].fault.clone()).len();
        for place in 0..count {
            let simplest = numbers(&mut self.best.episodes[episode].fault.clone())[place].1;
            self.towards(|plan| number(plan, episode, place), simplest);
            self.round(|plan| number(plan, episode, place));
        }
        self.round(|plan| plan.episodes.get_mut(episode).map(|episode| &mut episode.at));
    }
}

/// As simple as a worker can be that keeps its name.
fn simplify_worker(worker: &mut WorkerPlan) {
    let one = Latency::Fixed { at: MS };
    *worker = WorkerPlan {
        absent: worker.absent,
        id: worker.id,
        slots: 1,
        handlers: 3,
        begins_at: 0,
        clock: 0,
        rate: 0,
        up: one,
        down: one,
        distance: 0,
    };
}

/// As simple as a task can be that keeps its name.
fn simplify_task(task: &mut TaskPlan) {
    *task = TaskPlan {
        absent: task.absent,
        id: task.id,
        submit_at: 0,
        handler: 0,
        priority: 0,
        max_retries: 0,
        timeout: None,
        size: 1,
        work: MS,
        endless: false,
        stops: MS,
        failing: 0,
        panics: 0,
        twice: false,
        cancel_at: None,
        again_at: None,
        clash_at: None,
    };
}

/// A number of a fault.
fn number(plan: &mut Plan, episode: usize, place: usize) -> Option<&mut u64> {
    let fault = &mut plan.episodes.get_mut(episode)?.fault;
    numbers(fault).into_iter().nth(place).map(|(number, _)| number)
}

/// What of a fault is a choice, and one of them the simplest.
fn calm_down(fault: &mut Fault) {
    match fault {
        Fault::Crash { kept, .. } => *kept = Kept::All,
        Fault::Freeze { suspended, .. } => *suspended = false,
        Fault::Dials { outcome, .. } => *outcome = Dialled::Refused,
        Fault::Stalls { burst, .. } => *burst = 1,
        Fault::Replay { copies, .. } => *copies = 1,
        Fault::CrashLoop { times, .. } => *times = 1,
        Fault::Credential { ends, .. } => *ends = false,
        Fault::Spikes { .. }
        | Fault::Corrupt { .. }
        | Fault::Partition { .. }
        | Fault::Flap { .. }
        | Fault::Swizzle { .. }
        | Fault::Narrow { .. }
        | Fault::Segments { .. }
        | Fault::Close { .. }
        | Fault::Cut { .. }
        | Fault::Rebind { .. }
        | Fault::Jam { .. }
        | Fault::Busy { .. }
        | Fault::Twin { .. }
        | Fault::Swallow { .. }
        | Fault::SetClock { .. }
        | Fault::Late { .. }
        | Fault::Slow { .. }
        | Fault::Fails { .. }
        | Fault::Vetting { .. }
        | Fault::Nudge { .. } => {}
    }
}

/// The numbers of a fault, each with the simplest it can be: what is likely always happens, what lasts is
/// short.
fn numbers(fault: &mut Fault) -> Vec<(&mut u64, u64)> {
    const ALWAYS: u64 = 1_000_000;
    match fault {
        Fault::Spikes { ppm, most, lasts, .. } => vec![(ppm, ALWAYS), (most, MS), (lasts, MS)],
        Fault::Stalls { ppm, rto, lasts, .. } => vec![(ppm, ALWAYS), (rto, MS), (lasts, MS)],
        Fault::Replay { ppm, delay, lasts, .. } => vec![(ppm, ALWAYS), (delay, MS), (lasts, MS)],
        Fault::Corrupt { ppm, lasts, .. } => vec![(ppm, ALWAYS), (lasts, MS)],
        Fault::Partition { lasts, again, .. } => vec![(lasts, MS), (again, 0)],
        Fault::Flap { period, lasts, .. } => vec![(period, SEC), (lasts, MS)],
        Fault::Swizzle { spread, lasts, .. } => vec![(spread, MS), (lasts, MS)],
        Fault::Narrow { rate, queue, lasts, .. } => {
            vec![(rate, 1_000_000), (queue, 0), (lasts, MS)]
        }
        Fault::Segments { size, gap, lasts, .. } => vec![(size, 1), (gap, MS), (lasts, MS)],
        Fault::Dials { outcome: Dialled::Late { by }, lasts, .. } => vec![(by, MS), (lasts, MS)],
        Fault::Close { after, .. } => vec![(after, 0)],
        Fault::Dials { lasts, .. }
        | Fault::Jam { lasts, .. }
        | Fault::Freeze { lasts, .. }
        | Fault::Twin { lasts, .. }
        | Fault::Swallow { lasts, .. }
        | Fault::Credential {
            refusal: Refusal::Rejected { lasts } | Refusal::Revoked { lasts },
            ..
        }
        | Fault::Fails { lasts } => vec![(lasts, MS)],
        Fault::Crash { back, .. } => vec![(back, MS)],
        Fault::CrashLoop { back, lives, .. } => vec![(back, MS), (lives, SEC)],
        Fault::Busy { each, lasts, .. } => vec![(each, MS), (lasts, MS)],
        Fault::Late { most, grain, lasts, .. } => vec![(most, MS), (grain, 0), (lasts, MS)],
        Fault::Slow { delay, lasts } | Fault::Vetting { delay, lasts } => {
            vec![(delay, MS), (lasts, MS)]
        }
        Fault::Nudge { nudge: Nudge::Stop { within, back }, .. } => vec![(within, MS), (back, MS)],
        Fault::Cut { .. }
        | Fault::Rebind { .. }
        | Fault::SetClock { .. }
        | Fault::Credential { refusal: Refusal::Expired, .. }
        | Fault::Nudge { .. } => Vec::new(),
    }
}
