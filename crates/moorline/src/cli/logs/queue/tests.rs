use std::sync::mpsc::{self, Receiver, Sender};

use super::*;

/// Takes a write only when the test lets it, and passes on what was written.
struct Gate {
    open: Receiver<()>,
    written: Sender<String>,
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // A test that is over reads no more.
        let _ = self.open.recv();
        let _ = self.written.send(String::from_utf8_lossy(bytes).into_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn gated() -> (Queue, Sender<()>, Receiver<String>) {
    let (opens, open) = mpsc::channel();
    let (written, lines) = mpsc::channel();
    let queue = Queue::start(Gate { open, written }, |lost| format!("dropped {lost}\n")).unwrap();
    (queue, opens, lines)
}

const SOON: Duration = Duration::from_secs(30);

#[test]
fn a_reader_that_pauses_holds_nobody_up_and_what_does_not_fit_is_counted_in_one_line() {
    let (queue, opens, lines) = gated();
    queue.push(b"first\n");
    // The writer has it and hangs.
    while !queue.shared.lock().writing {
        std::thread::yield_now();
    }
    for n in 0..LINES + 100 {
        queue.push(format!("{n}\n").as_bytes());
    }
    assert_eq!(queue.shared.lock().lines.len(), LINES);
    drop(opens);
    queue.flush(SOON);
    let written: Vec<_> = lines.try_iter().collect();
    assert_eq!(written.len(), 1 + LINES + 1);
    assert_eq!(written[1..3], ["0\n", "1\n"]);
    assert_eq!(written.last().unwrap(), "dropped 100\n");
}

#[test]
fn long_lines_are_bounded_by_their_bytes() {
    let (queue, opens, lines) = gated();
    let long = vec![b'x'; BYTES / 4];
    for _ in 0..20 {
        queue.push(&long);
    }
    assert!(queue.shared.lock().bytes <= BYTES);
    drop(opens);
    queue.flush(SOON);
    let last = lines.try_iter().last().unwrap();
    assert!(last.starts_with("dropped 1"), "{}", &last[..20.min(last.len())]);
}

#[test]
fn a_flush_waits_until_everything_is_written_and_not_for_ever() {
    let (queue, opens, lines) = gated();
    queue.push(b"one\n");
    let began = Instant::now();
    queue.flush(Duration::from_millis(50));
    assert!(began.elapsed() >= Duration::from_millis(50), "nobody had read it");
    assert!(lines.try_recv().is_err());
    opens.send(()).unwrap();
    queue.flush(SOON);
    assert_eq!(lines.try_recv().unwrap(), "one\n");
    queue.flush(SOON);
}
