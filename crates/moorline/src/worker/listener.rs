//! Functions of the user that are told of changes of the link.

use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{join_all, select};

use super::runtime::Host;
use super::{LinkChanges, LinkStatus};

/// How long the end of a worker waits for its listeners to have been told of it.
const FAREWELL: Duration = Duration::from_secs(1);

type Listener = Box<dyn FnMut(LinkStatus) + Send>;

/// Functions that want to be told.
#[derive(Default)]
pub(crate) struct Listeners(Vec<Listener>);

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listeners").field(&self.0.len()).finish()
    }
}

impl Listeners {
    pub(crate) fn add(&mut self, listener: impl FnMut(LinkStatus) + Send + 'static) {
        self.0.push(Box::new(listener));
    }

    /// Each gets a task of its own, outside of every lock and of the worker's thread: one that blocks
    /// blocks no other and not the link (P100, P103). They end with the worker.
    pub(crate) fn start(self, host: &Host, changes: impl Fn() -> LinkChanges) -> Told {
        let start = |listener| {
            let (over, told) = oneshot::channel();
            let changes = changes();
            host.spawn(async move {
                tell(changes, listener).await;
                drop(over);
            });
            told
        };
        Told(self.0.into_iter().map(start).collect())
    }
}

/// Listeners that are told until the worker has ended.
#[must_use]
pub(crate) struct Told(Vec<oneshot::Receiver<()>>);

impl Told {
    /// Waits until they have been told of the end, for a moment: none of them can hold the worker.
    pub(crate) async fn of_the_end(self, host: &Host) {
        if !self.0.is_empty() {
            select(join_all(self.0), host.sleep(FAREWELL)).await;
        }
    }
}

async fn tell(mut changes: LinkChanges, mut listener: Listener) {
    let mut before = None;
    while let Some(look) = poll_fn(|cx| changes.poll_look(cx)).await {
        // What it looks like to begin with is no change.
        let Some(version) = look.version else { continue };
        let is_news = before.map_or(version > 0, |before| before != look.link);
        before = Some(look.link);
        if is_news && catch_unwind(AssertUnwindSafe(|| listener(look.status))).is_err() {
            tracing::error!(
                event = "link.listener_panicked", role = "worker", state = ?look.status.state,
                "A function given to on_link_change panicked; it will be told of the next change"
            );
        }
    }
}
