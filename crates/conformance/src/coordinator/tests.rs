//! Each promise is shown to be one: a coordinator that has one fault breaks that promise and no other. In
//! virtual time, over packets inside this process.

use moorline_memory::MemoryTransport;
use moorline_node::{Credential, Name};

use super::{PROMISES, Subject, run};
use crate::{Report, Verdict};

mod faulty;

/// Further faults, where a promise can be broken in ways that are seen in different places: each with the
/// promise it breaks.
const FURTHER: &[(&str, &str)] = &[
    ("a_hello_is_answered_with_a_welcome", "a new session has lanes that are not empty"),
    ("packets_are_as_the_schema_says", "a part comes of a message that never began"),
    ("a_feature_that_was_not_offered_is_not_agreed_on", "places are told to who did not ask"),
    ("each_item_of_the_inventory_is_answered_once", "an item is answered under another key"),
    ("a_second_connection_takes_the_session_over", "a second connection begins anew"),
    ("another_process_is_refused_while_one_lives", "whoever answers a probe is sent away"),
    ("a_process_that_answers_no_probe_is_replaced", "who is silent keeps its place"),
    ("beats_are_answered_by_their_number", "beats are answered under the next number"),
    ("messages_are_acknowledged", "credit is taken back"),
    ("what_comes_twice_is_dropped", "what comes twice ends the connection"),
    ("garbage_ends_the_connection", "garbage ends the connection for another reason"),
];

/// Judges a coordinator with this fault, which is the name of the promise it breaks or one of [`FURTHER`];
/// with none if it is empty.
fn judged(fault: &'static str) -> Report {
    judged_as(faulty::Kind { fault, door: None }, |subject| subject)
}

fn judged_as(kind: faulty::Kind, with: impl FnOnce(Subject) -> Subject) -> Report {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let transport = MemoryTransport::new();
        let at = "mem://coordinator".parse().expect("an endpoint");
        let coordinator = faulty::listen(&transport, &at, kind).await;
        // Several at a time, as where a coordinator is judged in earnest.
        let subject = Subject::new(transport, at).with_tasks(coordinator);
        run(&with(subject), PROMISES, |_| ()).await
    })
}

#[test]
fn a_coordinator_without_a_fault_keeps_every_promise() {
    let report = judged("");
    let kept = report.judged.iter().all(|one| one.verdict == Verdict::Kept);
    assert!(kept && report.judged.len() == PROMISES.len(), "{report}");
}

#[test]
fn a_coordinator_with_one_fault_breaks_one_promise() {
    let mut wrong = Vec::new();
    let own = PROMISES.iter().map(|promise| (promise.name, promise.name));
    for (promise, fault) in own.chain(FURTHER.iter().copied()) {
        let report = judged(fault);
        let broken: Vec<_> = report.broken().map(|one| one.promise.name).collect();
        let [kept, ..] = report.counts();
        // What a fault hides from other promises is not judged, and would not be seen here.
        if broken != [promise] || kept + 1 != PROMISES.len() {
            let unkept = report.judged.iter().filter(|one| one.verdict != Verdict::Kept);
            let told = unkept.map(ToString::to_string).collect::<Vec<_>>().join("\n");
            wrong.push(format!(
                "{fault}: that is to break {promise}, and breaks {broken:?}\n{told}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_coordinator_that_asks_who_is_there_is_judged_by_one_worker_that_can_tell() {
    let name = Name::new("gpu-1").expect("a name");
    let credential = Credential::new("a token").expect("a credential");
    let kind = || faulty::Kind { fault: "", door: Some((name.clone(), credential.clone())) };

    let both =
        |subject: Subject| subject.with_name(name.clone()).with_credential(credential.clone());
    let report = judged_as(kind(), both);
    let kept = report.judged.iter().all(|one| one.verdict == Verdict::Kept);
    assert!(kept && report.judged.len() == PROMISES.len(), "{report}");

    let stranger = judged_as(kind(), |subject| subject.with_credential(credential.clone()));
    let nobody = judged_as(kind(), |subject| subject.with_name(name.clone()));
    for report in [stranger, nobody] {
        let first = report.judged.first().expect("a promise");
        let Verdict::Broken(broken) = &first.verdict else { panic!("{first}") };
        assert_eq!(broken.saw, "refused, auth_rejected");
    }
}
