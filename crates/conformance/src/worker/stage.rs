//! Where a script of one promise plays: a listener, the worker that was started, one connection of it.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use moorline_link::{Credit, Dismissal, Epoch, Hello, Lane, Welcome};
use moorline_node::{About, DownFrame, Name, ToWorker};
use moorline_transport::{AcceptError, Listener};
use moorline_work::{
    Attempt, Disposition, Holding, Judgement, Outcome as Ended, TaskId, TaskKey, WorkerMessage,
};
use tokio::time::{Instant, timeout, timeout_at};

use super::Subject;
use super::desk::{Desk, Heard};
use crate::Running;
use crate::connection::Line;
use crate::hearing::{Hears, Trail};
use crate::outcome::{Failure, Outcome, Violation, broken};

pub(super) struct Stage<'a> {
    pub(super) subject: &'a Subject,
    pub(super) desk: Desk,
    listener: Box<dyn Listener>,
    dir: tempfile::TempDir,
    running: Option<Box<dyn Running>>,
    connection: Option<Line>,
    heard: VecDeque<Heard>,
    trail: Trail,
}

/// What a result was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Ending {
    pub(super) seq: u64,
    pub(super) outcome: Ended,
    pub(super) body: Bytes,
}

impl<'a> Stage<'a> {
    /// Listens, with nobody there yet.
    pub(super) async fn new(subject: &'a Subject) -> Outcome<Self> {
        let listening = subject.transport.listen(&subject.listen).await;
        let listener = listening.map_err(|error| Failure::NotJudged(error.to_string()))?;
        let dir = tempfile::Builder::new().prefix("moorline-conformance-").tempdir();
        let dir = dir.map_err(|error| Failure::NotJudged(format!("no directory: {error}")))?;
        let mut epoch = [0; 4];
        // Any number will do.
        let _ = getrandom::fill(&mut epoch);
        let epoch = Epoch(1 + u64::from(u32::from_le_bytes(epoch)));
        Ok(Self {
            subject,
            desk: Desk::new(epoch),
            listener,
            dir,
            running: None,
            connection: None,
            heard: VecDeque::new(),
            trail: Trail::default(),
        })
    }

    /// Starts the worker.
    pub(super) fn start(&mut self) -> Outcome {
        let url = self.listener.endpoint().to_string();
        let started = self.subject.launch.start(&url, self.dir.path());
        let started = started.map_err(|error| Failure::Broken {
            expected: "a program that can be started".to_owned(),
            saw: error.to_string(),
        })?;
        self.running = Some(started);
        Ok(())
    }

    /// What was seen that no worker may do.
    pub(super) fn violations(&mut self) -> Vec<Violation> {
        std::mem::take(&mut self.desk.violations)
    }

    /// Ends the worker, and returns the last lines that it printed.
    pub(super) async fn end(&mut self) -> String {
        self.connection = None;
        let Some(mut running) = self.running.take() else { return String::new() };
        running.kill().await;
        running.said()
    }

    /// Asks the worker to finish and leave.
    pub(super) fn terminate(&mut self) -> Outcome {
        let asked = self.running.as_mut().is_some_and(|running| running.terminate());
        if asked { Ok(()) } else { Err(Failure::NotJudged("there is no SIGTERM here".to_owned())) }
    }

    /// Waits until the program has ended, and returns its exit code.
    pub(super) async fn exit(&mut self) -> Outcome<Option<i32>> {
        let patience = self.subject.limits.patience;
        let Some(running) = &mut self.running else { return Ok(None) };
        match timeout(patience, running.ended()).await {
            Ok(code) => Ok(code),
            Err(_) => broken("the program ends", format!("it still runs {patience:?} later")),
        }
    }

