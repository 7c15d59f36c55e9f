//! Who is let in by a program that embeds a coordinator.
#![cfg(all(feature = "grpc", feature = "coordinator"))]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use moorline::{
    Coordinator, Credential, Denial, DisconnectReason, LinkState, Worker, WorkerBuilder,
    WorkerHandle,
};

const SOON: Duration = Duration::from_secs(60);

async fn coordinator() -> Coordinator {
    let look = |applicant: moorline::Applicant| async move {
        // As one does that asks a database.
        tokio::task::yield_now().await;
        assert_eq!(applicant.certificate, None, "nobody has asked for one");
        let token = applicant.credential.as_ref().map(Credential::as_bytes);
        match (applicant.name.as_str(), token) {
            ("bug", _) => panic!("a bug of whoever looks at it"),
            (_, None) => Err(Denial::Missing),
            (_, Some(b"fresh")) => Ok(()),
            (_, Some(b"stale")) => Err(Denial::Expired),
            (_, Some(b"withdrawn")) => Err(Denial::Revoked),
            (_, Some(_)) => Err(Denial::Rejected),
        }
    };
    Coordinator::builder().listen("grpc://127.0.0.1:0").authenticate(look).start().await.unwrap()
}

fn builder(coordinator: &Coordinator, name: &str) -> WorkerBuilder {
    Worker::builder(coordinator.endpoints()[0].to_string()).name(name)
}

fn token(text: &'static str) -> Result<Credential, moorline::BoxError> {
    Ok(Credential::new(text)?)
}

fn start(builder: WorkerBuilder) -> (WorkerHandle, tokio::task::JoinHandle<moorline::Result<()>>) {
    let worker = builder.build().unwrap();
    (worker.handle(), tokio::spawn(worker.run()))
}

/// Waits until it was disconnected for this reason.
async fn loses(handle: &WorkerHandle, reason: DisconnectReason) {
    let mut changes = handle.subscribe();
    let lost = async {
        loop {
            let link = handle.link();
            if link.state == LinkState::Disconnected && link.reason == Some(reason) {
                return;
            }
            changes.next().await;
        }
    };
    tokio::time::timeout(SOON, lost).await.unwrap_or_else(|_| panic!("{:?}", handle.link()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_shows_what_is_good_is_let_in_and_what_is_stale_is_renewed_at_once() {
    let coordinator = coordinator().await;
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let (handle, _running) = start(builder(&coordinator, "w1").credentials(move |refused| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            match refused {
                None => token("stale"),
                Some(DisconnectReason::AuthExpired) => token("fresh"),
                Some(other) => Err(other.name().into()),
            }
        }
    }));
    handle.wait_active(SOON).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    coordinator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_shows_nothing_or_what_was_withdrawn_is_not_let_in() {
    let coordinator = coordinator().await;
    let (handle, _running) = start(builder(&coordinator, "w1"));
    loses(&handle, DisconnectReason::AuthMissing).await;
    let withdrawn = builder(&coordinator, "w2").credentials(|_| async { token("withdrawn") });
    let (_, running) = start(withdrawn);
    let ended = tokio::time::timeout(SOON, running).await.unwrap().unwrap().unwrap_err();
    assert_eq!(ended.reason(), Some(DisconnectReason::AuthRevoked));
    coordinator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_of_either_function_is_no_end_of_anything() {
    let coordinator = coordinator().await;
    let (handle, _running) = start(builder(&coordinator, "bug"));
    loses(&handle, DisconnectReason::CoordinatorOverloaded).await;
    let asked = Arc::new(AtomicU32::new(0));
    let (handle, _running) =
        start(
            builder(&coordinator, "w1")
                .reconnect_base_delay(Duration::from_millis(100))
                .credentials(move |_| {
                    let nth = asked.fetch_add(1, Ordering::SeqCst);
                    async move {
                        if nth == 0 { panic!("a bug of whoever gets it") } else { token("fresh") }
                    }
                }),
        );
    loses(&handle, DisconnectReason::CredentialFailed).await;
    handle.wait_active(SOON).await.unwrap();
    coordinator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_have_a_certificate_is_refused_where_one_is_wanted() {
    let builder = Coordinator::builder().listen("grpc://127.0.0.1:0").certificates_only(true);
    let coordinator = builder.start().await.unwrap();
    let worker = Worker::builder(coordinator.endpoints()[0].to_string()).name("w1");
    let (handle, _running) = start(worker);
    loses(&handle, DisconnectReason::AuthMissing).await;
    coordinator.stop().await;
}
