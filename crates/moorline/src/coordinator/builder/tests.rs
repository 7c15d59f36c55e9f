use std::num::{NonZeroU8, NonZeroU32};
use std::time::Duration;

use moorline_link::HubSettings;
use moorline_memory::MemoryTransport;
use moorline_work::DispatcherSettings;

use super::{StoreAt, loopback_address};
use crate::{Code, Coordinator};

#[test]
fn the_admin_api_is_for_this_machine_only() {
    for text in ["127.0.0.1:8741", "127.0.0.9:0", "[::1]:8741", "localhost:8741", "LOCALHOST:1"] {
        assert!(loopback_address(text).unwrap().ip().is_loopback(), "{text}");
    }
    for text in [
        "0.0.0.0:8741",
        "[::]:8741",
        "192.0.2.1:8741",
        "example.com:8741",
        "127.0.0.1",
        ":1",
        "127.0.0.1:x",
    ] {
        assert_eq!(loopback_address(text).unwrap_err().code(), Code::SETTING, "{text}");
    }
}

#[test]
fn a_store_is_named_by_its_url() {
    for text in ["memory", "sqlite:moorline.db", "sqlite:/var/lib/a:b.db"] {
        assert_eq!(text.parse::<StoreAt>().unwrap().to_string(), text);
    }
    for text in ["", "sqlite", "sqlite:", "memory:", "moorline.db", "postgres://x"] {
        let error = text.parse::<StoreAt>().unwrap_err();
        assert!(error.to_string().contains("sqlite:FILE"), "{error}");
    }
}

#[tokio::test]
async fn values_that_make_no_sense_are_found_before_anything_is_opened() {
    let builder = || Coordinator::builder().transport(MemoryTransport::new());
    let cases = [
        builder().lost_after(Duration::from_millis(10)),
        builder().accept_timeout(Duration::ZERO),
        builder().flapping(NonZeroU8::MIN, Duration::ZERO),
        builder().listen("grpc://127.0.0.1"),
        builder().admin("0.0.0.0:0"),
    ];
    for (case, builder) in cases.into_iter().enumerate() {
        let error = builder.start().await.expect_err(&format!("case {case}"));
        assert!((1_001..1_300).contains(&error.code().number()), "case {case}: {error}");
    }
}

#[test]
fn what_is_said_of_admission_and_of_flapping_reaches_the_machine_and_nothing_else_changes() {
    let (handshakes, losses) = (NonZeroU32::new(7).unwrap(), NonZeroU8::new(3).unwrap());
    let builder = Coordinator::builder().max_handshakes(handshakes);
    let told = builder.flapping(losses, Duration::from_secs(90)).hub_config().unwrap();
    let standard = *Coordinator::builder().hub_config().unwrap().settings();
    let expected = HubSettings {
        max_handshakes: handshakes,
        flap_losses: losses,
        flap_window: Duration::from_secs(90),
        ..standard
    };
    assert_eq!(*told.settings(), expected);
    assert_eq!(standard, HubSettings::default());
}

#[test]
fn a_worker_that_is_gone_is_forgotten_by_the_machine_when_it_is_by_the_store() {
    for after in [Duration::from_secs(60), Duration::from_secs(30 * 86_400)] {
        let hub = Coordinator::builder().forget_after(after).hub_config().unwrap();
        assert_eq!(hub.settings().forget_after, after);
    }
    let error = Coordinator::builder().forget_after(Duration::ZERO).hub_config().unwrap_err();
    assert!(error.to_string().contains("forget_after"), "{error}");
}

#[test]
fn a_silent_worker_is_disconnected_for_its_silence_before_it_is_for_what_it_owes() {
    for lost_after in [1, 90, 3_600, 86_400].map(Duration::from_secs) {
        for disconnect_after in [None, Some(lost_after)] {
            let mut builder = Coordinator::builder().lost_after(lost_after);
            if let Some(after) = disconnect_after {
                builder = builder.disconnect_after(after);
            }
            let hub = builder.hub_config().unwrap();
            let answer = builder.dispatcher_config(&hub).unwrap().settings().answer_timeout;
            let silent = hub.disconnect_after(hub.settings().beat_max);
            assert!(answer >= 2 * silent, "{builder:?}");
            assert!(answer >= DispatcherSettings::default().answer_timeout, "{builder:?}");
        }
    }
}

#[tokio::test]
async fn a_coordinator_without_time_for_a_drain_stops_at_once_and_one_with_it_waits_for_nobody() {
    for timeout in [Duration::ZERO, Duration::from_secs(3_600)] {
        let builder = Coordinator::builder().transport(MemoryTransport::new());
        let coordinator = builder.drain_timeout(timeout).start().await.unwrap();
        let drained = tokio::time::timeout(Duration::from_secs(60), coordinator.drain()).await;
        assert!(drained.is_ok(), "{timeout:?}");
    }
}

#[tokio::test]
async fn a_second_coordinator_on_an_address_or_a_store_is_refused_and_says_what_is_taken() {
    let home = tempfile::tempdir().unwrap();
    let store = StoreAt::Sqlite(home.path().join("tasks.db"));
    let first = Coordinator::builder()
        .store(store.clone())
        .transport(MemoryTransport::new())
        .admin("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let url = first.admin_url().unwrap();
    let address = url.strip_prefix("http://").unwrap().to_owned();

    let error = Coordinator::builder().admin(&address).start().await.unwrap_err();
    assert_eq!(error.code(), Code::ADMIN_LISTEN);
    assert!(error.to_string().contains(&address), "{error}");
    let error = Coordinator::builder().store(store.clone()).start().await.unwrap_err();
    assert_eq!(error.code(), Code::STORE_IN_USE);

    let epoch = first.epoch();
    first.stop().await;
    let next = Coordinator::builder().store(store).admin(address).start().await.unwrap();
    assert!(next.epoch() > epoch, "the store and the address are free again");
    next.stop().await;
}
