//! Applicants that are looked at beside the loop, so many at a time.

use std::collections::BTreeMap;
use std::convert::Infallible;

use futures::FutureExt;
use futures::channel::mpsc::UnboundedSender;
use futures::channel::oneshot;
use futures::future::{Either, select};
use moorline_link::ConnId;
use moorline_node::{Applicant, CoordinatorInput};

use crate::auth::{Authenticator, Verdict};
use crate::runtime::Runtime;

/// Looked at at the same time: each may be a thread. Who waits behind them has until it has to be registered.
pub(super) const AT_A_TIME: usize = 256;

/// Has applicants looked at: whose code that is may take its time, and may panic.
pub(super) struct Judges<R> {
    runtime: R,
    authenticator: Option<Authenticator>,
    judged: UnboundedSender<CoordinatorInput>,
    /// Dropped, they end.
    running: BTreeMap<ConnId, oneshot::Sender<Infallible>>,
    /// Connections are numbered as they come.
    waiting: BTreeMap<ConnId, Applicant>,
}

impl<R: Runtime> Judges<R> {
    /// Verdicts are said as inputs of the node.
    pub(super) fn new(
        runtime: R,
        authenticator: Option<Authenticator>,
        judged: UnboundedSender<CoordinatorInput>,
    ) -> Self {
        let (running, waiting) = (BTreeMap::new(), BTreeMap::new());
        Self { runtime, authenticator, judged, running, waiting }
    }

    pub(super) fn judge(&mut self, conn: ConnId, applicant: Applicant) {
        self.waiting.insert(conn, applicant);
        self.begin();
    }

    /// The verdict of this one is there, or nobody waits for it any more.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.waiting.remove(&conn);
        if self.running.remove(&conn).is_some() {
            self.begin();
        }
    }

    fn begin(&mut self) {
        while self.running.len() < AT_A_TIME {
            let Some((conn, applicant)) = self.waiting.pop_first() else { return };
            let verdict = Verdict::new(conn, self.judged.clone());
            // Dropped without an authenticator it refuses: the node does not ask then.
            let Some(authenticator) = self.authenticator.clone() else { continue };
            let (keep, gone) = oneshot::channel();
            self.running.insert(conn, keep);
            let judging = async move {
                let judged = async move { authenticator.judge(applicant).await }.boxed();
                match select(judged, gone).await {
                    Either::Left((judged, _)) => verdict.say(judged),
                    Either::Right(_) => verdict.forget(),
                }
            };
            self.runtime.spawn(judging.boxed());
        }
    }
}

#[cfg(test)]
mod tests;
