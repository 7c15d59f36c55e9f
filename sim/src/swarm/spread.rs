//! The same work for one number after the other, spread over threads.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// Between two words about how far it is.
const TICK: Duration = Duration::from_millis(100);

/// Numbers, mostly seeds, and over how many threads they are spread.
///
/// ```
/// use std::ops::ControlFlow;
/// use moorline_sim::Spread;
///
/// let mut squares = Vec::new();
/// Spread::over(0..5).jobs(3).run(
///     |number| number * number,
///     |_, square| {
///         squares.push(square);
///         ControlFlow::Continue(())
///     },
///     || (),
/// );
/// assert_eq!(squares, [0, 1, 4, 9, 16], "in order, whichever was ready first");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spread {
    numbers: Range<u64>,
    jobs: usize,
    time: Option<Duration>,
}

impl Spread {
    /// What threads are called that run worlds: a panic in one is a find, and told as such.
    pub const THREAD: &str = "world";

    /// Over these numbers, on as many threads as there are cores.
    #[must_use]
    pub fn over(numbers: Range<u64>) -> Self {
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        Self { numbers, jobs, time: None }
    }

    /// On so many threads; at least one.
    #[must_use]
    pub fn jobs(self, jobs: usize) -> Self {
        Self { jobs: jobs.max(1), ..self }
    }

    /// Begins with no further number after this time.
    #[must_use]
    pub fn within(self, time: Duration) -> Self {
        Self { time: Some(time), ..self }
    }

    pub(super) const fn numbers(&self) -> &Range<u64> {
        &self.numbers
    }

    /// What is still to be done from this number on when so much time is over: so many numbers of it at
    /// most. Nothing is `None`.
    pub(super) fn next(&self, from: u64, most: Option<u64>, elapsed: Duration) -> Option<Self> {
        let end =
            most.map_or(self.numbers.end, |most| self.numbers.end.min(from.saturating_add(most)));
        let time = self.time.map(|time| time.saturating_sub(elapsed));
        let is_left = from < end && time != Some(Duration::ZERO);
        is_left.then_some(Self { numbers: from..end, jobs: self.jobs, time })
    }

    /// Does it: `work` on the threads, `take` on this one, in the order of numbers and without a gap,
    /// until that says that it is enough. `tick` is called about ten times a second.
    pub fn run<T: Send>(
        self,
        work: impl Fn(u64) -> T + Sync,
        mut take: impl FnMut(u64, T) -> ControlFlow<()>,
        mut tick: impl FnMut(),
    ) {
        let Self { numbers, jobs, time } = self;
        let next = AtomicU64::new(numbers.start);
        let is_enough = AtomicBool::new(false);
        let began = Instant::now();
        let job = |results: Sender<(u64, T)>| {
            while !is_enough.load(Ordering::Relaxed)
                && time.is_none_or(|time| began.elapsed() < time)
            {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= numbers.end || results.send((number, work(number))).is_err() {
                    return;
                }
            }
        };
        std::thread::scope(|scope| {
            let (send, results) = mpsc::channel();
            let mut running = 0;
            for _ in 0..jobs {
                let (job, send) = (&job, send.clone());
                let thread = std::thread::Builder::new().name(Self::THREAD.into());
                running += usize::from(thread.spawn_scoped(scope, move || job(send)).is_ok());
            }
            if running == 0 {
                // Where no thread may start there is still this one.
                job(send);
            } else {
                drop(send);
            }
            let (mut waiting, mut due) = (BTreeMap::new(), numbers.start);
            let mut ticked = Instant::now();
            loop {
                match results.recv_timeout(TICK) {
                    Ok((number, result)) => {
                        waiting.insert(number, result);
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                while let Some(result) = waiting.remove(&due) {
                    if take(due, result).is_break() {
                        is_enough.store(true, Ordering::Relaxed);
                        return;
                    }
                    due += 1;
                }
                if ticked.elapsed() >= TICK {
                    ticked = Instant::now();
                    tick();
                }
            }
        });
    }
}
