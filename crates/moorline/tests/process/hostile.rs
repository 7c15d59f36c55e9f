//! Peers that break the rules: each is refused with a reason, the coordinator's memory stays bounded,
//! and a good worker beside them notices nothing.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::Bytes;
use moorline_link::{ComeBack, Lane, Reason, Seq, Versions};
use moorline_node::{DownFrame, Message, UpFrame};
use moorline_work::{Attempt, Holding, Outcome, TaskId, TaskKey, WorkerMessage};

use crate::rig::{Process, Rig, SOON, STEADY, until};
use crate::stranger::{Stranger, hello};

/// A coordinator under attack, with a good worker.
struct Siege {
    rig: Rig,
    good: Process,
    /// Resident memory of the coordinator before the attack, in KiB.
    before: u64,
}

impl Siege {
    fn new() -> Self {
        let rig = Rig::new("20s");
        let good = rig.worker("good", &[STEADY, &["--handler=cat=cat"]].concat());
        rig.until_worker("good", "active");
        let siege = Self { before: rig.coordinator.resident_kib(), rig, good };
        siege.works();
        siege
    }

    /// The good worker runs a task.
    fn works(&self) {
        let task = self.rig.submit("cat", "\"x\"", &[]);
        assert_eq!(self.rig.until_task(&task, "succeeded")["worker"], "good");
    }

    /// The coordinator grew by at most so many MiB since the attack began.
    fn grew_at_most(&self, mib: u64) {
        let grown = self.rig.coordinator.resident_kib().saturating_sub(self.before);
        assert!(grown <= mib << 10, "the coordinator grew by {grown} KiB");
    }

    /// The good worker noticed nothing, and still works.
    fn withstands(mut self) {
        self.works();
        assert_eq!(self.good.log().messages("link.lost"), [""; 0]);
        assert_eq!(self.good.log().messages("heartbeat.missed"), [""; 0]);
        assert!(self.good.is_running());
    }
}

/// Runs an attack on a runtime of its own.
fn attack<T>(what: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(what)
}

fn key(task: u128) -> TaskKey {
    TaskKey { task: TaskId(task), attempt: Attempt(1) }
}

fn refusal(frames: &[DownFrame]) -> Option<(Reason, ComeBack)> {
    frames.iter().find_map(|frame| {
        let (DownFrame::Refused { dismissal, .. } | DownFrame::GoAway { dismissal, .. }) = frame
        else {
            return None;
        };
        Some((dismissal.reason, dismissal.come_back))
    })
}

#[test]
fn garbage_ends_its_own_connection_and_nothing_else() {
    let siege = Siege::new();
    let at = siege.rig.listen;
    attack(async {
        for round in 0..100_u8 {
            let mut stranger = Stranger::dial(at).await;
            if round % 2 == 1 {
                stranger.register(u128::from(round), &format!("g{round}"), &[], 1).await;
            }
            let garbage = Bytes::from(vec![0xff - round; 1_000 + usize::from(round)]);
            let _ = stranger.send(garbage, Lane::C).await;
            let (said, _) = stranger.hear_to_the_end().await;
            assert_eq!(refusal(&said).map(|(reason, _)| reason), Some(Reason::ProtocolError));
        }
    });
    siege.grew_at_most(16);
    siege.withstands();
}

#[test]
fn a_packet_that_says_it_is_huge_is_not_waited_for() {
    let siege = Siege::new();
    let at = siege.rig.listen;
    attack(async {
        for _ in 0..20 {
            let mut stranger = Stranger::dial(at).await;
            // More than a packet may have: the connection ends before it is read.
            let _ = stranger.send(Bytes::from(vec![0; 1 << 20]), Lane::B).await;
            let (_, reason) = stranger.hear_to_the_end().await;
            assert!(
                matches!(
                    reason,
                    Reason::ProtocolError
                        | Reason::TransportReset
                        | Reason::StreamLost
                        | Reason::ClosedByPeer
                ),
                "{reason}"
            );
        }
    });
    siege.grew_at_most(16);
    siege.withstands();
}

