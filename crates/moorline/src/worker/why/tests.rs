use std::time::Duration;

use moorline_link::{Reason, State};

use crate::LinkStatus;

fn status(state: State, reason: Option<Reason>) -> LinkStatus {
    let since = Duration::from_millis(12_340);
    LinkStatus { state, reason, since, ..LinkStatus::before() }
}

#[test]
fn a_wait_says_what_happened_when_the_next_dial_is_and_what_to_do() {
    let waiting = LinkStatus {
        attempts: 3,
        next_attempt: Some(Duration::from_millis(3_200)),
        ..status(State::Disconnected, Some(Reason::ConnectRefused))
    };
    assert_eq!(
        waiting.why().to_string(),
        "disconnected for 12.3s: Nothing listens at the coordinator's address. (connect_refused, \
         ML2202) Next: Dial 4 begins in 3.2s. To do: Check that the coordinator runs, and its --listen \
         address and port."
    );
}

#[test]
fn nothing_is_to_be_done_where_the_worker_helps_itself() {
    for state in [State::Disconnected, State::Connecting] {
        let why = status(state, Some(Reason::SessionUnknown)).why();
        assert_eq!(why.todo, None, "{why}");
    }
    let why = status(State::Failed, Some(Reason::AuthRevoked)).why();
    assert_eq!(why.todo, Some(Reason::AuthRevoked.remedy()));
}

#[test]
fn an_active_link_names_the_reason_of_before_as_such() {
    let why = status(State::Active, Some(Reason::StreamLost)).why();
    let text = why.to_string();
    assert!(text.starts_with("active for 12.3s: Registered, restored"), "{text}");
    assert!(text.contains("(before: stream_lost, ML2104)"), "{text}");
    let missed = LinkStatus { missed: 2, ..status(State::Active, None) }.why();
    assert!(missed.cause.contains("not answered"), "{missed}");
    let draining =
        LinkStatus { draining: true, running: 2, kept_results: 1, ..status(State::Active, None) };
    assert!(draining.why().next.ends_with("answered: 3."), "{}", draining.why());
}

#[test]
fn every_state_with_every_reason_is_explained_in_whole_sentences() {
    for &state in State::ALL {
        let reasons = Reason::ALL.iter().copied().map(Some).chain([None]);
        for reason in reasons {
            let why = status(state, reason).why();
            assert!(why.cause.ends_with('.') && why.next.ends_with('.'), "{why}");
            assert_eq!(why.code().map(|code| code.number()), reason.map(Reason::code));
            assert!(!why.to_string().contains("  "), "{why}");
        }
    }
}