    /// The next connection of the worker, if there is one in time: when it came.
    pub(super) async fn dialled_within(&mut self, limit: Duration) -> Outcome<Option<Instant>> {
        self.connection = None;
        self.heard.clear();
        let end = Instant::now() + limit;
        loop {
            match timeout_at(end, self.listener.accept()).await {
                Ok(Ok(connection)) => {
                    self.connection = Some(Line::new(connection));
                    self.desk.connected();
                    self.trail.note("a connection".to_owned());
                    return Ok(Some(Instant::now()));
                }
                Ok(Err(AcceptError::Closed { detail })) => return Err(Failure::NotJudged(detail)),
                Ok(Err(AcceptError::Exhausted { detail })) => {
                    return Err(Failure::NotJudged(detail));
                }
                // Somebody who never became a connection.
                Ok(Err(_)) => {}
                Err(_) => return Ok(None),
            }
        }
    }

    /// The next connection of the worker.
    pub(super) async fn dialled(&mut self) -> Outcome<Instant> {
        let patience = self.subject.limits.patience;
        match self.dialled_within(patience).await? {
            Some(at) => Ok(at),
            None => {
                let saw = match self.has_ended().await {
                    Some(code) => format!("the program has ended, {}", exit_words(code)),
                    None => format!("none for {patience:?}"),
                };
                broken("a connection of the worker", saw)
            }
        }
    }

    /// The exit code of the program, if it has ended.
    async fn has_ended(&mut self) -> Option<Option<i32>> {
        let running = self.running.as_mut()?;
        timeout(Duration::from_millis(1), running.ended()).await.ok()
    }

    /// The next connection and its Hello.
    pub(super) async fn hello(&mut self) -> Outcome<(Hello, About)> {
        self.dialled().await?;
        self.until("a Hello as the first frame of a connection", |heard| {
            let Heard::Hello { head, about } = heard else { return None };
            Some((**head, about.clone()))
        })
        .await
    }

    /// The next connection: the worker is welcomed, and all of its inventory goes on. Returns the Hello
    /// and the inventory.
    pub(super) async fn register(&mut self) -> Outcome<(Hello, Vec<(TaskKey, Holding)>)> {
        self.register_as(true, |_| {}, as_it_is).await
    }

    /// The same into a new session.
    pub(super) async fn register_anew(&mut self) -> Outcome<(Hello, Vec<(TaskKey, Holding)>)> {
        self.register_as(false, |_| {}, as_it_is).await
    }

    /// The same with a Welcome and with judgements of one's own.
    pub(super) async fn register_as(
        &mut self,
        resumes: bool,
        welcome: impl FnOnce(&mut Welcome),
        judge: impl Fn(TaskKey, Holding) -> Judgement,
    ) -> Outcome<(Hello, Vec<(TaskKey, Holding)>)> {
        let (hello, _) = self.hello().await?;
        self.desk.welcome(resumes, welcome);
        let items = self.inventory().await?;
        for (index, &(key, holding)) in (0..).zip(&items) {
            self.answer(index, key, judge(key, holding));
        }
        self.flush().await;
        self.until_active().await?;
        Ok((hello, items))
    }

    /// The inventory, to its end.
    pub(super) async fn inventory(&mut self) -> Outcome<Vec<(TaskKey, Holding)>> {
        let mut items = Vec::new();
        self.until("an inventory and its end", |heard| {
            if let Heard::Item { key, holding, .. } = heard {
                items.push((*key, *holding));
            }
            matches!(heard, Heard::InventoryEnd).then_some(())
        })
        .await?;
        Ok(items)
    }

    pub(super) async fn until_active(&mut self) -> Outcome {
        if self.desk.is_active() {
            return Ok(());
        }
        self.until("Active, as every item is answered", |heard| {
            matches!(heard, Heard::Active).then_some(())
        })
        .await
    }

    /// Answers an item.
    pub(super) fn answer(&mut self, index: u32, key: TaskKey, judgement: Judgement) {
        self.desk.answer(DownFrame::InventoryAnswer { index, key, judgement });
    }

    /// Starts the worker and registers it.
    pub(super) async fn begin(&mut self) -> Outcome<Hello> {
        self.start()?;
        Ok(self.register().await?.0)
    }

    /// Sends what is due. Whoever does not take it is found by what is heard of it.
    pub(super) async fn flush(&mut self) {
        for packet in self.desk.due() {
            let bytes = moorline_wire::encode_down(&packet);
            self.send(bytes, packet.lane).await;
        }
    }

