//! Coming back: the inventory, and what follows from its answers.

use bytes::Bytes;
use moorline_link::*;
use moorline_node::*;
use moorline_work::{
    AbortReason, Attempt, Disposition, Holding, Judgement, Outcome, WorkerMessage,
};

use crate::script::{Rig, SECOND, WINDOW, key, name, pattern};

const OK: Outcome = Outcome::Succeeded;
const RUNNING: Holding = Holding::Running { progress: 0 };

fn settled(rig: &Rig) -> Vec<WorkerEvent> {
    let is_settled = |event: &&WorkerEvent| matches!(event, WorkerEvent::Settled { .. });
    rig.events().filter(is_settled).cloned().collect()
}

#[test]
fn a_task_runs_and_its_result_is_offered_and_settled() {
    let mut rig = Rig::active();
    let run = rig.assign(key(1, 1));
    rig.exchange();
    assert_eq!(
        rig.script.messages,
        [(Seq(1), WorkerMessage::Accept { key: key(1, 1) }, Bytes::new())]
    );
    assert_eq!(rig.node.free(), 3);

    rig.done(run, pattern(10));
    rig.exchange();
    assert_eq!(rig.last_result(), Some((Seq(1), key(1, 1), pattern(10))));
    assert!(rig.node.owes());
    rig.settle(key(1, 1));
    assert!(!rig.node.owes());
    let disposition = Disposition::Accepted;
    assert_eq!(
        settled(&rig),
        [WorkerEvent::Settled { key: key(1, 1), disposition, resubmitted: false }]
    );
}

#[test]
fn the_registration_says_who_and_what_the_worker_is() {
    let mut rig = Rig::new(crate::script::config());
    let (hello, about) = rig.open();
    assert_eq!((hello.worker, hello.incarnation), (WorkerId(0x7777_1234), Incarnation(5)));
    assert_eq!((about.name, about.slots), (name("worker"), 4));
    assert_eq!(about.handlers, [name("echo"), name("hash")], "sorted");
    rig.welcome(false);
    let registered = WorkerEvent::Registered {
        resumed: false,
        held: 0,
        epoch: 9,
        session: 1,
        coordinator: name("coordinator 1"),
    };
    assert!(rig.events().any(|event| *event == registered));
}

#[test]
fn a_new_session_offers_again_what_was_sent_and_not_settled() {
    let mut rig = Rig::active();
    let run = rig.assign(key(1, 1));
    rig.assign(key(2, 1));
    rig.exchange();
    rig.done(run, pattern(200_000));
    rig.exchange();
    rig.cut();

    rig.script.judgements.insert(key(1, 1), Judgement::Send);
    rig.connect(false);
    let finished = Holding::Finished { outcome: OK, len: 200_000 };
    assert_eq!(rig.script.inventory, [(key(1, 1), finished), (key(2, 1), RUNNING)]);
    assert_eq!(rig.script.messages.len(), 4, "two accepts, the result twice");
    assert_eq!(rig.last_result(), Some((Seq(1), key(1, 1), pattern(200_000))));
    rig.settle(key(1, 1));
    let disposition = Disposition::Accepted;
    assert_eq!(
        settled(&rig),
        [WorkerEvent::Settled { key: key(1, 1), disposition, resubmitted: true }]
    );
    assert!(rig.node.owes(), "the other one runs");
}

#[test]
fn a_result_that_came_while_offline_is_kept_and_sent_after_its_answer() {
    let mut rig = Rig::active();
    let run = rig.assign(key(1, 1));
    rig.exchange();
    rig.cut();
    rig.done(run, pattern(3));
    assert!(rig.events().any(|event| *event == WorkerEvent::ResultKept { key: key(1, 1) }));
    rig.connect(false);
    assert_eq!(rig.last_result(), Some((Seq(1), key(1, 1), pattern(3))));
    rig.settle(key(1, 1));
    assert!(matches!(settled(&rig)[..], [WorkerEvent::Settled { resubmitted: true, .. }]));
}

