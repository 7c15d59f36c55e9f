use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use moorline_memory::MemoryTransport;
use moorline_work::TaskState;

use super::TaskQuery;
use crate::test_rig::coordinator;
use crate::{
    BoxError, Cancelled, Code, Error, Retried, Submit, TaskCtx, TaskId, Worker, WorkerHandle,
};

/// A worker with the handlers `echo`, `fail` and `forever`.
fn worker(transport: &MemoryTransport) -> WorkerHandle {
    let worker = Worker::builder("mem://here")
        .transport(transport.clone())
        .name("w")
        .slots(4)
        .task("echo", |_ctx: TaskCtx, input: Bytes| async move { Ok::<_, BoxError>(input) })
        .task("fail", |_ctx: TaskCtx, why: String| async move { Err::<(), BoxError>(why.into()) })
        .task("panic", |_ctx: TaskCtx, (): ()| async {
            if true {
                panic!("the handler's own fault");
            }
            Ok::<(), BoxError>(())
        })
        .task("forever", |ctx: TaskCtx, (): ()| async move {
            ctx.cancelled().await;
            Err::<(), BoxError>("stopped".into())
        })
        .build()
        .unwrap();
    let handle = worker.handle();
    tokio::spawn(worker.run());
    handle
}

#[tokio::test]
async fn a_task_goes_all_the_way_and_its_result_comes_back_as_it_was() {
    let transport = MemoryTransport::new();
    let (coordinator, client) = coordinator(&transport).await;
    let worker = worker(&transport);
    let input = Bytes::from_static(b"\x00\xffany");
    let task = client.submit(Submit::new("echo", input.clone())).await.unwrap();
    assert!(!task.again);
    let ended = client.wait(task.id).await.unwrap();
    assert_eq!((ended.state, ended.attempts), (TaskState::Succeeded, 1));
    assert_eq!(ended.worker.as_deref(), Some("w"));
    assert!(ended.finished_at.unwrap() >= ended.submitted_at);
    assert_eq!(client.result(task.id).await.unwrap(), input);

    assert!(worker.active().await && worker.connected());
    let listed = client.workers().await.unwrap();
    assert_eq!((listed.len(), listed[0].name.as_str()), (1, "w"));
    assert_eq!((listed[0].state.as_str(), listed[0].slots), ("active", 4));
    assert_eq!(listed[0].transport.as_deref(), Some("mem"));
    assert_eq!(client.worker("w").await.unwrap().id, listed[0].id);
    assert_eq!((listed[0].cordoned, &listed[0].flapping), (false, &None));
    let id = moorline_link::WorkerId(u128::from_str_radix(&listed[0].id, 16).unwrap());
    coordinator.driver().cordon(id, true).await.unwrap();
    let drained = client.worker("w").await.unwrap();
    assert_eq!((drained.state.as_str(), drained.cordoned), ("draining", true));
    coordinator.driver().cordon(id, false).await.unwrap();
    assert!(!client.worker("w").await.unwrap().cordoned);
    let overview = client.overview().await.unwrap();
    assert_eq!((overview.tasks["succeeded"], overview.applied_twice), (1, 0));
    assert_eq!(overview.epoch, coordinator.epoch());
    let told = serde_json::to_value(&overview).unwrap();
    let digits = coordinator.epoch().to_string();
    assert_eq!(told["epoch"], digits, "a reader of JSON may keep numbers only up to 2^53");

    worker.drain().await;
    assert!(!worker.connected());
    coordinator.stop().await;
}

#[tokio::test]
async fn submitting_again_changes_nothing_and_another_task_under_the_id_is_refused() {
    let (coordinator, client) = coordinator(&MemoryTransport::new()).await;
    let task = Submit::new("echo", "a");
    assert!(!client.submit(task.clone()).await.unwrap().again);
    assert!(client.submit(task.clone()).await.unwrap().again);
    let other = Submit::new("echo", "b").with_id(task.id());
    assert!(matches!(client.submit(other).await, Err(Error::IdTaken { .. })));
    assert_eq!(client.list(TaskQuery::default()).await.unwrap().len(), 1);
    coordinator.stop().await;
}

#[tokio::test]
async fn a_failure_and_a_panic_end_the_task_with_their_words() {
    let transport = MemoryTransport::new();
    let (coordinator, client) = coordinator(&transport).await;
    let worker = worker(&transport);
    let failing = Submit::json("fail", &"out of paper").unwrap();
    let panicking = Submit::new("panic", "");
    for (task, words) in [(failing, "out of paper"), (panicking, "the handler's own fault")] {
        let id = client.submit(task).await.unwrap().id;
        let ended = client.wait(id).await.unwrap();
        assert_eq!(ended.state, TaskState::Failed);
        assert!(ended.error.as_deref().unwrap().contains(words), "{ended:?}");
        let error = client.result(id).await.unwrap_err();
        assert_eq!(error.code(), Code::NO_RESULT);
    }
    worker.shutdown();
    coordinator.stop().await;
}

