//! Every promise of the conformance kit can be broken: each broken transport is found by its promise.

#[allow(clippy::wildcard_enum_match_arm, reason = "each place has but a few of the faults")]
mod faulty;

use std::time::Duration;

use faulty::{Fault, Faulty};
use futures::executor::block_on;
use moorline_transport::conformance::{
    Broken, Lanes, PROMISES, Promise, Subject, Verdict, keep, run,
};

/// What is broken, the promise that finds it, and what that sees.
const TABLE: &[(Fault, &str, &str)] = &[
    (Fault::FlipsABit, "packets_arrive_in_order_both_ways_and_whole", "a packet of 16384"),
    (Fault::Duplicates, "every_packet_arrives_once", "again"),
    (Fault::Loses, "every_packet_arrives_once", "too early"),
    (Fault::SwapsPackets, "every_packet_arrives_once", "too early"),
    (Fault::ShortensTheLargest, "packets_of_all_sizes_arrive_whole", "65535 bytes"),
    (Fault::SwallowsEmptyPackets, "packets_of_all_sizes_arrive_whole", "1 bytes"),
    (Fault::HasNoLimit, "a_packet_above_the_limit_is_a_protocol_error", "a packet of 2 bytes"),
    (Fault::LimitIsAReset, "a_packet_above_the_limit_is_a_protocol_error", "transport_reset"),
    (Fault::SwapsPackets, "each_lane_keeps_its_order_when_lanes_are_mixed", "too early"),
    (Fault::MixesLanes, "each_lane_keeps_its_order_when_lanes_are_mixed", "too early"),
    (Fault::HasNoNames, "each_end_can_name_the_other", "an empty text"),
    (Fault::TakesEverything, "a_slow_reader_holds_the_writer_back", "212992 bytes taken"),
    (Fault::TakesOne, "a_slow_reader_holds_the_writer_back", "16384 bytes taken"),
    (Fault::OneWayAtATime, "a_full_direction_leaves_the_other_open", "nothing in"),
    (Fault::ForgetsWriters, "a_writer_that_waits_is_woken", "nothing in"),
    (Fault::KeepsTheFirstWriter, "a_writer_that_waits_is_woken", "nothing in"),
    (Fault::ForgetsReaders, "a_reader_that_waits_is_woken", "nothing in"),
    (Fault::KeepsTheFirstReader, "a_reader_that_waits_is_woken", "nothing in"),
    (Fault::FlushesLater, "what_was_flushed_arrives_though_the_sender_rests", "nothing in"),
    (Fault::ForgetsItsEnd, "after_an_error_a_sender_is_of_no_more_use", "it is ready"),
    (Fault::CutsAreOrderly, "an_abrupt_end_is_a_reset", "closed_by_peer"),
    (Fault::SwallowsCuts, "an_abrupt_end_is_a_reset", "nothing in"),
    (Fault::DroppedSendersClose, "a_sender_that_is_dropped_cuts_the_connection", "closed_by_peer"),
    (Fault::DroppedReceiversStay, "a_receiver_that_is_dropped_cuts_the_connection", "nothing in"),
    (Fault::CutsAreOrderly, "a_cut_leaves_what_had_arrived_and_is_a_reset", "closed_by_peer"),
    (Fault::CutsLeaveHoles, "a_cut_leaves_what_had_arrived_and_is_a_reset", "too early"),
    (Fault::EndsOvertake, "an_orderly_end_comes_behind_what_was_sent", "closed_by_peer"),
    (Fault::OrderlyEndsAreResets, "an_orderly_end_comes_behind_what_was_sent", "transport_reset"),
    (Fault::ClosesTooEarly, "an_orderly_end_waits_for_a_peer_that_reads_late", "the end"),
    (Fault::ClosingEndsBothWays, "after_its_own_end_it_still_receives", "packets"),
    (Fault::EndsAtOnceAreResets, "both_may_end_at_the_same_time", "transport_reset"),
    (Fault::SendsBehindItsEnd, "a_closed_sender_takes_no_more", "it is ready"),
    (Fault::CannotCloseTwice, "a_closed_sender_takes_no_more", "closed_by_peer"),
    (Fault::NothingIsUnreachable, "a_dial_to_nothing_is_refused", "unreachable"),
    (Fault::CancelledDialsStay, "a_dial_can_be_cancelled_at_any_time", "nothing in"),
    (Fault::AcceptsLose, "an_accept_that_is_cancelled_loses_nobody", "transport_reset"),
    (Fault::ListenersStay, "a_listener_that_is_dropped_ends_the_dials_under_way", "nothing in"),
    (Fault::ListenersStay, "connections_outlive_their_listener", "a connection"),
    (Fault::ConnectionsGoWithTheirListener, "connections_outlive_their_listener", "the end"),
    (Fault::ListensTwice, "an_address_is_listened_on_once", "a second listener"),
    (Fault::TellsAnotherAddress, "the_address_that_is_told_can_be_dialled", "connect_refused"),
    (Fault::TellsAnotherScheme, "the_address_that_is_told_can_be_dialled", "[\"men\"]"),
    (Fault::OnlySoMany, "many_connections_are_open_at_once", "nothing in"),
    (Fault::OneForAll, "a_connection_that_stands_still_holds_up_no_other", "nothing in"),
    (Fault::FallsAsleep, "an_idle_connection_stays", "half_open"),
    (Fault::Panics, "every_packet_arrives_once", "a panic: it is broken"),
];

