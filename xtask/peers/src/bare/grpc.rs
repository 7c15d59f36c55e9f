//! tonic: a bidirectional stream of bare bytes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes};
use futures::channel::mpsc;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{SinkExt, StreamExt};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{NamedService, StreamingService};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

use super::library::{Messages, incoming, messages};
use super::tls::Files;
use crate::Error;

const PATH: &str = "/bench.Messages/Talk";

/// Messages between the loop and the library.
const QUEUE: usize = 512;

#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// What becomes of a stream that somebody has opened.
#[derive(Clone)]
enum Talk {
    /// Each message goes back, with nothing in between.
    Echo,
    /// Somebody else has both ends of it.
    Handed(mpsc::Sender<Messages>),
}

impl NamedService for Talk {
    const NAME: &'static str = "bench.Messages";
}

impl StreamingService<Bytes> for Talk {
    type Response = Bytes;
    type ResponseStream = BoxStream<'static, Result<Bytes, Status>>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let heard = request.into_inner();
        let talk = self.clone();
        Box::pin(async move {
            Ok(Response::new(match talk {
                Self::Echo => heard.boxed(),
                Self::Handed(mut comers) => {
                    let (to, said) = mpsc::channel(QUEUE);
                    let gone = |_| Status::unavailable("nobody listens");
                    comers.send(messages(to, heard, ())).await.map_err(gone)?;
                    said.map(Ok).boxed()
                }
            }))
        })
    }
}

impl tower::Service<http::Request<tonic::body::Body>> for Talk {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let talk = self.clone();
        Box::pin(async move { Ok(tonic::server::Grpc::new(Raw).streaming(talk, request).await) })
    }
}

/// Serves until the process ends.
async fn run(at: &str, tls: &Files, talk: Talk, ready: impl FnOnce()) -> Result<(), Error> {
    let mut server = Server::builder();
    if tls.proves() {
        let (cert, key) = tls.identity()?;
        let tls = ServerTlsConfig::new().identity(Identity::from_pem(cert, key));
        server = server.tls_config(tls)?;
    }
    let comers = incoming(at)?.map(Ok::<_, Infallible>);
    ready();
    Ok(server.add_service(talk).serve_with_incoming(comers).await?)
}

/// Sends everything back.
pub(super) async fn serve(at: &str, tls: &Files) -> Result<(), Error> {
    run(at, tls, Talk::Echo, || println!("READY")).await
}

/// Everybody who opens a stream from now on.
pub(super) async fn listen(at: &str, tls: &Files) -> Result<BoxStream<'static, Messages>, Error> {
    let (comers, came) = mpsc::channel(1);
    let (listens, listening) = futures::channel::oneshot::channel();
    let (at, tls) = (at.to_owned(), tls.clone());
    // Ends with the process.
    tokio::spawn(async move {
        // Who asked waits for it.
        let ready = || listens.send(()).unwrap_or_default();
        if let Err(error) = run(&at, &tls, Talk::Handed(comers), ready).await {
            eprintln!("{error}");
        }
    });
    listening.await.map_err(|_| "tonic does not listen")?;
    Ok(came.boxed())
}

#[derive(Clone)]
pub(super) struct Dials(Endpoint);

impl Dials {
    pub(super) fn new(address: SocketAddr, tls: Option<&Files>) -> Result<Self, Error> {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let mut endpoint =
            Endpoint::from_shared(format!("{scheme}://{address}"))?.tcp_nodelay(true);
        if let Some(tls) = tls {
            let authority = Certificate::from_pem(tls.authority()?);
            let tls = ClientTlsConfig::new().ca_certificate(authority);
            endpoint = endpoint.tls_config(tls.domain_name(address.ip().to_string()))?;
        }
        Ok(Self(endpoint))
    }

    pub(super) async fn dial(&self) -> Result<Messages, Error> {
        let mut client = tonic::client::Grpc::new(self.0.connect().await?);
        client.ready().await?;
        let (to, said) = mpsc::channel(QUEUE);
        let heard = client.streaming(Request::new(said), PATH.parse()?, Raw).await?;
        Ok(messages(to, heard.into_inner(), client))
    }
}
