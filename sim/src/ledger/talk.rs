//! What both ends say on their connections, and when: who may speak, in which session, by which number.

use moorline_link::{Beat, Reason, SessionId, Standing};
use moorline_node::{DownFrame, UpFrame};

use super::{Awake, Judgement, Ledger, broken};
use crate::Rule;
use crate::answers::Answers;

/// How long a newcomer waits for the answer of an incumbent that is there.
const PROBE: u64 = 1_000_000_000;

/// What was said on every connection, and in every worker's session.
#[derive(Debug, Default)]
pub(super) struct Talk {
    /// By number.
    conns: Vec<Conn>,
    workers: Vec<Worker>,
    /// The last session that was begun in this life.
    last_session: Option<SessionId>,
    /// Messages that the coordinator has written on more than one connection in this life.
    again: u64,
}

/// One connection, as both ends know it.
#[derive(Clone, Copy, Debug, Default)]
struct Conn {
    /// Whose it is: of which process, by its place ...
    worker: usize,
    /// ... and of which worker, for the coordinator.
    is: usize,
    /// The process that dialled.
    process: u64,
    up: Side,
    down: Side,
    /// A Hello reached the coordinator, ...
    greeted: bool,
    /// ... and its answer was written, ...
    welcomed: bool,
    /// ... and reached the worker.
    registered: bool,
    /// The worker's Active was written, ...
    active_said: bool,
    /// ... and reached the coordinator.
    active_heard: bool,
    /// The coordinator wants a sign of life, ...
    probed: bool,
    /// ... and got one.
    proven: bool,
    /// The worker's last word on this, as the coordinator has heard it.
    draining: bool,
    /// When the coordinator has said its last word.
    dismissed_at: u64,
    /// It has heard the worker's goodbye, or has sent it away for a reason of its own.
    left: bool,
    /// The last heartbeat that was written.
    beat: u32,
    answers: Answers,
}

/// What one end has said on a connection.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    /// It has said its last word.
    over: bool,
    /// The last number on each lane.
    last: [Option<u64>; 2],
}

/// A session as one end knows it.
#[derive(Clone, Copy, Debug, Default)]
struct Lanes {
    /// The last number it has given on each lane.
    given: [u64; 2],
    /// What it has acknowledged on each lane.
    received: [u64; 2],
}

/// A worker, as the coordinator and its present process know it.
#[derive(Clone, Debug, Default)]
struct Worker {
    /// Its session at the coordinator, and the process and the connection that have it.
    session: Option<(SessionId, u64, usize)>,
    /// Processes that claim its place, since then.
    newcomers: Vec<(u64, Awake)>,
    slots: u16,
    up: Lanes,
    down: Lanes,
    /// Messages that its present process has written on more than one connection.
    again: u64,
}

impl Side {
    /// A message gets or repeats its number. Whether it had it before.
    fn number(&mut self, lanes: &mut Lanes, lane: usize, seq: u64) -> Result<bool, String> {
        let given = &mut lanes.given[lane];
        let follows = self.last[lane].is_none_or(|last| seq == last + 1);
        if !follows || seq > *given + 1 || seq == 0 {
            let last = self.last[lane];
            return Err(format!("message {seq} of lane {lane} comes after {last:?}, of {given}"));
        }
        self.last[lane] = Some(seq);
        let again = seq <= *given;
        *given = seq.max(*given);
        Ok(again)
    }
}

impl Lanes {
    fn acknowledge(&mut self, lane: usize, standing: Standing) -> Result<(), String> {
        let before = std::mem::replace(&mut self.received[lane], standing.received.0);
        if standing.received.0 >= before {
            return Ok(());
        }
        let now = standing.received.0;
        Err(format!("{now} messages of lane {lane} have come, and {before} had"))
    }
}

fn back(words: Result<(), String>, who: &str) -> Judgement {
    words.or_else(|words| broken(Rule::WentBack, format!("{who}: {words}")))
}

impl Talk {
    /// The process that has dialled this.
    pub(super) fn process_of(&self, conn: usize) -> u64 {
        self.conns[conn].process
    }

    pub(super) fn among(workers: usize) -> Self {
        Self { workers: vec![Worker::default(); workers], ..Self::default() }
    }
}

impl Ledger {
    /// A process of a worker has begun: its lanes are empty.
    pub(super) fn talk_anew(&mut self, worker: usize) {
        let state = &mut self.talk.workers[worker];
        (state.up, state.again) = (Lanes::default(), 0);
    }

    /// A life of the coordinator has begun.
    pub(super) fn coordinator_talks_anew(&mut self) {
        self.talk.last_session = None;
        self.talk.again = 0;
        for worker in &mut self.talk.workers {
            worker.session = None;
            worker.newcomers.clear();
            worker.down = Lanes::default();
        }
    }

