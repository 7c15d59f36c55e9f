//! Visits every state there is, nearest first: so what it finds, it finds on a shortest way.

use super::table::Table;
use super::trap::Edges;
use crate::Violation;

/// Something all of whose states can be visited.
pub(super) trait Space {
    type State: Clone;
    type Step: Clone;

    /// Where it begins.
    fn first(&self) -> Self::State;
    /// States with equal fingerprints are one.
    fn fingerprint(&self, state: &Self::State) -> u128;
    /// What can happen next, always in the same order.
    fn steps(&self, state: &Self::State) -> Vec<Self::Step>;
    /// What it leads to, or what it breaks.
    fn take(&self, state: &Self::State, step: &Self::Step) -> Result<Self::State, Violation>;
    /// Whether it is something that goes wrong: nobody has to wait for it.
    fn is_fault(&self, step: &Self::Step) -> bool;
    /// Nothing is left to be done.
    fn is_done(&self, state: &Self::State) -> bool;
}

/// How a search went.
#[derive(Debug)]
pub(super) struct Explored<S> {
    pub(super) states: u64,
    pub(super) edges: u64,
    pub(super) depth: u32,
    /// States in which nothing is left to be done.
    pub(super) done: u64,
    /// Most bytes that were held for what was seen; the states of the frontier come on top.
    pub(super) bytes: u64,
    /// Most states that waited to be looked at.
    pub(super) frontier: u64,
    pub(super) end: End<S>,
}

/// How a search ended.
#[derive(Debug)]
pub(super) enum End<S> {
    /// Every state was visited, and from each everything can still be done.
    Holds,
    /// These steps, the fewest there are, break something.
    Broken(Vec<S>, Violation),
    /// After these steps, the fewest there are, some work can never be done any more.
    Trapped(Vec<S>),
    /// It was told to stop.
    Stopped,
}

/// From where a state was reached first, and by which of the steps there.
#[derive(Clone, Copy, Debug)]
struct Origin {
    from: u32,
    step: u16,
}

/// Visits all states. `goes_on` is asked now and then with the number of states so far.
pub(super) fn explore<P: Space>(
    space: &P,
    goes_on: &mut dyn FnMut(u64) -> bool,
) -> Explored<P::Step> {
    let mut seen = Table::new();
    let mut origins = vec![Origin { from: 0, step: 0 }];
    let mut edges = Edges::default();
    let mut done = Vec::new();
    let first = space.first();
    seen.number(space.fingerprint(&first));
    let mut level = vec![(0_u32, first)];
    let mut found =
        Explored { states: 1, edges: 0, depth: 0, done: 0, bytes: 0, frontier: 1, end: End::Holds };
    while !level.is_empty() {
        let mut next = Vec::new();
        for (number, state) in level.drain(..) {
            if number.is_multiple_of(1 << 10) && !goes_on(found.states) {
                found.end = End::Stopped;
                return found;
            }
            if space.is_done(&state) {
                done.push(number);
            }
            for (at, step) in (0_u16..).zip(space.steps(&state)) {
                found.edges += 1;
                let after = match space.take(&state, &step) {
                    Ok(after) => after,
                    Err(violation) => {
                        let mut way = way_to(space, &origins, number);
                        way.push(step);
                        found.end = End::Broken(way, violation);
                        return found;
                    }
                };
                let (reached, is_new) = seen.number(space.fingerprint(&after));
                if !space.is_fault(&step) {
                    edges.add(number, reached);
                }
                if is_new {
                    origins.push(Origin { from: number, step: at });
                    next.push((reached, after));
                }
            }
        }
        found.states = seen.len() as u64;
        found.frontier = found.frontier.max(next.len() as u64);
        let bytes = seen.bytes() + edges.bytes() + origins.capacity() * size_of::<Origin>();
        found.bytes = found.bytes.max(bytes as u64);
        found.depth += u32::from(!next.is_empty());
        level = next;
    }
    found.done = done.len() as u64;
    if let Some(trap) = edges.first_that_cannot_reach(found.states, &done) {
        found.end = End::Trapped(way_to(space, &origins, trap));
    }
    found
}

/// The steps by which a state was reached first: taken again from the beginning, because states are not
/// kept.
fn way_to<P: Space>(space: &P, origins: &[Origin], state: u32) -> Vec<P::Step> {
    let mut turns = Vec::new();
    let mut at = state;
    while at != 0 {
        let Origin { from, step } = origins[at as usize];
        turns.push(usize::from(step));
        at = from;
    }
    let mut here = space.first();
    let mut way = Vec::new();
    for turn in turns.into_iter().rev() {
        let Some(step) = space.steps(&here).into_iter().nth(turn) else { break };
        let Ok(after) = space.take(&here, &step) else { break };
        way.push(step);
        here = after;
    }
    way
}

#[cfg(test)]
mod tests;