#[test]
fn a_result_the_coordinator_does_not_want_is_never_sent() {
    let mut rig = Rig::active();
    let run = rig.assign(key(1, 1));
    rig.exchange();
    rig.cut();
    rig.done(run, pattern(3));
    let disposition = Disposition::Duplicate;
    rig.script.judgements.insert(key(1, 1), Judgement::Drop { disposition });
    rig.connect(false);
    assert_eq!(rig.last_result(), None);
    assert!(!rig.node.owes());
    assert_eq!(
        settled(&rig),
        [WorkerEvent::Settled { key: key(1, 1), disposition, resubmitted: true }]
    );
}

#[test]
fn what_finishes_between_the_inventory_and_its_answer_is_sent_under_the_number_it_was_given() {
    let mut rig = Rig::active();
    let run = rig.assign(key(1, 1));
    rig.exchange();
    rig.cut();
    rig.open();
    rig.welcome(false);
    let inventory = rig.packet().expect("the inventory");
    rig.done(run, pattern(5));
    assert_eq!(rig.packet(), None, "nothing travels before the answer");
    let attempt = Attempt(3);
    rig.script.judgements.insert(key(1, 1), Judgement::Adopt { attempt });
    rig.deliver(inventory);
    assert_eq!(rig.script.inventory, [(key(1, 1), RUNNING)]);
    rig.exchange();
    assert_eq!(rig.last_result(), Some((Seq(1), key(1, 3), pattern(5))));
}

#[test]
fn answers_count_in_whatever_order_they_come() {
    let mut rig = Rig::active();
    let runs: Vec<_> = (1..=3).map(|task| rig.assign(key(task, 1))).collect();
    rig.exchange();
    rig.cut();
    rig.script.answers_backwards = true;
    rig.script.judgements.insert(key(2, 1), Judgement::Cancel);
    rig.connect(false);
    assert_eq!(rig.node.state(), State::Active);
    let reason = AbortReason::Cancelled;
    let abort = WorkerAction::Abort { run: runs[1], key: key(2, 1), reason };
    let aborts = |action: &&WorkerAction| matches!(action, WorkerAction::Abort { .. });
    assert_eq!(rig.actions.iter().filter(aborts).collect::<Vec<_>>(), [&abort]);
}

#[test]
fn an_answer_to_what_was_not_asked_ends_the_connection() {
    let continues =
        |index, key| DownFrame::InventoryAnswer { index, key, judgement: Judgement::Continue };
    for answers in [
        vec![continues(1, key(1, 1))],
        vec![continues(0, key(1, 2))],
        vec![continues(0, key(1, 1)), continues(0, key(1, 1))],
    ] {
        let mut rig = Rig::active();
        rig.assign(key(1, 1));
        rig.assign(key(2, 1));
        rig.exchange();
        rig.cut();
        rig.open();
        rig.welcome(false);
        assert!(rig.packet().is_some(), "the inventory");
        rig.send(answers);
        assert_eq!(rig.conn, None);
        assert_eq!(rig.node.state(), State::Disconnected);
    }
}

#[test]
fn a_resumed_session_goes_on_where_it_was() {
    let mut rig = Rig::active();
    rig.script.withholds_acks = true;
    let run = rig.assign(key(1, 1));
    rig.exchange();
    rig.done(run, pattern(10));
    rig.exchange();
    rig.cut();
    // The coordinator processed the result, and says so in its Welcome: it is not sent again.
    rig.script.withholds_acks = false;
    rig.connect(true);
    assert_eq!(rig.script.messages.len(), 2);
    rig.run_for(30 * SECOND);
    assert_eq!(rig.script.messages.len(), 2);
    rig.settle(key(1, 1));
    assert!(!rig.node.owes());
}

