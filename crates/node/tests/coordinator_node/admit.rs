//! Who is let in: what a certificate proves, and what a Hello shows.

use std::time::Duration;

use moorline_link::*;
use moorline_node::*;

use crate::script::*;

const BY_REASON: ComeBack = ComeBack::ByReason;

fn hints(rig: &mut Rig) -> Vec<String> {
    let hints = rig.said().into_iter().filter_map(|frame| match frame {
        DownFrame::Refused { hint, .. } => Some(hint),
        _ => None,
    });
    hints.collect()
}

fn refused(rig: &mut Rig) -> Vec<(Reason, ComeBack)> {
    let refusals = rig.said().into_iter().filter_map(|frame| match frame {
        DownFrame::Refused { dismissal, .. } => Some((dismissal.reason, dismissal.come_back)),
        _ => None,
    });
    refusals.collect()
}

fn welcomed(rig: &mut Rig) -> bool {
    rig.said().iter().any(|frame| matches!(frame, DownFrame::Welcome { .. }))
}

fn showing(credential: &'static str) -> UpFrame {
    let UpFrame::Hello { head, about } = hello() else { panic!("not a Hello") };
    let credential = Some(Credential::new(credential).expect("a credential"));
    UpFrame::Hello { head, about: About { credential, ..about } }
}

#[test]
fn who_has_a_certificate_has_its_name_and_no_other() {
    for (proven, is_let_in) in [("w1", true), ("w2", false), ("W1", false), ("", false)] {
        let mut rig = Rig::new();
        rig.give(CoordinatorInput::Accepted { conn: CONN });
        rig.give(CoordinatorInput::Proven { conn: CONN, name: proven.to_owned() });
        rig.say(hello());
        rig.commit();
        if is_let_in {
            assert!(welcomed(&mut rig), "{proven}");
            continue;
        }
        assert_eq!(refused(&mut rig), [(Reason::AuthRejected, BY_REASON)], "{proven}");
        assert_eq!(rig.closed, [(CONN, Reason::AuthRejected)]);
        assert_eq!(rig.node.workers(rig.now).count(), 0);
        rig.give(CoordinatorInput::Closed { conn: CONN, reason: Reason::ClosedByPeer });
        assert_eq!(rig.node.worker_names(), 0);
    }
}

#[test]
fn who_is_refused_for_a_name_is_told_both() {
    let mut rig = Rig::new();
    rig.give(CoordinatorInput::Accepted { conn: CONN });
    rig.give(CoordinatorInput::Proven { conn: CONN, name: "w2".to_owned() });
    rig.say(hello());
    let hints = hints(&mut rig);
    let [hint] = &hints[..] else { panic!("{hints:?}") };
    assert!(hint.contains("for w2,") && hint.contains("itself w1."), "{hint}");
}

#[test]
fn where_certificates_are_wanted_nobody_comes_in_without_one() {
    let mut rig = Rig::with(CoordinatorNode::with_certificates);
    rig.give(CoordinatorInput::Accepted { conn: CONN });
    rig.say(showing("a token"));
    rig.commit();
    assert_eq!(refused(&mut rig), [(Reason::AuthMissing, BY_REASON)]);
    assert_eq!(rig.closed, [(CONN, Reason::AuthMissing)]);

    let mut rig = Rig::with(|node| node.authenticating().with_certificates());
    rig.give(CoordinatorInput::Accepted { conn: CONN });
    rig.say(hello());
    assert_eq!(refused(&mut rig), [(Reason::AuthMissing, BY_REASON)]);
    assert_eq!(rig.applicants, [], "nobody is bothered with it");

    let mut rig = Rig::with(CoordinatorNode::with_certificates);
    rig.give(CoordinatorInput::Accepted { conn: CONN });
    rig.give(CoordinatorInput::Proven { conn: CONN, name: "w1".to_owned() });
    rig.say(hello());
    rig.commit();
    assert!(welcomed(&mut rig));
}

