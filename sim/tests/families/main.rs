//! One world for each family of faults, with nothing wrong but that: what it is for can be seen in the
//! record, and every promise is kept.

mod connections;
mod credentials;
mod network;
mod processes;
mod surroundings;

use moorline_link::{First, Jitter};
use moorline_sim::{
    Episode, Families, Family, Fault, FrameKind, Latency, Mode, Plan, Record, Recording, Report,
    Run, Side, TaskPlan, Temper, What, Who, WorkerPlan,
};

const MS: u64 = 1_000_000;
const SEC: u64 = 1_000 * MS;

/// Records that are kept: more than any of these worlds has.
const RECORDS: usize = 1_000_000;

/// When the faults of these worlds begin, unless they are said to do so at another time.
const AT: u64 = 10 * SEC;

/// A world of two workers, some tasks, and one millisecond between everybody, in which nothing goes wrong.
fn world() -> Plan {
    let mut plan = (0..).map(Plan::new).find(Plan::is_calm).expect("one in ten is");
    let worker = |index: u64| WorkerPlan {
        absent: false,
        id: u128::from(index + 1) << 64 | u128::from(index),
        slots: 2,
        handlers: 3,
        begins_at: 0,
        clock: index * SEC,
        rate: 0,
        up: Latency::Fixed { at: MS },
        down: Latency::Fixed { at: MS },
        distance: 0,
    };
    plan.temper = Temper::Common;
    plan.workers = (0..2).map(worker).collect();
    plan.tasks = (0..40).map(task).collect();
    plan.quiet_at = 70 * SEC;
    let settings = &mut plan.settings;
    (settings.lost_after, settings.start_grace) = (18 * SEC, 18 * SEC);
    (settings.lost_cap, settings.accept_timeout, settings.answer_timeout) = (5, 2 * SEC, 30 * SEC);
    (settings.window, settings.registrations) = (256, None);
    (settings.beat, settings.misses) = (SEC, 3);
    (settings.initial_delay, settings.max_delay) = (200 * MS, 2 * SEC);
    (settings.multiplier, settings.jitter, settings.first) = (2_000, Jitter::FULL, First::Backoff);
    (settings.stable_after, settings.connect, settings.restore) = (30 * SEC, 10 * SEC, 30 * SEC);
    (settings.window_messages, settings.window_bytes) = (256, 256 << 10);
    (settings.retry_delay, settings.buffer) = (5 * SEC, 128 << 10);
    (settings.commit, settings.group, settings.late, settings.keeps) = (MS, 256, 1, None);
    plan
}

/// A task that takes up to a fifth of a second.
fn task(index: u64) -> TaskPlan {
    TaskPlan {
        absent: false,
        id: u128::from(index + 1) << 64 | u128::from(index),
        submit_at: SEC + index * 1_300 * MS,
        handler: 0,
        priority: 0,
        max_retries: 1,
        timeout: None,
        size: 100,
        work: 200 * MS,
        endless: false,
        stops: 500 * MS,
        failing: 0,
        panics: 0,
        twice: false,
        cancel_at: None,
        again_at: None,
        clash_at: None,
    }
}

/// A world with one fault.
fn struck(fault: Fault) -> Plan {
    Plan { episodes: vec![Episode { at: AT, moment: None, fault }], ..world() }
}

/// The same where also happens what never should.
fn hostile(fault: Fault) -> Plan {
    Plan { mode: Mode::Hostile, ..struck(fault) }
}

/// A run in which every promise was kept.
struct Ran {
    report: Report,
    recording: Recording,
}

/// A packet that arrived.
#[derive(Clone, Copy, Debug)]
struct Trip {
    worker: usize,
    /// The end that sent it.
    from: Side,
    conn: u32,
    len: u64,
    sent: u64,
    got: u64,
}

impl Trip {
    fn took(&self) -> u64 {
        self.got - self.sent
    }
}

