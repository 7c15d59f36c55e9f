//! The libraries beneath our transports with nothing on top of them, in the shape of `moorline bench`:
//!
//! ```text
//! peers bare LIBRARY submit HOST:PORT --window W --seconds S [TLS]
//! peers bare LIBRARY work HOST:PORT [TLS]
//! peers bare LIBRARY serve HOST:PORT [TLS]
//! peers bare LIBRARY fleet HOST:PORT N --heartbeat-ms M [TLS]
//! ```
//!
//! `submit` listens, prints `READY`, waits for one `work`, which dials and answers each message with its
//! bytes. `serve` listens, prints `READY` and does that for any number of a `fleet`, which tells what
//! `moorline bench fleet` tells. TLS is `--tls-cert FILE --tls-key FILE` for who listens, and
//! `--tls-ca FILE` for who dials. Nothing is numbered, kept or sent again.

mod fleet;
mod grpc;
mod library;
mod tls;

use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt, SinkExt, StreamExt};
use serde_json::Value;
use tokio::time::Instant;

use crate::Error;
use crate::load::{Load, PROBE, Window, place, task};
use library::{Library, Messages};
use tls::Files;

const USAGE: &str = "peers bare tcp|tls|tonic|tonic-tls|quinn|tungstenite|tungstenite-tls \
                     submit HOST:PORT --window W --seconds S | work HOST:PORT | serve HOST:PORT \
                     | fleet HOST:PORT N --heartbeat-ms M \
                     [--tls-cert FILE --tls-key FILE] [--tls-ca FILE]";

/// How long the end of the other side is waited for: of QUIC it may never be told.
const FAREWELL: Duration = Duration::from_millis(200);

pub(crate) async fn run(args: &[&str]) -> Result<(), Error> {
    let [library, rest @ ..] = args else { return Err(USAGE.into()) };
    let library = Library::named(library).ok_or(USAGE)?;
    match rest {
        ["submit", at, "--window", window, "--seconds", seconds, tls @ ..] => {
            let load = Load::new(window.parse()?, Duration::from_secs(seconds.parse()?))?;
            println!("{}", submit(library, at, load, &Files::of(tls)?).await?);
            Ok(())
        }
        ["work", at, tls @ ..] => work(library, at, &Files::of(tls)?).await,
        ["serve", at, tls @ ..] => serve(library, at, &Files::of(tls)?).await,
        ["fleet", at, workers, "--heartbeat-ms", every, tls @ ..] => {
            let every = Duration::from_millis(every.parse()?);
            fleet::run(library, at, workers.parse()?, every, &Files::of(tls)?).await
        }
        _ => Err(USAGE.into()),
    }
}

async fn submit(library: Library, at: &str, load: Load, tls: &Files) -> Result<Value, Error> {
    let mut comers = library.listen(at, tls).await?;
    println!("READY");
    let Messages { mut to, mut from, .. } = comers.next().await.ok_or("nobody can come")?;
    // Who dials speaks first: before that QUIC does not tell of a stream.
    from.next().await.ok_or("the worker is gone")??;
    let mut window = Window::new(load, 1);
    for place in 0..load.window {
        to.feed(window.open(place)).await?;
    }
    while Instant::now() < window.end() {
        to.flush().await?;
        let mut result = Some(from.next().await);
        // All that is there, before anything is written.
        while let Some(next) = result {
            let place = place(&next.ok_or("the worker is gone")??)?;
            if window.heard(place)? {
                to.feed(window.open(place)).await?;
            }
            result = from.next().now_or_never();
        }
    }
    // What is under way is answered before this is.
    to.send(Bytes::new()).await?;
    while !from.next().await.ok_or("the worker is gone")??.is_empty() {}
    window.figures()
}

async fn work(library: Library, at: &str, tls: &Files) -> Result<(), Error> {
    let dials = library.dials(at, tls)?;
    let Messages { mut to, mut from, .. } = dials.dial().await?;
    to.send(task(PROBE)).await?;
    let mut over = false;
    while !over {
        let mut task = Some(from.next().await);
        while let Some(next) = task {
            let next = next.ok_or("the coordinator is gone")??;
            over |= next.is_empty();
            to.feed(next).await?;
            task = if over { None } else { from.next().now_or_never() };
        }
        to.flush().await?;
    }
    // It leaves when it has heard the last answer, and not before.
    let _ = tokio::time::timeout(FAREWELL, from.next()).await;
    Ok(())
}

async fn serve(library: Library, at: &str, tls: &Files) -> Result<(), Error> {
    if let Library::Tonic { .. } = library {
        return grpc::serve(at, tls).await;
    }
    let mut comers = library.listen(at, tls).await?;
    println!("READY");
    while let Some(mut messages) = comers.next().await {
        tokio::spawn(async move {
            while let Some(Ok(message)) = messages.from.next().await {
                if messages.to.send(message).await.is_err() {
                    break;
                }
            }
        });
    }
    Ok(())
}
