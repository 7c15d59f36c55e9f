//! A worker of a script: who it is, and one connection of it.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use moorline_link::{
    ComeBack, Dismissal, Hello, Incarnation, Lane, Reason, Sym, Versions, Welcome, WorkerId,
};
use moorline_node::{About, Name, UpFrame};
use moorline_work::{
    Attempt, Disposition, Holding, Judgement, Outcome as Ended, TaskId, TaskKey, WorkerMessage,
};
use tokio::time::Instant;

use super::Table;
use super::seat::{Heard, Seat};
use crate::connection::Line;
use crate::hearing::{Hears, Trail};
use crate::outcome::{Failure, Outcome, broken};

/// The heartbeat interval that a script keeps, whatever it is told: it is more often than it must.
const BEAT: Duration = Duration::from_secs(2);

pub(super) struct Player<'a> {
    table: &'a Table<'a>,
    pub(super) seat: Seat,
    pub(super) worker: u128,
    pub(super) incarnation: u64,
    pub(super) name: String,
    pub(super) handler: String,
    pub(super) slots: u16,
    connection: Option<Line>,
    heard: VecDeque<Heard>,
    beats_at: Option<Instant>,
    trail: Trail,
}

/// What comes of a Hello.
pub(super) enum Answer {
    Welcome(Welcome),
    Refused(Dismissal),
}

pub(super) fn random() -> u64 {
    let mut bytes = [0; 8];
    // Without randomness scripts could meet each other, and nothing worse.
    let _ = getrandom::fill(&mut bytes);
    u64::from_le_bytes(bytes) | 1
}

/// A task that nobody handed in.
pub(super) fn nobodys_task() -> TaskKey {
    let task = TaskId(u128::from(random()) << 64 | u128::from(random()));
    TaskKey { task, attempt: Attempt(1) }
}

impl<'a> Player<'a> {
    /// A worker that nobody has seen before.
    pub(super) fn new(table: &'a Table<'a>) -> Self {
        let id = random();
        let own = format!("conformance-{id:016x}");
        let name = table.subject.name.as_ref().map(|name| name.as_str().to_owned());
        Self {
            table,
            seat: Seat::new(table.seen.clone()),
            worker: u128::from(id) << 64 | u128::from(random()),
            incarnation: random(),
            name: name.unwrap_or_else(|| own.clone()),
            handler: own,
            slots: 1,
            connection: None,
            heard: VecDeque::new(),
            beats_at: None,
            trail: Trail::default(),
        }
    }

    /// Another process of the same worker.
    pub(super) fn twin(&self) -> Self {
        let (worker, name) = (self.worker, self.name.clone());
        Self { worker, name, handler: self.handler.clone(), ..Self::new(self.table) }
    }

    /// Another worker of the same name.
    pub(super) fn namesake(&self) -> Self {
        Self { name: self.name.clone(), ..Self::new(self.table) }
    }

    /// Another connection of the same process: it knows the same session.
    pub(super) fn same(&self) -> Self {
        let mut same = Self { incarnation: self.incarnation, ..self.twin() };
        same.seat.session = self.seat.session;
        same.seat.up = self.seat.up.clone();
        same.seat.down = self.seat.down.clone();
        same
    }