    /// Sends bytes, whatever they are.
    pub(super) async fn send(&mut self, bytes: Bytes, lane: Lane) {
        let Some(connection) = &mut self.connection else { return };
        connection.send(bytes, lane, self.subject.limits.patience).await;
    }

    /// Says something that has no number, now.
    pub(super) async fn say(&mut self, frame: DownFrame) {
        self.desk.say(frame);
        self.flush().await;
    }

    /// Assigns a task.
    pub(super) async fn assign(&mut self, key: TaskKey, handler: &str, payload: impl Into<Bytes>) {
        self.assign_for(key, handler, payload, None).await;
    }

    /// Assigns a task that may run so long.
    pub(super) async fn assign_for(
        &mut self,
        key: TaskKey,
        handler: &str,
        payload: impl Into<Bytes>,
        limit: Option<Duration>,
    ) {
        let handler = Name::new(handler).expect("handlers of the kit have names");
        self.tell(ToWorker::Assign { key, handler, timeout: limit }, payload.into()).await;
    }

    /// Says a numbered message.
    pub(super) async fn tell(&mut self, message: ToWorker, body: Bytes) {
        self.desk.lanes.down[message.lane().index()].say(message, body);
        self.flush().await;
    }

    /// Settles a result.
    pub(super) async fn settle(&mut self, key: TaskKey) {
        let disposition = Disposition::Accepted;
        self.tell(ToWorker::Settled { key, disposition }, Bytes::new()).await;
    }

    /// Refuses a worker that said Hello, and ends the connection in order.
    pub(super) async fn refuse(&mut self, dismissal: Dismissal) {
        let hint = "this is a test of conformance".to_owned();
        self.desk.dismissed();
        self.say(DownFrame::Refused { dismissal, hint }).await;
        self.close().await;
    }

    /// Sends a worker away, and ends the connection in order.
    pub(super) async fn send_away(&mut self, dismissal: Dismissal) {
        let hint = "this is a test of conformance".to_owned();
        self.desk.dismissed();
        self.say(DownFrame::GoAway { dismissal, hint }).await;
        self.close().await;
    }

    /// Ends the connection in order. Who does not end its side as well is cut.
    async fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.close(Duration::from_secs(2)).await;
        }
        self.cut();
    }

    /// Cuts the connection.
    pub(super) fn cut(&mut self) {
        self.connection = None;
        self.heard.clear();
    }

    /// The end of the connection, which the worker has a reason for.
    pub(super) async fn until_ended(&mut self, limit: Duration, expected: &str) -> Outcome {
        self.until_within(limit, expected, |heard| matches!(heard, Heard::Ended(_)).then_some(()))
            .await
    }

    /// The message of the worker about a key that is wanted.
    pub(super) async fn until_said(&mut self, expected: &str, wanted: WorkerMessage) -> Outcome {
        self.until(expected, |heard| {
            let Heard::Said(said) = heard else { return None };
            (said.head == wanted).then_some(())
        })
        .await
    }

    /// That an attempt was accepted.
    pub(super) async fn until_accepted(&mut self, key: TaskKey) -> Outcome {
        self.until_said("an accept of the assignment", WorkerMessage::Accept { key }).await
    }

    /// The result of an attempt.
    pub(super) async fn until_result(&mut self, key: TaskKey) -> Outcome<Ending> {
        let expected = format!("the result of attempt {}", key.attempt.0);
        self.until(&expected, |heard| result_of(heard, key)).await
    }

    /// That a lane is acknowledged up to what was said on it.
    pub(super) async fn until_acknowledged(&mut self, lane: Lane) -> Outcome {
        self.until_acknowledged_within(self.subject.limits.patience, lane).await
    }

    /// The same in so much time.
    pub(super) async fn until_acknowledged_within(
        &mut self,
        limit: Duration,
        lane: Lane,
    ) -> Outcome {
        let expected = format!("everything on lane {lane:?} acknowledged within {limit:?}");
        let end = Instant::now() + limit;
        loop {
            let down = &self.desk.lanes.down[lane.index()];
            if down.acknowledged == down.last() && down.waits() == 0 {
                return Ok(());
            }
            let saw = format!("{} of {}", down.acknowledged, down.last());
            match self.hear(end).await {
                Some(Heard::Ended(_)) | None => return broken(expected, saw),
                Some(_) => {}
            }
        }
    }

    /// The next beat.
    pub(super) async fn until_beat(&mut self) -> Outcome<moorline_link::Beat> {
        self.until("a beat", beat).await
    }

    /// Changes how much may be under way on a lane, for sessions that are new.
    pub(super) fn window(&mut self, lane: Lane, credit: Credit) {
        self.desk.manners.window[lane.index()] = credit;
    }
}

