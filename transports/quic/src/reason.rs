//! What the ends and errors of QUIC mean.

use std::io;

use moorline_link::Reason;
use moorline_transport::DialError;
use quinn::{ConnectionError, ReadError, TransportErrorCode, VarInt, WriteError};

/// Why one of us closed a connection: QUIC's application error codes.
pub(crate) mod code {
    use quinn::VarInt;

    /// In order: all that was sent was read before.
    pub(crate) const ORDERLY: VarInt = VarInt::from_u32(0);
    /// A half was dropped.
    pub(crate) const CUT: VarInt = VarInt::from_u32(1);
    /// The peer broke the rules.
    pub(crate) const PROTOCOL: VarInt = VarInt::from_u32(2);
    /// Nobody listens any more.
    pub(crate) const GONE: VarInt = VarInt::from_u32(3);
}

/// TLS' alert 120: the peer speaks TLS and QUIC, but not moorline.
const NO_APPLICATION_PROTOCOL: u64 = 0x178;

/// Why a connection is over.
pub(crate) fn end_reason(error: &ConnectionError) -> Reason {
    match error {
        // Nobody has proven that it said so: not a reason to give up for good.
        ConnectionError::VersionMismatch => Reason::ProxyRefused,
        ConnectionError::TransportError(error) => {
            of_tls(error.code).unwrap_or(Reason::ProtocolError)
        }
        ConnectionError::ConnectionClosed(close) => said(close.error_code),
        ConnectionError::ApplicationClosed(close) => match close.error_code {
            code::ORDERLY => Reason::ClosedByPeer,
            code::PROTOCOL => Reason::ProtocolError,
            code::GONE => Reason::ConnectRefused,
            // CUT, and what nobody says.
            _ => Reason::TransportReset,
        },
        ConnectionError::Reset
        | ConnectionError::LocallyClosed
        | ConnectionError::CidsExhausted => Reason::TransportReset,
        ConnectionError::TimedOut => Reason::HalfOpen,
    }
}

fn of_tls(code: TransportErrorCode) -> Option<Reason> {
    match u64::from(code) {
        NO_APPLICATION_PROTOCOL => Some(Reason::ProxyRefused),
        0x100..0x200 => Some(Reason::TlsFailed),
        _ => None,
    }
}

/// The peer's QUIC closed it, not the peer itself.
fn said(code: TransportErrorCode) -> Reason {
    // Given up while keys were exchanged, or because of something of the peer's own.
    const ITS_OWN: [TransportErrorCode; 4] = [
        TransportErrorCode::APPLICATION_ERROR,
        TransportErrorCode::INTERNAL_ERROR,
        TransportErrorCode::AEAD_LIMIT_REACHED,
        TransportErrorCode::NO_VIABLE_PATH,
    ];
    if code == TransportErrorCode::NO_ERROR {
        Reason::ClosedByPeer
    } else if code == TransportErrorCode::CONNECTION_REFUSED {
        Reason::ConnectRefused
    } else if ITS_OWN.contains(&code) {
        Reason::TransportReset
    } else {
        of_tls(code).unwrap_or(Reason::ProtocolError)
    }
}

/// An address that did not answer, as far as another one might; or whoever did answer would not.
pub(crate) fn unanswered(error: &ConnectionError) -> Result<io::Error, DialError> {
    const SILENT: [(Reason, io::ErrorKind); 3] = [
        (Reason::ConnectTimeout, io::ErrorKind::TimedOut),
        (Reason::ConnectRefused, io::ErrorKind::ConnectionRefused),
        (Reason::TransportReset, io::ErrorKind::ConnectionReset),
    ];
    let failed = dial_error(error);
    let silent = SILENT.into_iter().find(|(reason, _)| *reason == failed.reason);
    let Some((_, kind)) = silent else { return Err(failed) };
    Ok(io::Error::new(kind, failed.detail))
}

/// Why there was no connection.
pub(crate) fn dial_error(error: &ConnectionError) -> DialError {
    let is_timeout = matches!(error, ConnectionError::TimedOut);
    let reason = if is_timeout { Reason::ConnectTimeout } else { end_reason(error) };
    DialError { reason, detail: error.to_string() }
}

/// Why a stream could not be written.
pub(crate) fn write_reason(error: &WriteError) -> Reason {
    match error {
        WriteError::ConnectionLost(error) => end_reason(error),
        WriteError::Stopped(_) => Reason::StreamLost,
        // Without 0-RTT, and with a stream that is not used after its end.
        WriteError::ClosedStream | WriteError::ZeroRttRejected => Reason::TransportReset,
    }
}

/// Why a stream could not be read.
pub(crate) fn read_reason(error: &ReadError) -> Reason {
    match error {
        ReadError::ConnectionLost(error) => end_reason(error),
        ReadError::Reset(_) => Reason::StreamLost,
        // Without 0-RTT, and with a stream that is read in order and not after its end.
        ReadError::ClosedStream | ReadError::IllegalOrderedRead | ReadError::ZeroRttRejected => {
            Reason::TransportReset
        }
    }
}

/// Ends a connection whose peer broke the rules.
pub(crate) fn protocol_error(connection: &quinn::Connection, detail: &str) -> Reason {
    connection.close(code::PROTOCOL, detail.as_bytes());
    Reason::ProtocolError
}

/// Whether the peer itself ended the connection, with whatever it said.
pub(crate) fn is_left(error: &ConnectionError) -> bool {
    matches!(error, ConnectionError::ApplicationClosed(_))
}

/// Closes a connection unless somebody else looks after it in time.
pub(crate) struct Guard(Option<quinn::Connection>);

impl Guard {
    pub(crate) fn new(connection: &quinn::Connection) -> Self {
        Self(Some(connection.clone()))
    }

    pub(crate) fn close(mut self, code: VarInt) {
        if let Some(connection) = self.0.take() {
            connection.close(code, b"");
        }
    }

    pub(crate) fn release(mut self) {
        self.0 = None;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(connection) = &self.0 {
            connection.close(code::CUT, b"");
        }
    }
}

#[cfg(test)]
mod tests;
