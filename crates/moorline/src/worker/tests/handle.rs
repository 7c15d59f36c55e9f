//! What a handle promises: nothing is lost by asking late, often, or not to the end.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use moorline_link::{Reason, State};
use moorline_memory::MemoryTransport;

use super::{coordinator, quick, reason, soon, until, worker};
use crate::{Code, Error, LinkStatus, Reconnect, WorkerHandle};

/// Polls a future once and drops it.
fn begin<F: Future>(doing: F) -> Poll<F::Output> {
    pin!(doing).poll(&mut Context::from_waker(Waker::noop()))
}

/// Reconnects, and waits for the new connection.
async fn again(handle: &WorkerHandle) {
    assert!(handle.reconnect().await);
    handle.wait_active(Duration::from_secs(30)).await.unwrap();
}

#[tokio::test]
async fn a_subscriber_that_is_late_gets_the_latest_state_and_then_the_end() {
    let transport = MemoryTransport::new();
    soon(async {
        let (coordinator, _client) = coordinator(&transport).await;
        let (builder, _watch) = worker(&transport);
        let worker = builder.build().unwrap();
        let handle = worker.handle();
        let mut early = handle.subscribe();
        assert_eq!(early.next().await.unwrap().state, State::Disconnected);
        let running = tokio::spawn(worker.run());
        let mut path = Vec::new();
        while path.last() != Some(&State::Active) {
            path.push(early.next().await.unwrap().state);
        }
        // Nobody takes anything for a while.
        let mut late = handle.subscribe();
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(110)).await;
            again(&handle).await;
        }
        for changes in [&mut early, &mut late] {
            assert_eq!(changes.next().await.unwrap().state, State::Active);
        }
        assert!(early.skipped() >= 3, "{early:?}");
        assert_eq!(late.skipped(), 0, "its first item was the first it could have had");
        handle.shutdown();
        running.await.unwrap().unwrap();
        for changes in [early, late] {
            let rest: Vec<LinkStatus> = changes.collect().await;
            assert_eq!(rest.last().unwrap().state, State::Shutdown);
            let ends = rest.iter().filter(|link| link.state == State::Shutdown).count();
            assert!(ends <= 2, "its end, and at most what was left to say goodbye: {rest:?}");
        }
        // After the end there is only the end.
        let after: Vec<LinkStatus> = handle.subscribe().collect().await;
        assert_eq!(after, [handle.link()]);
        assert_eq!(handle.ended().await.state, State::Shutdown);
        coordinator.stop().await;
    })
    .await;
}