    /// A worker's process dials; connections are numbered.
    pub(crate) fn dialled_as(&mut self, worker: usize, is: usize, process: u64) {
        self.talk.conns.push(Conn { worker, is, process, ..Conn::default() });
    }

    /// The coordinator gives the connection of a worker up, although it may not come to say so.
    pub(crate) fn sent_away(&mut self, worker: usize, reason: Reason) {
        self.promises_end(worker);
        if reason != Reason::WorkerRestarted {
            self.disconnected_by_hand(worker);
        }
    }

    /// An operator has the coordinator give the connection of a worker up. It may say nothing of that,
    /// where another process has waited for the place and takes it at once.
    pub(crate) fn disconnected_by_hand(&mut self, worker: usize) {
        if let Some((_, _, conn)) = self.talk.workers[worker].session {
            self.talk.conns[conn].left = true;
        }
    }

    /// Whether the worker was welcomed on this connection.
    pub(crate) fn is_registered(&self, conn: usize) -> bool {
        self.talk.conns[conn].registered
    }

    /// A worker writes these frames.
    pub(crate) fn worker_says(&mut self, conn: usize, frames: &[UpFrame]) -> Judgement {
        for frame in frames {
            self.worker_says_one(conn, frame)?;
        }
        Ok(())
    }

    fn worker_says_one(&mut self, conn: usize, frame: &UpFrame) -> Judgement {
        let mut state = self.talk.conns[conn];
        let worker = state.worker;
        if state.up.over {
            let words = format!("w{worker} says {frame:?} on c{conn} after its last word");
            return broken(Rule::SaidAfterEnd, words);
        }
        let early = || {
            let words = format!("w{worker} says {frame:?} on c{conn} too early");
            broken(Rule::SaidTooEarly, words)
        };
        let party = &mut self.talk.workers[worker];
        let lanes = &mut party.up;
        match frame {
            UpFrame::Hello { head, .. } => {
                if state.beat > 0 || state.registered {
                    return early();
                }
                if let Some(resume) = head.resume {
                    for (lane, standing) in resume.lanes.into_iter().enumerate() {
                        back(lanes.acknowledge(lane, standing), "a Hello")?;
                    }
                }
            }
            UpFrame::InventoryItem { .. }
            | UpFrame::InventoryEnd { .. }
            | UpFrame::Statistics(_) => {
                if !state.registered {
                    return early();
                }
            }
            UpFrame::Active => {
                if !state.registered {
                    return early();
                }
                state.active_said = true;
            }
            UpFrame::Beat(beat) => {
                if !state.registered {
                    return early();
                }
                if beat.seq <= state.beat {
                    let words =
                        format!("heartbeat {} of w{worker} follows {}", beat.seq, state.beat);
                    return broken(Rule::WentBack, words);
                }
                state.beat = beat.seq;
            }
            UpFrame::Ack(ack) => {
                if !state.active_said {
                    return early();
                }
                back(lanes.acknowledge(ack.lane.index(), ack.standing), "a worker")?;
            }
            UpFrame::Message(message) => {
                if !state.active_said {
                    return early();
                }
                let lane = moorline_node::lane_of(&message.head).index();
                match state.up.number(lanes, lane, message.seq.0) {
                    Ok(again) => party.again += u64::from(again),
                    Err(words) => return back(Err(words), "a worker"),
                }
            }
            UpFrame::Part(_) => {
                if !state.active_said {
                    return early();
                }
            }
            UpFrame::Goodbye { .. } => {
                if !state.registered {
                    return early();
                }
                state.up.over = true;
            }
        }
        self.talk.conns[conn] = state;
        Ok(())
    }

    /// A worker reads these frames.
    pub(crate) fn worker_hears(&mut self, conn: usize, frames: &[DownFrame], now: u64) {
        let state = &mut self.talk.conns[conn];
        let worker = state.worker;
        for frame in frames {
            state.answers.hears(frame, state.beat, now);
            if let DownFrame::Welcome { head, .. } = frame {
                state.registered = true;
                if !head.resumed {
                    self.talk.workers[worker].up = Lanes::default();
                }
            }
        }
        for frame in frames {
            self.dialler_hears(worker, frame);
        }
    }

    /// A worker's connection takes nothing for now.
    pub(crate) fn worker_blocked(&mut self, conn: usize) {
        self.talk.conns[conn].answers.excuse();
    }

