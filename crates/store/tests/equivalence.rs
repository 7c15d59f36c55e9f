//! Whatever is asked, in whatever order, the two stores answer the same.

use std::time::Duration;

use bytes::Bytes;
use moorline_link::Epoch;
use moorline_link::Reason;
use moorline_node::{
    Event, EventKind, KnownWorker, Name, Persist, PersistId, Requeue, Spec, StoreOp, StorePlacement,
};
use moorline_store::{
    EventKinds, EventQuery, MemoryStore, Reader, Retention, SqliteStore, Store, TaskFilter,
    WallTime,
};
use moorline_work::{Attempt, End, Incarnation, TaskId, TaskKey, TaskState, WorkerId};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Few tasks, so that operations meet.
const TASKS: u128 = 6;

/// What happens to a pair of stores.
#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<StoreOp>),
    Pass(u64),
    /// Also by a clock that was set back by so many milliseconds.
    Restart(u64),
    Prune(Retention),
    Page(TaskFilter),
    Events(EventQuery),
}

fn task() -> impl Strategy<Value = TaskId> {
    (0..TASKS).prop_map(TaskId)
}

fn attempt() -> impl Strategy<Value = Attempt> {
    (0..5_u32).prop_map(Attempt)
}

fn key() -> impl Strategy<Value = TaskKey> {
    (task(), attempt()).prop_map(|(task, attempt)| TaskKey { task, attempt })
}

fn worker() -> impl Strategy<Value = WorkerId> {
    select(vec![WorkerId(1), WorkerId(2), WorkerId(u128::MAX)])
}

fn incarnation() -> impl Strategy<Value = Incarnation> {
    select(vec![Incarnation(1), Incarnation(u64::MAX)])
}

fn handler() -> impl Strategy<Value = Name> {
    select(vec!["resize", "shrink"]).prop_map(|text| Name::new(text).expect("a name"))
}

fn body() -> impl Strategy<Value = Bytes> {
    select(vec![&b""[..], b"one", b"another", b"\xff\0"]).prop_map(Bytes::from_static)
}

fn delay() -> impl Strategy<Value = Duration> {
    select(vec![0, 1, 40_000_000, 90_000_001]).prop_map(Duration::from_nanos)
}

/// Epochs are few too: as many as there were lives, and what no life had.
fn epoch() -> impl Strategy<Value = u64> {
    0..3_u64
}

fn spec() -> impl Strategy<Value = Spec> {
    let timeout = prop::option::of(select(vec![Duration::ZERO, Duration::new(3, 5)]));
    (handler(), -1..2_i16, 0..2_u32, timeout).prop_map(
        |(handler, priority, max_retries, timeout)| Spec {
            handler,
            priority,
            max_retries,
            timeout,
        },
    )
}

fn cause() -> impl Strategy<Value = Requeue> {
    prop_oneof![
        Just(Requeue::Returned),
        Just(Requeue::Lost),
        delay().prop_map(|delay| Requeue::Retry { delay }),
    ]
}

fn end() -> impl Strategy<Value = End> {
    select(vec![End::Succeeded, End::Failed, End::Cancelled, End::Dead])
}

fn kind() -> impl Strategy<Value = EventKind> {
    select(vec![EventKind::WorkerDisconnected, EventKind::WorkerLost, EventKind::ClockJump])
}

fn reason() -> impl Strategy<Value = Reason> {
    select(vec![Reason::StreamLost, Reason::HalfOpen])
}

fn query() -> impl Strategy<Value = EventQuery> {
    let of = (prop::option::of(worker()), prop::option::of(task()), prop::option::of(reason()));
    let time = || prop::option::of((0..3_000_000_u64).prop_map(WallTime));
    let range = (0..60_u64, prop::option::of(0..60_u64), time(), time());
    let kinds = prop_oneof![Just(EventKinds::ALL), kind().prop_map(|kind| EventKinds::of([kind]))];
    (of, range, kinds, 0..9_u32, any::<bool>()).prop_map(
        |((worker, task, reason), (after, before, since, until), kinds, limit, newest_first)| {
            EventQuery {
                after,
                before,
                since,
                until,
                kinds,
                worker,
                task,
                reason,
                limit,
                newest_first,
            }
        },
    )
}

