use quinn::{ApplicationClose, ConnectionClose};

use super::*;

fn by_application(code: u32) -> ConnectionError {
    let error_code = VarInt::from_u32(code);
    ConnectionError::ApplicationClosed(ApplicationClose { error_code, reason: "".into() })
}

fn by_quic(error_code: TransportErrorCode) -> ConnectionError {
    let close = ConnectionClose { error_code, frame_type: None, reason: "".into() };
    ConnectionError::ConnectionClosed(close)
}

fn found_here(code: TransportErrorCode) -> ConnectionError {
    ConnectionError::TransportError(quinn_proto::TransportError::from(code))
}

#[test]
fn every_end_has_its_reason() {
    for (error, reason) in [
        (by_application(0), Reason::ClosedByPeer),
        (by_application(1), Reason::TransportReset),
        (by_application(2), Reason::ProtocolError),
        (by_application(3), Reason::ConnectRefused),
        (by_application(4), Reason::TransportReset),
        (by_quic(TransportErrorCode::NO_ERROR), Reason::ClosedByPeer),
        (by_quic(TransportErrorCode::CONNECTION_REFUSED), Reason::ConnectRefused),
        (by_quic(TransportErrorCode::INTERNAL_ERROR), Reason::TransportReset),
        (by_quic(TransportErrorCode::APPLICATION_ERROR), Reason::TransportReset),
        (by_quic(TransportErrorCode::FLOW_CONTROL_ERROR), Reason::ProtocolError),
        (by_quic(TransportErrorCode::STREAM_LIMIT_ERROR), Reason::ProtocolError),
        (by_quic(TransportErrorCode::crypto(48)), Reason::TlsFailed),
        (by_quic(TransportErrorCode::crypto(120)), Reason::ProxyRefused),
        (found_here(TransportErrorCode::STREAM_LIMIT_ERROR), Reason::ProtocolError),
        (found_here(TransportErrorCode::crypto(42)), Reason::TlsFailed),
        (found_here(TransportErrorCode::crypto(120)), Reason::ProxyRefused),
        (ConnectionError::VersionMismatch, Reason::ProxyRefused),
        (ConnectionError::Reset, Reason::TransportReset),
        (ConnectionError::LocallyClosed, Reason::TransportReset),
        (ConnectionError::CidsExhausted, Reason::TransportReset),
        (ConnectionError::TimedOut, Reason::HalfOpen),
    ] {
        assert_eq!(end_reason(&error), reason, "{error:?}");
    }
}

#[test]
fn another_address_is_tried_when_one_does_not_answer_and_not_when_it_says_no() {
    let kind = |error: &ConnectionError| {
        unanswered(error).map(|error| error.kind()).map_err(|failed| failed.reason)
    };
    assert_eq!(kind(&ConnectionError::TimedOut), Ok(io::ErrorKind::TimedOut));
    assert_eq!(kind(&ConnectionError::Reset), Ok(io::ErrorKind::ConnectionReset));
    let refused = by_quic(TransportErrorCode::CONNECTION_REFUSED);
    assert_eq!(kind(&refused), Ok(io::ErrorKind::ConnectionRefused));
    assert_eq!(kind(&by_quic(TransportErrorCode::crypto(48))), Err(Reason::TlsFailed));
    assert_eq!(kind(&ConnectionError::VersionMismatch), Err(Reason::ProxyRefused));
    assert_eq!(dial_error(&ConnectionError::TimedOut).reason, Reason::ConnectTimeout);
}

#[test]
fn a_lane_that_is_given_up_is_told_from_a_connection_that_is_lost() {
    assert_eq!(write_reason(&WriteError::Stopped(code::CUT)), Reason::StreamLost);
    assert_eq!(read_reason(&ReadError::Reset(code::CUT)), Reason::StreamLost);
    let lost = || ConnectionError::TimedOut;
    assert_eq!(write_reason(&WriteError::ConnectionLost(lost())), Reason::HalfOpen);
    assert_eq!(read_reason(&ReadError::ConnectionLost(lost())), Reason::HalfOpen);
    assert!(is_left(&by_application(1)) && !is_left(&lost()));
}
