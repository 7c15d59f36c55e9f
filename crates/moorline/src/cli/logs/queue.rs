//! Log lines on their way out: a thread of its own writes them, so that nobody who logs ever waits for
//! whoever reads (P23).
//!
//! A pipe whose reader pauses takes 64 KiB and then nothing: a loop that wrote its lines itself would
//! stand still with it, and its heartbeats too. Here lines wait in a bounded queue; what does not fit
//! is dropped and counted, and the count is a line of its own as soon as lines leave again.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

/// Bytes that wait, at most; as many more may be on their way out.
const BYTES: usize = 1 << 20;
/// Lines that wait, at most.
const LINES: usize = 8_192;

/// The way in. Cheap to clone.
#[derive(Clone)]
pub(super) struct Queue {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// There is something to write.
    filled: Condvar,
    /// Everything is written.
    emptied: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Lines that found no room since the last ones were taken out.
    dropped: u64,
    writing: bool,
}

impl Queue {
    /// Starts the thread. `dropped` is the line that says how many were dropped.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub(super) fn start(
        sink: impl Write + Send + 'static,
        dropped: impl Fn(u64) -> String + Send + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
        });
        let writer = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("moorline-log".into())
            .spawn(move || writer.write(sink, &dropped))?;
        Ok(Self { shared })
    }

    /// Puts a line, with its newline, at the end; never waits for the reader.
    pub(super) fn push(&self, line: &[u8]) {
        let mut state = self.shared.lock();
        if state.lines.len() >= LINES || state.bytes + line.len() > BYTES {
            state.dropped += 1;
            return;
        }
        state.bytes += line.len();
        state.lines.push_back(line.to_vec());
        drop(state);
        self.shared.filled.notify_one();
    }

    /// Waits until everything is written, at most so long.
    pub(super) fn flush(&self, within: Duration) {
        let deadline = Instant::now() + within;
        let mut state = self.shared.lock();
        while !state.is_done() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.shared.emptied.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl State {
    fn is_done(&self) -> bool {
        self.lines.is_empty() && self.dropped == 0 && !self.writing
    }
}

impl Shared {
    // Nothing that can panic is done under it but allocation.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, mut sink: impl Write, dropped: &dyn Fn(u64) -> String) {
        loop {
            let (lines, lost) = self.take();
            for line in &lines {
                // Whoever read may be gone: the work goes on all the same.
                let _ = sink.write_all(line);
            }
            if lost > 0 {
                // They came when the lines before this one had filled the queue.
                let _ = sink.write_all(dropped(lost).as_bytes());
            }
            let _ = sink.flush();
        }
    }

    /// Waits for something to write.
    fn take(&self) -> (VecDeque<Vec<u8>>, u64) {
        let mut state = self.lock();
        state.writing = false;
        while state.is_done() {
            self.emptied.notify_all();
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.writing = true;
        state.bytes = 0;
        (std::mem::take(&mut state.lines), std::mem::take(&mut state.dropped))
    }
}

/// What one event writes.
pub(super) struct Line(Queue);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // The formatter hands a whole event over at once.
        self.0.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Line;

    fn make_writer(&'a self) -> Self::Writer {
        Line(self.clone())
    }
}

#[cfg(test)]
mod tests;
