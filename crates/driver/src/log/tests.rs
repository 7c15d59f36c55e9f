use std::io;
use std::sync::{Arc, Mutex};

use super::*;

/// The lines that were written while `say` ran, without colour and time.
pub(crate) fn lines(say: impl FnOnce()) -> Vec<String> {
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("not poisoned").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let written = Lines::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, say);
    let bytes = written.0.lock().expect("not poisoned").clone();
    String::from_utf8(bytes).expect("text").lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn times_are_said_in_two_units_at_most() {
    let say = |millis| Time(Duration::from_millis(millis)).to_string();
    assert_eq!(say(0), "0.0s");
    assert_eq!(say(7_420), "7.4s");
    assert_eq!(say(130_000), "2m10s");
    assert_eq!(say(15_120_000), "4h12m");
}

#[test]
fn a_code_is_written_as_it_is_looked_up() {
    assert_eq!(Code(Reason::StreamLost).to_string(), "ML2104");
}

#[test]
fn a_task_is_written_as_on_the_command_line() {
    assert_eq!(Task(TaskId(0)).to_string(), "00000000000000000000000000");
}
