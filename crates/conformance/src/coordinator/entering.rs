//! Registration: who is let in, and into which session.

use std::time::Duration;

use moorline_link::{ComeBack, Epoch, Lane, Reason, SessionId, Versions};
use moorline_node::UpFrame;
use moorline_work::{Holding, Outcome as Ended};

use super::Table;
use super::player::{Answer, Player, nobodys_task, words};
use super::seat::Heard;
use crate::hearing::Hears;
use crate::outcome::{Failure, Outcome, broken, holds};

/// How long something must not happen.
const A_WHILE: Duration = Duration::from_secs(2);

pub(super) async fn a_hello_is_answered_with_a_welcome(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    let welcome = player.enters().await?;
    holds(welcome.version == 1, "version 1", || format!("{}", welcome.version))?;
    holds(!welcome.resumed, "a new session", || "one that is resumed".to_owned())?;
    let (beat, lost) = (welcome.beat_interval, welcome.lost_after);
    holds(!beat.is_zero(), "a heartbeat interval", || "none".to_owned())?;
    holds(lost > beat, "lost_after, above the interval", || format!("{lost:?} and {beat:?}"))?;
    for lane in Lane::ALL {
        let credit = welcome.lanes[lane.index()].credit;
        let given = credit.messages.0 > 0 && credit.bytes > 0;
        holds(given, format!("credit of lane {lane:?}"), || format!("{credit:?}"))?;
    }
    player.leaves().await;
    Ok(())
}

pub(super) async fn nothing_is_said_before_the_hello(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    player.dial().await?;
    match player.lull(A_WHILE).await.first() {
        Some(heard) => broken("nothing before the Hello", words(heard)),
        None => Ok(()),
    }
}

pub(super) async fn who_never_says_hello_is_closed(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    player.dial().await?;
    let expected = "the end of the connection within 20 s, as no Hello comes";
    let ended = |heard: &Heard| matches!(heard, Heard::Ended(_)).then_some(());
    player.until_within(Duration::from_secs(20), expected, ended).await
}

pub(super) async fn packets_are_as_the_schema_says(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    player.enters().await?;
    let key = nobodys_task();
    player.brings(key, "of nobody").await;
    player.until_settled(key).await?;
    player.lull(A_WHILE).await;
    player.leaves().await;
    Ok(())
}

pub(super) async fn a_range_of_versions_is_answered_with_one_of_them(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    let offered = Versions { min: 1, max: 9 };
    match player.asks_with(|head| head.versions = offered).await? {
        Answer::Welcome(welcome) => {
            let version = welcome.version;
            let in_range = (offered.min..=offered.max).contains(&version);
            holds(in_range, "a version from 1 to 9", || format!("{version}"))?;
        }
        Answer::Refused(refused) => {
            return broken("a Welcome", format!("refused, {}", refused.reason.name()));
        }
    }
    player.leaves().await;
    Ok(())
}

pub(super) async fn a_version_that_is_not_spoken_is_refused_for_good(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    let versions = Versions { min: 60_000, max: 60_000 };
    let expected = "refused, version_unsupported, not to come back";
    match player.asks_with(|head| head.versions = versions).await? {
        Answer::Refused(refused) => {
            let final_one = matches!(refused.come_back, ComeBack::ByReason | ComeBack::Never);
            let is_so = refused.reason == Reason::VersionUnsupported && final_one;
            holds(is_so, expected, || format!("{refused:?}"))
        }
        Answer::Welcome(welcome) => broken(expected, format!("{welcome:?}")),
    }
}

pub(super) async fn a_feature_that_was_not_offered_is_not_agreed_on(table: &Table<'_>) -> Outcome {
    for offered in [0, 1 << 63, 1 | 1 << 63] {
        let mut player = Player::new(table);
        match player.asks_with(|head| head.features = offered).await? {
            Answer::Welcome(welcome) => {
                let more = welcome.features & !player.seat.offered;
                holds(more == 0, format!("none but of {offered:#x}"), || format!("{more:#x}"))?;
            }
            Answer::Refused(refused) => {
                return broken("a Welcome", format!("refused, {}", refused.reason.name()));
            }
        }
        player.leaves().await;
    }
    Ok(())
}

pub(super) async fn active_is_answered(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    player.welcomed().await?;
    player.lists(&[]).await?;
    // Active before the worker's is seen by whoever watches every frame.
    player.lull(A_WHILE / 2).await;
    player.say(UpFrame::Active).await;
    player.until("Active", |heard| matches!(heard, Heard::Active).then_some(())).await?;
    player.leaves().await;
    Ok(())
}

pub(super) async fn each_item_of_the_inventory_is_answered_once(table: &Table<'_>) -> Outcome {
    let holding = |n: u32| match n % 2 {
        0 => Holding::Running { progress: 0 },
        _ => Holding::Finished { outcome: Ended::Succeeded, len: n },
    };
    let items: Vec<_> = (0..50).map(|n| (nobodys_task(), holding(n))).collect();
    let mut player = Player::new(table);
    let (_, answers) = player.enters_with(&items).await?;
    holds(answers.len() == items.len(), "50 answers", || format!("{}", answers.len()))?;
    // One more would be seen by whoever watches every frame.
    player.lull(A_WHILE / 2).await;
    player.leaves().await;
    Ok(())
}

