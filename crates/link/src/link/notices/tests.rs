use super::{KEPT, LinkAction, Notices, Transition};
use crate::{ConnId, Reason, State};

fn told(notices: &mut Notices) -> Vec<LinkAction> {
    core::iter::from_fn(|| {
        let next = notices.next()?;
        notices.commit();
        Some(next)
    })
    .collect()
}

#[test]
fn transitions_that_nobody_polled_are_told_together_and_end_where_the_link_is() {
    let mut notices = Notices::default();
    let cycle = [State::Disconnected, State::Connecting];
    for i in 0..9 {
        let (from, to) = (cycle[i % 2], cycle[(i + 1) % 2]);
        let reason = (to == State::Disconnected).then_some(Reason::ConnectRefused);
        notices.announce(Transition { from, to, reason });
    }
    let told = told(&mut notices);
    assert_eq!(told.len(), KEPT);
    let mut state = State::Disconnected;
    for action in told {
        let LinkAction::Announce(transition) = action else { panic!("{action:?}") };
        assert_eq!(transition.from, state);
        state = transition.to;
    }
    assert_eq!(state, State::Connecting, "after nine steps");
}

#[test]
fn everything_is_told_once_and_misses_come_before_the_loss_they_cause() {
    let mut notices = Notices::default();
    notices.close(ConnId(1), Reason::HeartbeatUnacked);
    notices.close(ConnId(2), Reason::Forced);
    let (from, to) = (State::Active, State::Disconnected);
    let lost = Transition { from, to, reason: Some(Reason::HeartbeatUnacked) };
    notices.announce(lost);
    notices.missed(3, 3, Reason::HeartbeatUnacked);
    notices.recovered();
    assert_eq!(
        told(&mut notices),
        [
            LinkAction::BeatMissed { missed: 3, limit: 3, reason: Reason::HeartbeatUnacked },
            LinkAction::BeatRecovered,
            LinkAction::Announce(lost),
            LinkAction::Close { conn: ConnId(1), reason: Reason::HeartbeatUnacked },
            LinkAction::Close { conn: ConnId(2), reason: Reason::Forced },
        ]
    );
    assert_eq!(notices, Notices::default());
}
