//! What workers show, who looks at it, and what becomes of those who are not let in.

mod support;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use moorline_driver::{
    Authenticator, CoordinatorHandle, Credentials, Tokio, Transports, WorkerHandle, WorkerOptions,
    start_coordinator, start_worker,
};
use moorline_link::{ComeBack, Dismissal, Reason, State};
use moorline_node::Credential;
use moorline_store::MemoryStore;
use support::{Threads, ended, memory, options, soon, submit, until, worker_options};

/// Lets in who shows this token.
fn only(token: &'static str) -> Authenticator {
    Authenticator::new(move |applicant| async move {
        // Whoever looks at it may have to ask somebody else.
        tokio::task::yield_now().await;
        let refused = |reason| Err(Dismissal { reason, come_back: ComeBack::ByReason });
        match applicant.credential {
            Some(credential) if credential.as_bytes() == token.as_bytes() => Ok(()),
            Some(_) => refused(Reason::AuthExpired),
            None => refused(Reason::AuthMissing),
        }
    })
}

async fn coordinator(transports: &Transports, authenticator: Authenticator) -> CoordinatorHandle {
    let mut options = options();
    options.authenticator = Some(authenticator);
    let store = Box::new(MemoryStore::new());
    start_coordinator(Tokio, transports.clone(), store, options).await.expect("started")
}

fn worker(transports: &Transports, credentials: Option<Credentials>) -> WorkerHandle {
    let mut options: WorkerOptions = worker_options(1, &["echo"], 1);
    options.credentials = credentials;
    start_worker(transports.clone(), options, Box::new(Threads::echo())).expect("started")
}

fn token(text: &str) -> Result<Credential, String> {
    Credential::new(text.to_owned()).map_err(|error| error.to_string())
}

/// Waits until it was disconnected for this reason.
async fn is_lost(worker: &WorkerHandle, reason: Reason) {
    soon(async {
        loop {
            let status = worker.status();
            if status.link.state == State::Disconnected && status.link.reason == Some(reason) {
                return;
            }
            worker.changed(status.version).await;
        }
    })
    .await;
}

#[tokio::test]
async fn who_shows_what_is_asked_for_is_let_in() {
    let transports = memory();
    let coordinator = coordinator(&transports, only("right")).await;
    let worker = worker(&transports, Some(Credentials::new(|_| async { token("right") })));
    until(&worker, State::Active).await;
    assert_eq!(coordinator.workers().await.expect("it runs").len(), 1);
    worker.shutdown();
    coordinator.stop().await;
}

#[tokio::test]
async fn who_shows_nothing_is_told_so_and_never_known() {
    let transports = memory();
    let coordinator = coordinator(&transports, only("right")).await;
    let worker = worker(&transports, None);
    is_lost(&worker, Reason::AuthMissing).await;
    assert_eq!(coordinator.workers().await.expect("it runs").len(), 0);
    worker.shutdown();
    coordinator.stop().await;
}

#[tokio::test]
async fn a_stale_credential_is_renewed_once_and_at_once() {
    let transports = memory();
    let coordinator = coordinator(&transports, only("fresh")).await;
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let credentials = Credentials::new(move |refused| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            match refused {
                None => token("stale"),
                Some(reason) => {
                    assert_eq!(reason, Reason::AuthExpired);
                    token("fresh")
                }
            }
        }
    });
    let worker = worker(&transports, Some(credentials));
    until(&worker, State::Active).await;
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    worker.shutdown();
    coordinator.stop().await;
}

#[tokio::test]
async fn an_attempt_without_a_credential_fails_and_is_made_again() {
    let transports = memory();
    let coordinator = coordinator(&transports, only("right")).await;
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let credentials = Credentials::new(move |_| {
        let nth = count.fetch_add(1, Ordering::SeqCst);
        async move { if nth < 3 { Err("nobody answers".to_owned()) } else { token("right") } }
    });
    let worker = worker(&transports, Some(credentials));
    is_lost(&worker, Reason::CredentialFailed).await;
    until(&worker, State::Active).await;
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    worker.shutdown();
    coordinator.stop().await;
}

#[tokio::test]
async fn a_check_that_panics_or_never_ends_holds_up_nobody() {
    let transports = memory();
    let authenticator = Authenticator::new(|applicant| async move {
        match applicant.name.as_str() {
            "worker-1" => panic!("a bug of whoever looks at it"),
            "worker-2" => std::future::pending().await,
            _ => Ok(()),
        }
    });
    let coordinator = coordinator(&transports, authenticator).await;
    let workers = [1, 2, 3].map(|id| {
        let options = worker_options(id, &["echo"], 1);
        start_worker(transports.clone(), options, Box::new(Threads::echo())).expect("started")
    });
    until(&workers[2], State::Active).await;
    is_lost(&workers[0], Reason::CoordinatorOverloaded).await;
    let waiting = workers[1].status().link.state;
    assert_eq!(waiting, State::Connecting);
    submit(&coordinator, 1, "echo", b"over and back").await;
    assert_eq!(ended(&coordinator, 1).await.applied, 1);
    workers.iter().for_each(WorkerHandle::shutdown);
    coordinator.stop().await;
}

#[tokio::test]
async fn why_it_was_refused_is_told_again_until_something_new_was_shown() {
    let transports = memory();
    let coordinator = coordinator(&transports, only("fresh")).await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&asked);
    let credentials = Credentials::new(move |refused| {
        let mut told = told.lock().expect("nobody panics");
        told.push(refused);
        let nth = told.len();
        async move {
            match (nth, refused) {
                // Who issues them is away when it is asked for another one.
                (2, _) => Err("nobody answers".to_owned()),
                (_, None) => token("stale"),
                (_, Some(_)) => token("fresh"),
            }
        }
    });
    let worker = worker(&transports, Some(credentials));
    until(&worker, State::Active).await;
    let expired = Some(Reason::AuthExpired);
    assert_eq!(*asked.lock().expect("nobody panics"), [None, expired, expired]);
    // What was shown now was not refused.
    worker.migrate();
    soon(async {
        while asked.lock().expect("nobody panics").len() < 4 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(asked.lock().expect("nobody panics")[3], None);
    worker.shutdown();
    coordinator.stop().await;
}
