use moorline_sync::mailbox;

use super::*;

#[test]
fn a_completion_that_is_dropped_says_that_the_handler_was() {
    let (sender, mut finished) = mailbox();
    drop(Completion::new(RunId(7), sender));
    let said = finished.try_next().expect("said");
    assert_eq!(said.run, RunId(7));
    assert_eq!(said.outcome, Outcome::Failed { retryable: true });
    assert_eq!(said.body, "handler was dropped");
    assert!(finished.try_next().is_none(), "only once");
}

#[test]
fn a_completion_speaks_once() {
    let (sender, mut finished) = mailbox();
    Completion::new(RunId(1), sender).complete(Outcome::Succeeded, Bytes::from_static(b"x"));
    assert_eq!(finished.try_next().expect("said").outcome, Outcome::Succeeded);
    assert!(finished.try_next().is_none());
}
