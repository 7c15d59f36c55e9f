//! The workload that every simulator gets: one coordinator and N workers, paths of 1 to 100 ms; each
//! worker sends a heartbeat of 17 bytes every 5 s, which is answered, and is sent a task of 17 bytes
//! every second, which it answers. So 2.4 messages for each worker and second.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::sync::Mutex;

/// A message: what it is, and 17 bytes.
pub const LENGTH: usize = 18;

pub const BEAT: u8 = 1;
pub const BEAT_ANSWER: u8 = 2;
pub const TASK: u8 = 3;
pub const TASK_ANSWER: u8 = 4;

/// Where the coordinator listens.
pub const PORT: u16 = 8740;

/// How much is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub workers: u32,
    pub seconds: u64,
}

/// What a program is told: workers, seconds of simulated time, and how many such worlds one after the
/// other, one if nothing is said; then words.
pub struct Arguments {
    pub load: Load,
    pub worlds: u64,
    pub words: Vec<String>,
}

impl Arguments {
    pub fn read() -> Self {
        let (numbers, words): (Vec<String>, Vec<String>) =
            std::env::args().skip(1).partition(|argument| argument.parse::<u64>().is_ok());
        let numbers: Vec<u64> = numbers.iter().filter_map(|text| text.parse().ok()).collect();
        let (workers, seconds, worlds) = match numbers[..] {
            [workers, seconds] => (workers, seconds, 1),
            [workers, seconds, worlds] => (workers, seconds, worlds),
            _ => panic!("give the number of workers and the seconds of simulated time"),
        };
        let workers = u32::try_from(workers).expect("a number of workers");
        Self { load: Load { workers, seconds }, worlds, words }
    }

    /// Whether there is this word.
    pub fn say(&self, word: &str) -> bool {
        self.words.iter().any(|said| said == word)
    }

    /// Simulates each world, which counts what arrives in it, and prints what `cargo xtask bench sim` reads.
    pub fn measure(&self, world: impl Fn(u64, Count)) {
        let (began, cpu) = (Instant::now(), cpu());
        let mut messages = 0;
        for seed in 0..self.worlds {
            let count = Count::default();
            world(seed, Arc::clone(&count));
            messages += count.load(Ordering::Relaxed);
        }
        let (nanos, cpu) = (began.elapsed().as_nanos(), self::cpu() - cpu);
        let Load { workers, seconds } = self.load;
        let wanted = u64::from(workers) * (seconds * 2 + seconds / 5 * 2) * self.worlds;
        assert_eq!(messages, wanted, "every message arrives");
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|rest| rest.trim().strip_suffix(" kB")).unwrap_or("0").trim();
        println!(
            "{{\"messages\":{messages},\"cpu_nanos\":{cpu},\"nanos\":{nanos},\"peak_kib\":{kib}}}"
        );
    }
}

/// What this thread has run so far, in nanoseconds.
fn cpu() -> u64 {
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    said.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
}

/// Messages that arrived.
pub type Count = Arc<AtomicU64>;

/// What a runtime gives.
pub trait World: Copy + Send + Sync + 'static {
    fn sleep(self, time: Duration) -> impl Future<Output = ()> + Send;
}

async fn receive(stream: &mut (impl AsyncRead + Unpin), count: &AtomicU64) -> io::Result<u8> {
    let mut message = [0; LENGTH];
    stream.read_exact(&mut message).await?;
    count.fetch_add(1, Ordering::Relaxed);
    Ok(message[0])
}

async fn send(writer: &Mutex<impl AsyncWrite + Unpin>, what: u8) -> io::Result<()> {
    let mut writer = writer.lock().await;
    writer.write_all(&[what; LENGTH]).await?;
    writer.flush().await
}

/// What one end of a connection says by itself, and what it answers.
struct Part {
    says: u8,
    every: Duration,
    times: u64,
    /// What it is asked, and what it says to that.
    asked: u8,
    answers: u8,
}

/// The coordinator's end of a connection, until its time is over.
pub async fn serve(
    world: impl World,
    stream: impl AsyncRead + AsyncWrite + Send,
    load: Load,
    count: Count,
) -> io::Result<()> {
    let every = Duration::from_secs(1);
    let part = Part { says: TASK, every, times: load.seconds, asked: BEAT, answers: BEAT_ANSWER };
    play(world, stream, part, load, count).await
}

/// A worker's end of its connection, until its time is over.
pub async fn work(
    world: impl World,
    stream: impl AsyncRead + AsyncWrite + Send,
    load: Load,
    count: Count,
) -> io::Result<()> {
    let every = Duration::from_secs(5);
    let part =
        Part { says: BEAT, every, times: load.seconds / 5, asked: TASK, answers: TASK_ANSWER };
    play(world, stream, part, load, count).await
}

async fn play(
    world: impl World,
    stream: impl AsyncRead + AsyncWrite + Send,
    part: Part,
    load: Load,
    count: Count,
) -> io::Result<()> {
    let (reader, writer) = split(stream);
    let (mut reader, writer) = (Box::pin(reader), Mutex::new(Box::pin(writer)));
    let says = async {
        for _ in 0..part.times {
            world.sleep(part.every).await;
            send(&writer, part.says).await?;
        }
        Ok::<(), io::Error>(())
    };
    let answers = async {
        for _ in 0..load.seconds + load.seconds / 5 {
            if receive(&mut reader, &count).await? == part.asked {
                send(&writer, part.answers).await?;
            }
        }
        Ok(())
    };
    tokio::try_join!(says, answers)?;
    // What was written last is under way, and would be lost with the connection.
    world.sleep(Duration::from_secs(1)).await;
    Ok(())
}
