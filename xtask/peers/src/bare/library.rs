//! What listens and what dials, of each library, as streams and sinks of messages.

use std::any::Any;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::stream::BoxStream;
use futures::{Sink, SinkExt, StreamExt, TryStreamExt};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_util::codec::{Framed, FramedParts, FramedRead, FramedWrite, LengthDelimitedCodec};

use super::grpc;
use super::tls::Files;
use crate::Error;

/// What QUIC negotiates.
const PROTOCOL: &[u8] = b"bench";

/// What a connection reads and writes at once, as ours: the libraries' defaults, of up to 128 KiB, would
/// be most of what an idle connection takes.
const BUFFER: usize = 4 << 10;

/// Connections the kernel keeps before they are accepted, as ours.
const BACKLOG: u32 = 4_096;

/// Handshakes under way at once.
const HANDSHAKES: usize = 1_024;

#[derive(Clone, Copy, Debug)]
pub(super) enum Library {
    /// A length before each message.
    Tcp { tls: bool },
    /// A bidirectional stream.
    Tonic { tls: bool },
    /// A bidirectional stream, a length before each message.
    Quinn,
    /// Binary messages.
    Tungstenite { tls: bool },
}

/// A connection that carries messages.
pub(super) struct Messages {
    pub(super) to: Pin<Box<dyn Sink<Bytes, Error = Error> + Send>>,
    pub(super) from: BoxStream<'static, Result<Bytes, Error>>,
    /// What the connection would end without.
    pub(super) _hold: Box<dyn Any + Send>,
}

impl Library {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "tcp" => Self::Tcp { tls: false },
            "tls" => Self::Tcp { tls: true },
            "tonic" => Self::Tonic { tls: false },
            "tonic-tls" => Self::Tonic { tls: true },
            "quinn" => Self::Quinn,
            "tungstenite" => Self::Tungstenite { tls: false },
            "tungstenite-tls" => Self::Tungstenite { tls: true },
            _ => return None,
        })
    }

    /// Everybody who dials from now on. A handshake that fails is nobody.
    pub(super) async fn listen(
        self,
        at: &str,
        tls: &Files,
    ) -> Result<BoxStream<'static, Messages>, Error> {
        let config = |wanted: bool| wanted.then(|| tls.server(None)).transpose();
        let comers = match self {
            Self::Tcp { tls } => {
                let acceptor = config(tls)?.map(TlsAcceptor::from);
                let shake = move |stream: TcpStream| {
                    let acceptor = acceptor.clone();
                    async move {
                        Ok::<_, Error>(match acceptor {
                            Some(acceptor) => framed(acceptor.accept(stream).await?),
                            None => framed(stream),
                        })
                    }
                };
                incoming(at)?.map(shake).buffer_unordered(HANDSHAKES).boxed()
            }
            Self::Tungstenite { tls } => {
                let acceptor = config(tls)?.map(TlsAcceptor::from);
                let shake = move |stream: TcpStream| {
                    let acceptor = acceptor.clone();
                    async move {
                        Ok(match acceptor {
                            Some(acceptor) => upgraded(acceptor.accept(stream).await?).await?,
                            None => upgraded(stream).await?,
                        })
                    }
                };
                incoming(at)?.map(shake).buffer_unordered(HANDSHAKES).boxed()
            }
            Self::Quinn => {
                let crypto = QuicServerConfig::try_from(tls.server(Some(PROTOCOL))?)?;
                let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
                let endpoint = quinn::Endpoint::server(config, at.parse()?)?;
                let comers = futures::stream::unfold(endpoint, |endpoint| async {
                    Some((endpoint.accept().await?, endpoint))
                });
                let shake = |incoming: quinn::Incoming| async {
                    let connection = incoming.await?;
                    let (to, from) = connection.accept_bi().await?;
                    Ok(of_quinn(connection, to, from))
                };
                comers.map(shake).buffer_unordered(HANDSHAKES).boxed()
            }
            Self::Tonic { .. } => grpc::listen(at, tls).await?.map(Ok).boxed(),
        };
        Ok(comers.filter_map(async |comer| comer.ok()).boxed())
    }

    /// What dials there.
    pub(super) fn dials(self, at: &str, tls: &Files) -> Result<Dials, Error> {
        let address: SocketAddr = at.parse()?;
        let connector = |wanted: bool| {
            let config = wanted.then(|| tls.client(None)).transpose()?;
            Ok::<_, Error>(config.map(TlsConnector::from))
        };
        Ok(match self {
            Self::Tcp { tls } => Dials::Tcp { address, connector: connector(tls)? },
            Self::Tungstenite { tls } => Dials::Tungstenite { address, connector: connector(tls)? },
            Self::Tonic { tls: wanted } => {
                Dials::Tonic(Box::new(grpc::Dials::new(address, wanted.then_some(tls))?))
            }
            Self::Quinn => {
                let crypto = QuicClientConfig::try_from(tls.client(Some(PROTOCOL))?)?;
                let mut endpoint = quinn::Endpoint::client("127.0.0.1:0".parse()?)?;
                endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(crypto)));
                Dials::Quinn { address, endpoint }
            }
        })
    }
}