impl Hears for Stage<'_> {
    type Heard = Heard;

    fn patience(&self) -> Duration {
        self.subject.limits.patience
    }

    fn trail(&self) -> &Trail {
        &self.trail
    }

    fn is_end(heard: &Heard) -> bool {
        matches!(heard, Heard::Ended(_))
    }

    async fn hear(&mut self, end: Instant) -> Option<Heard> {
        loop {
            self.flush().await;
            if let Some(heard) = self.heard.pop_front() {
                self.trail.note(words(&heard));
                return Some(heard);
            }
            let connection = self.connection.as_mut()?;
            match connection.receive(end).await {
                Some(Ok(packet)) => self.heard.extend(self.desk.hear(packet)),
                Some(Err(reason)) => {
                    self.connection = None;
                    self.heard.push_back(Heard::Ended(reason));
                }
                None => return None,
            }
        }
    }
}

/// A beat.
pub(super) fn beat(heard: &Heard) -> Option<moorline_link::Beat> {
    if let Heard::Beat(beat) = heard { Some(*beat) } else { None }
}

/// The result of an attempt.
pub(super) fn result_of(heard: &Heard, of: TaskKey) -> Option<Ending> {
    let Heard::Said(said) = heard else { return None };
    let WorkerMessage::Result { key, outcome } = said.head else { return None };
    (key == of).then(|| Ending { seq: said.seq, outcome, body: said.body.clone() })
}

/// What is worked on goes on, and what is finished is to be sent.
pub(super) fn as_it_is(_: TaskKey, holding: Holding) -> Judgement {
    match holding {
        Holding::Running { .. } => Judgement::Continue,
        Holding::Finished { .. } => Judgement::Send,
    }
}

/// A task of a script. Both halves of its id matter.
pub(super) const fn task(n: u64) -> TaskKey {
    TaskKey { task: TaskId(0xfeed_f00d_0000_0001 << 64 | n as u128), attempt: Attempt(1) }
}

pub(super) fn exit_words(code: Option<i32>) -> String {
    code.map_or_else(|| "by a signal".to_owned(), |code| format!("with exit code {code}"))
}

pub(super) fn words(heard: &Heard) -> String {
    match heard {
        Heard::Hello { .. } => "a Hello".to_owned(),
        Heard::Item { index, .. } => format!("item {index}"),
        Heard::InventoryEnd => "the end of the inventory".to_owned(),
        Heard::Active => "Active".to_owned(),
        Heard::Beat(beat) => format!("beat {}", beat.seq),
        Heard::Statistics => "statistics".to_owned(),
        Heard::Ack(ack) => format!("ack of lane {:?} up to {}", ack.lane, ack.standing.received.0),
        Heard::Said(said) => format!("message {}: {}", said.seq, message_words(&said.head)),
        Heard::Goodbye => "a Goodbye".to_owned(),
        Heard::Ended(reason) => format!("the end of the connection ({})", reason.name()),
    }
}

fn message_words(message: &WorkerMessage) -> String {
    match message {
        WorkerMessage::Accept { .. } => "accept".to_owned(),
        WorkerMessage::Refuse { refusal, .. } => format!("refuse ({refusal:?})"),
        WorkerMessage::Held { .. } => "held".to_owned(),
        WorkerMessage::NotHeld { .. } => "not_held".to_owned(),
        WorkerMessage::Result { outcome, .. } => format!("result ({outcome:?})"),
    }
}
