//! A certificate makes whoever has it the worker of its name, and no other.

mod support;

use std::path::Path;

use futures::FutureExt;
use futures::future::BoxFuture;
use moorline_driver::{
    Authenticator, CoordinatorHandle, CoordinatorOptions, Tokio, Transports, WorkerHandle,
    WorkerOptions, start_coordinator, start_worker,
};
use moorline_grpc::GrpcTransport;
use moorline_link::{Reason, State};
use moorline_memory::MemoryTransport;
use moorline_store::MemoryStore;
use moorline_transport::{
    AcceptError, ClientTls, Connection, DialError, Endpoint, ListenError, Listener, Security,
    ServerTls, TlsFiles, Transport,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use support::{Threads, ended, options, soon, submit, until, worker_options};

/// Memory, where everybody who comes in has proven this name.
struct Proving {
    memory: MemoryTransport,
    name: &'static str,
}

struct ProvingListener {
    listener: Box<dyn Listener>,
    name: &'static str,
}

impl Transport for Proving {
    fn schemes(&self) -> &'static [&'static str] {
        self.memory.schemes()
    }

    fn dial(&self, endpoint: &Endpoint) -> BoxFuture<'static, Result<Connection, DialError>> {
        self.memory.dial(endpoint)
    }

    fn listen(
        &self,
        endpoint: &Endpoint,
    ) -> BoxFuture<'static, Result<Box<dyn Listener>, ListenError>> {
        let (listening, name) = (self.memory.listen(endpoint), self.name);
        async move {
            let listener = listening.await?;
            Ok(Box::new(ProvingListener { listener, name }) as Box<dyn Listener>)
        }
        .boxed()
    }
}

impl Listener for ProvingListener {
    fn accept(&mut self) -> BoxFuture<'_, Result<Connection, AcceptError>> {
        let name = self.name.to_owned();
        let accepting = self.listener.accept();
        async move { Ok(Connection { identity: Some(name), ..accepting.await? }) }.boxed()
    }

    fn endpoint(&self) -> Endpoint {
        self.listener.endpoint()
    }
}

async fn coordinator(transports: &Transports, options: CoordinatorOptions) -> CoordinatorHandle {
    let store = Box::new(MemoryStore::new());
    start_coordinator(Tokio, transports.clone(), store, options).await.expect("started")
}

fn worker(transports: &Transports, options: WorkerOptions) -> WorkerHandle {
    start_worker(transports.clone(), options, Box::new(Threads::echo())).expect("started")
}

/// Waits until it was disconnected, and says why.
async fn loses(worker: &WorkerHandle) -> Reason {
    soon(async {
        loop {
            let status = worker.status();
            if let (State::Disconnected, Some(reason)) = (status.link.state, status.link.reason) {
                return reason;
            }
            worker.changed(status.version).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_certificate_is_for_one_worker() {
    for (proven, is_let_in) in [("worker-1", true), ("worker-2", false), ("", false)] {
        let memory = Proving { memory: MemoryTransport::new(), name: proven };
        let transports = Transports::new().with(memory);
        let coordinator = coordinator(&transports, options()).await;
        let worker = worker(&transports, worker_options(1, &["echo"], 1));
        if is_let_in {
            until(&worker, State::Active).await;
        } else {
            assert_eq!(loses(&worker).await, Reason::AuthRejected, "{proven}");
            assert_eq!(coordinator.workers().await.expect("it runs").len(), 0);
        }
        worker.shutdown();
        coordinator.stop().await;
    }
}

#[tokio::test]
async fn who_has_none_is_let_in_where_none_is_wanted_and_only_there() {
    for wants_certificates in [false, true] {
        let transports = Transports::new().with(MemoryTransport::new());
        let mut options = options();
        options.wants_certificates = wants_certificates;
        let coordinator = coordinator(&transports, options).await;
        let worker = worker(&transports, worker_options(1, &["echo"], 1));
        if wants_certificates {
            assert_eq!(loses(&worker).await, Reason::AuthMissing);
        } else {
            until(&worker, State::Active).await;
        }
        worker.shutdown();
        coordinator.stop().await;
    }
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "an authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed")
}

/// A certificate of 127.0.0.1 for this name, its key and its authority's, in files of a directory.
fn issued(dir: &Path, by: &Authority, name: &str) -> TlsFiles {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, by).expect("signed");
    let written = |file: &str, text: &str| {
        let path = dir.join(format!("{name}.{file}"));
        std::fs::write(&path, text).expect("written");
        Some(path)
    };
    TlsFiles {
        cert: written("cert", &certificate.pem()),
        key: written("key", &key.serialize_pem()),
        ca: written("ca", &by.pem()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_the_name_in_a_certificate_is_that_of_its_worker() {
    let dir = tempfile::tempdir().expect("a directory");
    let ca = authority();
    let server = ServerTls::from_files(issued(dir.path(), &ca, "coordinator")).expect("files");
    let listening = Transports::new()
        .with(GrpcTransport::new().with_security(Security::new().with_server(server)));
    let proven = |applicant: moorline_node::Applicant| async move {
        assert_eq!(applicant.proven.as_deref(), Some(applicant.name.as_str()));
        Ok(())
    };
    let mut options = options();
    options.listen = vec!["grpcs://127.0.0.1:0".parse().expect("an endpoint")];
    options.wants_certificates = true;
    options.authenticator = Some(Authenticator::new(proven));
    let coordinator = coordinator(&listening, options).await;
    let dials = |files: TlsFiles| {
        let client = ClientTls::from_files(files).expect("files");
        let transport = GrpcTransport::new().with_security(Security::new().with_client(client));
        let mut options = worker_options(1, &["echo"], 1);
        options.endpoints = coordinator.endpoints().to_vec();
        worker(&Transports::new().with(transport), options)
    };

    let another = dials(issued(dir.path(), &ca, "worker-2"));
    assert_eq!(loses(&another).await, Reason::AuthRejected);
    assert_eq!(coordinator.workers().await.expect("it runs").len(), 0);
    another.shutdown();

    let own = issued(dir.path(), &ca, "worker-1");
    let nobody = dials(TlsFiles { cert: None, key: None, ..own.clone() });
    assert_eq!(loses(&nobody).await, Reason::TlsFailed);
    nobody.shutdown();

    let worker = dials(own);
    until(&worker, State::Active).await;
    submit(&coordinator, 1, "echo", b"over and back").await;
    assert_eq!(ended(&coordinator, 1).await.applied, 1);
    worker.shutdown();
    soon(coordinator.stop()).await;
}