pub(super) async fn a_session_is_resumed_where_it_stood(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    player.enters().await?;
    let key = nobodys_task();
    player.brings(key, "of nobody").await;
    player.until_settled(key).await?;
    // The acknowledgement of this side is on its way before the cut.
    player.lull(A_WHILE / 4).await;
    let session = player.seat.session;
    player.cut();
    let welcome = player.enters().await?;
    let resumed = welcome.resumed && Some(welcome.session) == session;
    holds(resumed, format!("{session:?}, resumed"), || format!("{welcome:?}"))?;
    let received = welcome.lanes[Lane::B.index()].received.0;
    holds(received == 1, "message 1 received on lane B", || format!("{received}"))?;
    player.leaves().await;
    Ok(())
}

pub(super) async fn a_session_of_another_life_is_not_resumed(table: &Table<'_>) -> Outcome {
    let mut player = Player::new(table);
    let session = player.enters().await?.session;
    player.cut();
    // The very process that the session belongs to: nothing but the epoch is wrong.
    let epoch = Epoch(session.epoch.0.wrapping_add(1));
    player.seat.session = Some(SessionId { epoch, n: session.n });
    let welcome = player.enters().await?;
    holds(!welcome.resumed, "a new session", || format!("{:?}, resumed", welcome.session))?;
    player.leaves().await;
    Ok(())
}

pub(super) async fn a_second_connection_takes_the_session_over(table: &Table<'_>) -> Outcome {
    let mut first = Player::new(table);
    let welcome = first.enters().await?;
    let mut second = first.same();
    let again = second.enters().await?;
    let resumed = again.resumed && again.session == welcome.session;
    holds(resumed, format!("{:?}, resumed", welcome.session), || format!("{again:?}"))?;
    first.until_closed(Reason::Moved, "as the second one took over").await?;
    second.leaves().await;
    Ok(())
}

pub(super) async fn another_process_takes_the_place_of_one_that_is_gone(
    table: &Table<'_>,
) -> Outcome {
    let mut first = Player::new(table);
    let session = first.enters().await?.session;
    let mut second = first.twin();
    first.cut();
    // That it is gone is not seen at the same moment: until then its place is asked for.
    let mut begun = None;
    let welcome = loop {
        let now = tokio::time::Instant::now();
        match second.asks_with(|_| {}).await? {
            Answer::Welcome(welcome) => break welcome,
            Answer::Refused(refused) if refused.reason == Reason::NameConflict => {
                let limit = table.subject.limits.patience;
                if now - *begun.get_or_insert(now) > limit {
                    return broken(format!("a Welcome within {limit:?}"), "name_conflict, still");
                }
                tokio::time::sleep(A_WHILE / 4).await;
            }
            Answer::Refused(refused) => {
                return broken("a Welcome", format!("refused, {}", refused.reason.name()));
            }
        }
    };
    let new = !welcome.resumed && welcome.session != session;
    holds(new, "a new session", || format!("{welcome:?}"))?;
    second.leaves().await;
    Ok(())
}

pub(super) async fn another_process_is_refused_while_one_lives(table: &Table<'_>) -> Outcome {
    let mut first = Player::new(table);
    first.enters().await?;
    let mut second = first.twin();
    let expected = "a Probe, as somebody claims the identity";
    let refused = second.refused(Reason::NameConflict);
    let (probed, refused) = futures::join!(
        async {
            first.until(expected, |heard| matches!(heard, Heard::Probe).then_some(())).await?;
            // The beat that answers it.
            first.flush().await;
            Ok::<(), Failure>(())
        },
        refused
    );
    probed?;
    refused?;
    let lives = first.lull(A_WHILE).await;
    let ended = lives.iter().any(|heard| matches!(heard, Heard::Ended(_)));
    holds(!ended, "the first process stays", || "the end of its connection".to_owned())?;
    first.leaves().await;
    Ok(())
}

pub(super) async fn a_process_that_answers_no_probe_is_replaced(table: &Table<'_>) -> Outcome {
    let mut first = Player::new(table);
    first.enters().await?;
    first.seat.manners.answers_probes = false;
    let mut second = first.twin();
    second.enters().await?;
    first.until_closed(Reason::WorkerRestarted, "as another process took its place").await?;
    let refused = first.refused(Reason::Superseded).await?;
    let never = matches!(refused.come_back, ComeBack::ByReason | ComeBack::Never);
    holds(never, "superseded, never to come back", || format!("{refused:?}"))?;
    second.leaves().await;
    Ok(())
}

pub(super) async fn a_name_in_use_is_refused(table: &Table<'_>) -> Outcome {
    let mut first = Player::new(table);
    first.enters().await?;
    let mut other = first.namesake();
    other.refused(Reason::NameConflict).await?;
    first.leaves().await;
    Ok(())
}

pub(super) async fn a_goodbye_frees_the_name(table: &Table<'_>) -> Outcome {
    let mut first = Player::new(table);
    first.enters().await?;
    first.leaves().await;
    let mut other = first.namesake();
    other.enters().await?;
    other.leaves().await;
    Ok(())
}
