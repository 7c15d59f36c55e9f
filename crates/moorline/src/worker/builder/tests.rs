use std::time::Duration;

use bytes::Bytes;

use crate::{BoxError, Error, Reconnect, TaskCtx, Worker, WorkerBuilder};

async fn echo(_ctx: TaskCtx, input: Bytes) -> Result<Bytes, BoxError> {
    Ok(input)
}

fn builder() -> WorkerBuilder {
    Worker::builder("mem://nowhere").transport(moorline_memory::MemoryTransport::new()).name("w")
}

#[test]
fn a_worker_cannot_be_built_where_no_handler_could_run() {
    assert!(matches!(builder().build(), Err(Error::NoRuntime)));
}

#[tokio::test]
async fn values_that_make_no_sense_are_found_before_anything_runs() {
    let cases = [
        builder().slots(0),
        builder().name(""),
        builder().name("a\nb"),
        builder().task("", echo),
        builder().task("echo", echo).task("echo", echo),
        builder().heartbeat(Duration::from_secs(5), Duration::from_secs(1)),
        builder().reconnect(Reconnect::forever().multiplier(0.5)),
        builder().coordinator("carrier-pigeon://127.0.0.1:1"),
        builder().coordinator("grpc://127.0.0.1"),
    ];
    for (case, builder) in cases.into_iter().enumerate() {
        let error = builder.build().expect_err(&format!("case {case}"));
        assert!((1_001..1_300).contains(&error.code().number()), "case {case}: {error}");
    }
    assert!(builder().task("echo", echo).build().is_ok());
}

#[tokio::test]
async fn a_second_worker_on_a_data_directory_is_refused_before_it_dials() {
    let home = tempfile::tempdir().unwrap();
    let _first = builder().data_dir(home.path()).build().unwrap();
    let second = builder().data_dir(home.path()).build();
    assert!(matches!(second, Err(Error::DataDirInUse { .. })));
}

#[tokio::test]
async fn a_worker_without_a_directory_keeps_its_identity_over_a_restart() {
    let identity =
        |worker: &Worker| (worker.options.config.worker, worker.options.config.incarnation);
    let (first, second) = (builder().build().unwrap(), builder().build().unwrap());
    assert_eq!(identity(&first).0, identity(&second).0);
    assert_ne!(identity(&first).1, identity(&second).1);
    assert_ne!(first.options.config.seed, second.options.config.seed);
}

#[tokio::test]
async fn a_worker_that_was_stopped_before_it_ran_does_not_run() {
    let worker = builder().build().unwrap();
    let handle = worker.handle();
    handle.drain().await;
    assert!(!handle.active().await);
    worker.run().await.unwrap();
    assert!(!handle.connected());
}
