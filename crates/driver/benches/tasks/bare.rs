//! Bare tonic: a bidirectional stream, one message per task each way, nothing remembered.

use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes};
use futures::channel::mpsc;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{SinkExt, StreamExt};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{NamedService, StreamingService};
use tonic::{Request, Response, Status, Streaming};

use super::{Error, IN_FLIGHT, Other, PAYLOAD};

const PATH: &str = "/bench.Echo/Talk";

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

#[derive(Clone)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "bench.Echo";
}

impl StreamingService<Bytes> for Echo {
    type Response = Bytes;
    type ResponseStream = BoxStream<'static, Result<Bytes, Status>>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let answers = request.into_inner().map(|message| message.map(|_| PAYLOAD));
        Box::pin(async move { Ok(Response::new(answers.boxed())) })
    }
}

impl tower::Service<http::Request<tonic::body::Body>> for Echo {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        Box::pin(async move { Ok(tonic::server::Grpc::new(Raw).streaming(Echo, request).await) })
    }
}

/// The other side: says where it listens, and answers.
pub(crate) async fn echo() -> Result<(), Error> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let incoming = futures::stream::unfold(listener, |listener| async {
        let accepted = listener.accept().await.map(|(stream, _)| {
            let _ = stream.set_nodelay(true);
            stream
        });
        Some((accepted, listener))
    });
    let server = tonic::transport::Server::builder().add_service(Echo);
    server.serve_with_incoming(Pin::from(Box::new(incoming))).await?;
    Ok(())
}

/// So many clients of such a server, each with a connection of its own on which it sends as much as a
/// heartbeat takes, and is answered. Says when all are there; ends with its process.
pub(crate) async fn fleet(address: &str, clients: u32, every: Duration) -> Result<(), Error> {
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}"))?;
    let mut all = Vec::new();
    for nth in 0..clients {
        let mut client =
            tonic::client::Grpc::new(endpoint.clone().tcp_nodelay(true).connect().await?);
        client.ready().await?;
        // Not all at the same moment.
        let first = tokio::time::Instant::now() + every * nth / clients;
        let beats =
            futures::stream::unfold(tokio::time::interval_at(first, every), |mut beats| async {
                beats.tick().await;
                Some((Bytes::from_static(&[7; 17]), beats))
            });
        let answers = client.streaming(Request::new(beats), PATH.parse()?, Raw).await?;
        let answers = answers.into_inner();
        all.push(tokio::spawn(async move {
            let _client = client;
            answers.for_each(|_| async {}).await;
        }));
    }
    println!("UP");
    futures::future::join_all(all).await;
    Err("the server ended".into())
}

/// Latencies of one message at a time, and messages a second with many under way.
pub(crate) async fn measure(alone: usize, together: usize) -> Result<(Vec<Duration>, f64), Error> {
    let mut other = Other::start(&["--echo"])?;
    let mut address = String::new();
    let stdout = other.0.stdout.take().ok_or("no stdout")?;
    BufReader::new(stdout).read_line(&mut address)?;
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{}", address.trim()))?;
    let mut client = tonic::client::Grpc::new(endpoint.tcp_nodelay(true).connect().await?);
    client.ready().await?;
    let (mut to, messages) = mpsc::channel(IN_FLIGHT);
    let answers = client.streaming(Request::new(messages), PATH.parse()?, Raw);
    let mut answers = answers.await?.into_inner();
    let mut latencies = Vec::with_capacity(alone);
    for nth in 0..alone.max(1) + 100 {
        let start = Instant::now();
        to.send(PAYLOAD).await?;
        answers.next().await.transpose()?;
        if nth >= 100 {
            latencies.push(start.elapsed());
        }
    }
    let start = Instant::now();
    let (mut sent, mut answered) = (0, 0);
    while answered < together {
        while sent < together && sent - answered < IN_FLIGHT {
            to.feed(PAYLOAD).await?;
            sent += 1;
        }
        answers.next().await.transpose()?;
        answered += 1;
    }
    Ok((latencies, together as f64 / start.elapsed().as_secs_f64()))
}