#[test]
fn an_assignment_that_was_not_started_before_a_new_session_gives_no_credit_of_the_old_one() {
    let mut rig = Rig::active();
    let head = ToWorker::Assign { key: key(1, 1), handler: name("hash"), timeout: None };
    let seq = rig.script.number(Lane::B);
    let conn = rig.conn.expect("connected");
    let frames =
        vec![DownFrame::Message(Message { seq, head, body_len: 200_000, body: pattern(200_000) })];
    rig.input_only(WorkerInput::Packet { conn, frames });
    rig.input_only(WorkerInput::Closed { conn, reason: Reason::StreamLost });
    rig.conn = None;
    // The driver is slow: it looks at the start only after the next registration.
    let conn = loop {
        let mut peek = rig.node.clone();
        let dial = std::iter::from_fn(|| peek.poll_action()).find_map(|action| match action {
            WorkerAction::Dial { conn, .. } => Some(conn),
            WorkerAction::Close { .. }
            | WorkerAction::Start { .. }
            | WorkerAction::Abort { .. }
            | WorkerAction::Vet { .. }
            | WorkerAction::Journal(_)
            | WorkerAction::Event(_) => None,
        });
        if let Some(conn) = dial {
            break conn;
        }
        rig.now = rig.now.max(peek.next_wake().deadline().expect("it waits to dial"));
        rig.input_only(WorkerInput::Timeout);
    };
    rig.input_only(WorkerInput::Opened { conn });
    rig.conn = Some(conn);
    assert!(rig.packet().is_some(), "the Hello");
    let head = rig.script.welcome(false);
    let software = name("coordinator 1");
    rig.input_only(WorkerInput::Packet {
        conn,
        frames: vec![DownFrame::Welcome { head, software }],
    });
    rig.exchange_without_acting();
    assert_eq!(rig.node.state(), State::Active);
    assert_eq!(rig.script.inventory, [(key(1, 1), RUNNING)]);

    // In the new session one assignment waits too. The old start gives nothing back for it.
    let seq = rig.script.number(Lane::B);
    let head = ToWorker::Assign { key: key(2, 1), handler: name("hash"), timeout: None };
    let frames =
        vec![DownFrame::Message(Message { seq, head, body_len: 200_000, body: pattern(200_000) })];
    rig.input_only(WorkerInput::Packet { conn, frames });
    let mut credit_after = Vec::new();
    while let Some(action) = rig.node.poll_action() {
        if let WorkerAction::Start { key, .. } = action {
            rig.exchange_without_acting();
            let acked = rig.script.session.acked[Lane::B.index()];
            credit_after.push((key, acked.received, acked.credit.messages));
        }
    }
    assert_eq!(
        credit_after,
        [(key(1, 1), Seq(1), Seq(WINDOW)), (key(2, 1), Seq(1), Seq(WINDOW + 1))]
    );
}

#[test]
fn a_refusal_is_told_with_its_words() {
    let mut rig = Rig::new(crate::script::config());
    rig.open();
    let dismissal = Dismissal { reason: Reason::NameConflict, come_back: ComeBack::ByReason };
    let hint = "choose another name".to_owned();
    rig.send(vec![DownFrame::Refused { dismissal, hint: hint.clone() }]);
    let reason = Reason::NameConflict;
    assert!(
        rig.events().any(|event| *event == WorkerEvent::Dismissed { reason, hint: hint.clone() })
    );
    assert_eq!(rig.conn, None);
}

#[test]
fn frames_of_a_connection_that_is_gone_change_nothing() {
    let cut: fn(&mut Rig, ConnId) = |rig, _| rig.cut();
    let give_up: fn(&mut Rig, ConnId) = |rig, conn| {
        rig.input(WorkerInput::Undecodable { conn });
    };
    for end in [cut, give_up] {
        let mut rig = Rig::active();
        let conn = rig.conn.expect("connected");
        end(&mut rig, conn);
        let before = rig.node.clone();
        let seq = Seq(1);
        let head = ToWorker::Assign { key: key(1, 1), handler: name("hash"), timeout: None };
        let frames = vec![
            DownFrame::Message(Message { seq, head, body_len: 9, body: Bytes::new() }),
            DownFrame::Part(Part { seq, offset: 0, bytes: pattern(9) }),
            DownFrame::InventoryAnswer { index: 0, key: key(1, 1), judgement: Judgement::Send },
            DownFrame::Active,
            DownFrame::Probe,
        ];
        for frame in frames {
            let verdict = rig.input(WorkerInput::Packet { conn, frames: vec![frame] });
            assert_eq!(verdict, WorkerVerdict::Stale);
            assert!(rig.node == before);
        }
    }
}