#[tokio::test]
async fn any_number_of_subscribers_may_come_and_go() {
    let transport = MemoryTransport::new();
    soon(async {
        let (coordinator, _client) = coordinator(&transport).await;
        let (builder, _watch) = worker(&transport);
        let worker = builder.build().unwrap();
        let handle = worker.handle();
        let mut subscribers: Vec<_> = (0..100).map(|_| handle.subscribe()).collect();
        for subscriber in &mut subscribers {
            assert_eq!(subscriber.next().await.unwrap().state, State::Disconnected);
            assert!(begin(subscriber.next()).is_pending());
        }
        drop(subscribers.split_off(50));
        let all: Vec<_> = subscribers
            .into_iter()
            .map(|subscriber| tokio::spawn(subscriber.map(|link| link.state).collect::<Vec<_>>()))
            .collect();
        let running = tokio::spawn(worker.run());
        assert!(handle.active().await);
        handle.drain().await;
        running.await.unwrap().unwrap();
        for states in all {
            assert_eq!(states.await.unwrap().last(), Some(&State::Shutdown));
        }
        coordinator.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_dropped_while_it_waits_can_be_asked_for_again() {
    let transport = MemoryTransport::new();
    soon(async {
        let (coordinator, _client) = coordinator(&transport).await;
        let (builder, watch) = worker(&transport);
        let worker = builder.build().unwrap();
        let handle = worker.handle();
        let mut changes = handle.subscribe();
        changes.next().await.unwrap();
        for _ in 0..10 {
            assert!(begin(handle.active()).is_pending());
            assert!(begin(handle.wait_active(Duration::from_secs(30))).is_pending());
            assert!(begin(handle.ended()).is_pending());
            assert!(begin(changes.next()).is_pending());
            assert_eq!(begin(handle.reconnect()), Poll::Ready(false), "nothing runs");
        }
        let running = tokio::spawn(worker.run());
        assert!(handle.active().await);
        // A change that came while nobody polled, or between a poll and a drop, is there at the next.
        let mut seen = None;
        while seen != Some(State::Active) {
            match begin(changes.next()) {
                Poll::Ready(link) => seen = Some(link.unwrap().state),
                Poll::Pending => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
        assert!(begin(handle.ended()).is_pending());
        tokio::time::sleep(Duration::from_millis(110)).await;
        // The loop may have taken it by the time it is asked whether it has.
        assert_ne!(begin(handle.reconnect()), Poll::Ready(false));
        until("what was asked stays asked", async || watch.dials() == 2).await;
        assert!(handle.active().await);
        assert!(begin(handle.drain()).is_pending());
        running.await.unwrap().unwrap();
        assert_eq!(handle.ended().await.state, State::Shutdown);
        assert!(!handle.active().await);
        assert_eq!(
            changes.map(|link| link.state).collect::<Vec<_>>().await.last(),
            Some(&State::Shutdown)
        );
        coordinator.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_was_stopped_before_it_ran_is_shown_as_ended() {
    let (builder, _watch) = worker(&MemoryTransport::new());
    let worker = builder.build().unwrap();
    let handle = worker.handle();
    let changes = handle.subscribe();
    handle.shutdown();
    let states: Vec<State> = soon(changes.map(|link| link.state).collect()).await;
    assert_eq!(states, [State::Shutdown]);
    assert_eq!(soon(handle.ended()).await.reason, Some(Reason::WorkerStopping));
    worker.run().await.unwrap();
}

#[tokio::test]
async fn many_that_force_a_reconnect_at_once_get_one_dial_and_none_trails() {
    let transport = MemoryTransport::new();
    soon(async {
        let (coordinator, _client) = coordinator(&transport).await;
        let (builder, watch) = worker(&transport);
        let worker = builder.build().unwrap();
        let handle = worker.handle();
        let running = tokio::spawn(worker.run());
        assert!(handle.active().await);
        // Longer than two dials must be apart, so that the first of them is not the one they get.
        tokio::time::sleep(Duration::from_millis(150)).await;
        // Else the first would have its connection before the last has asked, on a busy machine.
        watch.hold_dials(true);
        let mut all = futures::future::join_all((0..20).map(|_| handle.reconnect()));
        let taken = futures::poll!(&mut all);
        watch.hold_dials(false);
        let all = match taken {
            Poll::Ready(all) => all,
            Poll::Pending => all.await,
        };
        assert!(all.iter().all(|taken| *taken));
        handle.wait_active(Duration::from_secs(30)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!((watch.dials(), handle.connected()), (2, true));
        handle.shutdown();
        running.await.unwrap().unwrap();
        assert!(!handle.reconnect().await);
        coordinator.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_wait_that_is_over_says_why_and_the_worker_goes_on_trying() {
    let transport = MemoryTransport::new();
    soon(async {
        let (builder, watch) = worker(&transport);
        let worker = builder.build().unwrap();
        let handle = worker.handle();
        let moment = Duration::from_millis(20);
        assert!(matches!(
            handle.wait_active(Duration::ZERO).await,
            Err(Error::NotActive { limit: Duration::ZERO, reason: None })
        ));
        let running = tokio::spawn(worker.run());
        until("it has failed once", async || handle.link().reason.is_some()).await;
        let error = handle.wait_active(moment).await.unwrap_err();
        assert_eq!((error.code(), error.is_retryable()), (Code::NOT_ACTIVE, true));
        assert_eq!(error.reason(), Some(Reason::ConnectRefused));
        let text = error.to_string();
        assert!(text.contains("20ms") && text.contains("Nothing listens"), "{text}");
        let dials = watch.dials();
        until("it goes on", async || watch.dials() > dials).await;

        let (coordinator, _client) = coordinator(&transport).await;
        assert!(handle.wait_active(Duration::from_secs(30)).await.unwrap().is_active());
        handle.shutdown();
        running.await.unwrap().unwrap();
        let ended = handle.wait_active(moment).await.map(|_| ());
        assert_eq!(reason(ended), Reason::WorkerStopping);
        coordinator.stop().await;

        let (builder, _watch) = super::worker(&transport);
        let worker = builder.reconnect(quick(Reconnect::off())).build().unwrap();
        let handle = worker.handle();
        reason(worker.run().await);
        let ended = handle.wait_active(moment).await.map(|_| ());
        assert_eq!(reason(ended), Reason::DeadlineExceeded);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_listener_that_blocks_or_panics_harms_neither_the_link_nor_another() {
    let transport = MemoryTransport::new();
    soon(async {
        let (coordinator, _client) = coordinator(&transport).await;
        let (builder, _watch) = worker(&transport);
        let (release, gate) = mpsc::channel::<()>();
        let (blocked, quick_one, panicking) = (
            Arc::new(Mutex::new(Vec::new())),
            Arc::new(Mutex::new(Vec::new())),
            Arc::new(Mutex::new(0)),
        );
        let (told, also_told, panics) =
            (Arc::clone(&blocked), Arc::clone(&quick_one), Arc::clone(&panicking));
        let steering: Arc<OnceLock<WorkerHandle>> = Arc::default();
        let inside = Arc::clone(&steering);
        let worker = builder
            .on_link_change(move |link| {
                told.lock().unwrap().push(link.state);
                // Until somebody lets go of the other end.
                let _ = gate.recv();
            })
            .on_link_change(move |link| {
                // Nothing is locked here: it may steer (P100).
                let _asked = inside.get().unwrap().link();
                also_told.lock().unwrap().push(link.state);
            })
            .on_link_change(move |_link| {
                *panics.lock().unwrap() += 1;
                panic!("on purpose");
            })
            .build()
            .unwrap();
        let handle = steering.get_or_init(|| worker.handle());
        let running = tokio::spawn(worker.run());
        assert!(handle.active().await);
        until("the others are told", async || {
            quick_one.lock().unwrap().last() == Some(&State::Active)
                && *panicking.lock().unwrap() > 0
        })
        .await;
        let panics_before = *panicking.lock().unwrap();
        until("one blocks", async || blocked.lock().unwrap().len() == 1).await;
        tokio::time::sleep(Duration::from_millis(110)).await;
        again(handle).await;
        until("it is told again after its panic", async || {
            *panicking.lock().unwrap() > panics_before
        })
        .await;
        assert_eq!(blocked.lock().unwrap().len(), 1, "it still blocks");
        // What it missed is coalesced to the latest.
        release.send(()).unwrap();
        until("it is told the latest", async || blocked.lock().unwrap().len() == 2).await;
        assert_eq!(blocked.lock().unwrap()[1], State::Active);
        drop(release);
        handle.shutdown();
        running.await.unwrap().unwrap();
        for told in [blocked, quick_one] {
            assert_eq!(told.lock().unwrap().last(), Some(&State::Shutdown), "before `run` returns");
        }
        coordinator.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_listener_is_told_of_the_link_and_not_of_every_task() {
    let transport = MemoryTransport::new();
    soon(async {
        let (coordinator, client) = coordinator(&transport).await;
        let (builder, _watch) = worker(&transport);
        let told = Arc::new(Mutex::new(Vec::new()));
        let listener = Arc::clone(&told);
        let worker = builder
            .on_link_change(move |link| listener.lock().unwrap().push(link.state))
            .task("echo", |_ctx, text: String| async move { Ok::<_, crate::BoxError>(text) })
            .build()
            .unwrap();
        let handle = worker.handle();
        let running = tokio::spawn(worker.run());
        assert!(handle.active().await);
        until("it is told", async || told.lock().unwrap().last() == Some(&State::Active)).await;
        let before = told.lock().unwrap().len();
        for _ in 0..5 {
            let task = client.submit(crate::Submit::json("echo", &"x").unwrap()).await.unwrap().id;
            client.wait(task).await.unwrap();
        }
        assert_eq!(told.lock().unwrap().len(), before);
        assert!(handle.subscribe().next().now_or_never().flatten().is_some());
        handle.drain().await;
        running.await.unwrap().unwrap();
        coordinator.stop().await;
    })
    .await;
}