#[tokio::test]
async fn a_cancelled_task_ends_whether_it_waits_or_runs() {
    let transport = MemoryTransport::new();
    let (coordinator, client) = coordinator(&transport).await;
    let queued = client.submit(Submit::new("nobody", "")).await.unwrap().id;
    assert_eq!(client.cancel(queued).await.unwrap(), Cancelled::Cancelled);
    assert_eq!(client.cancel(queued).await.unwrap(), Cancelled::AlreadyEnded);

    let worker = worker(&transport);
    let running = client.submit(Submit::new("forever", "")).await.unwrap().id;
    while client.get(running).await.unwrap().state != TaskState::Leased {
        tokio::task::yield_now().await;
    }
    assert_eq!(client.cancel(running).await.unwrap(), Cancelled::CancelRequested);
    for (task, words) in [(queued, None), (running, Some("the attempt was cancelled: stopped"))] {
        let ended = client.wait(task).await.unwrap();
        assert_eq!((ended.state, ended.error.as_deref()), (TaskState::Cancelled, words));
    }
    let nobody = TaskId::from(1);
    assert!(matches!(client.cancel(nobody).await, Err(Error::NoSuchTask { .. })));
    worker.shutdown();
    coordinator.stop().await;
}

#[tokio::test]
async fn a_task_without_a_result_runs_again_and_one_with_a_result_does_not() {
    let transport = MemoryTransport::new();
    let (coordinator, client) = coordinator(&transport).await;
    let cancelled = client.submit(Submit::new("echo", "input")).await.unwrap().id;
    client.cancel(cancelled).await.unwrap();
    assert_eq!(client.retry(cancelled).await.unwrap(), Retried::Queued);
    assert_eq!(client.get(cancelled).await.unwrap().state, TaskState::Queued);
    assert_eq!(client.retry(cancelled).await.unwrap(), Retried::NotEnded);

    let worker = worker(&transport);
    assert_eq!(client.wait(cancelled).await.unwrap().state, TaskState::Succeeded);
    assert_eq!(client.result(cancelled).await.unwrap(), "input");
    let error = client.retry(cancelled).await.unwrap_err();
    assert_eq!(error.code(), Code::HAS_RESULT);

    let failed = client.submit(Submit::json("fail", &"no paper").unwrap()).await.unwrap().id;
    client.wait(failed).await.unwrap();
    client.retry(failed).await.unwrap();
    let again = client.wait(failed).await.unwrap();
    assert_eq!((again.state, again.attempts), (TaskState::Failed, 2));
    assert!(again.error.unwrap().contains("no paper"));
    assert!(matches!(client.retry(TaskId::from(1)).await, Err(Error::NoSuchTask { .. })));
    worker.shutdown();
    coordinator.stop().await;
}

#[tokio::test]
async fn a_list_goes_on_beyond_its_first_page() {
    let (coordinator, client) = coordinator(&MemoryTransport::new()).await;
    let all = 1_203;
    let submits = (0..all).map(|n: u32| client.submit(Submit::new("nobody", n.to_string())));
    let submits = futures::stream::iter(submits).buffered(64);
    let ids: Vec<_> = submits.map(|submitted| submitted.unwrap().id).collect().await;
    let listed = async |limit| {
        let tasks = client.list(TaskQuery { state: None, limit }).await.unwrap();
        tasks.iter().map(|task| task.id).rev().collect::<Vec<_>>()
    };
    // Each once, in one order, whether a page ends where the list does or not.
    let everything = listed(u32::MAX).await;
    let sorted = |mut ids: Vec<TaskId>| {
        ids.sort_unstable();
        ids
    };
    assert_eq!(sorted(everything.clone()), sorted(ids));
    assert_eq!(listed(1_100).await, everything[103..]);
    assert_eq!(listed(1_000).await, everything[203..]);
    coordinator.stop().await;
}

#[tokio::test]
async fn the_oldest_queued_task_is_found_wherever_it_is() {
    let (coordinator, client) = coordinator(&MemoryTransport::new()).await;
    assert_eq!(client.oldest_queued().await.unwrap(), None);
    let mut ids = Vec::new();
    for n in 0..9 {
        ids.push(client.submit(Submit::new("nobody", n.to_string())).await.unwrap().id);
    }
    for id in ids {
        let oldest = client.oldest_queued().await.unwrap().map(|task| task.id);
        assert_eq!(oldest, Some(id));
        client.cancel(id).await.unwrap();
    }
    assert_eq!(client.oldest_queued().await.unwrap(), None);
    coordinator.stop().await;
}

