//! A byte stream, clear or encrypted, or encrypted inside of one that is.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::io::{AsyncRead, AsyncWrite};
use futures_rustls::rustls;
use futures_rustls::rustls::pki_types::ServerName;
use futures_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use moorline_link::Reason;
use moorline_transport::{Authority, ClientTls, ServerTls, name_of};

use crate::net::Tcp;
use crate::settings::PROTOCOL;

/// What WebSocket runs over.
pub(crate) enum Stream {
    Clear(Tcp),
    /// A proxy may be spoken to over TLS, and the coordinator behind it once more.
    Tls(Box<TlsStream<Stream>>),
}

impl Stream {
    /// The certificate has to be for the host as it was configured, wherever that led (P14). And for which
    /// places it speaks.
    pub(crate) async fn encrypt(
        self,
        tls: &ClientTls,
        host: &str,
    ) -> Result<(Self, Authority), (Reason, String)> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| (Reason::TlsFailed, format!("no certificate can be for `{host}`")))?;
        let connecting = TlsConnector::from(tls.config(PROTOCOL)).connect(name, self);
        let encrypted = connecting.await.map_err(|error| (reason_of(&error), error.to_string()))?;
        let proven = encrypted.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let authority = proven.map_or_else(Authority::nobody, Authority::certificate);
        Ok((Self::Tls(Box::new(encrypted.into())), authority))
    }

    /// Exchanges keys with who has dialled. And the name that it has proven, if it was asked for one.
    pub(crate) async fn accept(self, tls: &ServerTls) -> io::Result<(Self, Option<String>)> {
        let stream = TlsAcceptor::from(tls.config(PROTOCOL)).accept(self).await?;
        let proven = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let identity = proven.map(name_of);
        Ok((Self::Tls(Box::new(stream.into())), identity))
    }
}

/// A connection that broke, or an exchange of keys that failed.
pub(crate) fn reason_of(error: &io::Error) -> Reason {
    let is_of_tls = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
    if is_of_tls { Reason::TlsFailed } else { Reason::TransportReset }
}

/// Calls a method of whichever it is.
macro_rules! either {
    ($self:ident, $method:ident($($argument:expr),*)) => {
        match $self.get_mut() {
            Stream::Clear(stream) => Pin::new(stream).$method($($argument),*),
            Stream::Tls(stream) => Pin::new(&mut **stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_flush(cx))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_close(cx))
    }
}
