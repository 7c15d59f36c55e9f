//! One way of one TCP connection: what waits on it, and until when.

use std::collections::VecDeque;
use std::time::Duration;

use crate::counts::WayCounts;
use crate::dice::{Dice, Site};
use crate::faults::Faults;
use crate::line::Line;

/// The longest piece into which a stream is split, in bytes: what a segment on an Ethernet carries.
pub const SEGMENT: usize = 1_448;

/// Bytes that wait at most.
const BYTES_MAX: usize = 64 << 10;
/// Pieces that wait at most.
const PIECES_MAX: usize = 256;

/// How long a lost segment takes to be sent again, with twice the latency: the shortest of Linux.
const RETRANSMIT: Duration = Duration::from_millis(200);
/// How often a segment is lost at most.
const LOSSES_MAX: u64 = 8;

/// What a lane needs to know of the route it is on.
pub(crate) struct Pass<'a> {
    pub(crate) faults: Faults,
    pub(crate) dice: Dice,
    pub(crate) line: &'a mut Line,
    pub(crate) counts: &'a mut WayCounts,
    /// Whether what comes is swallowed.
    pub(crate) silent: bool,
    /// Grows with every change: what waits is timed anew.
    pub(crate) era: u64,
}

#[derive(Debug)]
struct Piece {
    number: u64,
    bytes: Vec<u8>,
    written: usize,
    due: Duration,
}

/// The machine of one way of a connection. Drive it so: [`keep_up`](Self::keep_up) whenever something may have
/// changed; [`take`](Self::take) what the source brings, as much as there is [`room`](Self::room) for, and
/// [`end`](Self::end) when it has ended; write [`due`](Self::due) bytes and say how many have
/// [`passed`](Self::passed); end the sink when [`end_is_due`](Self::end_is_due), and say so with
/// [`close`](Self::close). Nothing changes by itself before [`next_wake`](Self::next_wake).
#[derive(Default, Debug)]
pub(crate) struct Lane {
    pieces: VecDeque<Piece>,
    waiting: usize,
    numbered: u64,
    /// When the last piece is due: nothing overtakes it.
    last_due: Duration,
    /// The source has ended, and its end is due then.
    end: Option<Duration>,
    /// Nothing comes out any more.
    over: bool,
    silent: bool,
    era: u64,
}

impl Lane {
    /// How many bytes it takes from the source now; 0 if the source is not to be read.
    pub(crate) fn room(&self) -> usize {
        if self.over || self.end.is_some() {
            return 0;
        }
        if self.silent {
            return usize::MAX;
        }
        // In whole pieces: a source that is held up is not read in crumbs.
        let pieces = PIECES_MAX.saturating_sub(self.pieces.len());
        pieces.min(BYTES_MAX.saturating_sub(self.waiting) / SEGMENT) * SEGMENT
    }

    /// Heeds changes of the route. What is silent once stays silent.
    pub(crate) fn keep_up(&mut self, now: Duration, pass: &mut Pass<'_>) {
        if pass.silent && !self.silent {
            self.silence(pass.counts);
        }
        if self.era == pass.era {
            return;
        }
        self.era = pass.era;
        self.last_due = now;
        for piece in &mut self.pieces {
            let rest = piece.bytes.len() - piece.written;
            let left = pass.line.leave(now, rest, pass.faults.bandwidth);
            piece.due = self.last_due.max(left.saturating_add(delay(piece.number, pass)));
            self.last_due = piece.due;
        }
        if self.end.is_some() {
            self.end = Some(self.last_due.max(now.saturating_add(pass.faults.latency)));
        }
    }

    /// From now on everything is swallowed, with what waits.
    pub(crate) fn silence(&mut self, counts: &mut WayCounts) {
        self.silent = true;
        counts.swallowed += self.waiting as u64;
        self.pieces.clear();
        self.waiting = 0;
        if self.end.take().is_some() {
            self.over = true;
        }
    }

    /// Whether everything is swallowed.
    pub(crate) fn is_silent(&self) -> bool {
        self.silent
    }

    /// Takes bytes from the source.
    pub(crate) fn take(&mut self, now: Duration, bytes: &[u8], pass: &mut Pass<'_>) {
        self.keep_up(now, pass);
        for piece in bytes.chunks(SEGMENT) {
            let number = self.numbered;
            self.numbered += 1;
            pass.counts.pieces += 1;
            if self.silent {
                pass.counts.swallowed += piece.len() as u64;
                continue;
            }
            let mut bytes = piece.to_vec();
            if pass.dice.hits(Site::Corrupt, number, 0, pass.faults.corrupt) {
                pass.dice.flip(number, &mut bytes);
                pass.counts.corrupted += 1;
            }
            pass.counts.stalls += losses(number, pass);
            let left = pass.line.leave(now, bytes.len(), pass.faults.bandwidth);
            let due = self.last_due.max(left.saturating_add(delay(number, pass)));
            self.last_due = due;
            self.waiting += bytes.len();
            self.pieces.push_back(Piece { number, bytes, written: 0, due });
        }
    }

    /// The source has ended: nothing comes any more. Its end arrives behind its bytes.
    pub(crate) fn end(&mut self, now: Duration, pass: &mut Pass<'_>) {
        self.keep_up(now, pass);
        if self.silent {
            self.over = true;
        } else {
            self.end = Some(self.last_due.max(now.saturating_add(pass.faults.latency)));
        }
    }

    /// Bytes to be written now; none if there are none.
    pub(crate) fn due(&self, now: Duration) -> Option<&[u8]> {
        let piece = self.pieces.front().filter(|piece| piece.due <= now)?;
        Some(&piece.bytes[piece.written..])
    }

    /// So many of those bytes are written.
    pub(crate) fn passed(&mut self, len: usize, counts: &mut WayCounts) {
        let Some(piece) = self.pieces.front_mut() else { return };
        piece.written += len;
        counts.bytes += len as u64;
        self.waiting -= len;
        if piece.written == piece.bytes.len() {
            self.pieces.pop_front();
        }
    }

    /// Whether the sink is to be ended now: everything before is written.
    pub(crate) fn end_is_due(&self, now: Duration) -> bool {
        !self.over && self.pieces.is_empty() && self.end.is_some_and(|end| end <= now)
    }

    /// Nothing comes out any more.
    pub(crate) fn close(&mut self) {
        self.over = true;
        self.pieces.clear();
        self.waiting = 0;
    }

    /// Whether nothing comes out any more.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// When something becomes due; `None` if nothing waits for a time. It may have passed already.
    pub(crate) fn next_wake(&self) -> Option<Duration> {
        if self.over {
            return None;
        }
        self.pieces.front().map(|piece| piece.due).or(self.end)
    }
}

/// How long a piece takes, once it has left.
fn delay(number: u64, pass: &Pass<'_>) -> Duration {
    let Faults { latency, jitter, .. } = pass.faults;
    let retransmit = RETRANSMIT.saturating_add(latency.saturating_mul(2));
    let losses = losses(number, pass);
    // Once, twice, four times as long: in all one less than the next power.
    let stall = retransmit.saturating_mul((1 << losses) - 1);
    latency.saturating_add(pass.dice.up_to(Site::Jitter, number, jitter)).saturating_add(stall)
}

/// How often a piece is lost before it arrives.
fn losses(number: u64, pass: &Pass<'_>) -> u64 {
    let lost = |again: &u64| pass.dice.hits(Site::Loss, number, *again, pass.faults.loss);
    (0..LOSSES_MAX).take_while(lost).count() as u64
}

#[cfg(test)]
mod tests;
