//! Small worlds hold; and what makes the search possible is as it is said to be.

use std::collections::VecDeque;

use super::digest::Digest;
use super::explore::Space;
use super::model::{Model, World};
use super::table::Table;
use super::{Bounds, Verdict, check};

fn bounds(text: &str) -> Bounds {
    text.parse().expect("the letters of a world")
}

/// What a state does: its steps and where they lead.
fn signature(model: &Model, state: &World) -> u128 {
    let ways: Vec<_> = model
        .steps(state)
        .into_iter()
        .map(|step| {
            let after = model.take(state, &step).expect("no promise is broken");
            (step, model.fingerprint(&after))
        })
        .collect();
    Digest::of(&(ways, model.is_done(state)))
}

/// The number of states, and of those that were reached as another value and found to do the same.
fn alike(model: &Model) -> (usize, u64) {
    let mut seen = Table::new();
    let first = model.first();
    seen.number(model.fingerprint(&first));
    let mut signatures = vec![signature(model, &first)];
    let mut waiting = VecDeque::from([first]);
    let mut again = 0;
    while let Some(state) = waiting.pop_front() {
        for step in model.steps(&state) {
            let after = model.take(&state, &step).expect("no promise is broken");
            let (number, is_new) = seen.number(model.fingerprint(&after));
            let does = signature(model, &after);
            if is_new {
                signatures.push(does);
                waiting.push_back(after);
            } else {
                assert_eq!(
                    signatures[number as usize], does,
                    "two states are taken for one and do not do the same, after {step}"
                );
                again += 1;
            }
        }
    }
    (seen.len(), again)
}

#[test]
fn states_that_are_taken_for_one_do_the_same() {
    for (text, least) in [
        ("w1-t1-b1", 1_000),
        ("w1-t1-c1", 1_000),
        ("w2-t1", 500),
        ("w1-t1-r1", 200),
        ("w1-t2-l2", 20),
    ] {
        let (states, again) = alike(&Model::new(bounds(text)));
        assert!(again > least, "{text}: {states} states, {again} reached again");
    }
}

/// Worlds in which everything goes wrong once, and the largest that are not too slow for every build:
/// `cargo xtask check` has those that are.
const SMALL: [&str; 11] = [
    "w1-t1-c2",
    "w1-t1-b2",
    "w1-t1-b1-e1",
    "w1-t1-b1-r1",
    "w1-t1-b1-f1",
    "w1-t1-b1-x1",
    "w1-t2-s2-r1",
    "w1-t2-b1",
    "w1-t1-l1-b1",
    "w1-t2-l1-b1",
    "w2-t1-e1",
];

#[test]
fn in_small_worlds_every_promise_holds_and_there_is_no_trap() {
    for text in SMALL {
        let checked = check(bounds(text), &mut |_| true);
        assert_eq!(checked.verdict, Verdict::Holds, "{checked}");
        assert!(checked.done > 0, "{checked}");
    }
}

#[test]
fn what_is_said_of_a_model_is_read_back() {
    for text in SMALL {
        assert_eq!(bounds(text).to_string(), text);
    }
    for wrong in ["", "w", "w0", "w5", "w1-", "w1-w2", "z1", "w1-t1 "] {
        let error = wrong.parse::<Bounds>().expect_err(wrong);
        assert!(!error.to_string().is_empty());
    }
}

/// The same model in stateright: its own search, its own fingerprints of 64 bits.
mod in_stateright {
    use std::fmt;
    use std::hash::{Hash, Hasher};

    use stateright::{Checker, Property};

    use super::super::Step;
    use super::super::digest::Digest;
    use super::super::explore::Space;
    use super::super::model::{Model, World};
    use super::{bounds, check};

    #[derive(Clone)]
    struct State(World);

    impl Hash for State {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.0.hash(state);
        }
    }

    impl PartialEq for State {
        fn eq(&self, other: &Self) -> bool {
            Digest::of(&self.0) == Digest::of(&other.0)
        }
    }

    impl fmt::Debug for State {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{:?}", self.0)
        }
    }

    struct Theirs(Model);

    impl stateright::Model for Theirs {
        type State = State;
        type Action = Step;

        fn init_states(&self) -> Vec<State> {
            vec![State(self.0.first())]
        }

        fn actions(&self, state: &State, actions: &mut Vec<Step>) {
            actions.extend(self.0.steps(&state.0));
        }

        fn next_state(&self, state: &State, step: Step) -> Option<State> {
            Some(State(self.0.take(&state.0, &step).expect("no promise is broken")))
        }

        fn properties(&self) -> Vec<Property<Self>> {
            // One that never fails, so that the search goes on to the end.
            vec![Property::always("a task is never forgotten", |model: &Self, state: &State| {
                state.0.tasks() <= usize::from(model.0.bounds.tasks)
            })]
        }
    }

    #[test]
    fn stateright_counts_as_many_states() {
        for text in ["w1-t1-b1-e1", "w2-t1-e1"] {
            let ours = check(bounds(text), &mut |_| true);
            let model = Theirs(Model::new(bounds(text)));
            let theirs = stateright::Model::checker(model).spawn_bfs().join();
            theirs.assert_properties();
            assert_eq!(theirs.unique_state_count() as u64, ours.states, "{text}");
        }
    }
}
