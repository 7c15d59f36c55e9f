//! Strangers at the socket.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};

use futures::future::{Either, select};
use moorline_link::Lane;

use super::tools::{Failure, Outcome, aside, broken, holds};
use super::{Socket, Subject};
use crate::{AcceptError, Connection, Endpoint, Listener};

/// What strangers say: another protocol, half of a handshake, noise, and nothing.
const GARBAGE: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    b"POST /moorline HTTP/1.0\r\ncontent-length: 5\r\n\r\nhello",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    // The beginning of what a TLS client says, and of a long packet in QUIC.
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"\xc0\0\0\0\x01\x08\x01\x02\x03\x04\x05\x06\x07\x08\0\0\x40\x20",
    b"SSH-2.0-OpenSSH_9.6\r\n",
    b"\0",
    &[0; 4_096],
    &[0xff; 4_096],
    b"",
];

pub(super) async fn garbage_at_the_port_disturbs_nobody(subject: &Subject) -> Outcome {
    if subject.socket == Socket::None {
        return Err(Failure::DoesNotApply("no socket"));
    }
    let (mut listener, mut dialled, mut accepted) = subject.connect().await?;
    let there = listener.endpoint();
    // Some leave when they have spoken, others stay.
    let mut staying = Vec::new();
    for garbage in GARBAGE {
        let (left, stays) = (stranger(subject, &there)?, stranger(subject, &there)?);
        left.say(garbage).or_else(|error| broken("a socket takes what is written", error))?;
        stays.say(garbage).or_else(|error| broken("a socket takes what is written", error))?;
        let leaving = aside({
            let patience = subject.patience / 2;
            move || left.leave(patience)
        });
        let expected =
            format!("{:?} is not taken for a connection", String::from_utf8_lossy(garbage));
        let turned_away = async {
            let gone = subject.soon("a stranger who has left is let go", leaving).await?;
            holds(gone == Some(true), "a stranger who has left is let go", "its socket is open")
        };
        let nobody = refuse_all(&mut *listener, &expected);
        match select(Box::pin(turned_away), Box::pin(nobody)).await {
            Either::Left((gone, _)) => gone?,
            Either::Right((failure, _)) => return Err(failure),
        }
        staying.push(stays);
        work_on(subject, &mut dialled, &mut accepted).await?;
    }
    // Those who stay are still there, and a dial finds its way past them: no stranger is taken for it.
    let (mut dialled, mut accepted) = subject.another(&mut *listener).await?;
    work_on(subject, &mut dialled, &mut accepted).await?;
    drop(staying);
    Ok(())
}

pub(super) async fn whoever_is_silent_keeps_nobody_waiting(subject: &Subject) -> Outcome {
    const SILENT: usize = 50;
    if subject.socket == Socket::None {
        return Err(Failure::DoesNotApply("no socket"));
    }
    let mut listener = subject.listen().await?;
    let there = listener.endpoint();
    let silent = (0..SILENT).map(|_| stranger(subject, &there)).collect::<Result<Vec<_>, _>>()?;
    let (mut dialled, mut accepted) = subject.another(&mut *listener).await?;
    work_on(subject, &mut dialled, &mut accepted).await?;
    drop(silent);
    Ok(())
}

/// A packet each way.
async fn work_on(subject: &Subject, one: &mut Connection, other: &mut Connection) -> Outcome {
    subject.carry(&mut *one.sender, &mut *other.receiver, b"undisturbed", Lane::C).await?;
    subject.carry(&mut *other.sender, &mut *one.receiver, b"here as well", Lane::C).await
}

/// Lets nobody in; ends when somebody is.
async fn refuse_all(listener: &mut dyn Listener, expected: &str) -> Failure {
    loop {
        let saw = match listener.accept().await {
            Err(AcceptError::Refused { .. } | AcceptError::Connection { .. }) => continue,
            Err(error) => error.to_string(),
            Ok(connection) => format!("a connection of {}", connection.peer),
        };
        return Failure::Broken { expected: expected.to_owned(), saw };
    }
}

/// Somebody who does not speak the protocol.
enum Stranger {
    Tcp(TcpStream),
    Udp(UdpSocket),
}

fn stranger(subject: &Subject, there: &Endpoint) -> Result<Stranger, Failure> {
    let address = (there.host(), there.port());
    let connected = match subject.socket {
        Socket::Tcp => TcpStream::connect(address).map(Stranger::Tcp),
        Socket::None | Socket::Udp => UdpSocket::bind(("localhost", 0))
            .and_then(|socket| socket.connect(address).map(|()| Stranger::Udp(socket))),
    };
    connected.or_else(|error| broken(format_args!("a socket at {there}"), error))
}

impl Stranger {
    /// Little enough for the system to take it at once.
    fn say(&self, garbage: &[u8]) -> io::Result<()> {
        match self {
            // Who was turned away before it had said all of it has said enough.
            Self::Tcp(stream) => match (&*stream).write_all(garbage) {
                Err(error) if is_end(&error) => Ok(()),
                written => written,
            },
            Self::Udp(socket) => socket.send(garbage).map(drop),
        }
    }

    /// Says that there is no more, and waits until the other end has gone too; whether it has.
    fn leave(self, patience: std::time::Duration) -> bool {
        let Self::Tcp(mut stream) = self else { return true };
        // It may be gone already.
        let _ = stream.shutdown(Shutdown::Write);
        if stream.set_read_timeout(Some(patience)).is_err() {
            return true;
        }
        match stream.read_to_end(&mut Vec::new()) {
            Ok(_) => true,
            Err(error) => is_end(&error),
        }
    }
}

/// Whether the other end has gone.
pub(super) fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected)
}
