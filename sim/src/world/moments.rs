//! Steps of the protocol that faults wait for, and what of them is counted.

use moorline_link::{Lane, Reason};
use moorline_node::{DownFrame, StoreOp, StorePlacement, ToWorker, UpFrame};
use moorline_work::{Judgement, WorkerMessage};

use super::swallow::NOBODYS;
use super::{Event, World};
use crate::FrameKind;
use crate::decide::{Decide, Site};
use crate::ledger::index_of;
use crate::plan::Moment;

/// How far the lanes of one direction of a session got: what comes again is counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    last: [u64; 2],
}

impl Sent {
    /// A message is sent. Whether that happened before.
    fn again(&mut self, lane: Lane, seq: u64) -> bool {
        let last = &mut self.last[lane.index()];
        let again = seq <= *last;
        *last = seq.max(*last);
        again
    }
}

impl World {
    /// This happens now, to this worker if to one: a fault that waited for it strikes.
    fn moment(&mut self, moment: Moment, worker: Option<usize>) {
        if self.armed.is_empty() || self.is_peaceful() {
            return;
        }
        let waits = |index: &usize| self.plan.episodes[*index].moment == Some(moment);
        let Some(place) = self.armed.iter().position(waits) else { return };
        let index = self.armed.remove(place);
        // At once, or while what was just sent is under way, or its answer.
        let most = self.plan.slowest() * 2;
        let delay = match self.draws.draw(Site::Strike, index as u64, 0, 2) {
            0 => 0,
            _ => self.draws.draw(Site::Strike, index as u64, 1, most),
        };
        self.after(delay, Event::Strike { index, worker });
    }

    /// A worker writes these frames.
    pub(super) fn note_up(&mut self, worker: usize, frames: &[UpFrame]) {
        for frame in frames {
            self.meet(worker, FrameKind::of_up(frame).0);
            let moment = match frame {
                UpFrame::Hello { .. } => Moment::Hello,
                UpFrame::InventoryItem { .. } => Moment::Item,
                UpFrame::Active => Moment::Active,
                UpFrame::Message(message) => {
                    let lane = moorline_node::lane_of(&message.head);
                    let again = self.workers[worker].sent[0].again(lane, message.seq.0);
                    let begins = message.body.len() < message.body_len as usize;
                    self.seen.replayed += u64::from(again);
                    self.seen.broken_bodies += u64::from(again && begins);
                    match message.head {
                        WorkerMessage::Accept { .. } => Moment::Accept,
                        WorkerMessage::Result { .. } => Moment::Result,
                        WorkerMessage::Held { .. } => {
                            self.seen.held += 1;
                            continue;
                        }
                        WorkerMessage::NotHeld { .. } => {
                            self.seen.not_held += 1;
                            continue;
                        }
                        WorkerMessage::Refuse { key, refusal } => {
                            self.seen.refused += 1;
                            if key != NOBODYS {
                                self.unless_calm(Some(worker), || {
                                    format!("w{worker} refuses {key:?}: {refusal:?}")
                                });
                            }
                            continue;
                        }
                    }
                }
                UpFrame::Part(_) => {
                    self.seen.parts += 1;
                    Moment::Part
                }
                UpFrame::Goodbye { .. } => Moment::Goodbye,
                UpFrame::InventoryEnd { .. }
                | UpFrame::Beat(_)
                | UpFrame::Statistics(_)
                | UpFrame::Ack(_) => continue,
            };
            self.moment(moment, Some(worker));
        }
    }

    /// The coordinator writes these frames to a worker.
    pub(super) fn note_down(&mut self, worker: usize, frames: &[DownFrame]) {
        for frame in frames {
            self.meet(worker, FrameKind::of_down(frame).0);
            let moment = match frame {
                DownFrame::Welcome { head, .. } => {
                    if !head.resumed {
                        self.workers[worker].sent = [Sent::default(); 2];
                        self.workers[worker].swallowed.clear();
                    }
                    Moment::Welcome
                }
                DownFrame::InventoryAnswer { judgement, .. } => {
                    let count = match judgement {
                        Judgement::Continue => &mut self.seen.continued,
                        Judgement::Adopt { .. } => &mut self.seen.adopted,
                        Judgement::Cancel => &mut self.seen.fenced,
                        Judgement::Send => &mut self.seen.sent,
                        Judgement::Drop { .. } => &mut self.seen.dropped,
                        Judgement::Unknown => &mut self.seen.unknown,
                    };
                    *count += 1;
                    Moment::Answer
                }
                DownFrame::Active => Moment::Active,
                DownFrame::Message(message) => {
                    let lane = message.head.lane();
                    let again = self.workers[worker].sent[1].again(lane, message.seq.0);
                    let begins = message.body.len() < message.body_len as usize;
                    self.seen.replayed += u64::from(again);
                    self.seen.broken_bodies += u64::from(again && begins);
                    match message.head {
                        ToWorker::Assign { .. } => Moment::Assign,
                        ToWorker::Settled { .. } => Moment::Settled,
                        ToWorker::Cancel { .. } => Moment::Recall,
                        ToWorker::Revoke { .. } => {
                            self.seen.revoked += 1;
                            Moment::Recall
                        }
                    }
                }
                DownFrame::Part(_) => {
                    self.seen.parts += 1;
                    Moment::Part
                }
                DownFrame::Probe => {
                    self.seen.challenged += 1;
                    continue;
                }
                DownFrame::GoAway { dismissal, .. } => {
                    self.seen.goaways += 1;
                    self.seen.moved += u64::from(dismissal.reason == Reason::Moved);
                    self.seen.taken_over += u64::from(dismissal.reason == Reason::WorkerRestarted);
                    continue;
                }
                DownFrame::Refused { .. }
                | DownFrame::BeatAnswer(_)
                | DownFrame::Ack(_)
                | DownFrame::Endpoints(_)
                | DownFrame::Redirect(_) => continue,
            };
            self.moment(moment, Some(worker));
        }
    }

    /// The store is asked for this.
    pub(super) fn note_op(&mut self, op: &StoreOp) {
        match op {
            StoreOp::Lease { worker, .. }
            | StoreOp::Adopt { worker, .. }
            | StoreOp::Submit { placement: StorePlacement::Leased { worker, .. }, .. } => {
                self.moment(Moment::Lease, Some(index_of(worker.0)));
            }
            StoreOp::Requeue { .. } => self.moment(Moment::Lease, None),
            StoreOp::Finish { .. } => self.moment(Moment::End, None),
            StoreOp::Submit {
                placement: StorePlacement::Unclaimed | StorePlacement::Claimed { .. },
                ..
            }
            | StoreOp::Claim { .. }
            | StoreOp::Unclaim { .. }
            | StoreOp::Leases
            | StoreOp::Lookup { .. }
            | StoreOp::Cancel { .. }
            | StoreOp::Retry { .. }
            | StoreOp::Worker(_)
            | StoreOp::Forget { .. }
            | StoreOp::Workers
            | StoreOp::Event { .. } => {}
        }
    }
}
