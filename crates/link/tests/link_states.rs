//! The table of transitions, whole: a change of it is a change of this text.

use std::fmt::Write;

use moorline_link::{LinkEvent, State};

#[test]
fn every_state_meets_every_event_as_the_table_of_the_design_says() {
    let mut table = String::new();
    for event in LinkEvent::ALL {
        write!(table, "{:<16}", format!("{event:?}")).expect("to a string");
        for state in State::ALL {
            let after = state.after(*event).map_or("-".into(), |to| format!("{to:?}"));
            write!(table, "{after:<14}").expect("to a string");
        }
        table.truncate(table.trim_end().len());
        table.push('\n');
    }
    let heads: String =
        State::ALL.iter().map(|state| format!("{:<14}", format!("{state:?}"))).collect();
    let table = format!("{:<16}{}\n{table}", "", heads.trim_end());
    let expected = include_str!("link_states.txt");
    assert_eq!(table, expected, "the table is now:\n{table}");
}

#[test]
fn the_diagram_has_one_edge_for_each_transition_and_no_other() {
    let diagram = State::diagram();
    let edges: Vec<&str> = diagram.lines().filter(|line| line.contains(" --> ")).collect();
    let mut transitions = 0;
    for state in State::ALL {
        for event in LinkEvent::ALL {
            let Some(to) = state.after(*event) else { continue };
            transitions += 1;
            let edge = format!("    {state:?} --> {to:?}: {}", event.meaning());
            assert!(edges.contains(&edge.as_str()), "missing:{edge}");
        }
    }
    // Besides them, only where it begins and where it ends.
    assert_eq!(edges.len(), transitions + 2);
}

#[test]
fn shutdown_is_for_ever_and_every_other_state_can_reach_it() {
    for event in LinkEvent::ALL {
        assert_eq!(State::Shutdown.after(*event), None);
    }
    for state in State::ALL.iter().filter(|state| **state != State::Shutdown) {
        assert_eq!(state.after(LinkEvent::Stopped), Some(State::Shutdown));
    }
}