#[tokio::test]
async fn an_attempt_whose_time_is_over_fails_with_that_as_its_error() {
    let transport = MemoryTransport::new();
    let (coordinator, client) = coordinator(&transport).await;
    let worker = worker(&transport);
    let task = Submit::new("forever", "").timeout(Duration::from_millis(50));
    let id = client.submit(task).await.unwrap().id;
    let ended = client.wait(id).await.unwrap();
    assert_eq!(ended.state, TaskState::Failed);
    assert_eq!(ended.error.as_deref(), Some("the attempt ran out of time: stopped"));
    worker.shutdown();
    coordinator.stop().await;
}

#[tokio::test]
async fn a_wait_with_a_limit_ends_and_the_task_goes_on() {
    let (coordinator, client) = coordinator(&MemoryTransport::new()).await;
    let id = client.submit(Submit::new("nobody", "")).await.unwrap().id;
    let error = client.wait_for(id, Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(error.code(), Code::WAIT_OVER);
    assert_eq!(error.to_string(), format!("the task {id} did not end within 50ms"));
    assert_eq!(client.get(id).await.unwrap().state, TaskState::Queued);
    let nobody = client.wait_for(TaskId::from(1), Duration::from_secs(5)).await;
    assert!(matches!(nobody, Err(Error::NoSuchTask { .. })));
    coordinator.stop().await;
}

#[tokio::test]
async fn a_list_is_newest_first_filtered_and_as_long_as_asked_for() {
    let (coordinator, client) = coordinator(&MemoryTransport::new()).await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(client.submit(Submit::new("nobody", n.to_string())).await.unwrap().id);
    }
    client.cancel(ids[1]).await.unwrap();
    ids.reverse();
    let list = |state, limit| {
        let client = client.clone();
        async move {
            let tasks = client.list(TaskQuery { state, limit }).await.unwrap();
            tasks.iter().map(|task| task.id).collect::<Vec<_>>()
        }
    };
    assert_eq!(list(None, 100).await, ids);
    assert_eq!(list(None, 2).await, ids[..2]);
    assert_eq!(list(Some(TaskState::Cancelled), 100).await, [ids[3]]);
    coordinator.stop().await;
}

#[tokio::test]
async fn a_worker_is_sent_to_another_door_and_seen_there() {
    let transport = MemoryTransport::new();
    let coordinator = crate::Coordinator::builder()
        .transport(transport.clone())
        .listen("mem://here")
        .listen("mem://back")
        .admin("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let client = crate::Client::new(coordinator.admin_url().unwrap()).unwrap();
    let worker = worker(&transport);
    assert!(worker.active().await);
    let seen = client.worker("w").await.unwrap();
    assert_eq!((seen.endpoint.as_deref(), seen.moves), (Some("mem://here"), true));

    for (to, code) in [
        (&[][..], Code::BAD_REQUEST),
        (&["mem://back"; 17], Code::BAD_REQUEST),
        (&["smoke://hill:1"], Code::ENDPOINT),
        (&["mem://back", "nonsense:x"], Code::ENDPOINT),
    ] {
        assert_eq!(client.redirect_worker("w", to).await.unwrap_err().code(), code, "{to:?}");
    }
    let nobody = client.redirect_worker("nobody", &["mem://back"]).await;
    assert!(matches!(nobody, Err(Error::NoSuchWorker { .. })));

    client.redirect_worker("w", &["mem://nowhere", "mem://back"]).await.unwrap();
    let moved = async {
        while client.worker("w").await.unwrap().endpoint.as_deref() != Some("mem://back") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), moved).await.unwrap();
    assert_eq!(client.worker("w").await.unwrap().state, "active");
    worker.shutdown();
    coordinator.stop().await;
}

#[tokio::test]
async fn a_worker_that_is_told_of_an_endpoint_goes_there_when_the_others_are_gone() {
    let transport = MemoryTransport::new();
    let (first, client) = coordinator(&transport).await;
    let too_many = vec!["mem://there"; 17];
    assert_eq!(first.advertise(&too_many).unwrap_err().code(), Code::ADVERTISE);
    assert_eq!(first.advertise(&["smoke://hill:1"]).unwrap_err().code(), Code::ADVERTISE);
    first.advertise(&["mem://there"]).unwrap();
    let worker = worker(&transport);
    assert!(worker.active().await);
    drop(client);
    first.stop().await;
    let second = crate::Coordinator::builder()
        .transport(transport.clone())
        .listen("mem://there")
        .admin("127.0.0.1:0")
        .start()
        .await
        .unwrap();
    let client = crate::Client::new(second.admin_url().unwrap()).unwrap();
    let task = client.submit(Submit::new("echo", "over there")).await.unwrap().id;
    let ended = client.wait_for(task, Duration::from_secs(30)).await.unwrap();
    assert_eq!(ended.state, TaskState::Succeeded);
    worker.shutdown();
    second.stop().await;
}