    pub(super) async fn dial(&mut self) -> Outcome {
        let subject = self.table.subject;
        let dialling = subject.transport.dial(&subject.at);
        let connection = match tokio::time::timeout(self.patience(), dialling).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => {
                return broken(format!("a connection to {}", subject.at), error.to_string());
            }
            Err(_) => return broken(format!("a connection to {}", subject.at), "no answer"),
        };
        self.connection = Some(Line::new(connection));
        self.heard.clear();
        self.beats_at = None;
        self.seat.connected();
        Ok(())
    }

    /// Says Hello; a script may change it.
    pub(super) async fn say_hello(&mut self, change: impl FnOnce(&mut Hello)) {
        let mut head = Hello {
            versions: Versions { min: 1, max: 1 },
            features: 0,
            worker: WorkerId(self.worker),
            incarnation: Incarnation(self.incarnation),
            name: Sym(0),
            resume: self.seat.resume(),
            credit: self.seat.manners.window,
            beat_interval: Duration::from_secs(5),
            ticket: None,
            holds_work: false,
        };
        change(&mut head);
        let word = |text: &str| Name::new(text).expect("names of the kit are names");
        let about = About {
            name: word(&self.name),
            slots: self.slots,
            handlers: vec![word(&self.handler)],
            software: word("moorline conformance"),
            credential: self.table.subject.credential.clone(),
        };
        self.say(UpFrame::Hello { head, about }).await;
    }

    /// The answer to the Hello.
    pub(super) async fn answer(&mut self) -> Outcome<Answer> {
        self.until("a Welcome or a refusal", |heard| match heard {
            Heard::Welcome(welcome) => Some(Answer::Welcome(**welcome)),
            Heard::Refused(dismissal) => Some(Answer::Refused(*dismissal)),
            Heard::Answer { .. }
            | Heard::Active
            | Heard::Probe
            | Heard::BeatAnswer(_)
            | Heard::Ack(_)
            | Heard::Said(_)
            | Heard::GoAway(_)
            | Heard::Ended(_) => None,
        })
        .await
    }

    /// Dials and says Hello. Who comes too early for the coordinator comes again, as it was told.
    pub(super) async fn asks_with(&mut self, change: impl Fn(&mut Hello)) -> Outcome<Answer> {
        /// Refusals for a while that are borne.
        const TRIES: u32 = 20;
        let mut ticket = None;
        for _ in 0..TRIES {
            self.dial().await?;
            self.say_hello(|head| {
                head.ticket = ticket;
                change(head);
            })
            .await;
            let refused = match self.answer().await? {
                Answer::Refused(refused) if refused.reason == Reason::RateLimited => refused,
                answer @ (Answer::Welcome(_) | Answer::Refused(_)) => return Ok(answer),
            };
            let after = match refused.come_back {
                ComeBack::After(after) => after,
                ComeBack::Slot { after, ticket: slot } => {
                    ticket = Some(slot);
                    after
                }
                ComeBack::ByReason | ComeBack::Never => Duration::from_secs(1),
            };
            self.cut();
            tokio::time::sleep(after.min(self.patience())).await;
        }
        Err(Failure::NotJudged("the coordinator lets nobody in: rate_limited".to_owned()))
    }

    /// Dials, says Hello, and is welcomed.
    pub(super) async fn welcomed(&mut self) -> Outcome<Welcome> {
        match self.asks_with(|_| {}).await? {
            Answer::Welcome(welcome) => Ok(welcome),
            Answer::Refused(refused) => {
                broken("a Welcome", format!("refused, {}", refused.reason.name()))
            }
        }
    }

    /// Dials, says Hello, and is refused.
    pub(super) async fn refused(&mut self, reason: Reason) -> Outcome<Dismissal> {
        let expected = format!("refused, {}", reason.name());
        match self.asks_with(|_| {}).await? {
            Answer::Refused(refused) if refused.reason == reason => Ok(refused),
            Answer::Refused(refused) => {
                broken(expected, format!("refused, {}", refused.reason.name()))
            }
            Answer::Welcome(welcome) => broken(expected, format!("a Welcome: {welcome:?}")),
        }
    }

    /// Dials, registers with nothing in hand, and is active.
    pub(super) async fn enters(&mut self) -> Outcome<Welcome> {
        Ok(self.enters_with(&[]).await?.0)
    }

    /// The same with an inventory; what it was answered, in the order of the answers.
    pub(super) async fn enters_with(
        &mut self,
        items: &[(TaskKey, Holding)],
    ) -> Outcome<(Welcome, Vec<(TaskKey, Judgement)>)> {
        let welcome = self.welcomed().await?;
        let answers = self.lists(items).await?;
        self.say(UpFrame::Active).await;
        // What has a lane of its own may overtake it.
        let mut early = VecDeque::new();
        let active = self.until("Active", |heard| {
            if let Heard::Said(_) = heard {
                early.push_back(heard.clone());
            }
            matches!(heard, Heard::Active).then_some(())
        });
        active.await?;
        early.append(&mut self.heard);
        self.heard = early;
        Ok((welcome, answers))
    }

    /// Tells an inventory and waits for its answers.
    pub(super) async fn lists(
        &mut self,
        items: &[(TaskKey, Holding)],
    ) -> Outcome<Vec<(TaskKey, Judgement)>> {
        for (index, &(key, holding)) in (0..).zip(items) {
            self.say(UpFrame::InventoryItem { index, key, holding }).await;
        }
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        self.say(UpFrame::InventoryEnd { count }).await;
        let mut answers = Vec::new();
        // Which of them each belongs to, the seat finds out.
        for _ in items {
            let expected = "an answer to each item of the inventory";
            let answer = self.until(expected, |heard| {
                let Heard::Answer { key, judgement } = heard else { return None };
                Some((*key, *judgement))
            });
            answers.push(answer.await?);
        }
        Ok(answers)
    }

    /// Says something that has no number.
    pub(super) async fn say(&mut self, frame: UpFrame) {
        self.seat.say(frame);
        self.flush().await;
    }

    /// Says a numbered message.
    pub(super) async fn tell(&mut self, message: WorkerMessage, body: impl Into<Bytes>) {
        let lane = moorline_node::lane_of(&message);
        self.seat.up[lane.index()].say(message, body.into());
        self.flush().await;
    }

    /// Brings a success.
    pub(super) async fn brings(&mut self, key: TaskKey, body: impl Into<Bytes>) {
        self.tell(WorkerMessage::Result { key, outcome: Ended::Succeeded }, body).await;
    }

    /// The settlement of a result: its number and what became of it.
    pub(super) async fn until_settled(&mut self, of: TaskKey) -> Outcome<(u64, Disposition)> {
        self.until("a settlement of the result", |heard| settled(heard, of)).await
    }

    pub(super) async fn flush(&mut self) {
        for packet in self.seat.due() {
            let bytes = moorline_wire::encode_up(&packet);
            self.send(bytes, packet.lane).await;
        }
    }

    /// Sends bytes, whatever they are.
    pub(super) async fn send(&mut self, bytes: Bytes, lane: Lane) {
        let patience = self.patience();
        if let Some(connection) = &mut self.connection {
            connection.send(bytes, lane, patience).await;
        }
    }

    /// The end of the connection; if it is given a reason, this one. Where the registration goes on instead,
    /// that is no end.
    pub(super) async fn until_closed(&mut self, reason: Reason, what: &str) -> Outcome {
        let expected = format!("the end of the connection ({}), {what}", reason.name());
        let mut said = None;
        let went_on = self
            .until(&expected, |heard| match heard {
                Heard::GoAway(dismissal) | Heard::Refused(dismissal) => {
                    said = Some(dismissal.reason);
                    None
                }
                Heard::Welcome(_) | Heard::Active => Some(Some(words(heard))),
                Heard::Ended(_) => Some(None),
                Heard::Answer { .. }
                | Heard::Probe
                | Heard::BeatAnswer(_)
                | Heard::Ack(_)
                | Heard::Said(_) => None,
            })
            .await?;
        match (went_on, said) {
            (Some(saw), _) => broken(expected, saw),
            (None, Some(said)) if said != reason => {
                broken(expected, format!("sent away, {}", said.name()))
            }
            (None, Some(_) | None) => Ok(()),
        }
    }

    /// Cuts the connection.
    pub(super) fn cut(&mut self) {
        self.connection = None;
        self.heard.clear();
    }

    /// Leaves for good, so that nothing stays of it.
    pub(super) async fn leaves(&mut self) {
        self.say(UpFrame::Goodbye { reason: Reason::WorkerStopping }).await;
        if let Some(connection) = self.connection.take() {
            connection.close(Duration::from_secs(2)).await;
        }
    }
}

