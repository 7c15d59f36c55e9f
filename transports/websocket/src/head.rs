//! Heads of HTTP/1.1: read with a bound, and looked at without trust.

use std::io;

use futures::io::{AsyncRead, AsyncReadExt};
use httparse::{EMPTY_HEADER, Header, Status};
use moorline_link::Reason;

use crate::settings::{HEAD_MAX, HEADERS_MAX};
use crate::stream::reason_of;

/// Why there is no head.
#[derive(Debug)]
pub(crate) enum HeadError {
    /// The connection broke.
    Io(io::Error),
    /// It ended before the head did.
    Ended,
    /// It is longer than [`HEAD_MAX`], or has more lines than [`HEADERS_MAX`].
    TooLong,
    /// It is no HTTP.
    Garbage(httparse::Error),
}

impl HeadError {
    /// Why it failed, and in words; `garbage` if somebody talks, but not like this.
    pub(crate) fn told(&self, garbage: Reason) -> (Reason, String) {
        match self {
            Self::Io(error) => (reason_of(error), error.to_string()),
            Self::Ended => (Reason::TransportReset, "it hung up".to_owned()),
            Self::TooLong => (garbage, "it talks without end".to_owned()),
            Self::Garbage(error) => (garbage, format!("it does not speak HTTP: {error}")),
        }
    }
}

/// The lines below the first.
#[derive(Debug)]
pub(crate) struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    fn new(headers: &[Header<'_>]) -> Self {
        let owned = |header: &Header<'_>| (header.name.to_owned(), header.value.to_owned());
        Self(headers.iter().map(owned).collect())
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let named = self.0.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim_ascii())
    }

    /// The value of a header that may be there once.
    pub(crate) fn one(&self, name: &str) -> Option<&[u8]> {
        let mut all = self.all(name);
        let first = all.next();
        if all.next().is_some() { None } else { first }
    }

    /// Whether a list, on one line or several, has this word.
    pub(crate) fn has(&self, name: &str, word: &str) -> bool {
        self.all(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .any(|one| one.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    }

    /// How many lines.
    #[cfg(feature = "tokio")]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is there at all.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }
}

/// What somebody asks for.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// HTTP/1.1, not 1.0.
    pub(crate) is_http_1_1: bool,
    /// Without a query.
    pub(crate) path: String,
    pub(crate) headers: Headers,
}

/// What somebody answers.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// What a person is told about it, without what such a text should not hold.
    pub(crate) words: String,
    pub(crate) headers: Headers,
}

impl Response {
    /// The status as people know it.
    pub(crate) fn status_line(&self) -> String {
        format!("{} {}", self.status, self.words).trim_end().to_owned()
    }
}

/// Reads a request's head, and what came behind it.
pub(crate) async fn read_request(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<(Request, Vec<u8>), HeadError> {
    read(stream, |bytes| {
        let mut headers = [EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        let Status::Complete(length) = request.parse(bytes)? else { return Ok(None) };
        let target = request.path.unwrap_or_default();
        let target = target
            .split_once("://")
            .map_or(target, |(_, rest)| rest.find('/').map_or("/", |slash| &rest[slash..]));
        let path = target.split_once('?').map_or(target, |(path, _)| path).to_owned();
        let method = request.method.unwrap_or_default().to_owned();
        let is_http_1_1 = request.version == Some(1);
        let headers = Headers::new(request.headers);
        Ok(Some((Request { method, is_http_1_1, path, headers }, length)))
    })
    .await
}

/// Reads a response's head, and what came behind it.
pub(crate) async fn read_response(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<(Response, Vec<u8>), HeadError> {
    read(stream, |bytes| {
        let mut headers = [EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let Status::Complete(length) = response.parse(bytes)? else { return Ok(None) };
        let words = response.reason.unwrap_or_default();
        let words = words.chars().filter(|c| !c.is_control()).take(80).collect();
        let status = response.code.unwrap_or_default();
        let headers = Headers::new(response.headers);
        Ok(Some((Response { status, words, headers }, length)))
    })
    .await
}

async fn read<T>(
    stream: &mut (impl AsyncRead + Unpin),
    parse: impl Fn(&[u8]) -> Result<Option<(T, usize)>, httparse::Error>,
) -> Result<(T, Vec<u8>), HeadError> {
    let mut head = Vec::new();
    let mut chunk = [0; 1_024];
    loop {
        let count = stream.read(&mut chunk).await.map_err(HeadError::Io)?;
        let arrived = &chunk[..count];
        if arrived.is_empty() {
            return Err(HeadError::Ended);
        }
        let is_first = head.is_empty();
        head.extend_from_slice(arrived);
        // Once for each line and no more, however slowly they drip in: what is no HTTP shows in the first.
        if is_first || arrived.contains(&b'\n') {
            match parse(&head) {
                Ok(Some((parsed, length))) => return Ok((parsed, head.split_off(length))),
                Ok(None) => {}
                Err(httparse::Error::TooManyHeaders) => return Err(HeadError::TooLong),
                Err(error) => return Err(HeadError::Garbage(error)),
            }
        }
        if head.len() > HEAD_MAX {
            return Err(HeadError::TooLong);
        }
    }
}
