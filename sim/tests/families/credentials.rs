//! O1: what workers prove themselves with, which is refused.

use moorline_link::{Reason, State};
use moorline_sim::{Episode, Family, Fault, FrameKind, Plan, Refusal, Told, What};

use super::{AT, COORDINATOR, MS, Ran, SEC, W0, W1, run, struck, world};

fn refused(refusal: Refusal, ends: bool) -> Fault {
    Fault::Credential { worker: 0, refusal, ends }
}

/// When the worker dialled from then on.
fn dials(ran: &Ran) -> Vec<u64> {
    ran.times(What::Dials, W0).into_iter().filter(|at| *at >= AT).collect()
}

/// For how long after that it was not active.
fn away(ran: &Ran) -> u64 {
    let is_active =
        |record: &&moorline_sim::Record| record.at >= AT && record.value == State::Active as u64;
    ran.of(What::State, W0).iter().find(is_active).expect("it is active again").at - AT
}

/// How often the coordinator gave up its connection for this reason.
fn closed(ran: &Ran, reason: Reason) -> usize {
    let closes = ran.of(What::Closes, COORDINATOR);
    closes.iter().filter(|closes| closes.value == u64::from(reason.code())).count()
}

#[test]
fn o1_who_is_sent_away_because_its_credential_has_expired_is_back_with_a_fresh_one_at_once() {
    let ran = run(struck(refused(Refusal::Expired, true)));
    assert_eq!((dials(&ran).len(), closed(&ran, Reason::AuthExpired)), (1, 1));
    assert!(away(&ran) < 100 * MS, "{}", away(&ran));
    assert_eq!((ran.report.seen.renewed, ran.report.seen.turned_away), (1, 0));
    assert_eq!(ran.times(What::Dials, W1).len(), 1);
    assert!(ran.met(Family::O1) > 0);
}

#[test]
fn o1_a_credential_that_was_good_once_is_renewed_at_once_when_it_is_refused() {
    let mut plan = struck(refused(Refusal::Expired, false));
    let cut = Fault::Cut { worker: 0, told: Told::Both };
    plan.episodes.push(Episode { at: AT + SEC, moment: None, fault: cut });
    let ran = run(plan);
    let [stale, fresh] = dials(&ran)[..] else { panic!("{:?}", dials(&ran)) };
    // As close as two dials may be.
    assert_eq!(fresh - stale, 100 * MS);
    assert_eq!((ran.report.seen.renewed, ran.report.seen.turned_away), (1, 1));
    assert_eq!(closed(&ran, Reason::AuthExpired), 1);
}

#[test]
fn o1_who_is_refused_whatever_it_shows_asks_slowly_after_its_second_try() {
    let lasts = 15 * SEC;
    let ran = run(struck(refused(Refusal::Rejected { lasts }, true)));
    let dials = dials(&ran);
    let gaps: Vec<u64> = dials.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(dials[0] < AT + 100 * MS, "the first with a fresh one");
    // Not before the longest delay of its policy, and what two packets take.
    assert!(gaps.iter().all(|gap| (2 * SEC..=2_520 * MS).contains(gap)), "{gaps:?}");
    assert!(gaps.len() > 4, "{gaps:?}");
    assert!((lasts..lasts + 3 * SEC).contains(&away(&ran)), "{}", away(&ran));
    assert_eq!(closed(&ran, Reason::AuthRejected), dials.len(), "the last one is let in");
}

#[test]
fn o1_who_is_told_that_its_credential_was_withdrawn_ends() {
    let lasts = 12 * SEC;
    let ran = run(struck(refused(Refusal::Revoked { lasts }, true)));
    let begins = ran.times(What::Begins, W0);
    assert_eq!((begins.len(), ran.report.seen.banned), (4, 3), "{begins:?}");
    assert!(away(&ran) > lasts);
    assert_eq!(ran.report.tasks, 40);
}

#[test]
fn o1_to_find_out_who_somebody_is_may_take_a_while_and_no_longer_than_a_registration() {
    let vetted = |delay| -> Plan {
        let mut plan = world();
        let vetting = Fault::Vetting { delay, lasts: 25 * SEC };
        let cut = Fault::Cut { worker: 0, told: Told::Both };
        let at = |at, fault| Episode { at, moment: None, fault };
        plan.episodes = vec![at(AT - SEC, vetting), at(AT, cut)];
        plan
    };
    let ran = run(vetted(3 * SEC));
    assert!((3 * SEC..4 * SEC).contains(&away(&ran)), "{}", away(&ran));
    let says = |kind| ran.said(kind, W0).into_iter().filter(|at| *at >= AT).collect::<Vec<_>>();
    let (hello, beats) = (says(FrameKind::Hello), says(FrameKind::Beat));
    let quiet = |at: &u64| (hello[0]..hello[0] + 3 * SEC).contains(at);
    assert!(!beats.iter().any(quiet), "it says nothing until it is let in");

    let ran = run(vetted(15 * SEC));
    assert!(closed(&ran, Reason::RegisterTimeout) > 0);
    assert!(away(&ran) > 20 * SEC, "{}", away(&ran));
    assert_eq!(ran.report.tasks, 40);
}