    /// A worker closes a connection.
    pub(crate) fn worker_closes(&self, conn: usize, reason: Reason, now: u64) -> Judgement {
        let Conn { worker, beat, answers, .. } = self.talk.conns[conn];
        match answers.is_early(reason, beat, now, self.patience) {
            None => Ok(()),
            Some(words) => {
                broken(Rule::GivenUpEarly, format!("w{worker} gives c{conn} up after {words}"))
            }
        }
    }

    /// The coordinator reads these frames.
    pub(crate) fn coordinator_hears(&mut self, conn: usize, frames: &[UpFrame], now: u64) {
        let reading = self.reading(now);
        let state = &mut self.talk.conns[conn];
        let worker = &mut self.talk.workers[state.is];
        let mut asked = None;
        for frame in frames {
            match frame {
                UpFrame::Hello { about, .. } => {
                    state.greeted = true;
                    let process = state.process;
                    let incumbent = worker.session.is_some_and(|of| of.1 != process);
                    let known = worker.newcomers.iter().any(|(known, _)| *known == process);
                    if incumbent && !known {
                        worker.newcomers.push((process, reading));
                        asked = worker.session.map(|of| of.2);
                    }
                    if !incumbent {
                        worker.slots = about.slots;
                    }
                }
                UpFrame::Active => state.active_heard = true,
                UpFrame::Beat(_) => state.proven |= state.probed,
                UpFrame::InventoryItem { .. }
                | UpFrame::InventoryEnd { .. }
                | UpFrame::Statistics(_)
                | UpFrame::Ack(_)
                | UpFrame::Message(_)
                | UpFrame::Part(_) => {}
                UpFrame::Goodbye { .. } => state.left = true,
            }
        }
        // The incumbent has to show anew that it lives.
        if let Some(conn) = asked {
            let incumbent = &mut self.talk.conns[conn];
            (incumbent.probed, incumbent.proven) = (false, false);
        }
    }

    /// The coordinator has read this heartbeat, and acted on it.
    pub(crate) fn coordinator_heard(&mut self, conn: usize, beat: Beat) {
        self.talk.conns[conn].draining = beat.flags.draining;
    }

    /// The coordinator writes these frames. `is_open`: whether it still has a connection.
    pub(crate) fn coordinator_says(
        &mut self,
        conn: usize,
        frames: &[DownFrame],
        now: u64,
        is_open: impl Fn(usize) -> bool,
    ) -> Judgement {
        for frame in frames {
            self.coordinator_says_one(conn, frame, now, &is_open)?;
        }
        Ok(())
    }

    fn coordinator_says_one(
        &mut self,
        conn: usize,
        frame: &DownFrame,
        now: u64,
        is_open: &dyn Fn(usize) -> bool,
    ) -> Judgement {
        let mut state = self.talk.conns[conn];
        if state.down.over {
            let words = format!("the coordinator says {frame:?} on c{conn} after its last word");
            return broken(Rule::SaidAfterEnd, words);
        }
        match frame {
            DownFrame::Refused { dismissal, .. } | DownFrame::GoAway { dismissal, .. } => {
                state.down.over = true;
                state.dismissed_at = now;
                state.left |= dismissal.reason != Reason::WorkerRestarted;
                self.talk.conns[conn] = state;
                // Sent away for another connection of its own, it still waits; and so it does if that is one
                // on which it was never heard.
                if matches!(frame, DownFrame::Refused { .. }) && state.greeted {
                    let worker = &mut self.talk.workers[state.is];
                    worker.newcomers.retain(|(process, _)| *process != state.process);
                }
                return Ok(());
            }
            DownFrame::Welcome { head, .. } => {
                if !state.greeted || state.welcomed {
                    let words = format!("the coordinator says {frame:?} on c{conn} too early");
                    return broken(Rule::SaidTooEarly, words);
                }
                self.promises_end(state.is);
                self.may_welcome(conn, &state, (head.session, head.resumed), now, is_open)?;
                let worker = &mut self.talk.workers[state.is];
                if !head.resumed {
                    worker.down = Lanes::default();
                }
                for (lane, standing) in head.lanes.into_iter().enumerate() {
                    back(worker.down.acknowledge(lane, standing), "a Welcome")?;
                }
                worker.session = Some((head.session, state.process, conn));
                worker.newcomers.clear();
                state.welcomed = true;
                self.talk.conns[conn] = state;
                return Ok(());
            }
            DownFrame::InventoryAnswer { .. }
            | DownFrame::Active
            | DownFrame::Probe
            | DownFrame::BeatAnswer(_)
            | DownFrame::Ack(_)
            | DownFrame::Message(_)
            | DownFrame::Part(_) => {}
            // What is told beside a session, or in front of a last word.
            DownFrame::Endpoints(_) | DownFrame::Redirect(_) => return Ok(()),
        }
        let worker = &mut self.talk.workers[state.is];
        if worker.session.map(|of| of.2) != Some(conn) {
            let words =
                format!("the coordinator says {frame:?} on c{conn}, which carries no session");
            return broken(Rule::TwoSessions, words);
        }
        let early = !state.active_heard;
        let too_early = || {
            let words = format!("the coordinator says {frame:?} on c{conn} too early");
            broken(Rule::SaidTooEarly, words)
        };
        match frame {
            DownFrame::Probe => (state.probed, state.proven) = (true, false),
            DownFrame::Active | DownFrame::Part(_) if early => return too_early(),
            DownFrame::Ack(ack) => {
                if early {
                    return too_early();
                }
                back(worker.down.acknowledge(ack.lane.index(), ack.standing), "the coordinator")?;
            }
            DownFrame::Message(message) => {
                if early {
                    return too_early();
                }
                let lane = message.head.lane().index();
                match state.down.number(&mut worker.down, lane, message.seq.0) {
                    Ok(again) => self.talk.again += u64::from(again),
                    Err(words) => return back(Err(words), "the coordinator"),
                }
            }
            DownFrame::Active
            | DownFrame::Part(_)
            | DownFrame::InventoryAnswer { .. }
            | DownFrame::BeatAnswer(_)
            | DownFrame::Welcome { .. }
            | DownFrame::Refused { .. }
            | DownFrame::GoAway { .. }
            | DownFrame::Endpoints(_)
            | DownFrame::Redirect(_) => {}
        }
        self.talk.conns[conn] = state;
        Ok(())
    }

