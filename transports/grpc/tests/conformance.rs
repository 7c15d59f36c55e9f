//! The gRPC transport keeps what every transport has to keep: in clear text and with TLS, on several
//! threads and on one, and where there is no tokio.

#[allow(dead_code, reason = "what tests of TLS need beside this")]
mod pki;

#[path = "../../memory/tests/tokio_kit/mod.rs"]
mod tokio_kit;

use std::time::Duration;

use futures::future::BoxFuture;
use moorline_grpc::GrpcTransport;
use moorline_transport::conformance::{Socket, Subject};
use moorline_transport::{
    ClientTls, Connection, DialError, Endpoint, ListenError, Listener, Security, ServerTls,
    Transport, UNWRITTEN_MAX,
};
use pki::{Files, authority, issued};
use tokio_kit::{on_one_thread, on_several_threads, take_all_descriptors};

/// Windows of 256 KiB, what HTTP/2 holds on both sides, and what the sender does.
const WITHHELD_MAX: usize = (256 << 10) + (128 << 10) + UNWRITTEN_MAX + (64 << 10);

fn subject(transport: impl Transport, listen: &str) -> Subject {
    take_all_descriptors();
    Subject::new(transport, listen.parse().expect("an endpoint"))
        .with_socket(Socket::Tcp)
        .with_withheld_max(WITHHELD_MAX)
}

/// With the files that it reads its certificates from.
struct WithTls {
    grpc: GrpcTransport,
    _files: Files,
}

impl WithTls {
    fn new() -> Self {
        let ca = authority();
        let files = Files::new(&ca, &issued(&ca, "both ends"));
        let security = Security::new()
            .with_server(ServerTls::from_files(files.files.clone()).expect("files"))
            .with_client(ClientTls::from_files(files.files.clone()).expect("files"));
        Self { grpc: GrpcTransport::new().with_security(security), _files: files }
    }
}

impl Transport for WithTls {
    fn schemes(&self) -> &'static [&'static str] {
        self.grpc.schemes()
    }

    fn dial(&self, endpoint: &Endpoint) -> BoxFuture<'static, Result<Connection, DialError>> {
        self.grpc.dial(endpoint)
    }

    fn listen(
        &self,
        endpoint: &Endpoint,
    ) -> BoxFuture<'static, Result<Box<dyn Listener>, ListenError>> {
        self.grpc.listen(endpoint)
    }
}

mod clear {
    use super::*;

    moorline_transport::conformance! {
        // Who has attached is not let go as one who has not: that would be after 10 s.
        subject: subject(GrpcTransport::new(), "grpc://127.0.0.1:0")
            .with_idle(Duration::from_millis(10_500)),
        block_on: on_several_threads,
    }
}

mod clear_on_one_thread {
    use super::*;

    moorline_transport::conformance! {
        subject: subject(GrpcTransport::new(), "grpc://localhost:0"),
        block_on: on_one_thread,
    }
}

mod tls {
    use super::*;

    moorline_transport::conformance! {
        subject: subject(WithTls::new(), "grpcs://127.0.0.1:0"),
        block_on: on_several_threads,
    }
}

mod tls_on_one_thread {
    use super::*;

    moorline_transport::conformance! {
        subject: subject(WithTls::new(), "grpcs://localhost:0"),
        block_on: on_one_thread,
    }
}

mod clear_off_tokio {
    use super::*;

    moorline_transport::conformance! {
        subject: subject(GrpcTransport::new(), "grpc://127.0.0.1:0"),
        block_on: futures::executor::block_on,
    }
}

mod tls_off_tokio {
    use super::*;

    moorline_transport::conformance! {
        subject: subject(WithTls::new(), "grpcs://localhost:0"),
        block_on: futures::executor::block_on,
    }
}
