//! Dialling and listening: refused, cancelled, and over.

use std::io::Read;
use std::net::{TcpListener, UdpSocket};

use futures::future::{join_all, try_join};
use moorline_link::{Lane, Reason};

use super::clock::{GivenUp, at_most, within};
use super::garbage::is_end;
use super::tools::{Failure, Outcome, all, aside, broken, holds, poll_receive};
use super::{Socket, Subject};
use crate::{AcceptError, Connection, ListenError};

pub(super) async fn a_dial_to_nothing_is_refused(subject: &Subject) -> Outcome {
    // Something was there: so the address is certainly free.
    let listener = subject.listen().await?;
    let there = listener.endpoint();
    drop(listener);
    let expected = "a dial error, connect_refused";
    match subject.soon(expected, subject.transport.dial(&there)).await? {
        Ok(_) => broken(expected, "a connection"),
        Err(error) => holds(error.reason == Reason::ConnectRefused, expected, error),
    }
}

pub(super) async fn a_dial_can_be_cancelled_at_any_time(subject: &Subject) -> Outcome {
    let mut listener = subject.listen().await?;
    let there = listener.endpoint();
    let dial = async {
        for polls in 0.. {
            let dial = subject.transport.dial(&there);
            let expected = format!("a dial is ready, or waits for its poll {}", polls + 1);
            let dialled = at_most(polls, GivenUp::AtOnce, dial);
            match subject.soon(expected, dialled).await? {
                None => {}
                Some(Ok(whole)) => {
                    drop(whole);
                    break;
                }
                Some(Err(error)) => return broken("a connection", error),
            }
        }
        let mut whole = subject.dial_at(&there).await?;
        subject.send_through(&mut *whole.sender, "whole", Lane::C).await?;
        Ok(whole)
    };
    let serve = async {
        loop {
            let mut accepted = subject.accept(&mut *listener).await?;
            // Whatever got through of a dial that was cancelled is over.
            let expected = "the end of a connection whose dial was cancelled, or the whole one";
            let packet = subject.soon(expected, poll_receive(&mut *accepted.receiver)).await?;
            match packet {
                Ok(packet) if packet == "whole" => return Ok(accepted),
                Ok(_) => return broken(expected, "a packet that nobody sent"),
                Err(_) => {}
            }
        }
    };
    try_join(serve, dial).await?;
    Ok(())
}

pub(super) async fn a_dial_that_nobody_answers_can_be_given_up(subject: &Subject) -> Outcome {
    let host = subject.listen.host();
    let silent = |what: &str, error: std::io::Error| Failure::Broken {
        expected: format!("a silent {what} socket at {host}"),
        saw: error.to_string(),
    };
    match subject.socket {
        Socket::None => Err(Failure::DoesNotApply("no socket")),
        Socket::Udp => {
            let socket = UdpSocket::bind((host, 0)).map_err(|error| silent("UDP", error))?;
            let address = socket.local_addr().map_err(|error| silent("UDP", error))?;
            give_up(subject, address.port()).await
        }
        Socket::Tcp => {
            let listener = TcpListener::bind((host, 0)).map_err(|error| silent("TCP", error))?;
            let address = listener.local_addr().map_err(|error| silent("TCP", error))?;
            give_up(subject, address.port()).await?;
            // The system has accepted it.
            let patience = subject.patience / 2;
            let gone = aside(move || {
                let (mut stream, _) = listener.accept()?;
                stream.set_read_timeout(Some(patience))?;
                stream
                    .read_to_end(&mut Vec::new())
                    .map(drop)
                    .or_else(|error| if is_end(&error) { Ok(()) } else { Err(error) })
            });
            let expected = "the socket of a dial that was given up is closed";
            match subject.soon(expected, gone).await? {
                Some(Ok(())) => Ok(()),
                Some(Err(error)) => broken(expected, format_args!("it is open: {error}")),
                None => broken(expected, "nobody looked"),
            }
        }
    }
}

/// Dials somebody who says nothing, and stops after a while.
async fn give_up(subject: &Subject, port: u16) -> Outcome {
    let dial = subject.transport.dial(&subject.listen.with_port(port));
    match within(subject.quiet, dial).await {
        // A transport that does not ask who is there is content with a socket.
        None | Some(Ok(_)) => Ok(()),
        Some(Err(error)) => broken("a dial that waits for as long as it is let", error),
    }
}