/// Promises about sockets, which memory has not: a transport that has them breaks them, beside the kit.
const OF_SOCKETS: [&str; 3] = [
    "a_dial_that_nobody_answers_can_be_given_up",
    "garbage_at_the_port_disturbs_nobody",
    "whoever_is_silent_keeps_nobody_waiting",
];

fn subject(fault: Fault, patience: Duration) -> Subject {
    Subject::new(Faulty::new(fault), "mem://here".parse().expect("an endpoint"))
        .with_connections(150)
        .with_idle(Duration::from_millis(200))
        .with_quiet(Duration::from_millis(50))
        .with_patience(patience)
}

fn promise(name: &str) -> &'static Promise {
    PROMISES.iter().find(|promise| promise.name() == name).expect("there is one of this name")
}

#[test]
fn each_broken_transport_is_found_by_its_promise() {
    let mut missed = Vec::new();
    for (fault, name, sees) in TABLE {
        let promise = promise(name);
        let verdict = block_on(promise.check(&subject(*fault, Duration::from_millis(400))));
        match &verdict {
            Verdict::Broken(Broken { promise, saw, .. })
                if promise == name && saw.contains(sees) => {}
            Verdict::Kept | Verdict::DoesNotApply(_) | Verdict::Broken(_) => {
                missed.push(format!("{fault:?} is not found by {name}: {verdict:?}"))
            }
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn there_is_a_broken_transport_for_each_promise() {
    for promise in PROMISES {
        let name = promise.name();
        let is_broken = TABLE.iter().any(|(_, broken, _)| *broken == name);
        assert_eq!(is_broken, !OF_SOCKETS.contains(&name), "{name}");
    }
}

#[test]
fn a_transport_that_only_passes_on_keeps_every_promise() {
    let mut told = Vec::new();
    let subject = subject(Fault::Nothing, Duration::from_secs(20));
    let report = block_on(run(&subject, |judged| told.push(judged.promise.name())));
    assert!(report.is_kept(), "{report}");
    assert_eq!(told, PROMISES.iter().map(Promise::name).collect::<Vec<_>>());
    let (text, kept) = (report.to_string(), PROMISES.len() - OF_SOCKETS.len());
    assert!(text.ends_with(&format!("{kept} kept, 0 broken, 3 do not apply")), "{text}");
    assert!(text.contains("does not apply (no socket): whoever_is_silent"), "{text}");
}

#[test]
fn a_packet_may_overtake_one_of_the_other_lane_where_lanes_are_independent() {
    let mixed = promise("each_lane_keeps_its_order_when_lanes_are_mixed");
    let judge = |fault, patience| {
        let subject = subject(fault, patience).with_lanes(Lanes::AreIndependent);
        block_on(mixed.check(&subject))
    };
    assert_eq!(judge(Fault::MixesLanes, Duration::from_secs(20)), Verdict::Kept);
    let swapped = judge(Fault::SwapsPackets, Duration::from_millis(400));
    assert!(matches!(swapped, Verdict::Broken(_)), "{swapped:?}");
}

#[test]
fn a_report_says_what_was_expected_and_what_was_seen() {
    let subject = subject(Fault::CutsAreOrderly, Duration::from_millis(400));
    let report = block_on(run(&subject, |_| ()));
    assert!(!report.is_kept());
    let text = report.to_string();
    let broken = "broken: an_abrupt_end_is_a_reset
  Drops one end, and another time the other: its peer reads transport_reset.
  expected: the end of the connection, transport_reset
  saw:      the end, closed_by_peer
";
    assert!(text.contains(broken), "{text}");
}

#[test]
#[should_panic(expected = "saw:      the end, closed_by_peer")]
fn a_test_of_a_broken_promise_fails() {
    let subject = subject(Fault::CutsAreOrderly, Duration::from_millis(400));
    keep("an_abrupt_end_is_a_reset", subject, block_on);
}

#[test]
#[should_panic(expected = "the transport holds up its thread")]
fn a_transport_that_holds_up_its_thread_is_found() {
    let subject = subject(Fault::HoldsUpTheThread, Duration::from_millis(50));
    keep("every_packet_arrives_once", subject, block_on);
}

#[test]
#[should_panic(expected = "there is no promise `no_such_thing`")]
fn a_promise_that_nobody_gave_is_not_kept() {
    keep("no_such_thing", subject(Fault::Nothing, Duration::from_secs(1)), block_on);
}
