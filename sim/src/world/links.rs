//! What lies between a worker and the coordinator: how long a packet travels, and whether anything does.

use bytes::Bytes;

use super::{Event, World};
use crate::decide::{Decide, Site};
use crate::plan::{Fault, Lull, Mode, SEC, Side, Way, Who, Workers, good_path};

/// One direction of the way between a worker and the coordinator: what is wrong with it, and until when.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Link {
    spikes: Spikes,
    stalls: Stalls,
    replays: Replays,
    corrupts: Corrupts,
    narrow: Narrow,
    segments: Segments,
    /// Nothing arrives until then.
    broken: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Spikes {
    until: u64,
    ppm: u64,
    most: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Stalls {
    until: u64,
    ppm: u64,
    burst: u32,
    rto: u64,
    /// So many further packets of the present burst are lost once.
    left: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Replays {
    until: u64,
    ppm: u64,
    copies: u32,
    delay: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Corrupts {
    until: u64,
    ppm: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Narrow {
    until: u64,
    rate: u64,
    queue: u64,
    /// When the last byte that was written leaves.
    free_at: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Segments {
    until: u64,
    size: u64,
    gap: u64,
}

/// The ends that send this way.
fn senders(way: Way) -> impl Iterator<Item = Side> {
    [Side::Worker, Side::Coordinator].into_iter().filter(move |side| way.is_from(*side))
}

/// Of a draw that belongs to another one at the same place.
const SECOND: u64 = 1 << 63;
const THIRD: u64 = 1 << 62;

impl World {
    /// A fault of the links of some workers begins. It is over at `until`.
    pub(super) fn spoil_links(&mut self, fault: Fault, until: u64) {
        let (workers, way) = match fault {
            Fault::Spikes { workers, way, .. }
            | Fault::Stalls { workers, way, .. }
            | Fault::Replay { workers, way, .. }
            | Fault::Corrupt { workers, way, .. }
            | Fault::Narrow { workers, way, .. }
            | Fault::Segments { workers, way, .. } => (workers, way),
            Fault::Partition { .. }
            | Fault::Flap { .. }
            | Fault::Swizzle { .. }
            | Fault::Dials { .. }
            | Fault::Close { .. }
            | Fault::Cut { .. }
            | Fault::Rebind { .. }
            | Fault::Jam { .. }
            | Fault::Crash { .. }
            | Fault::CrashLoop { .. }
            | Fault::Freeze { .. }
            | Fault::Busy { .. }
            | Fault::Twin { .. }
            | Fault::Swallow { .. }
            | Fault::SetClock { .. }
            | Fault::Late { .. }
            | Fault::Slow { .. }
            | Fault::Fails { .. }
            | Fault::Credential { .. }
            | Fault::Vetting { .. }
            | Fault::Nudge { .. } => return,
        };
        for worker in self.present(workers) {
            for side in senders(way) {
                self.workers[worker].links[side.index()].spoil(fault, until);
            }
        }
    }

    /// Nothing arrives that these workers send, or are sent, or both, for so long.
    pub(super) fn break_links(
        &mut self,
        index: usize,
        workers: Workers,
        way: Way,
        lasts: u64,
        again: u64,
    ) {
        for worker in self.present(workers) {
            let until = self.apart_until(Who::Worker(worker), lasts);
            for side in senders(way) {
                let entity = (worker as u64) << 1 | u64::from(side == Side::Worker);
                let later = self.draws.draw(Site::Retransmit, entity, index as u64, again);
                let heals = self.heals_at();
                let until = if until < heals { (until + later).min(heals) } else { until };
                self.workers[worker].links[side.index()].breaks_until(until);
            }
        }
    }

    /// Those of them that there are.
    pub(super) fn present(&self, workers: Workers) -> impl Iterator<Item = usize> + use<> {
        let count = self.workers.len();
        workers.iter().filter(move |worker| *worker < count)
    }

    /// Until when nothing reaches this end of a connection; a notice does not overtake what was written
    /// before it.
    pub(super) fn is_held_up(&self, conn: usize, to: Side) -> Option<u64> {
        let state = self.network.conn(conn);
        let broken = self.workers[state.worker].links[to.other().index()].broken;
        let until = state.pipe(to.other()).jammed.max(broken);
        (!state.cut && self.now <= until && until > 0).then_some(until)
    }

    /// When the faults that there are now have healed at the latest.
    pub(super) fn heals_at(&self) -> u64 {
        match self.plan.lull {
            Some(lull) if self.now < lull.at => lull.at.min(self.plan.quiet_at),
            Some(_) | None => self.plan.quiet_at,
        }
    }

    /// Whether nothing goes wrong now.
    pub(super) fn is_peaceful(&self) -> bool {
        let in_lull = |lull: Lull| (lull.at..lull.at + lull.lasts).contains(&self.now);
        self.now >= self.plan.quiet_at || self.plan.lull.is_some_and(in_lull)
    }

    /// When something is over that begins now and lasts so long.
    pub(super) fn until(&self, lasts: u64) -> u64 {
        self.now.saturating_add(lasts).min(self.heals_at().max(self.now))
    }

    /// The same for what puts a process out of touch: it is never over for a worker outside the core
    /// if it lasts into the quiet.
    pub(super) fn apart_until(&self, who: Who, lasts: u64) -> u64 {
        let is_core = match who {
            Who::Coordinator => true,
            Who::Worker(worker) => self.plan.is_core(worker),
        };
        let heals = self.heals_at();
        if !is_core && heals == self.plan.quiet_at && self.now.saturating_add(lasts) >= heals {
            return u64::MAX;
        }
        self.until(lasts)
    }

    /// The latency of the next thing that travels this way, with its place among the decisions.
    fn draw_latency(&mut self, conn: usize, from: Side) -> (u64, u64, u64) {
        let pipe = self.network.conn_mut(conn).pipe_mut(from);
        pipe.packets += 1;
        let k = pipe.packets;
        let entity = self.network.conn(conn).key << 1 | u64::from(from == Side::Worker);
        let worker = &self.plan.workers[self.network.conn(conn).worker];
        let law = if from == Side::Worker { worker.up } else { worker.down };
        (law.of(&self.draws, entity, k) + worker.distance, entity, k)
    }

    /// A path that is too slow for the heartbeats is a fault, and heals as all others do.
    fn good(&self, latency: u64) -> u64 {
        latency.min(good_path(self.beat))
    }

    /// The latency of the next thing that is no packet and travels this way.
    pub(super) fn latency(&mut self, conn: usize, from: Side) -> u64 {
        let (latency, ..) = self.draw_latency(conn, from);
        if self.is_peaceful() { self.good(latency) } else { latency }
    }

    /// When a packet of so many bytes arrives that is sent now, if nothing holds it up, and whether
    /// what is behind it on the same connection has to wait for it.
    pub(super) fn travels(&mut self, conn: usize, from: Side, len: usize) -> (u64, bool) {
        let (latency, entity, k) = self.draw_latency(conn, from);
        let good = self.good(latency);
        if self.is_peaceful() {
            return (self.now + good, false);
        }
        let (heals, now, draws) = (self.heals_at(), self.now, &self.draws);
        let worker = self.network.conn(conn).worker;
        let link = &mut self.workers[worker].links[from.index()];
        let mut at = now + latency;
        let Spikes { until, ppm, most } = link.spikes;
        if now < until && draws.chance(Site::Spike, entity, k, ppm) {
            at += 1 + draws.draw(Site::Spike, entity, k ^ SECOND, most);
        }
        let Segments { until, size, gap } = link.segments;
        let pieces = (len as u64).div_ceil(size.max(1));
        if now < until && pieces > 1 {
            // It is there when its last piece is.
            at += draws.draw(Site::Segment, entity, k, gap.saturating_mul(pieces - 1));
        }
        let narrow = &mut link.narrow;
        if now < narrow.until {
            let lasts = (len as u64).saturating_mul(SEC) / narrow.rate.max(1);
            narrow.free_at = narrow.free_at.max(now).saturating_add(lasts).min(narrow.until);
            at += narrow.free_at - now;
        }
        let stalls = &mut link.stalls;
        let mut waits = false;
        if now < stalls.until {
            waits = stalls.left > 0;
            if waits {
                stalls.left -= 1;
            } else if draws.chance(Site::Stall, entity, k, stalls.ppm) {
                stalls.left = draws.draw(Site::Stall, entity, k ^ SECOND, u64::from(stalls.burst));
                waits = true;
            }
            if waits {
                at += stalls.rto * (1 + draws.draw(Site::Stall, entity, k ^ THIRD, 4));
            }
        }
        // What is under way when everything heals is there soon after.
        (at.min(heals + good), waits)
    }

    /// How many bytes this side may have under way on a connection.
    pub(super) fn room(&self, conn: usize, from: Side) -> usize {
        let narrow = &self.workers[self.network.conn(conn).worker].links[from.index()].narrow;
        let queue = if self.now < narrow.until { narrow.queue.max(1) } else { u64::MAX };
        self.plan.settings.buffer.min(usize::try_from(queue).unwrap_or(usize::MAX))
    }

    /// A packet arrives: what becomes of it on the way. None: it is not what it was, and that is noticed.
    pub(super) fn meddle(&mut self, conn: usize, to: Side, packet: Bytes) -> Option<Bytes> {
        let from = to.other();
        if self.is_peaceful() {
            return Some(packet);
        }
        let state = self.network.conn_mut(conn);
        let pipe = state.pipe_mut(from);
        pipe.arrived += 1;
        let k = pipe.arrived;
        let entity = state.key << 1 | u64::from(from == Side::Worker);
        let Link { corrupts, replays, .. } = self.workers[state.worker].links[from.index()];
        let replays_it =
            self.now < replays.until && self.draws.chance(Site::Replay, entity, k, replays.ppm);
        if replays_it && self.plan.mode == Mode::Hostile {
            let copies =
                1 + self.draws.draw(Site::Replay, entity, k ^ SECOND, replays.copies.into());
            for copy in 0..copies {
                let place = k ^ THIRD ^ copy << 48;
                let later = 1 + self.draws.draw(Site::Replay, entity, place, replays.delay);
                self.seen.replays += 1;
                self.after(later, Event::Ghost { conn, to, packet: packet.clone() });
            }
        }
        let is_hit =
            self.now < corrupts.until && self.draws.chance(Site::Corrupt, entity, k, corrupts.ppm);
        if !is_hit {
            return Some(packet);
        }
        self.seen.corrupted += 1;
        match self.plan.mode {
            Mode::Honest => None,
            Mode::Hostile => {
                self.is_tampered = true;
                Some(self.corrupt(entity, k, &packet))
            }
        }
    }

    /// Other bytes than these.
    fn corrupt(&self, entity: u64, k: u64, packet: &[u8]) -> Bytes {
        let draw = |n: u64, bound: u64| {
            self.draws.draw(Site::Corrupt, entity, k ^ SECOND ^ n << 40, bound)
        };
        let place = |n: u64, len: usize| usize::try_from(draw(n, len as u64)).unwrap_or(0);
        let mut bytes = packet.to_vec();
        let len = bytes.len();
        if len == 0 {
            return Bytes::new();
        }
        match draw(0, 4) {
            0 => {
                for flip in 0..=draw(1, 32) {
                    let at = place(2 + flip * 2, len);
                    bytes[at] ^= 1 << draw(3 + flip * 2, 8);
                }
            }
            1 => bytes.truncate(place(1, len)),
            2 => {
                for (n, byte) in (2..).zip(&mut bytes) {
                    *byte = u8::try_from(draw(n, 256)).unwrap_or(0);
                }
            }
            _ => bytes.rotate_left(len / 2),
        }
        bytes.into()
    }
}

impl Link {
    /// Nothing arrives until then.
    pub(super) fn breaks_until(&mut self, until: u64) {
        self.broken = until.max(self.broken);
    }

    fn spoil(&mut self, fault: Fault, until: u64) {
        match fault {
            Fault::Spikes { ppm, most, .. } => self.spikes = Spikes { until, ppm, most },
            Fault::Stalls { ppm, burst, rto, .. } => {
                self.stalls = Stalls { until, ppm, burst, rto, left: 0 };
            }
            Fault::Replay { ppm, copies, delay, .. } => {
                self.replays = Replays { until, ppm, copies, delay };
            }
            Fault::Corrupt { ppm, .. } => self.corrupts = Corrupts { until, ppm },
            Fault::Narrow { rate, queue, .. } => {
                let free_at = self.narrow.free_at;
                self.narrow = Narrow { until, rate, queue, free_at };
            }
            Fault::Segments { size, gap, .. } => self.segments = Segments { until, size, gap },
            Fault::Partition { .. }
            | Fault::Flap { .. }
            | Fault::Swizzle { .. }
            | Fault::Dials { .. }
            | Fault::Close { .. }
            | Fault::Cut { .. }
            | Fault::Rebind { .. }
            | Fault::Jam { .. }
            | Fault::Crash { .. }
            | Fault::CrashLoop { .. }
            | Fault::Freeze { .. }
            | Fault::Busy { .. }
            | Fault::Twin { .. }
            | Fault::Swallow { .. }
            | Fault::SetClock { .. }
            | Fault::Late { .. }
            | Fault::Slow { .. }
            | Fault::Fails { .. }
            | Fault::Credential { .. }
            | Fault::Vetting { .. }
            | Fault::Nudge { .. } => {}
        }
    }
}