#[derive(Clone)]
pub(super) enum Dials {
    Tcp { address: SocketAddr, connector: Option<TlsConnector> },
    Tungstenite { address: SocketAddr, connector: Option<TlsConnector> },
    Tonic(Box<grpc::Dials>),
    Quinn { address: SocketAddr, endpoint: quinn::Endpoint },
}

impl Dials {
    pub(super) async fn dial(&self) -> Result<Messages, Error> {
        match self {
            Self::Tcp { address, connector } => {
                let stream = connected(*address).await?;
                Ok(match connector {
                    Some(tls) => framed(tls.connect(name(*address), stream).await?),
                    None => framed(stream),
                })
            }
            Self::Tungstenite { address, connector } => {
                let stream = connected(*address).await?;
                match connector {
                    Some(tls) => upgrade(tls.connect(name(*address), stream).await?).await,
                    None => upgrade(stream).await,
                }
            }
            Self::Tonic(dials) => dials.dial().await,
            Self::Quinn { address, endpoint } => {
                let connection = endpoint.connect(*address, &address.ip().to_string())?.await?;
                let (to, from) = connection.open_bi().await?;
                Ok(of_quinn(connection, to, from))
            }
        }
    }
}

/// Connections as they come, each message sent at once.
pub(super) fn incoming(at: &str) -> Result<BoxStream<'static, TcpStream>, Error> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(at.parse()?)?;
    let comers = futures::stream::unfold(socket.listen(BACKLOG)?, |listener: TcpListener| async {
        Some((listener.accept().await.map(|(stream, _)| stream), listener))
    });
    let ready =
        comers.try_filter_map(async |stream| Ok(stream.set_nodelay(true).ok().map(|()| stream)));
    Ok(ready.filter_map(async |stream| stream.ok()).boxed())
}

async fn connected(address: SocketAddr) -> Result<TcpStream, Error> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn name(address: SocketAddr) -> ServerName<'static> {
    ServerName::IpAddress(address.ip().into())
}

/// A length before each message.
fn framed(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Messages {
    let mut parts = FramedParts::new::<Bytes>(stream, LengthDelimitedCodec::new());
    parts.read_buf = BytesMut::with_capacity(BUFFER);
    parts.write_buf = BytesMut::with_capacity(BUFFER);
    let (to, from) = Framed::from_parts(parts).split();
    messages(to, from.map_ok(BytesMut::freeze), ())
}

fn of_quinn(
    connection: quinn::Connection,
    to: quinn::SendStream,
    from: quinn::RecvStream,
) -> Messages {
    let to = FramedWrite::new(to, LengthDelimitedCodec::new());
    let from = FramedRead::with_capacity(from, LengthDelimitedCodec::new(), BUFFER);
    messages(to, from.map_ok(BytesMut::freeze), connection)
}

fn settings() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(BUFFER).write_buffer_size(BUFFER)
}

async fn upgraded<S>(stream: S) -> Result<Messages, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    Ok(of_tungstenite(tokio_tungstenite::accept_async_with_config(stream, Some(settings())).await?))
}

async fn upgrade<S>(stream: S) -> Result<Messages, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let upgrade =
        tokio_tungstenite::client_async_with_config("ws://127.0.0.1/", stream, Some(settings()));
    Ok(of_tungstenite(upgrade.await?.0))
}

fn of_tungstenite<S>(stream: WebSocketStream<S>) -> Messages
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (to, from) = stream.split();
    let to = to.with(async |bytes: Bytes| {
        Ok::<_, tokio_tungstenite::tungstenite::Error>(Message::Binary(bytes))
    });
    // Pings and the like are the library's own affair.
    let from = from.try_filter_map(async |message| {
        Ok(if let Message::Binary(bytes) = message { Some(bytes) } else { None })
    });
    messages(to, from, ())
}

pub(super) fn messages<T, F, E>(to: T, from: F, hold: impl Any + Send) -> Messages
where
    T: Sink<Bytes> + Send + 'static,
    T::Error: Into<Error>,
    F: futures::Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Into<Error> + 'static,
{
    Messages {
        to: Box::pin(to.sink_map_err(Into::into)),
        from: from.map_err(Into::into).boxed(),
        _hold: Box::new(hold),
    }
}