impl Hears for Player<'_> {
    type Heard = Heard;

    fn patience(&self) -> Duration {
        self.table.subject.limits.patience
    }

    fn trail(&self) -> &Trail {
        &self.trail
    }

    fn is_end(heard: &Heard) -> bool {
        matches!(heard, Heard::Ended(_))
    }

    /// Beats meanwhile.
    async fn hear(&mut self, end: Instant) -> Option<Heard> {
        loop {
            let now = Instant::now();
            if self.seat.is_welcomed() {
                let at = *self.beats_at.get_or_insert(now + BEAT);
                if at <= now {
                    self.beats_at = Some(now + BEAT);
                    self.seat.beat();
                }
            }
            self.flush().await;
            if let Some(heard) = self.heard.pop_front() {
                self.trail.note(words(&heard));
                return Some(heard);
            }
            let wake = self.beats_at.map_or(end, |at| at.min(end));
            match self.connection.as_mut()?.receive(wake).await {
                Some(Ok(packet)) => self.heard.extend(self.seat.hear(packet)),
                Some(Err(reason)) => {
                    self.connection = None;
                    self.heard.push_back(Heard::Ended(reason));
                }
                None if Instant::now() >= end => return None,
                None => {}
            }
        }
    }
}

/// The settlement of a result, with its number.
pub(super) fn settled(heard: &Heard, of: TaskKey) -> Option<(u64, Disposition)> {
    let Heard::Said(said) = heard else { return None };
    let moorline_node::ToWorker::Settled { key, disposition } = said.head else { return None };
    (key == of).then_some((said.seq, disposition))
}

pub(super) fn words(heard: &Heard) -> String {
    match heard {
        Heard::Welcome(_) => "a Welcome".to_owned(),
        Heard::Refused(dismissal) => format!("refused ({})", dismissal.reason.name()),
        Heard::Answer { judgement, .. } => format!("{judgement:?} of an item"),
        Heard::Active => "Active".to_owned(),
        Heard::Probe => "a Probe".to_owned(),
        Heard::BeatAnswer(answer) => format!("an answer to beat {}", answer.seq),
        Heard::Ack(ack) => format!("ack of lane {:?} up to {}", ack.lane, ack.standing.received.0),
        Heard::Said(said) => format!("message {}: {:?}", said.seq, said.head),
        Heard::GoAway(dismissal) => format!("sent away ({})", dismissal.reason.name()),
        Heard::Ended(reason) => format!("the end of the connection ({})", reason.name()),
    }
}