#[test]
fn bytes_without_end_and_bytes_that_stop_halfway_hold_nobody_up() {
    let siege = Siege::new();
    // Half a preface of HTTP/2, and silence.
    let halves: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut half = TcpStream::connect(siege.rig.listen).unwrap();
            half.write_all(b"PRI * HTTP/2.0\r\n\r\nSM").unwrap();
            half
        })
        .collect();
    // A preface, and then frames of no known type for as long as they are taken.
    let mut endless = TcpStream::connect(siege.rig.listen).unwrap();
    endless.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    endless.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut frame = vec![0, 0x3f, 0xff, 0x99, 0, 0, 0, 0, 0];
    frame.resize(9 + 0x3fff, 0);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) && endless.write_all(&frame).is_ok() {}
    // Plain garbage that never was HTTP/2.
    let mut plain = TcpStream::connect(siege.rig.listen).unwrap();
    plain.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    while begun.elapsed() < Duration::from_secs(3) && plain.write_all(&[0x55; 4_096]).is_ok() {}
    siege.works();
    siege.grew_at_most(32);
    drop(halves);
    siege.withstands();
}

#[test]
fn a_peer_of_another_version_is_told_so_for_good() {
    let siege = Siege::new();
    let at = siege.rig.listen;
    attack(async {
        let mut stranger = Stranger::dial(at).await;
        let UpFrame::Hello { mut head, about } = hello(1, "future", &["cat"], 1) else { return };
        head.versions = Versions { min: 7, max: 9 };
        stranger.say(Lane::C, vec![UpFrame::Hello { head, about }]).await.unwrap();
        let (said, _) = stranger.hear_to_the_end().await;
        assert_eq!(refusal(&said), Some((Reason::VersionUnsupported, ComeBack::Never)));
    });
    let refused = siege.rig.coordinator.log().wait("worker.refused");
    assert_eq!(refused["reason"], "version_unsupported");
    siege.withstands();
}

#[test]
fn a_flood_of_connections_without_a_word_leaves_room_for_who_registers() {
    let siege = Siege::new();
    let at = siege.rig.listen;
    attack(async {
        let mut silent = Vec::new();
        let mut turned_away = 0;
        for _ in 0..1_200 {
            match Stranger::try_dial(at).await {
                Ok(stranger) => silent.push(stranger),
                Err(_) => turned_away += 1,
            }
        }
        assert!(silent.len() + turned_away == 1_200);
        siege.works();
        siege.grew_at_most(160);
    });
    // They are gone: somebody new gets in.
    let newcomer = siege.rig.worker("newcomer", STEADY);
    siege.rig.until_worker("newcomer", "active");
    drop(newcomer);
    siege.withstands();
}

#[test]
fn a_flood_of_registrations_is_bounded_in_rate_and_memory() {
    let siege = Siege::new();
    let at = siege.rig.listen;
    let (welcomed, refused) = attack(async {
        let (mut welcomed, mut refused) = (0, 0);
        for id in 0..1_000 {
            let mut stranger = Stranger::dial(at).await;
            let name = format!("flood-{id}");
            let handlers: Vec<_> = (0..20).map(|n| format!("h-{id}-{n}")).collect();
            let handlers: Vec<_> = handlers.iter().map(String::as_str).collect();
            let hello = hello(1_000 + id, &name, &handlers, 1);
            if stranger.say(Lane::C, vec![hello]).await.is_err() {
                refused += 1;
                continue;
            }
            match stranger.hear().await {
                Ok(frames) if matches!(frames[0], DownFrame::Welcome { .. }) => welcomed += 1,
                Ok(_) | Err(_) => refused += 1,
            }
        }
        (welcomed, refused)
    });
    assert_eq!(welcomed + refused, 1_000);
    siege.grew_at_most(64);
    siege.withstands();
}

#[test]
fn an_inventory_without_an_end_is_ended() {
    let siege = Siege::new();
    let at = siege.rig.listen;
    attack(async {
        let mut stranger = Stranger::dial(at).await;
        stranger.say(Lane::C, vec![hello(1, "endless", &["cat"], 1)]).await.unwrap();
        stranger.hear().await.unwrap();
        let mut index = 0;
        let begun = Instant::now();
        let told = loop {
            let items = (0..500).map(|_| {
                let item = UpFrame::InventoryItem {
                    index,
                    key: key(u128::from(index)),
                    holding: Holding::Running { progress: 0 },
                };
                index += 1;
                item
            });
            let items = items.collect();
            let said = stranger.say(Lane::C, items).await;
            match (said, stranger.heard().await) {
                (Ok(()), Ok(frames)) => {
                    if let Some((reason, _)) = refusal(&frames) {
                        break reason;
                    }
                }
                // The last word may be lost with the connection.
                (Err(_), _) | (_, Err(_)) => break Reason::ProtocolError,
            }
            assert!(begun.elapsed() < SOON, "it is never ended");
        };
        assert_eq!(told, Reason::ProtocolError);
    });
    siege.grew_at_most(96);
    siege.withstands();
}