fn placement() -> impl Strategy<Value = StorePlacement> {
    prop_oneof![
        Just(StorePlacement::Unclaimed),
        epoch().prop_map(|epoch| StorePlacement::Claimed { epoch: Epoch(epoch) }),
        (worker(), incarnation())
            .prop_map(|(worker, incarnation)| StorePlacement::Leased { worker, incarnation }),
    ]
}

fn operation() -> impl Strategy<Value = StoreOp> {
    prop_oneof![
        4 => (task(), spec(), body(), placement()).prop_map(
            |(task, spec, payload, placement)| StoreOp::Submit { task, spec, payload, placement }
        ),
        3 => (handler(), 0..4_u32, epoch()).prop_map(|(handler, limit, epoch)| StoreOp::Claim {
            handler, limit, epoch: Epoch(epoch),
        }),
        1 => task().prop_map(|task| StoreOp::Unclaim { task }),
        1 => Just(StoreOp::Leases),
        1 => task().prop_map(|task| StoreOp::Lookup { task }),
        6 => (key(), worker(), incarnation()).prop_map(
            |(key, worker, incarnation)| StoreOp::Lease { key, worker, incarnation }
        ),
        3 => (key(), attempt(), worker(), incarnation()).prop_map(
            |(key, from, worker, incarnation)| StoreOp::Adopt { key, from, worker, incarnation }
        ),
        6 => (key(), cause(), body()).prop_map(
            |(key, cause, error)| StoreOp::Requeue { key, cause, error }
        ),
        5 => (key(), end(), body()).prop_map(|(key, end, body)| StoreOp::Finish { key, end, body }),
        2 => task().prop_map(|task| StoreOp::Cancel { task }),
        4 => (task(), attempt()).prop_map(|(task, last)| StoreOp::Retry { task, last }),
        1 => (worker(), handler(), incarnation(), any::<[bool; 3]>()).prop_map(
            |(worker, name, incarnation, [departed, lost, cordoned])| StoreOp::Worker(KnownWorker {
                worker, name, incarnation, departed, lost: lost && !departed, cordoned,
            })
        ),
        1 => worker().prop_map(|worker| StoreOp::Forget { worker }),
        1 => (prop::option::of(0..2_000_u64), worker(), kind(), prop::option::of(reason())).prop_map(
            |(at_millis, worker, kind, reason)| StoreOp::Event {
                at_millis,
                event: Event { worker: Some(worker), reason, ..Event::new(kind) },
            }
        ),
        1 => Just(StoreOp::Workers),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let state = prop::option::of(select(TaskState::ALL.to_vec()));
    prop_oneof![
        12 => vec(operation(), 1..16).prop_map(Step::Commit),
        3 => prop_oneof![9 => 0..120_u64, 1 => Just(900_000)].prop_map(Step::Pass),
        1 => select(vec![0, 0, 400, 1_000_000]).prop_map(Step::Restart),
        1 => (0..300_u64, 0..4_u64, 0..300_u64, 0..40_u64, 0..300_u64).prop_map(
            |(age_millis, count, event_age_millis, event_count, forget_millis)| Step::Prune(
                Retention { age_millis, count, event_age_millis, event_count, forget_millis }
            )
        ),
        2 => query().prop_map(Step::Events),
        2 => (state, 0..4_u32, prop::option::of(0..20_u64))
            .prop_map(|(state, limit, before)| Step::Page(TaskFilter { state, limit, before })),
    ]
}

/// Gives the random epochs of a batch the meaning they have now: none, the last life, this one.
fn with_epochs(op: StoreOp, lives: &[Epoch]) -> StoreOp {
    let life = |n: Epoch| match n.0 {
        0 => Epoch(12),
        back => lives[lives.len() - (back as usize).min(lives.len())],
    };
    if let StoreOp::Submit { task, spec, payload, placement: StorePlacement::Claimed { epoch } } =
        op
    {
        let placement = StorePlacement::Claimed { epoch: life(epoch) };
        return StoreOp::Submit { task, spec, payload, placement };
    }
    if let StoreOp::Claim { handler, limit, epoch } = op {
        return StoreOp::Claim { handler, limit, epoch: life(epoch) };
    }
    op
}

struct Pair {
    memory: MemoryStore,
    sqlite: SqliteStore,
    readers: [Box<dyn Reader>; 2],
    now: WallTime,
    lives: Vec<Epoch>,
    next: u64,
}

impl Pair {
    fn new(dir: &tempfile::TempDir) -> Self {
        let memory = MemoryStore::new();
        let sqlite = SqliteStore::open(dir.path().join("store.db")).expect("a new store");
        let readers = [memory.reader().expect("a reader"), sqlite.reader().expect("a reader")];
        let mut pair =
            Self { memory, sqlite, readers, now: WallTime(1_000), lives: Vec::new(), next: 0 };
        pair.restart();
        pair
    }

    fn restart(&mut self) {
        let epoch = self.memory.begin_epoch(self.now).expect("an epoch");
        assert_eq!(self.sqlite.begin_epoch(self.now).expect("an epoch"), epoch);
        assert!(self.lives.iter().all(|&last| last < epoch), "{epoch:?} in {:?}", self.lives);
        self.lives.push(epoch);
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Commit(ops) => {
                let mut batch = Vec::new();
                for op in ops {
                    self.next += 1;
                    let op = with_epochs(op, &self.lives);
                    batch.push(Persist { id: PersistId(self.next), op });
                }
                let memory = self.memory.commit(self.now, &batch).expect("a commit");
                let sqlite = self.sqlite.commit(self.now, &batch).expect("a commit");
                for ((persist, memory), sqlite) in batch.iter().zip(memory).zip(sqlite) {
                    assert_eq!(memory, sqlite, "memory, then SQLite, of {persist:?}");
                }
                assert_eq!(self.memory.waits(), self.sqlite.waits());
            }
            Step::Pass(millis) => self.now = WallTime(self.now.0 + millis),
            Step::Restart(back) => {
                self.now = WallTime(self.now.0.saturating_sub(back));
                self.restart();
            }
            Step::Prune(retention) => {
                let memory = self.memory.prune(self.now, &retention).expect("a pruning");
                let sqlite = self.sqlite.prune(self.now, &retention).expect("a pruning");
                assert_eq!(memory, sqlite, "{retention:?}");
            }
            Step::Page(filter) => {
                let [memory, sqlite] = self.read(|reader| reader.tasks(&filter).expect("a list"));
                assert_eq!(memory, sqlite, "{filter:?}");
            }
            Step::Events(query) => {
                let [memory, sqlite] = self.read(|reader| reader.events(&query).expect("a page"));
                assert_eq!(memory, sqlite, "{query:?}");
            }
        }
        self.compare();
    }

    fn compare(&mut self) {
        let everything = TaskFilter { limit: u32::MAX, ..TaskFilter::default() };
        let [memory, sqlite] = self.read(|reader| reader.tasks(&everything).expect("a list"));
        assert_eq!(memory, sqlite);
        for task in (0..TASKS).map(TaskId) {
            let [memory, sqlite] = self.read(|reader| {
                (reader.task(task).expect("a task"), reader.result(task).expect("a result"))
            });
            assert_eq!(memory, sqlite);
        }
        let [memory, sqlite] = self.read(|reader| reader.counts().expect("counts"));
        assert_eq!(memory, sqlite);
        assert_eq!(memory.applied_twice, 0);
        let [held, sqlite] = self.read(|reader| reader.size().expect("a size"));
        assert_eq!((held.tasks, held.events), (sqlite.tasks, sqlite.events));
        assert_eq!(held.tasks, memory.by_state.iter().sum::<u64>());
        let all = EventQuery { limit: u32::MAX, ..EventQuery::default() };
        let [memory, sqlite] = self.read(|reader| reader.events(&all).expect("a page"));
        assert_eq!(memory, sqlite);
        assert_eq!(held.events, memory.events.len() as u64);
        assert_eq!(self.memory.last_event(), self.sqlite.last_event());
    }

    fn read<T>(&mut self, mut read: impl FnMut(&mut dyn Reader) -> T) -> [T; 2] {
        let [memory, sqlite] = &mut self.readers;
        [read(memory.as_mut()), read(sqlite.as_mut())]
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn both_stores_answer_and_read_the_same(steps in vec(step(), 1..40)) {
        let dir = tempfile::tempdir().expect("a directory");
        let mut pair = Pair::new(&dir);
        for step in steps {
            pair.take(step);
        }
    }
}
