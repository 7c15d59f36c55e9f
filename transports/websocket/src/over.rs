//! WebSocket over a byte stream that is there already: a tunnel, a Unix socket, memory in a test.
//!
//! ```no_run
//! use futures::io::{AsyncRead, AsyncWrite};
//! use moorline_transport::{Connection, DialError};
//!
//! async fn attach(
//!     tunnel: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
//! ) -> Result<Connection, DialError> {
//!     let endpoint = "ws://behind.the.tunnel/moorline".parse().expect("an endpoint");
//!     moorline_websocket::over::dial(tunnel, &endpoint, "the tunnel").await
//! }
//! ```

use futures::io::{AsyncRead, AsyncWrite};
use moorline_link::Reason;
use moorline_transport::{AcceptError, Connection, DialError, Endpoint};
use tungstenite::protocol::Role;

use crate::halves::connection;
use crate::net::Runtime;
use crate::upgrade::{Refusal, admit, ask};

/// Asks for a connection, as who dials does behind TCP and TLS. Whom `peer` names is for people.
///
/// # Errors
/// As of [`Transport::dial`](moorline_transport::Transport::dial).
pub async fn dial<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    mut stream: S,
    endpoint: &Endpoint,
    peer: &str,
) -> Result<Connection, DialError> {
    let failed = |error: std::io::Error| DialError {
        reason: Reason::Unreachable,
        detail: error.to_string(),
    };
    let runtime = Runtime::current().map_err(failed)?;
    let said = ask(&mut stream, endpoint).await?;
    Ok(connection((stream, said), Role::Client, runtime, peer.to_owned(), None))
}

/// Lets somebody in who asks for a connection, as a listener at `endpoint` does. Whom `peer` names is for
/// people. It waits for as long as they take.
///
/// # Errors
/// [`AcceptError::Refused`]: they asked for something else.
pub async fn accept<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    mut stream: S,
    endpoint: &Endpoint,
    peer: &str,
) -> Result<Connection, AcceptError> {
    let refused = |reason, detail| AcceptError::Refused { peer: peer.to_owned(), reason, detail };
    let runtime =
        Runtime::current().map_err(|error| AcceptError::Closed { detail: error.to_string() })?;
    match admit(&mut stream, endpoint.path()).await {
        Ok(()) => {
            Ok(connection((stream, Vec::new()), Role::Server, runtime, peer.to_owned(), None))
        }
        Err(Refusal { reason, detail, answer: _ }) => Err(refused(reason, detail)),
    }
}
