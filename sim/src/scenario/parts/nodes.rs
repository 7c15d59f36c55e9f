//! The coordinator, the workers and the tasks.

use crate::decide::mix;
use crate::plan::{CoordinatorPlan, HANDLERS, Latency, MS, SEC, TaskPlan, WorkerPlan};
use crate::scenario::form::{Form, Key};
use crate::scenario::kind::Kind;

/// By how many millionths a clock may be wrong.
const RATE: Kind = Kind::Count { min: -100_000, max: 100_000 };

/// `[coordinator]`.
pub(in crate::scenario) fn coordinator(form: &mut dyn Form, plan: &mut CoordinatorPlan) {
    let key = Key::new("begins", "When its process begins.");
    form.put(key.unless(0), Kind::TIME, &mut plan.begins_at);
    let key = Key::new("rate", "By how many millionths its clock is too fast.");
    form.put(key.unless(0), RATE, &mut plan.rate);
    let key = Key::new("wall", "By how much its wall clock is ahead.");
    form.put(key.unless(0), Kind::Shift, &mut plan.wall);
    let key = Key::new("wall_rate", "By how many millionths its wall clock is too fast.");
    form.put(key.unless(0), RATE, &mut plan.wall_rate);
}

/// Ids of those who are not given one: from their numbers, and no two alike.
fn id(index: usize) -> u128 {
    u128::from(mix(index as u64)) << 64 | index as u128
}

/// A worker of whom nothing is said.
pub(in crate::scenario) fn worker_of(
    index: usize,
    up: Latency,
    down: Latency,
    distance: u64,
) -> WorkerPlan {
    WorkerPlan {
        absent: false,
        id: id(index),
        slots: 1,
        handlers: HANDLERS.len(),
        begins_at: 0,
        clock: 0,
        rate: 0,
        up,
        down,
        distance,
    }
}

/// A worker who is not there: everything that is said of it in a file.
pub(in crate::scenario) fn nobody(index: usize) -> WorkerPlan {
    let latency = Latency::Fixed { at: MS };
    WorkerPlan { absent: true, ..worker_of(index, latency, latency, 0) }
}

/// A task of which nothing is said.
pub(in crate::scenario) fn task_of(index: usize) -> TaskPlan {
    TaskPlan {
        absent: false,
        id: id(index),
        submit_at: 0,
        handler: 0,
        priority: 0,
        max_retries: 0,
        timeout: None,
        size: 64,
        work: SEC,
        endless: false,
        stops: 500 * MS,
        failing: 0,
        panics: 0,
        twice: false,
        cancel_at: None,
        again_at: None,
        clash_at: None,
    }
}

/// A task that is not there.
pub(in crate::scenario) fn nothing(index: usize) -> TaskPlan {
    TaskPlan { absent: true, ..task_of(index) }
}

/// The upper half of an id; the lower one is the number.
fn put_id(form: &mut dyn Form, id: &mut u128) {
    let mut upper = u64::try_from(*id >> 64).unwrap_or(0);
    form.put(
        Key::new("id", "The upper half of its id; left out: made of its number."),
        Kind::Bits,
        &mut upper,
    );
    *id = u128::from(upper) << 64 | (*id & u128::from(u64::MAX));
}

/// What is said of a link of all workers, or of one.
pub(in crate::scenario) fn link(
    form: &mut dyn Form,
    up: &mut Latency,
    down: &mut Latency,
    distance: &mut u64,
) {
    form.latency(Key::new("up", "The latency of what it sends."), up);
    form.latency(Key::new("down", "The latency of what it is sent."), down);
    let key = Key::new("distance", "What is added to both, always.");
    form.put(key.unless(0), Kind::TIME, distance);
}

/// `[[worker]]`, after its name.
pub(in crate::scenario) fn worker(form: &mut dyn Form, plan: &mut WorkerPlan) {
    put_id(form, &mut plan.id);
    let key = Key::new("slots", "How many attempts it runs at once.");
    form.put(key, Kind::Count { min: 1, max: 1_024 }, &mut plan.slots);
    let key =
        Key::new("handlers", "How many handlers it has, of hash, echo and sleep: the first ones.");
    form.put(key, Kind::Count { min: 0, max: HANDLERS.len() as i64 }, &mut plan.handlers);
    let key = Key::new("begins", "When its process begins.");
    form.put(key.unless(0), Kind::TIME, &mut plan.begins_at);
    let key = Key::new("clock", "How far its clock is ahead.");
    form.put(key.unless(0), Kind::TIME, &mut plan.clock);
    let key = Key::new("rate", "By how many millionths its clock is too fast.");
    form.put(key.unless(0), RATE, &mut plan.rate);
    let WorkerPlan { up, down, distance, .. } = plan;
    link(form, up, down, distance);
}

/// `[[task]]`, after its name.
pub(in crate::scenario) fn task(form: &mut dyn Form, plan: &mut TaskPlan) {
    put_id(form, &mut plan.id);
    form.put(Key::new("at", "When its client hands it in."), Kind::TIME, &mut plan.submit_at);
    let places: Vec<usize> = (0..HANDLERS.len()).collect();
    form.choose(
        Key::new("handler", "Which handler it wants."),
        &HANDLERS,
        &places,
        &mut plan.handler,
    );
    let key = Key::new("priority", "Larger goes first.");
    form.put(key.unless(0), Kind::Count { min: -32_768, max: 32_767 }, &mut plan.priority);
    let key = Key::new("retries", "Further attempts after a failure that may be retried.");
    form.put(key.unless(0), Kind::up_to(1_000_000), &mut plan.max_retries);
    let key = Key::new("timeout", "How long one attempt may run.");
    form.maybe(key, Kind::SOME_TIME, &mut plan.timeout);
    let key = Key::new("size", "Bytes of its payload and of its result.");
    form.put(key, Kind::Size { min: 0, max: 16_000_000 }, &mut plan.size);
    let key = Key::new("work", "How long a handler runs at most; an eighth of it at least.");
    form.put(key, Kind::TIME, &mut plan.work);
    let key = Key::new("endless", "It runs until it is told to stop, instead.");
    form.put(key.unless(0), Kind::Flag, &mut plan.endless);
    let key = Key::new("stops", "How long a handler that is told to stop takes for it at most.");
    form.put(key, Kind::TIME, &mut plan.stops);
    let key = Key::new("failing", "How many attempts fail, most of which may be retried.");
    form.put(key.unless(0), Kind::Share, &mut plan.failing);
    let key = Key::new("panics", "How many attempts panic.");
    form.put(key.unless(0), Kind::Share, &mut plan.panics);
    let key = Key::new("twice", "Handlers say twice that they ended.");
    form.put(key.unless(0), Kind::Flag, &mut plan.twice);
    let key = Key::new("cancel_at", "When its client wants it to end.");
    form.maybe(key, Kind::TIME, &mut plan.cancel_at);
    let key = Key::new("again_at", "When its client hands it in once more.");
    form.maybe(key, Kind::TIME, &mut plan.again_at);
    let key = Key::new("clash_at", "When another client hands in another task under its id.");
    form.maybe(key, Kind::TIME, &mut plan.clash_at);
}
