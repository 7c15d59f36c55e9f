//! One attempt to reach a coordinator: the endpoints that the node names, in turn.

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

/// An attempt that is under way. Dropping it cancels it.
pub(crate) struct Dial {
    pub(crate) conn: ConnId,
    attempt: BoxFuture<'static, Result<Dialled, DialError>>,
}

/// An attempt that has reached somebody.
pub(crate) struct Dialled {
    pub(crate) endpoint: Endpoint,
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
        endpoints: Vec<Endpoint>,
        credential: Option<BoxFuture<'static, Result<Credential, String>>>,
        conn: ConnId,
        timeout: Duration,
    ) -> Self {
        let (runtime, transports) = (runtime.clone(), transports.clone());
        let attempt = async move {
            let end = runtime.now() + timeout;
            let credential = match credential {
                Some(fetching) => Some(fetching.await.map_err(no_credential)?),
                None => None,
            };
            let detail = "no endpoint of a coordinator is known".to_owned();
            let mut last = DialError { reason: Reason::Unreachable, detail };
            let mut first_failed = None;
            let mut waiting = u32::try_from(endpoints.len()).unwrap_or(u32::MAX);
            for endpoint in endpoints {
                let now = runtime.now();
                let limit = share(now, end, waiting);
                waiting = waiting.saturating_sub(1);
                let dial = transports.dial(&endpoint);
                match future::select(dial, runtime.sleep_until(limit)).await {
                    Either::Left((Ok(connection), _)) => {
                        if let Some((from, reason)) = &first_failed {
                            tell_of_fallback(&transports, from, *reason, &endpoint);
                        }
                        return Ok(Dialled { endpoint, connection, credential });
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