#[test]
fn results_that_nobody_asked_for_are_answered_and_not_kept() {
    let siege = Siege::new();
    let at = siege.rig.listen;
    attack(async {
        let mut stranger = Stranger::dial(at).await;
        stranger.register(1, "liar", &["cat"], 1).await;
        // It sends as fast as it is taken and never looks at an answer.
        let body = Bytes::from(vec![0; 60_000]);
        for seq in 1..=5_000 {
            let message = Message {
                seq: Seq(seq),
                head: WorkerMessage::Result {
                    key: key(u128::from(seq)),
                    outcome: Outcome::Succeeded,
                },
                body_len: 60_000,
                body: body.clone(),
            };
            if stranger.say(Lane::B, vec![UpFrame::Message(message)]).await.is_err() {
                break;
            }
        }
        // It ignored its credit, so it was ended.
        let (said, _) = stranger.hear_to_the_end().await;
        let told = refusal(&said).map(|(reason, _)| reason);
        assert!(told.is_none_or(|reason| reason == Reason::ProtocolError), "{told:?}");
    });
    siege.grew_at_most(64);
    siege.withstands();
}

#[test]
fn without_descriptors_the_coordinator_waits_without_spinning() {
    let siege = Siege::new();
    let limit = siege.rig.coordinator.limit_descriptors(40);
    let held: Vec<_> = (0..80).map_while(|_| TcpStream::connect(siege.rig.listen).ok()).collect();
    siege.rig.coordinator.log().wait("listener.error");
    let busy = siege.rig.coordinator.cpu_over(Duration::from_secs(2));
    assert!(busy < Duration::from_millis(700), "it was busy for {busy:?} of two seconds");
    drop(held);
    siege.rig.coordinator.restore_descriptors(limit);
    let newcomer = siege.rig.worker("newcomer", STEADY);
    siege.rig.until_worker("newcomer", "active");
    drop(newcomer);
    siege.rig.coordinator.log().wait("listener.recovered");
    until("the good worker is active", || {
        (siege.rig.seen("good")["state"] == "active").then_some(())
    });
    siege.withstands();
}

#[test]
fn a_worker_that_takes_everything_and_reads_nothing_is_given_no_more_than_its_share() {
    let siege = Siege::new();
    let at = siege.rig.listen;
    // 256 MiB of payloads that only the stranger could run.
    let payload = format!("\"{}\"", "x".repeat(1 << 20));
    let file = siege.rig.home.path().join("payload.json");
    std::fs::write(&file, payload).unwrap();
    let mut last = String::new();
    for _ in 0..8 {
        let input = format!("--input-file={}", file.display());
        let all = siege.rig.run(&["task", "submit", "evil", "--count=32", &input]);
        last = all[31]["id"].as_str().unwrap().to_owned();
    }
    siege.works();
    let before = siege.rig.coordinator.resident_kib();
    let grown = || siege.rig.coordinator.resident_kib().saturating_sub(before) >> 10;
    attack(async {
        let mut stranger = Stranger::dial(at).await;
        stranger.register(1, "greedy", &["evil"], u16::MAX).await;
        let mut beats =
            Box::pin(stranger.beat_without_reading(u16::MAX, Duration::from_millis(200)));
        let cut_off = tokio::time::timeout(Duration::from_secs(4), &mut beats).await;
        assert!(cut_off.is_err(), "a transport that is full for so short a time is no stall");
        assert!(grown() < 96, "the coordinator grew by {} MiB", grown());
        // Its beats prove that it lives, and yet it does not keep its connection for ever.
        let cut_off = tokio::time::timeout(SOON, beats).await;
        cut_off.expect("it is cut off");
    });
    siege.rig.coordinator.log().wait("worker.disconnected");
    assert_eq!(siege.rig.seen("greedy")["reason"], "flow_stalled");
    assert!(grown() < 96, "the coordinator grew by {} MiB", grown());
    // What it did not take goes elsewhere.
    let _heir = siege.rig.worker("heir", &[STEADY, &["--handler=evil=wc -c"]].concat());
    siege.rig.until_task(&last, "succeeded");
    siege.withstands();
}
