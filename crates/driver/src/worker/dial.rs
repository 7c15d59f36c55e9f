//! One attempt to reach a coordinator: the endpoints in turn, the last good one first.

use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{self, BoxFuture, Either};
use moorline_link::{ConnId, Instant, Reason};
use moorline_node::Credential;
use moorline_transport::{Connection, DialError, Endpoint};

use crate::log::Code;
use crate::runtime::Runtime;
use crate::transports::Transports;

/// Where a worker's coordinators are, and where to begin.
pub(crate) struct Endpoints {
    all: Vec<Endpoint>,
    first: usize,
}

/// An endpoint, by its place in the list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place(usize);

impl Endpoints {
    pub(crate) fn new(all: Vec<Endpoint>) -> Self {
        Self { all, first: 0 }
    }

    pub(crate) fn get(&self, place: Place) -> Option<&Endpoint> {
        self.all.get(place.0)
    }

    /// All of them, each once, in the order to try them.
    fn in_turn(&self) -> Vec<(Place, Endpoint)> {
        let count = self.all.len();
        let places = (0..count).map(|n| Place((self.first + n) % count));
        places.filter_map(|place| Some((place, self.get(place)?.clone()))).collect()
    }

    /// The coordinator there took the worker in: the next attempt begins with it.
    pub(crate) fn good(&mut self, place: Place) {
        self.first = place.0;
    }

    /// A connection to it ended before that: the next attempt begins behind it.
    pub(crate) fn bad(&mut self, place: Place) {
        if place.0 == self.first && !self.all.is_empty() {
            self.first = (place.0 + 1) % self.all.len();
        }
    }
}

/// An attempt that is under way. Dropping it cancels it.
pub(crate) struct Dial {
    pub(crate) conn: ConnId,
    attempt: BoxFuture<'static, Result<Dialled, DialError>>,
}

/// An attempt that has reached somebody.
pub(crate) struct Dialled {
    pub(crate) place: Place,
    pub(crate) connection: Connection,
    /// What is to be shown there.
    pub(crate) credential: Option<Credential>,
}

impl Dial {
    /// Tries each endpoint for its share of the time that is left, so that a silent one leaves time
    /// for those behind it.
    pub(crate) fn start<R: Runtime>(
        runtime: &R,
        transports: &Transports,
        endpoints: &Endpoints,
        credential: Option<BoxFuture<'static, Result<Credential, String>>>,
        conn: ConnId,
        timeout: Duration,
    ) -> Self {
        let (runtime, transports) = (runtime.clone(), transports.clone());
        let in_turn = endpoints.in_turn();
        let attempt = async move {
            let end = runtime.now() + timeout;
            let credential = match credential {
                Some(fetching) => Some(fetching.await.map_err(no_credential)?),
                None => None,
            };
            let detail = "no endpoint of a coordinator is known".to_owned();
            let mut last = DialError { reason: Reason::Unreachable, detail };
            let mut first_failed = None;
            let mut waiting = u32::try_from(in_turn.len()).unwrap_or(u32::MAX);
            for (place, endpoint) in in_turn {
                let now = runtime.now();
                let limit = share(now, end, waiting);
                waiting = waiting.saturating_sub(1);
                let dial = transports.dial(&endpoint);
                match future::select(dial, runtime.sleep_until(limit)).await {
                    Either::Left((Ok(connection), _)) => {
                        if let Some((from, reason)) = &first_failed {
                            tell_of_fallback(&transports, from, *reason, &endpoint);
                        }
                        return Ok(Dialled { place, connection, credential });
                    }
                    Either::Left((Err(error), _)) => last = error,
                    Either::Right(((), _)) => {
                        let detail = format!("{endpoint} did not answer in {:?}", limit.since(now));
                        last = DialError { reason: Reason::ConnectTimeout, detail };
                    }
                }
                tracing::debug!(
                    event = "link.endpoint_failed",
                    role = "worker",
                    remote = %endpoint,
                    reason = %last.reason,
                    "{endpoint}: {last}"
                );
                first_failed.get_or_insert((endpoint, last.reason));
            }
            Err(last)
        };
        Self { conn, attempt: attempt.boxed() }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Dialled, DialError>> {
        self.attempt.poll_unpin(cx)
    }
}

fn no_credential(detail: String) -> DialError {
    tracing::warn!(
        event = "link.no_credential",
        role = "worker",
        reason = %Reason::CredentialFailed,
        "There is no credential to show: {detail}"
    );
    DialError { reason: Reason::CredentialFailed, detail }
}

/// Said when the endpoint that was to be used answers no more and one of another transport does: what is
/// good is tried first from then on, so it is said once.
fn tell_of_fallback(transports: &Transports, from: &Endpoint, reason: Reason, to: &Endpoint) {
    let name = |endpoint: &Endpoint| {
        transports.get(endpoint.scheme()).and_then(|one| one.schemes().first().copied())
    };
    if name(from) == name(to) {
        return;
    }
    tracing::info!(
        event = "transport.fallback",
        role = "worker",
        transport = to.scheme(),
        remote = %to,
        reason = %reason,
        code = %Code(reason),
        "{} unreachable, using {}: {from} is not reached ({reason}), {to} is",
        from.scheme(),
        to.scheme()
    );
}

/// Until when the next of `waiting` endpoints may be tried.
fn share(now: Instant, end: Instant, waiting: u32) -> Instant {
    now + end.since(now) / waiting.max(1)
}

#[cfg(test)]
mod tests;
