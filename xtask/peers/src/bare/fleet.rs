//! Many clients in one process, and the moments of their connections, as `moorline bench fleet` has them.
//! None of the libraries dials again by itself: here everybody does at once, and then every few
//! milliseconds, which only a small fleet can afford. Nobody gives up a connection that is silent.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::{Instant, interval_at, sleep, timeout};

use super::library::{Dials, Library, Messages};
use super::tls::Files;
use crate::Error;

/// As much as a heartbeat and its answer carry.
const BEAT: Bytes = Bytes::from_static(&[7; 17]);

/// Between the first dials of two clients.
const APART: Duration = Duration::from_millis(2);

/// After a dial that failed.
const AGAIN: Duration = Duration::from_millis(10);

/// How long a dial and a first answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Unix nanoseconds.
#[derive(Default)]
struct Moments {
    tries: Vec<u64>,
    ups: Vec<u64>,
    downs: Vec<u64>,
}

impl Moments {
    fn told(&self) -> Value {
        json!({ "tries": self.tries, "ups": self.ups, "downs": self.downs })
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

pub(super) async fn run(
    library: Library,
    at: &str,
    clients: u32,
    every: Duration,
    tls: &Files,
) -> Result<(), Error> {
    let dials = library.dials(at, tls)?;
    let moments = Rc::new(RefCell::new(Moments::default()));
    let members = tokio::task::LocalSet::new();
    for nth in 0..clients {
        let client =
            Client { dials: dials.clone(), nth, clients, every, moments: Rc::clone(&moments) };
        members.spawn_local(client.run());
    }
    let (lines, mut asked) = tokio::sync::mpsc::unbounded_channel();
    // Ends with stdin, and the process with it.
    std::thread::spawn(move || {
        std::io::stdin().lines().map_while(Result::ok).all(|line| lines.send(line).is_ok())
    });
    let answers = async {
        while asked.recv().await.is_some() {
            println!("{}", moments.borrow().told());
        }
    };
    members.run_until(answers).await;
    Ok(())
}

struct Client {
    dials: Dials,
    nth: u32,
    clients: u32,
    every: Duration,
    moments: Rc<RefCell<Moments>>,
}

impl Client {
    async fn run(self) {
        sleep(APART * self.nth).await;
        loop {
            self.moments.borrow_mut().tries.push(now());
            if let Ok(Ok(connection)) = timeout(PATIENCE, self.connect()).await {
                // How it ended does not matter.
                let _ = self.beat(connection).await;
                self.moments.borrow_mut().downs.push(now());
            } else {
                sleep(AGAIN).await;
            }
        }
    }

    /// A connection on which a first answer was heard.
    async fn connect(&self) -> Result<Messages, Error> {
        let mut connection = self.dials.dial().await?;
        connection.to.send(BEAT).await?;
        connection.from.next().await.ok_or("it ended")??;
        let mut moments = self.moments.borrow_mut();
        moments.ups.push(now());
        if moments.ups.len() - moments.downs.len() == self.clients as usize {
            println!("UP");
        }
        Ok(connection)
    }

    async fn beat(&self, mut connection: Messages) -> Result<(), Error> {
        // Not all at the same moment.
        let first = Instant::now() + self.every * (self.nth + 1) / self.clients;
        let mut beats = interval_at(first, self.every);
        loop {
            tokio::select! {
                _ = beats.tick() => connection.to.send(BEAT).await?,
                answer = connection.from.next() => drop(answer.ok_or("it ended")??),
            }
        }
    }
}
