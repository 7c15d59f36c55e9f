//! Waiting, without a runtime: one thread that wakes whoever's time has come.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use futures::task::AtomicWaker;

/// Who is to be woken when: the number tells apart what is due at the same time.
static SLEEPERS: Mutex<Sleepers> = Mutex::new(Sleepers { due: BTreeMap::new(), next: 0 });

/// Somebody new is due first.
static CHANGED: Condvar = Condvar::new();

struct Sleepers {
    due: BTreeMap<(Instant, u64), Waker>,
    next: u64,
}

// A panic cannot happen under this lock, so a poisoned one holds a whole map.
fn lock() -> MutexGuard<'static, Sleepers> {
    SLEEPERS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run() {
    let mut sleepers = lock();
    loop {
        let now = Instant::now();
        let first = sleepers.due.first_key_value().map(|(&(at, _), _)| at);
        sleepers = match first {
            None => CHANGED.wait(sleepers).unwrap_or_else(PoisonError::into_inner),
            Some(at) if at > now => {
                let waited = CHANGED.wait_timeout(sleepers, at - now);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            Some(_) => {
                let woken = sleepers.due.pop_first();
                drop(sleepers);
                woken.into_iter().for_each(|(_, waker)| waker.wake());
                lock()
            }
        };
    }
}

/// Ready when its time has come.
pub(super) struct Sleep {
    at: Instant,
    /// Its place among the sleepers, once it has one.
    number: Option<u64>,
}

/// A sleep of so long.
pub(super) fn sleep(time: Duration) -> Sleep {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| drop(thread::spawn(run)));
    Sleep { at: Instant::now() + time, number: None }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.at {
            return Poll::Ready(());
        }
        let mut sleepers = lock();
        let number = *self.number.get_or_insert_with(|| {
            sleepers.next += 1;
            sleepers.next
        });
        sleepers.due.insert((self.at, number), cx.waker().clone());
        drop(sleepers);
        CHANGED.notify_one();
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            lock().due.remove(&(self.at, number));
        }
    }
}

/// What comes of `what` in this time, if anything does.
///
/// It is polled when it was woken and at no other time, whatever its neighbours do: one who forgets to
/// wake is not saved by somebody else's waker.
pub(super) async fn within<T>(time: Duration, what: impl Future<Output = T>) -> Option<T> {
    let mut what = OnlyWhenWoken::new(what);
    let mut limit = sleep(time);
    std::future::poll_fn(|cx| {
        if let Poll::Ready(done) = Pin::new(&mut what).poll(cx) {
            return Poll::Ready(Some(done));
        }
        Pin::new(&mut limit).poll(cx).map(|()| None)
    })
    .await
}

/// Lets the others of the same task have their turn.
pub(super) async fn give_way() {
    let mut has_waited = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Polls a future at first and whenever it was woken.
struct OnlyWhenWoken<F> {
    future: Pin<Box<F>>,
    bell: Arc<Bell>,
}

struct Bell {
    rung: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl<F> OnlyWhenWoken<F> {
    fn new(future: F) -> Self {
        let bell = Bell { rung: AtomicBool::new(true), task: AtomicWaker::new() };
        Self { future: Box::pin(future), bell: Arc::new(bell) }
    }
}

impl<F: Future> Future for OnlyWhenWoken<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // First: whoever rings from here on wakes this task.
        self.bell.task.register(cx.waker());
        if !self.bell.rung.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let waker = Waker::from(Arc::clone(&self.bell));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

/// When a future that is not to end by itself is given up.
#[derive(Clone, Copy)]
pub(super) enum GivenUp {
    /// As soon as it waits.
    AtOnce,
    /// When it is woken, instead of being polled.
    WhenWoken,
}

/// Polls a future this many times; `None` if it was not ready by then, and is dropped.
pub(super) async fn at_most<T>(
    polls: usize,
    given_up: GivenUp,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = OnlyWhenWoken::new(future);
    let mut left = polls;
    std::future::poll_fn(|cx| {
        if left == 0 {
            future.bell.task.register(cx.waker());
            let woken = future.bell.rung.load(Ordering::Acquire);
            return match given_up {
                GivenUp::WhenWoken if !woken => Poll::Pending,
                GivenUp::AtOnce | GivenUp::WhenWoken => Poll::Ready(None),
            };
        }
        let is_due = future.bell.rung.load(Ordering::Acquire);
        if let Poll::Ready(done) = Pin::new(&mut future).poll(cx) {
            return Poll::Ready(Some(done));
        }
        left -= usize::from(is_due);
        match given_up {
            GivenUp::AtOnce if left == 0 => Poll::Ready(None),
            // What rang while it was polled is seen at the next turn.
            GivenUp::WhenWoken if left == 0 && future.bell.rung.load(Ordering::Acquire) => {
                Poll::Ready(None)
            }
            GivenUp::AtOnce | GivenUp::WhenWoken => Poll::Pending,
        }
    })
    .await
}
