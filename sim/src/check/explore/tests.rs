//! A search over a small map whose every state is known.

use super::{End, Space, explore};
use crate::{Rule, Violation};

/// A counter that goes up by one or two, round a circle of ten; 13 is an island without a way back.
struct Circle {
    island: bool,
    forbidden: Option<u32>,
    /// From the island a fault leads back.
    rescued: bool,
}

impl Space for Circle {
    type State = u32;
    type Step = u32;

    fn first(&self) -> u32 {
        0
    }

    fn fingerprint(&self, state: &u32) -> u128 {
        u128::from(*state)
    }

    fn steps(&self, state: &u32) -> Vec<u32> {
        match state {
            13 if self.rescued => vec![100],
            13 => Vec::new(),
            7 if self.island => vec![1, 2, 6],
            _ => vec![1, 2],
        }
    }

    fn take(&self, state: &u32, step: &u32) -> Result<u32, Violation> {
        let after = match step {
            6 => 13,
            100 => 0,
            step => (state + step) % 10,
        };
        if Some(after) == self.forbidden {
            return Err(Violation::new(Rule::Panic, "forbidden"));
        }
        Ok(after)
    }

    fn is_fault(&self, step: &u32) -> bool {
        *step == 100
    }

    fn is_done(&self, state: &u32) -> bool {
        *state == 4
    }
}

const PLAIN: Circle = Circle { island: false, forbidden: None, rescued: false };

#[test]
fn a_circle_is_visited_once_and_is_no_trap() {
    let found = explore(&PLAIN, &mut |_| true);
    assert!(matches!(found.end, End::Holds), "{:?}", found.end);
    assert_eq!((found.states, found.edges, found.done), (10, 20, 1));
}

#[test]
fn what_breaks_is_found_on_a_shortest_way() {
    let found = explore(&Circle { forbidden: Some(7), ..PLAIN }, &mut |_| true);
    let End::Broken(way, _) = found.end else { panic!("{:?}", found.end) };
    assert_eq!(way.len(), 4, "2 + 2 + 2 + 1 in some order: {way:?}");
    assert_eq!(way.iter().sum::<u32>(), 7);
}

#[test]
fn an_island_without_a_way_back_is_a_trap() {
    let found = explore(&Circle { island: true, ..PLAIN }, &mut |_| true);
    let End::Trapped(way) = found.end else { panic!("{:?}", found.end) };
    assert_eq!(way.last(), Some(&6), "the step onto the island: {way:?}");
    assert_eq!(way.len(), 5, "over 7, the nearest way: {way:?}");
}

#[test]
fn a_way_back_that_takes_a_fault_is_none() {
    let found = explore(&Circle { island: true, rescued: true, ..PLAIN }, &mut |_| true);
    assert!(matches!(found.end, End::Trapped(_)), "{:?}", found.end);
}

#[test]
fn a_search_that_is_told_to_stop_says_so() {
    let found = explore(&PLAIN, &mut |_| false);
    assert!(matches!(found.end, End::Stopped), "{:?}", found.end);
}
