//! Takes connections of one listener.

use std::sync::Arc;
use std::time::Duration;

use futures::SinkExt;
use futures::channel::{mpsc, oneshot};
use futures::future::{self, Either};
use moorline_link::Instant;
use moorline_transport::{AcceptError, Connection, Endpoint, Listener};

use crate::log::{self, Code};
use crate::runtime::Runtime;
use crate::tally::CoordinatorTally;

/// Out of descriptors: the listener is asked again after this time, ...
const WAIT_FIRST: Duration = Duration::from_millis(50);
/// ... then after twice as long, up to this.
const WAIT_LAST: Duration = Duration::from_secs(1);

/// Connections in a row that may fail before they are there, without a wait in between.
const BROKEN_MAX: u32 = 16;

/// A connection, and the endpoint it came in at.
pub(crate) struct Accepted {
    pub(crate) connection: Connection,
    pub(crate) endpoint: Endpoint,
}

/// Until the loop drops the other end of `stop`. Connections wait in `accepted`, and before it in the
/// transport.
pub(crate) async fn run<R: Runtime>(
    runtime: R,
    mut listener: Box<dyn Listener>,
    mut accepted: mpsc::Sender<Accepted>,
    tally: Arc<CoordinatorTally>,
    mut stop: oneshot::Receiver<()>,
) {
    let endpoint = listener.endpoint();
    let mut trouble: Option<Trouble> = None;
    let mut broken = 0;
    loop {
        let taken = match future::select(listener.accept(), &mut stop).await {
            Either::Left((taken, _)) => taken,
            Either::Right(_) => return,
        };
        match taken {
            Ok(connection) => {
                broken = 0;
                if let Some(trouble) = trouble.take() {
                    log::coordinator::accept_works_again(
                        &endpoint,
                        runtime.now().since(trouble.since),
                    );
                }
                let endpoint = endpoint.clone();
                if accepted.send(Accepted { connection, endpoint }).await.is_err() {
                    return;
                }
            }
            Err(error @ AcceptError::Closed { .. }) => {
                log::coordinator::listener_ended(&endpoint, &error);
                return;
            }
            Err(AcceptError::Connection { detail }) if broken < BROKEN_MAX => {
                broken += 1;
                tracing::debug!(
                    event = "listener.connection_failed", role = "coordinator", remote = %endpoint,
                    "A connection to {endpoint} failed before it was there: {detail}"
                );
            }
            // Somebody else's fault, of whom there may be many: no wait, and no line for each by default.
            Err(AcceptError::Refused { peer, reason, detail }) => {
                tally.refuses(endpoint.scheme(), reason);
                tracing::debug!(
                    event = "listener.refused", role = "coordinator", remote = %peer, %reason,
                    code = %Code(reason),
                    "Refused {peer} at {endpoint}, {reason}: {detail}"
                );
            }
            // Whatever it is, it is not asked again at once (P07).
            Err(error) => {
                let trouble = trouble.get_or_insert_with(|| {
                    log::coordinator::accept_failed(&endpoint, &error, WAIT_FIRST);
                    Trouble { since: runtime.now(), wait: WAIT_FIRST }
                });
                let again = runtime.sleep_until(runtime.now() + trouble.wait);
                trouble.wait = trouble.wait.saturating_mul(2).min(WAIT_LAST);
                if let Either::Right(_) = future::select(again, &mut stop).await {
                    return;
                }
            }
        }
    }
}

struct Trouble {
    since: Instant,
    wait: Duration,
}