#[test]
fn a_coordinator_that_is_silent_is_given_up_and_the_work_goes_on() {
    let mut rig = Rig::active();
    rig.assign(key(1, 1));
    rig.script.ignores_beats = true;
    rig.run_for(25 * SECOND);
    let mut missed = Vec::new();
    for event in rig.events() {
        if let WorkerEvent::BeatMissed { missed: so_many, limit, .. } = event {
            missed.push((*so_many, *limit));
        }
    }
    assert_eq!(missed, [(1, 3), (2, 3), (3, 3)]);
    assert_eq!(rig.node.runs().count(), 1);
}

#[test]
fn a_coordinator_that_never_settles_cannot_make_it_hold_more_than_an_inventory_lists() {
    let mut config = crate::script::config();
    config.runner.slots = u16::MAX;
    let mut rig = Rig::new(config);
    rig.connect(false);
    let conn = rig.conn.expect("connected");
    // Past the rig, which copies the node at every step.
    let mut runs = Vec::new();
    let mut assign = |rig: &mut Rig, task: usize| {
        let seq = rig.script.number(Lane::B);
        let head =
            ToWorker::Assign { key: key(task as u128, 1), handler: name("hash"), timeout: None };
        let frame = DownFrame::Message(Message { seq, head, body_len: 0, body: Bytes::new() });
        rig.node.handle(rig.now, WorkerInput::Packet { conn, frames: vec![frame] });
        while let Some(action) = rig.node.poll_action() {
            if let WorkerAction::Start { run, .. } = action {
                runs.push(run);
            }
        }
        while rig.node.poll_transmit(rig.now, conn).is_some() {}
        runs.len()
    };
    let (outcome, body) = (OK, Bytes::new());
    for task in 1..=INVENTORY_MAX {
        if task == INVENTORY_MAX {
            let done =
                WorkerInput::Done { run: moorline_work::RunId(1), outcome, body: body.clone() };
            rig.node.handle(rig.now, done);
        }
        assert_eq!(assign(&mut rig, task), task);
    }
    assert_eq!(rig.node.state(), State::Active);
    let done = WorkerInput::Done { run: moorline_work::RunId(2), outcome, body };
    rig.node.handle(rig.now, done);
    assert_eq!(rig.node.free(), 1, "a slot is free, and still it is too much");
    assert_eq!(assign(&mut rig, INVENTORY_MAX), INVENTORY_MAX, "the same key again adds nothing");
    assert_eq!(rig.node.state(), State::Active);
    assert_eq!(assign(&mut rig, INVENTORY_MAX + 1), INVENTORY_MAX, "it was not started");
    assert_eq!(rig.node.state(), State::Disconnected);
    assert_eq!(rig.node.link().reason, Some(Reason::ProtocolError));
    assert_eq!(rig.node.runs().count(), INVENTORY_MAX);
}

#[test]
fn a_credential_is_shown_once_on_its_own_connection() {
    let mut rig = Rig::new(crate::script::config());
    let credential = |text: &'static str| Credential::new(text).expect("a credential");
    let mut shown = Vec::new();
    for text in [Some("first"), None, Some("third")] {
        let conn = rig.dials();
        if let Some(text) = text {
            rig.input(WorkerInput::Credential { conn, credential: credential(text) });
        }
        let (_, about) = rig.open();
        shown.push(about.credential);
        rig.input(WorkerInput::Closed { conn, reason: Reason::StreamLost });
    }
    assert_eq!(shown, [Some(credential("first")), None, Some(credential("third"))]);
}
