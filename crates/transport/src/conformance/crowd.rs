//! Many connections, and neighbours.

use futures::future::try_join;
use moorline_link::{Lane, Reason};

use super::Subject;
use super::clock::sleep;
use super::tools::{Outcome, all, fill};

pub(super) async fn many_connections_are_open_at_once(subject: &Subject) -> Outcome {
    let many = subject.connections;
    let mut listener = subject.listen().await?;
    let there = listener.endpoint();
    let dials = all((0..many).map(|number| {
        let there = &there;
        async move {
            let mut dialled = subject.dial_at(there).await?;
            let own = number.to_be_bytes();
            subject.carry(&mut *dialled.sender, &mut *dialled.receiver, &own, Lane::C).await?;
            Ok(dialled)
        }
    }));
    let serve = async {
        let mut taken = Vec::new();
        for _ in 0..many {
            taken.push(subject.accept(&mut *listener).await?);
        }
        // All are open: now each hears its own.
        all(taken.into_iter().map(|mut accepted| async move {
            let packet = subject.receive(&mut *accepted.receiver).await?;
            subject.send_through(&mut *accepted.sender, packet, Lane::C).await?;
            Ok(accepted)
        }))
        .await
    };
    let (dialled, accepted) = try_join(dials, serve).await?;
    let close = all(dialled.into_iter().map(|mut dialled| async move {
        subject.close(&mut *dialled.sender).await?;
        Ok(dialled)
    }));
    let ends = all(accepted.into_iter().map(|mut accepted| async move {
        subject.end(&mut *accepted.receiver, Reason::ClosedByPeer).await?;
        Ok(accepted)
    }));
    try_join(close, ends).await?;
    Ok(())
}

pub(super) async fn a_connection_that_stands_still_holds_up_no_other(subject: &Subject) -> Outcome {
    let (mut listener, mut stands, _peer) = subject.connect().await?;
    fill(subject, &mut *stands.sender).await?;
    let (mut dialled, mut accepted) = subject.another(&mut *listener).await?;
    for number in 0..50_u8 {
        let packet = vec![number; 10_000];
        subject.carry(&mut *dialled.sender, &mut *accepted.receiver, &packet, Lane::B).await?;
        subject.carry(&mut *accepted.sender, &mut *dialled.receiver, &packet, Lane::C).await?;
    }
    Ok(())
}

pub(super) async fn an_idle_connection_stays(subject: &Subject) -> Outcome {
    let (_listener, mut dialled, mut accepted) = subject.connect().await?;
    sleep(subject.idle).await;
    subject.carry(&mut *dialled.sender, &mut *accepted.receiver, b"awake", Lane::C).await?;
    subject.carry(&mut *accepted.sender, &mut *dialled.receiver, b"here too", Lane::C).await
}
