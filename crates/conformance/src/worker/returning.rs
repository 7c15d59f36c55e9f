//! Coming back: when, and when not.

use std::time::Duration;

use moorline_link::{ComeBack, Dismissal, Epoch, Reason, Ticket};
use tokio::time::Instant;

use super::stage::Stage;
use crate::hearing::Hears;
use crate::outcome::{Outcome, broken, holds};
use crate::raw;

/// How long nobody dials before it is taken for granted that nobody will.
const NEVER: Duration = Duration::from_secs(6);

/// What may be missing of a time: both sides measure it, and not at the same place.
const EARLY: Duration = Duration::from_millis(50);

fn after(reason: Reason, time: Duration) -> Dismissal {
    Dismissal { reason, come_back: ComeBack::After(time) }
}

/// The worker dials again, and not before this time.
async fn dials_after(stage: &mut Stage<'_>, begun: Instant, least: Duration) -> Outcome {
    let dialled = stage.dialled().await?;
    let took = dialled - begun;
    holds(took + EARLY >= least, format!("no dial before {least:?} are over"), || {
        format!("one after {took:?}")
    })
}

/// The worker does not dial.
async fn never_dials(stage: &mut Stage<'_>) -> Outcome {
    let begun = Instant::now();
    match stage.dialled_within(NEVER).await? {
        Some(at) => broken("no dial, as it was told never", format!("one after {:?}", at - begun)),
        None => Ok(()),
    }
}

pub(super) async fn a_refusal_for_a_while_is_obeyed(stage: &mut Stage<'_>) -> Outcome {
    const TIME: Duration = Duration::from_secs(3);
    stage.start()?;
    stage.hello().await?;
    let begun = Instant::now();
    stage.refuse(after(Reason::CoordinatorOverloaded, TIME)).await;
    dials_after(stage, begun, TIME).await
}

pub(super) async fn a_refusal_for_ever_is_obeyed(stage: &mut Stage<'_>) -> Outcome {
    stage.start()?;
    stage.hello().await?;
    let (reason, come_back) = (Reason::Superseded, ComeBack::Never);
    stage.refuse(Dismissal { reason, come_back }).await;
    never_dials(stage).await
}

pub(super) async fn a_ticket_is_shown_once(stage: &mut Stage<'_>) -> Outcome {
    const TIME: Duration = Duration::from_secs(1);
    let ticket = Ticket { epoch: Epoch(7), slot: 81_000, mac: 0xfeed_f00d_0000_0001 };
    stage.start()?;
    stage.hello().await?;
    let come_back = ComeBack::Slot { after: TIME, ticket };
    stage.refuse(Dismissal { reason: Reason::RateLimited, come_back }).await;
    let (hello, _) = stage.hello().await?;
    holds(hello.ticket == Some(ticket), "the ticket in the next Hello, as it was given", || {
        format!("{:?}", hello.ticket)
    })?;
    stage.refuse(after(Reason::CoordinatorOverloaded, TIME)).await;
    let (hello, _) = stage.hello().await?;
    holds(hello.ticket.is_none(), "no ticket in the Hello after that", || {
        format!("{:?}", hello.ticket)
    })
}

pub(super) async fn dials_keep_their_distance(stage: &mut Stage<'_>) -> Outcome {
    const DIALS: u32 = 5;
    const LEAST: Duration = Duration::from_millis(100);
    stage.start()?;
    stage.hello().await?;
    let begun = Instant::now();
    for _ in 0..DIALS {
        stage.cut();
        stage.hello().await?;
    }
    let took = begun.elapsed();
    let least = LEAST * DIALS;
    holds(took + EARLY >= least, format!("{DIALS} dials in no less than {least:?}"), || {
        format!("{took:?}")
    })
}

pub(super) async fn a_go_away_is_obeyed(stage: &mut Stage<'_>) -> Outcome {
    const TIME: Duration = Duration::from_secs(2);
    stage.begin().await?;
    let session = stage.desk.session;
    let begun = Instant::now();
    stage.send_away(after(Reason::CoordinatorStopping, TIME)).await;
    let (hello, _) = stage.hello().await?;
    let took = begun.elapsed();
    holds(took + EARLY >= TIME, format!("no dial before {TIME:?} are over"), || {
        format!("one after {took:?}")
    })?;
    let shown = hello.resume.map(|resume| resume.session);
    holds(shown == Some(session), "the session to resume, which stands", || format!("{shown:?}"))
}

pub(super) async fn a_go_away_for_ever_is_obeyed(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    let (reason, come_back) = (Reason::OperatorDisconnect, ComeBack::Never);
    stage.send_away(Dismissal { reason, come_back }).await;
    never_dials(stage).await
}

pub(super) async fn a_reason_that_is_not_known_is_a_close(stage: &mut Stage<'_>) -> Outcome {
    stage.begin().await?;
    // GoAway with reason 9999 and come_back 77.
    let newer = [raw::number(1, 9_999), raw::number(2, 77)].concat();
    stage.send(raw::packet(&[(15, newer)]), moorline_link::Lane::C).await;
    stage.lull(Duration::from_millis(100)).await;
    stage.cut();
    stage.register().await.map(drop)
}