pub(super) async fn an_accept_that_is_cancelled_loses_nobody(subject: &Subject) -> Outcome {
    const DIALS: u8 = 20;
    let mut listener = subject.listen().await?;
    let there = listener.endpoint();
    let dials = all((0..DIALS).map(|number| {
        let there = &there;
        async move {
            let mut dialled = subject.dial_at(there).await?;
            subject.carry(&mut *dialled.sender, &mut *dialled.receiver, &[number], Lane::C).await?;
            Ok(dialled)
        }
    }));
    let serve = async {
        let mut taken: Vec<Connection> = Vec::new();
        for turn in 0.. {
            if taken.len() == usize::from(DIALS) {
                break;
            }
            let expected = format!("connection {} of {DIALS} is accepted", taken.len() + 1);
            let accept = at_most(1 + turn % 3, GivenUp::WhenWoken, listener.accept());
            match subject.soon(&expected, accept).await? {
                None | Some(Err(AcceptError::Refused { .. } | AcceptError::Connection { .. })) => {}
                Some(Ok(connection)) => taken.push(connection),
                Some(Err(error)) => return broken(expected, error),
            }
        }
        for connection in &mut taken {
            let packet = subject.receive(&mut *connection.receiver).await?;
            subject.send_through(&mut *connection.sender, packet, Lane::C).await?;
        }
        Ok(taken)
    };
    try_join(dials, serve).await?;
    Ok(())
}

pub(super) async fn a_listener_that_is_dropped_ends_the_dials_under_way(
    subject: &Subject,
) -> Outcome {
    const DIALS: usize = 10;
    for accepts_one in [false, true] {
        let mut listener = subject.listen().await?;
        let there = listener.endpoint();
        let ends = join_all((0..DIALS).map(|_| async {
            match subject.transport.dial(&there).await {
                // It got through: then it is over.
                Ok(mut connection) => poll_receive(&mut *connection.receiver).await.is_err(),
                Err(_) => true,
            }
        }));
        let over = async {
            if accepts_one {
                let first = subject.accept(&mut *listener).await?;
                drop(first);
            }
            drop(listener);
            Ok(())
        };
        let all = async {
            let expected =
                "each of 10 dials fails, or its connection ends, once the listener is gone";
            let ends = subject.soon(expected, ends).await?;
            holds(ends.iter().all(|end| *end), expected, "a packet that nobody sent")
        };
        // The dials first, as far as they come by themselves.
        try_join(all, over).await?;
    }
    Ok(())
}

pub(super) async fn connections_outlive_their_listener(subject: &Subject) -> Outcome {
    let (listener, mut dialled, mut accepted) = subject.connect().await?;
    let there = listener.endpoint();
    drop(listener);
    for (writes, reads) in [(&mut dialled, &mut accepted)] {
        subject.carry(&mut *writes.sender, &mut *reads.receiver, b"still here", Lane::C).await?;
        subject.carry(&mut *reads.sender, &mut *writes.receiver, b"so are we", Lane::C).await?;
    }
    let expected = "a dial fails where nobody listens any more";
    let dialled_again = subject.soon(expected, subject.transport.dial(&there)).await?;
    holds(dialled_again.is_err(), expected, "a connection")?;
    let expected = format!("a listener at {there}, which is free again");
    let again = subject.soon(&expected, subject.transport.listen(&there)).await?;
    again.map(drop).or_else(|error| broken(expected, error))
}

pub(super) async fn an_address_is_listened_on_once(subject: &Subject) -> Outcome {
    let mut listener = subject.listen().await?;
    let there = listener.endpoint();
    let expected = "an error: in use";
    match subject.soon(expected, subject.transport.listen(&there)).await? {
        Err(ListenError::InUse { endpoint }) => {
            holds(endpoint == there, format_args!("{there} is in use"), endpoint)?;
        }
        Err(error) => return broken(expected, error),
        Ok(_) => return broken(expected, "a second listener"),
    }
    subject.another(&mut *listener).await.map(drop)
}

pub(super) async fn the_address_that_is_told_can_be_dialled(subject: &Subject) -> Outcome {
    let schemes = subject.transport.schemes();
    let scheme = subject.listen.scheme();
    let expected = format!("`{scheme}` among the schemes that are served");
    holds(schemes.contains(&scheme), expected, format_args!("{schemes:?}"))?;
    let mut listener = subject.listen().await?;
    let there = listener.endpoint();
    let is_real = subject.socket == Socket::None || there.port() != 0;
    holds(is_real, "the port that it listens on", &there)?;
    holds(there.scheme() == scheme, format_args!("an endpoint of `{scheme}`"), &there)?;
    subject.another(&mut *listener).await.map(drop)
}
