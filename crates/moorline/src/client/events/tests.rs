use std::time::{Duration, SystemTime};

use bytes::Bytes;
use moorline_memory::MemoryTransport;

use super::EventQuery;
use crate::test_rig::coordinator;
use crate::{BoxError, Code, EventInfo, EventKind, Submit, TaskCtx, TaskId, Worker};

fn kinds(events: &[EventInfo]) -> Vec<&str> {
    events.iter().map(|event| event.kind.as_str()).collect()
}

#[tokio::test]
async fn the_timelines_of_a_worker_and_of_its_task_tell_the_same_story() {
    let transport = MemoryTransport::new();
    let (coordinator, client) = coordinator(&transport).await;
    let worker = Worker::builder("mem://here")
        .transport(transport.clone())
        .name("w 1/ä")
        .task("echo", |_ctx: TaskCtx, input: Bytes| async move { Ok::<_, BoxError>(input) })
        .build()
        .unwrap();
    let handle = worker.handle();
    tokio::spawn(worker.run());
    let task = client.submit(Submit::new("echo", Bytes::from_static(b"x"))).await.unwrap();
    client.wait(task.id).await.unwrap();
    handle.drain().await;

    let all = EventQuery::default();
    let story = client.task_timeline(task.id, &all).await.unwrap();
    assert_eq!(kinds(&story), ["task.submitted", "task.leased", "task.finished"]);
    assert_eq!((story[1].worker.as_deref(), story[1].attempt), (Some("w 1/ä"), Some(1)));
    assert_eq!(story[2].task_type.as_deref(), Some("echo"));

    let departed = EventQuery { kinds: vec![EventKind::WorkerDeparted], ..all.clone() };
    while client.events(&departed).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let story = client.worker_timeline("w 1/ä", &all).await.unwrap();
    let expected =
        ["worker.registered", "worker.active", "task.leased", "task.finished", "worker.departed"];
    assert_eq!(kinds(&story), expected, "{story:?}");
    assert_eq!(story[4].reason.as_deref(), Some("worker_stopping"));
    assert_eq!(story[4].code.as_deref(), Some("ML3401"));
    let id = story[0].worker_id.clone().unwrap();
    assert_eq!(client.worker_timeline(&id, &all).await.unwrap(), story, "by its identity");
    let by_filter = EventQuery { worker: Some("w 1/ä".to_owned()), ..all.clone() };
    assert_eq!(client.events(&by_filter).await.unwrap(), story);

    let error = client.worker_timeline("nobody", &all).await.unwrap_err();
    assert_eq!(error.code(), Code::NO_SUCH_WORKER);
    assert!(error.to_string().contains("nobody"), "{error}");
    let error = client.task_timeline(TaskId::generate(), &all).await.unwrap_err();
    assert_eq!(error.code(), Code::NO_SUCH_TASK);
    coordinator.stop().await;
}

#[tokio::test]
async fn a_list_is_as_long_as_asked_for_over_any_number_of_pages() {
    let transport = MemoryTransport::new();
    let (coordinator, client) = coordinator(&transport).await;
    let before = client.last_event().await.unwrap();
    for _ in 0..30 {
        client.submit(Submit::new("nobody", Bytes::new())).await.unwrap();
    }
    // A busy machine may add that the coordinator was not run for a while.
    let query = EventQuery {
        after: before,
        limit: 7,
        kinds: vec![EventKind::TaskSubmitted],
        ..EventQuery::default()
    };
    let first = client.events(&query).await.unwrap();
    assert_eq!(first.len(), 7);
    let latest = EventQuery { newest_first: true, limit: 2_000, ..query };
    let all = client.events(&latest).await.unwrap();
    assert_eq!(all.len(), 30);
    assert!(all.windows(2).all(|pair| pair[0].seq > pair[1].seq));
    assert!(all.iter().rev().take(7).eq(&first));
    let hour = Duration::from_secs(3_600);
    let since = EventQuery { since: Some(SystemTime::now() - hour), limit: 9_000, ..latest };
    assert_eq!(client.events(&since).await.unwrap(), all);
    let until = EventQuery { until: since.since, since: None, ..since };
    assert_eq!(client.events(&until).await.unwrap(), []);
    coordinator.stop().await;
}

#[tokio::test]
async fn whoever_follows_sees_each_event_once_and_in_order() {
    let transport = MemoryTransport::new();
    let (coordinator, client) = coordinator(&transport).await;
    let mut query = EventQuery {
        after: client.last_event().await.unwrap(),
        kinds: vec![EventKind::TaskSubmitted, EventKind::TaskCancelled],
        limit: 3,
        ..EventQuery::default()
    };
    let submitting = tokio::spawn({
        let client = client.clone();
        async move {
            for _ in 0..10 {
                let task = client.submit(Submit::new("nobody", Bytes::new())).await.unwrap();
                client.cancel(task.id).await.unwrap();
            }
        }
    });
    let mut seen = Vec::new();
    while seen.len() < 20 {
        let events = client.next_events(&mut query).await.unwrap();
        assert!((1..=3).contains(&events.len()));
        assert!(query.after >= events.last().unwrap().seq);
        seen.extend(events);
    }
    submitting.await.unwrap();
    assert!(seen.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    assert_eq!(seen.iter().filter(|event| event.kind == "task.cancelled").count(), 10);
    coordinator.stop().await;
}