fn run(plan: Plan) -> Ran {
    let outcome = Run::new(plan).recorded(RECORDS).go();
    let report = outcome.result.unwrap_or_else(|failure| panic!("\n{failure}"));
    Ran { report, recording: outcome.recording.expect("it was asked for") }
}

impl Ran {
    /// What of this kind happened to this process, in order.
    fn of(&self, what: What, who: Who) -> Vec<Record> {
        let all = self.recording.iter().map(|(_, record)| *record);
        all.filter(|record| record.what == what && record.who() == Some(who)).collect()
    }

    /// When it did.
    fn times(&self, what: What, who: Who) -> Vec<u64> {
        self.of(what, who).iter().map(|record| record.at).collect()
    }

    /// Whose connections they are.
    fn worker_of(&self, conn: u32) -> usize {
        let dials = |record: &&Record| record.what == What::Dials && record.conn == conn;
        let dial = self.recording.iter().map(|(_, record)| record).find(dials);
        match dial.and_then(Record::who) {
            Some(Who::Worker(index)) => index,
            other => panic!("c{conn} was dialled by {other:?}"),
        }
    }

    /// Packets that arrived, as they did.
    fn trips(&self) -> Vec<Trip> {
        let got = self.recording.iter().filter(|(_, record)| record.what == What::Gets);
        got.map(|(_, got)| {
            let sent = self.recording.get(got.cause).expect("everything is kept");
            assert_eq!((sent.what, sent.conn), (What::Sends, got.conn));
            let is_up = got.who() == Some(Who::Coordinator);
            let from = if is_up { Side::Worker } else { Side::Coordinator };
            let worker = self.worker_of(got.conn);
            Trip { worker, from, conn: got.conn, len: sent.value, sent: sent.at, got: got.at }
        })
        .collect()
    }

    /// Packets of one worker's connections that this end has sent.
    fn trips_of(&self, worker: usize, from: Side) -> Vec<Trip> {
        let mut trips = self.trips();
        trips.retain(|trip| trip.worker == worker && trip.from == from);
        trips
    }

    /// When this process said frames of this kind.
    fn said(&self, kind: FrameKind, who: Who) -> Vec<u64> {
        let says = self.of(What::Says, who);
        let is_it = |record: &&Record| record.value & u64::from(u32::MAX) == kind as u64;
        says.iter().filter(is_it).map(|record| record.at).collect()
    }

    /// When the fault struck.
    fn struck_at(&self) -> Vec<u64> {
        let all = self.recording.iter().map(|(_, record)| record);
        all.filter(|record| record.what == What::Fault).map(|record| record.at).collect()
    }

    /// How often this family was counted on any frame in any state.
    fn met(&self, family: Family) -> u64 {
        let cells = self.report.coverage.cells().filter(|(other, ..)| *other == family);
        cells.map(|(.., times)| u64::from(times)).sum()
    }
}

const W0: Who = Who::Worker(0);
const W1: Who = Who::Worker(1);
const COORDINATOR: Who = Who::Coordinator;

/// Everything else in this program is compared with this.
#[test]
fn where_nothing_goes_wrong_every_packet_takes_a_millisecond_and_nobody_dials_twice() {
    let ran = run(world());
    assert!(ran.trips().iter().all(|trip| trip.took() == MS));
    assert_eq!((ran.report.dials, ran.report.crashes, ran.report.tasks), (2, 0, 40));
    assert_eq!(ran.report.attempts, 40);
    assert_eq!(ran.report.coverage.covered(), 0, "{:?}", ran.report.coverage);
}

#[test]
fn every_family_that_plans_may_have_is_in_some_of_them_and_is_met() {
    let mut missing = Families::all();
    for seed in 0..600 {
        if missing.is_empty() {
            break;
        }
        let plan = if seed % 2 == 0 { Plan::new(seed) } else { Plan::hostile(seed) };
        let Ok(report) = Run::new(plan).go().result else { continue };
        for (family, ..) in report.coverage.cells() {
            missing = missing.without(family);
        }
    }
    assert!(missing.is_empty(), "{:?}", missing.iter().collect::<Vec<_>>());
}
