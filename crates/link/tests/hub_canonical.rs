//! What two hubs must have in common to do the same from now on.

mod hub_support;

use std::num::NonZeroU32;
use std::time::Duration;

use hub_support::*;
use moorline_link::*;

const FAR: Duration = Duration::from_secs(48 * 3_600);

fn seen(desk: &Desk) -> Canonical<'_, Hub> {
    Canonical::new(&desk.hub, desk.now, FAR)
}

/// A hub six seconds after the start. What a test does happened in between, at the second it names.
fn after(second: u64, mut happened: impl FnMut(&mut Desk)) -> Desk {
    let mut desk = Desk::default();
    desk.activate(1, hello(7, 1));
    desk.at(second * 1_000);
    happened(&mut desk);
    desk.at(6_000);
    desk
}

/// Whether it makes a difference when something happened.
fn tells_when(happened: impl Fn(&mut Desk)) -> bool {
    let at = |second| after(second, &happened);
    assert_eq!(seen(&at(2)), seen(&at(2)));
    seen(&at(2)) != seen(&at(4))
}

#[test]
fn whatever_has_a_deadline_counts_by_the_time_that_is_left() {
    assert!(!tells_when(|_| {}), "the second in which nothing happens");
    assert!(tells_when(|desk| desk.accept(2)), "a connection that has yet to say who it is");
    let expected = |desk: &mut Desk| {
        desk.tell(HubInput::Expect { worker: WorkerId(8), name: Sym(8) });
    };
    assert!(tells_when(expected), "a worker that is forgotten if it does not come");
    let beats = |desk: &mut Desk| {
        desk.say(1, beat(1));
    };
    assert!(tells_when(beats), "a worker that was heard");
    let full = |desk: &mut Desk| desk.unwritable(1);
    assert!(tells_when(full), "a connection that takes nothing");
    let owes = |desk: &mut Desk| {
        desk.enqueue(7, Lane::B, 1, 100);
    };
    assert!(tells_when(owes), "a worker that owes an acknowledgement");
    let leaves = |desk: &mut Desk| {
        desk.say(1, WorkerFrame::Goodbye { reason: Reason::WorkerStopping });
    };
    assert!(tells_when(leaves), "a worker that left and is forgotten some day");
}

#[test]
fn when_a_hub_began_and_how_long_it_was_stalled_in_all_make_no_difference() {
    let mut early = Desk::default();
    early.at(100_000);
    let mut stalled = Desk::default();
    stalled.freeze(100 * SECOND);
    stalled.tell(HubInput::Timeout);
    assert!(stalled.effective() < 10_000, "the stall was noticed");
    let mut fresh = Desk::default();
    for desk in [&mut early, &mut stalled, &mut fresh] {
        desk.activate(1, hello(7, 1));
    }
    assert_eq!(seen(&early), seen(&fresh));
    assert_eq!(seen(&stalled), seen(&fresh));
}

#[test]
fn when_a_hub_began_counts_once_it_gave_tickets_because_slots_are_counted_from_there() {
    let rate = RegistrationRate::Fixed(NonZeroU32::new(10).expect("ten"));
    let begun = |early: u64| {
        let mut desk =
            Desk::with(HubSettings { registration_rate: rate, ..HubSettings::default() });
        desk.at(early);
        for n in 1..=65 {
            desk.register(n, hello(u128::from(n), 1));
        }
        assert_eq!(desk.hub.admissions().tickets_given(), 1);
        desk
    };
    assert_eq!(seen(&begun(0)), seen(&begun(0)));
    assert_ne!(seen(&begun(0)), seen(&begun(1_000)));
}

#[test]
fn what_a_registration_costs_counts_because_the_rate_follows_it() {
    let measured = |micros| {
        let mut desk = Desk::default();
        let busy = Duration::from_micros(micros);
        desk.tell(HubInput::Measured { registrations: 32, busy });
        desk
    };
    assert_eq!(seen(&measured(9_000)), seen(&measured(9_000)));
    assert_ne!(seen(&measured(9_000)), seen(&measured(90_000)));
}

#[test]
fn a_worker_that_was_cordoned_is_not_like_one_that_was_not() {
    let with = |cordoned: bool| {
        let mut desk = Desk::default();
        desk.activate(1, hello(7, 1));
        desk.tell(HubInput::Cordon { worker: WorkerId(7), cordoned });
        desk.at(1_000);
        desk
    };
    assert_eq!(seen(&with(true)), seen(&with(true)));
    assert_ne!(seen(&with(true)), seen(&with(false)));
}