    /// Whether a session may begin or go on over this connection.
    fn may_welcome(
        &mut self,
        conn: usize,
        state: &Conn,
        (session, resumed): (SessionId, bool),
        now: u64,
        is_open: &dyn Fn(usize) -> bool,
    ) -> Judgement {
        let worker = state.is;
        let incumbent = self.talk.workers[worker].session;
        if resumed {
            return match incumbent {
                Some((present, process, _)) if present == session && process == state.process => {
                    Ok(())
                }
                Some(_) | None => {
                    let words =
                        format!("c{conn} goes on with {session:?}, present is {incumbent:?}");
                    broken(Rule::TwoSessions, words)
                }
            };
        }
        let grows = self.talk.last_session.is_none_or(|last| last.n < session.n);
        if session.epoch != self.epoch || !grows {
            let last = self.talk.last_session;
            let words = format!("{session:?} of {:?} comes after {last:?}", self.epoch);
            return broken(Rule::WentBack, words);
        }
        self.talk.last_session = Some(session);
        let Some((_, process, carrier)) = incumbent else { return Ok(()) };
        let lives = self.talk.conns[carrier];
        if process == state.process || lives.left || !is_open(carrier) {
            return Ok(());
        }
        let newcomers = &self.talk.workers[worker].newcomers;
        let since = newcomers.iter().find(|(of, _)| *of == state.process).map(|(_, since)| *since);
        let waited = since.map_or(0, |since| self.since(since, now));
        let last = self.workers[worker].last.unwrap_or(self.began);
        let silent = self.since(last, now) >= self.disconnect_after;
        if silent || (waited >= PROBE && !lives.proven) {
            return Ok(());
        }
        let words = format!(
            "another process of w{worker} takes c{carrier}'s place after {} ms; it {}",
            waited / 1_000_000,
            if lives.proven { "has proven that it lives" } else { "was not asked" },
        );
        broken(Rule::TwoSessions, words)
    }

    /// Whether a worker may be given a task now. `given`: how many it has.
    ///
    /// Who is sent away at this very instant may be: a coordinator that stops sends one away after the
    /// other, and what comes free is decided on in between. Nothing is said of it any more.
    pub(super) fn may_be_given(&self, worker: usize, given: usize, now: u64) -> Judgement {
        let state = &self.talk.workers[worker];
        let conn = state.session.map(|(_, _, conn)| &self.talk.conns[conn]);
        let is_here = conn
            .is_some_and(|conn| conn.active_heard && (!conn.down.over || conn.dismissed_at == now));
        let words = if !is_here {
            "is not active"
        } else if conn.is_some_and(|conn| conn.draining) {
            "drains"
        } else if given >= usize::from(state.slots) {
            "has no slot left"
        } else {
            return Ok(());
        };
        broken(Rule::GivenWrongly, format!("w{worker} is given a task and {words}"))
    }

    /// How often messages were written once more: by this worker's process, or by the coordinator.
    pub(crate) fn again(&self, worker: Option<usize>) -> u64 {
        worker.map_or(self.talk.again, |worker| self.talk.workers[worker].again)
    }
}