#[test]
fn nobody_is_let_in_unheard() {
    let mut rig = Rig::with(CoordinatorNode::authenticating);
    rig.give(CoordinatorInput::Accepted { conn: CONN });
    rig.give(CoordinatorInput::Proven { conn: CONN, name: "w1".to_owned() });
    rig.say(showing("a token"));
    rig.commit();
    assert_eq!(rig.said(), [], "nothing is said before that");
    assert_eq!(rig.node.workers(rig.now).count(), 0);
    let [(conn, applicant)] = &rig.applicants[..] else { panic!("{:?}", rig.applicants) };
    assert_eq!((*conn, applicant.name.as_str()), (CONN, "w1"));
    assert_eq!((applicant.worker, applicant.incarnation), (WorkerId(5), Incarnation(1)));
    assert_eq!(applicant.proven.as_deref(), Some("w1"));
    let shown = applicant.credential.as_ref().map(Credential::as_bytes);
    assert_eq!(shown, Some(&b"a token"[..]));
    rig.give(CoordinatorInput::Authenticated { conn: CONN, judged: Ok(()) });
    rig.commit();
    assert!(welcomed(&mut rig));
    // Said again it is another one's affair.
    let judged = Err(Dismissal { reason: Reason::AuthRevoked, come_back: ComeBack::Never });
    rig.give(CoordinatorInput::Authenticated { conn: CONN, judged });
    assert_eq!(refused(&mut rig), []);
    assert_eq!(rig.closed, []);
}

#[test]
fn who_is_not_let_in_is_told_why() {
    let mut rig = Rig::with(CoordinatorNode::authenticating);
    rig.give(CoordinatorInput::Accepted { conn: CONN });
    rig.say(hello());
    assert_eq!(rig.applicants[0].1.credential, None);
    let judged = Err(Dismissal { reason: Reason::AuthRevoked, come_back: ComeBack::Never });
    rig.give(CoordinatorInput::Authenticated { conn: CONN, judged });
    assert_eq!(refused(&mut rig), [(Reason::AuthRevoked, ComeBack::Never)]);
    assert_eq!(rig.closed, [(CONN, Reason::AuthRevoked)]);
}

#[test]
fn a_connection_that_is_gone_is_not_waited_for_and_what_is_found_out_later_is_not_heard() {
    let mut rig = Rig::with(CoordinatorNode::authenticating);
    rig.give(CoordinatorInput::Accepted { conn: CONN });
    rig.say(showing("a token"));
    rig.give(CoordinatorInput::Closed { conn: CONN, reason: Reason::StreamLost });
    assert_eq!(rig.node.worker_names(), 0);
    rig.give(CoordinatorInput::Authenticated { conn: CONN, judged: Ok(()) });
    assert_eq!(rig.said(), []);
    assert_eq!(rig.node.workers(rig.now).count(), 0);
}

#[test]
fn who_speaks_on_while_it_is_looked_at_breaks_the_protocol() {
    for frame in [hello(), UpFrame::InventoryEnd { count: 0 }] {
        let mut rig = Rig::with(CoordinatorNode::authenticating);
        rig.give(CoordinatorInput::Accepted { conn: CONN });
        rig.say(hello());
        rig.say(frame);
        assert_eq!(rig.closed, [(CONN, Reason::ProtocolError)]);
        rig.give(CoordinatorInput::Authenticated { conn: CONN, judged: Ok(()) });
        assert!(!welcomed(&mut rig));
    }
}

#[test]
fn who_is_looked_at_for_too_long_is_let_go() {
    let mut rig = Rig::with(CoordinatorNode::authenticating);
    rig.give(CoordinatorInput::Accepted { conn: CONN });
    rig.say(hello());
    let end = rig.now + HubSettings::default().register_timeout;
    // Step by step: a clock that jumps was asleep.
    while rig.now < end {
        assert_eq!(rig.closed, []);
        rig.now = (rig.now + Duration::from_secs(1)).min(end);
        rig.give(CoordinatorInput::Timeout);
    }
    assert_eq!(rig.closed, [(CONN, Reason::RegisterTimeout)]);
}
