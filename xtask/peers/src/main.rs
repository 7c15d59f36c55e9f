//! Whole tasks through other systems, in the shape of `moorline bench coordinator` and
//! `moorline bench worker`:
//!
//! ```text
//! peers PEER submit HOST:PORT --window W --seconds S
//! peers PEER work HOST:PORT
//! ```
//!
//! `submit` prints `READY` when a worker may come, waits for one, keeps W tasks of 64 bytes under way for
//! S seconds, leaves the first fifth out, and prints one line of JSON. `work` answers each task with 64
//! bytes until the submitter ends. The server of the peer runs already, and holds nothing.
//!
//! And messages through bare libraries, `peers bare`: see [`bare`].

mod bare;
mod load;
mod nats;
mod redis;

use std::time::Duration;

use async_nats::jetstream::stream::StorageType;
use load::Load;

type Error = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "peers nats-core|jetstream-memory|jetstream-file|redis-streams \
                     submit HOST:PORT --window W --seconds S | work HOST:PORT";

/// One thread for each side: on two cores faster than a runtime with more.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["bare", ref args @ ..] => bare::run(args).await,
        [peer, "submit", at, "--window", window, "--seconds", seconds] => {
            let load = Load::new(window.parse()?, Duration::from_secs(seconds.parse()?))?;
            let figures = match peer {
                "nats-core" => nats::core::submit(at, load).await?,
                "jetstream-memory" => {
                    nats::jetstream::submit(at, load, StorageType::Memory).await?
                }
                "jetstream-file" => nats::jetstream::submit(at, load, StorageType::File).await?,
                "redis-streams" => redis::submit(at, load).await?,
                _ => return Err(USAGE.into()),
            };
            println!("{figures}");
            Ok(())
        }
        [peer, "work", at] => match peer {
            "nats-core" => nats::core::work(at).await,
            "jetstream-memory" | "jetstream-file" => nats::jetstream::work(at).await,
            "redis-streams" => redis::work(at).await,
            _ => Err(USAGE.into()),
        },
        _ => Err(USAGE.into()),
    }
}
