//! Certificates for tests, a byte stream in memory, and WebSocket byte by byte.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::io::{AsyncRead, AsyncWrite};
use moorline_link::Reason;
use moorline_transport::{ClientTls, Connection, Security, ServerTls, TlsFiles};
use moorline_websocket::WebSocketTransport;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, date_time_ymd,
};
use tempfile::TempDir;

/// How long [`ends_soon`] leaves: enough to read the file, which nobody does who could not use it.
pub(crate) const LIFE: Duration = Duration::from_secs(5);

/// A certificate that can be read now, and is over [`LIFE`] later.
fn ends_soon(params: &mut CertificateParams) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("later than 1970");
    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = date_time_ymd(1970, 1, 1) + now + LIFE;
}

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "an authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("signed"))
    }

    /// A certificate for a host and of a name, in files.
    pub(crate) fn issue(&self, host: &str, name: &str) -> Issued {
        self.issue_with(host, name, |_| {})
    }

    pub(crate) fn issue_for_a_while(&self, host: &str) -> Issued {
        self.issue_with(host, "soon over", ends_soon)
    }

    fn issue_with(
        &self,
        host: &str,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Issued {
        let mut params = CertificateParams::new(vec![host.to_owned()]).expect("a host");
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let cert = params.signed_by(&key, &self.0).expect("signed").pem();
        let issued = Issued { dir: TempDir::new().expect("a directory") };
        for (file, text) in
            [("ca.pem", self.0.pem()), ("cert.pem", cert), ("key.pem", key.serialize_pem())]
        {
            std::fs::write(issued.dir.path().join(file), text).expect("written");
        }
        issued
    }
}

/// Files of one who has a certificate.
pub(crate) struct Issued {
    dir: TempDir,
}

impl Issued {
    fn path(&self, file: &str) -> Option<PathBuf> {
        Some(self.dir.path().join(file))
    }

    /// Proves itself, and asks others to do so.
    pub(crate) fn both(&self) -> TlsFiles {
        let path = |file| self.path(file);
        TlsFiles { cert: path("cert.pem"), key: path("key.pem"), ca: path("ca.pem") }
    }

    /// Proves itself, and asks nobody.
    pub(crate) fn alone(&self) -> TlsFiles {
        TlsFiles { ca: None, ..self.both() }
    }

    /// Proves nothing, and believes its authority.
    pub(crate) fn believing(&self) -> TlsFiles {
        TlsFiles { ca: self.path("ca.pem"), ..TlsFiles::default() }
    }
}

pub(crate) fn client(files: TlsFiles) -> ClientTls {
    ClientTls::from_files(files).expect("files")
}

pub(crate) fn server(files: TlsFiles) -> ServerTls {
    ServerTls::from_files(files).expect("files")
}

/// One that both dials and listens with TLS on loopback.
pub(crate) fn encrypted() -> WebSocketTransport {
    let issued = Authority::new().issue("127.0.0.1", "the coordinator");
    let security =
        Security::new().with_server(server(issued.alone())).with_client(client(issued.believing()));
    WebSocketTransport::new().with_security(security)
}

/// What a client asks for.
pub(crate) const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
     Sec-WebSocket-Protocol: chat, moorline.worker.v1\r\n\r\n";

/// A frame of a client, masked with zeroes.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match u16::try_from(payload.len()) {
        Ok(short @ 0..126) => frame.push(0x80 | u8::try_from(short).expect("short")),
        Ok(length) => {
            frame.push(0x80 | 126);
            frame.extend(length.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// Reads on, and says how it ended.
pub(crate) async fn end_of(connection: &mut Connection) -> Reason {
    poll_fn(|cx| Pin::new(&mut *connection.receiver).poll_receive(cx)).await.expect_err("the end")
}

/// Both ends of a byte stream in memory that takes everything, and how often it was written to.
pub(crate) fn pipe() -> (PipeEnd, PipeEnd) {
    let pipes = [Arc::default(), Arc::default()];
    let [there, back]: [Arc<Mutex<Pipe>>; 2] = pipes;
    let one = PipeEnd { from: Arc::clone(&back), to: Arc::clone(&there) };
    (one, PipeEnd { from: there, to: back })
}

#[derive(Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    writes: usize,
    is_over: bool,
    reader: Option<Waker>,
}

pub(crate) struct PipeEnd {
    from: Arc<Mutex<Pipe>>,
    to: Arc<Mutex<Pipe>>,
}

impl PipeEnd {
    /// Tells how often was written to what this end reads.
    pub(crate) fn writes(&self) -> impl Fn() -> usize + use<> {
        let from = Arc::clone(&self.from);
        move || from.lock().expect("no panic").writes
    }
}

impl AsyncRead for PipeEnd {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = self.from.lock().expect("no panic");
        if pipe.bytes.is_empty() && !pipe.is_over {
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = buffer.len().min(pipe.bytes.len());
        for (to, byte) in buffer.iter_mut().zip(pipe.bytes.drain(..count)) {
            *to = byte;
        }
        if pipe.bytes.is_empty() {
            pipe.bytes = VecDeque::new();
        }
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for PipeEnd {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let reader = {
            let mut pipe = self.to.lock().expect("no panic");
            pipe.bytes.extend(bytes);
            pipe.writes += 1;
            pipe.reader.take()
        };
        reader.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        let reader = {
            let mut pipe = self.to.lock().expect("no panic");
            pipe.is_over = true;
            pipe.reader.take()
        };
        reader.into_iter().for_each(Waker::wake);
    }
}
