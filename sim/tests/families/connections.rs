//! C: how connections begin and end.

use moorline_link::Reason;
use moorline_sim::{
    Dialled, Ending, Episode, Family, Fault, Plan, Record, Side, Told, Way, What, Who,
};

use super::{AT, COORDINATOR, MS, Ran, SEC, W0, hostile, run, struck};

/// For how long dials are disturbed.
const LASTS: u64 = 15 * SEC;

/// The worker's connection is lost, and what becomes of its dials for a while is this.
fn dialled(outcome: Dialled) -> Ran {
    let dials = Fault::Dials { worker: 0, outcome, lasts: LASTS };
    let mut plan = struck(dials);
    let fault = Fault::Cut { worker: 0, told: Told::Both };
    plan.episodes.push(Episode { at: AT + 1, moment: None, fault });
    run(plan)
}

/// Records of this kind of a worker while its dials are disturbed.
fn during(ran: &Ran, what: What) -> Vec<Record> {
    let mut records = ran.of(what, W0);
    records.retain(|record| (AT..AT + LASTS).contains(&record.at));
    records
}

fn code(reason: Reason) -> u64 {
    reason.code().into()
}

#[test]
fn c1_dials_are_refused_as_long_as_it_lasts() {
    let ran = dialled(Dialled::Refused);
    let fails = during(&ran, What::DialFails);
    assert!(fails.len() > 2, "{fails:?}");
    assert!(fails.iter().all(|record| record.value == code(Reason::ConnectRefused)));
    assert!(during(&ran, What::Opens).is_empty());
    assert!(ran.of(What::Opens, W0).len() > 1, "then it is back");
}

#[test]
fn c1_dials_hang_until_the_worker_gives_them_up() {
    let ran = dialled(Dialled::Hangs);
    assert!(during(&ran, What::Opens).is_empty() && during(&ran, What::DialFails).is_empty());
    let closes = during(&ran, What::Closes);
    let given_up = closes.iter().find(|record| record.value == code(Reason::ConnectTimeout));
    let given_up = given_up.expect("nobody answers");
    let dial = during(&ran, What::Dials).into_iter().find(|dial| dial.conn == given_up.conn);
    let waited = given_up.at - dial.expect("it was dialled").at;
    assert!((10 * SEC..11 * SEC).contains(&waited), "{waited}");
}

#[test]
fn c1_dials_are_taken_and_closed() {
    let ran = dialled(Dialled::Closed);
    let opens = during(&ran, What::Opens);
    assert!(opens.len() > 1);
    for open in opens {
        let notices = during(&ran, What::Notices);
        let told = notices.iter().find(|notice| notice.conn == open.conn);
        assert!(told.is_some_and(|told| told.at - open.at < 100 * MS), "{told:?}");
    }
}

#[test]
fn c1_dials_are_taken_late() {
    let by = 2 * SEC;
    let ran = dialled(Dialled::Late { by });
    let open = during(&ran, What::Opens)[0];
    let dial = during(&ran, What::Dials).into_iter().find(|dial| dial.conn == open.conn).unwrap();
    assert_eq!(open.at - dial.at, by + 2 * MS);
    assert!(ran.met(Family::C1) > 0);
}

/// The records about the connection that a worker had when the fault struck.
fn of_first(ran: &Ran, what: What, who: Who) -> Vec<Record> {
    let first = ran.of(What::Dials, W0)[0].conn;
    let mut records = ran.of(what, who);
    records.retain(|record| record.conn == first);
    records
}

#[test]
fn c2_a_connection_ends_at_some_byte_and_both_ends_are_told() {
    for ending in [Ending::Reset, Ending::Closed, Ending::Half] {
        let after = 200;
        let ran = run(struck(Fault::Close { worker: 0, way: Way::Up, after, ending }));
        let cut = of_first(&ran, What::Cut, W0)[0];
        let mut all = of_first(&ran, What::Sends, W0);
        all.retain(|sent| (AT..=cut.at).contains(&sent.at));
        let sent: u64 = all.iter().map(|sent| sent.value).sum();
        let last = all.last().map_or(0, |last| last.value);
        assert!(sent > after && sent - last <= after, "{sent} bytes, the last {last}");
        for who in [W0, COORDINATOR] {
            let told = of_first(&ran, What::Notices, who);
            let closed = of_first(&ran, What::Closes, who);
            assert!(!told.is_empty() || !closed.is_empty(), "{who} of {ending:?}");
        }
        // The packet in which it happens is not whole.
        let got = of_first(&ran, What::Gets, COORDINATOR);
        assert!(got.iter().all(|got| ran.recording.get(got.cause).unwrap().at < cut.at));
        assert_eq!(ran.report.dials, 3);
        assert!(ran.met(Family::C2) > 0);
    }
}

#[test]
fn c3_an_end_that_is_not_told_finds_out_by_itself() {
    let silent = |told, who| {
        let ran = run(struck(Fault::Cut { worker: 0, told }));
        assert_eq!(of_first(&ran, What::Cut, W0).len(), 1);
        assert!(ran.met(Family::C3) > 0);
        assert_eq!(ran.report.tasks, 40);
        of_first(&ran, What::Notices, who).is_empty()
    };
    assert!(silent(Told::Only(Side::Worker), COORDINATOR));
    assert!(!silent(Told::Only(Side::Worker), W0));
    assert!(silent(Told::Only(Side::Coordinator), W0));
    assert!(!silent(Told::Only(Side::Coordinator), COORDINATOR));
    assert!(silent(Told::Nobody, W0) && silent(Told::Nobody, COORDINATOR));
}

#[test]
fn c4_the_next_connection_is_good_and_whoever_sends_on_the_old_one_may_be_told() {
    let away = |answered| {
        let ran = run(struck(Fault::Rebind { worker: 0, answered }));
        let trips = ran.trips_of(0, Side::Worker);
        let first = trips[0].conn;
        assert!(trips.iter().filter(|trip| trip.conn == first).all(|trip| trip.got <= AT));
        let next = trips.iter().find(|trip| trip.conn != first).expect("it is back");
        assert!(ran.met(Family::C4) > 0);
        (next.got - AT, of_first(&ran, What::Notices, W0).len())
    };
    let (unanswered, answered) = (away(false), away(true));
    assert_eq!((unanswered.1, answered.1), (0, 1));
    assert!(unanswered.0 > answered.0, "{unanswered:?} {answered:?}");
}

/// What a worker says is jammed while another connection takes the place of the one it is said on.
fn jammed(haunts: bool) -> Fault {
    Fault::Jam { worker: 0, way: Way::Up, lasts: 20 * SEC, haunts }
}

#[test]
fn c5_what_was_said_on_an_old_connection_comes_after_another_one_took_its_place() {
    let late = |plan: Plan| {
        let ran = run(plan);
        assert!(ran.met(Family::C5) > 0);
        let next = ran.of(What::Opens, W0)[1].at;
        let first = ran.of(What::Dials, W0)[0].conn;
        let old = |record: &Record| record.conn == first && record.at > next;
        let arrived = |what| ran.of(what, COORDINATOR).iter().filter(|r| old(r)).count();
        (arrived(What::Gets), arrived(What::Loses))
    };
    let (got, lost) = late(struck(jammed(false)));
    assert!(got + lost > 0, "it was still under way");
    let (got, _) = late(hostile(jammed(true)));
    assert!(got > 0, "also where it was closed");
    assert!(run(struck(jammed(true))).struck_at().is_empty(), "no honest world has it");
}
