//! From HTTP/1.1 to WebSocket (RFC 6455, 4), at both ends, over any byte stream.

use futures::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use moorline_link::Reason;
use moorline_transport::{DialError, Endpoint};
use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;

use crate::head::{HeadError, Request, Response, read_request, read_response};
use crate::settings::SUBPROTOCOL;
use crate::stream::reason_of;

/// Asks for WebSocket. Returns what the other end has said already.
pub(crate) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    endpoint: &Endpoint,
) -> Result<Vec<u8>, DialError> {
    let key = generate_key();
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\
         Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\nUser-Agent: {}\r\n\r\n",
        endpoint.path(),
        host_header(endpoint),
        USER_AGENT,
    );
    let broken = |error| failed(reason_of(&error), error.to_string());
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let (response, rest) = read_response(stream).await.map_err(|error| {
        let (reason, detail) = error.told(Reason::ProxyRefused);
        failed(reason, detail)
    })?;
    match check_response(&response, &key) {
        Ok(()) => Ok(rest),
        Err(what) => {
            let status = response.status_line();
            let detail = format!("an HTTP server answered {status}: {what}");
            Err(failed(Reason::ProxyRefused, detail))
        }
    }
}

/// Who asks.
pub(crate) const USER_AGENT: &str = concat!("moorline/", env!("CARGO_PKG_VERSION"));

fn failed(reason: Reason, detail: String) -> DialError {
    DialError { reason, detail }
}

/// As web browsers write it: without the port that everybody knows.
fn host_header(endpoint: &Endpoint) -> String {
    let usual = if endpoint.is_encrypted() { 443 } else { 80 };
    let authority = endpoint.authority();
    if endpoint.port() != usual {
        return authority;
    }
    authority.rsplit_once(':').map_or(authority.clone(), |(host, _)| host.to_owned())
}

/// Whether a moorline coordinator answered; else what it is not.
fn check_response(response: &Response, key: &str) -> Result<(), &'static str> {
    let headers = &response.headers;
    if response.status != 101 {
        return Err("it does not speak WebSocket here");
    }
    if !headers.has("upgrade", "websocket") || !headers.has("connection", "upgrade") {
        return Err("but not that it speaks WebSocket");
    }
    if headers.one("sec-websocket-accept") != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
        return Err("to another question");
    }
    if headers.one("sec-websocket-protocol") != Some(SUBPROTOCOL.as_bytes()) {
        return Err("it is no moorline coordinator");
    }
    if headers.contains("sec-websocket-extensions") {
        return Err("with extensions that nobody asked for");
    }
    Ok(())
}

/// Why somebody is not let in, and what is said to them.
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    pub(crate) detail: String,
    pub(crate) answer: Option<Answer>,
}

/// What is said to somebody who is not let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// 400: no HTTP, or no WebSocket as it should be.
    Bad(&'static str),
    /// 403: a web page asks. Whoever visits it may reach what only this machine is to reach.
    WebPage,
    /// 404: another path is listened on.
    Elsewhere,
    /// 426: no WebSocket, or another version.
    Upgrade,
    /// 431: more than is read.
    TooLong,
}

impl Answer {
    fn status(self) -> &'static str {
        match self {
            Self::Bad(_) => "400 Bad Request",
            Self::WebPage => "403 Forbidden",
            Self::Elsewhere => "404 Not Found",
            Self::Upgrade => "426 Upgrade Required",
            Self::TooLong => "431 Request Header Fields Too Large",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Bad(what) => what,
            Self::WebPage => "web pages are no workers",
            Self::Elsewhere => "there is nothing here",
            Self::Upgrade => {
                "this is a moorline coordinator: it speaks WebSocket, moorline.worker.v1"
            }
            Self::TooLong => "that is too much",
        }
    }

    /// All of the answer.
    pub(crate) fn text(self) -> String {
        let also = match self {
            Self::Upgrade => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
            Self::Bad(_) | Self::WebPage | Self::Elsewhere | Self::TooLong => "",
        };
        let connection = if also.is_empty() { "close" } else { "Upgrade, close" };
        let (status, words) = (self.status(), self.words());
        format!(
            "HTTP/1.1 {status}\r\n{also}Connection: {connection}\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n{words}\n",
            words.len() + 1,
        )
    }
}

impl From<Answer> for Refusal {
    fn from(answer: Answer) -> Self {
        let (reason, detail) = (Reason::ProtocolError, answer.words());
        let detail = format!("it was answered {}: {detail}", answer.status());
        Self { reason, detail, answer: Some(answer) }
    }
}

/// Lets somebody in who asks for WebSocket. `path` is the only one that is served, or `/` for all.
pub(crate) async fn admit<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    path: &str,
) -> Result<(), Refusal> {
    let (request, rest) = read_request(stream).await.map_err(|error| match error {
        HeadError::Garbage(_) => Answer::Bad("this is no HTTP").into(),
        HeadError::TooLong => Answer::TooLong.into(),
        HeadError::Io(_) | HeadError::Ended => {
            let (reason, detail) = error.told(Reason::ProtocolError);
            Refusal { reason, detail, answer: None }
        }
    })?;
    let key = check_request(&request, path)?;
    if !rest.is_empty() {
        return Err(Answer::Bad("there is to be an answer first").into());
    }
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n",
        derive_accept_key(key),
    );
    let broken = |error| {
        let (reason, detail) = HeadError::Io(error).told(Reason::ProtocolError);
        Refusal { reason, detail, answer: None }
    };
    stream.write_all(response.as_bytes()).await.map_err(broken)?;
    stream.flush().await.map_err(broken)
}

/// Whether this asks for a connection, with which key; else the answer.
fn check_request<'a>(request: &'a Request, path: &str) -> Result<&'a [u8], Answer> {
    /// 16 bytes in base64.
    const KEY: usize = 24;
    let headers = &request.headers;
    if path != "/" && request.path != path {
        return Err(Answer::Elsewhere);
    }
    if !headers.has("upgrade", "websocket") || !headers.has("connection", "upgrade") {
        return Err(Answer::Upgrade);
    }
    if !request.is_http_1_1 || headers.one("sec-websocket-version") != Some(b"13") {
        return Err(Answer::Upgrade);
    }
    if request.method != "GET" {
        return Err(Answer::Bad("WebSocket begins with GET"));
    }
    // Browsers always say which page asks; workers have nothing to say there.
    if headers.contains("origin") {
        return Err(Answer::WebPage);
    }
    let Some(key) = headers.one("sec-websocket-key").filter(|key| key.len() == KEY) else {
        return Err(Answer::Bad("WebSocket begins with a key"));
    };
    if !headers.has("sec-websocket-protocol", SUBPROTOCOL) {
        return Err(Answer::Bad("this coordinator speaks moorline.worker.v1 and nothing else"));
    }
    Ok(key)
}
