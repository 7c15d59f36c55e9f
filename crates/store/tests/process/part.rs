//! The part of another process in a test.

use std::fmt::Display;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const FILE: &str = "MOORLINE_STORE_FILE";

/// Before every line of a child that is meant for its parent: the test harness has its own lines.
const MARK: &str = "| ";

/// Another process with a part of its own; killed when the test ends.
pub(super) struct Part {
    pub(super) child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    _stdin: Option<ChildStdin>,
}

impl Part {
    pub(super) fn start(mut command: Command, test: &str, file: &Path) -> Self {
        let mut child = command
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(FILE, file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child process");
        let lines = BufReader::new(child.stdout.take().expect("its lines")).lines();
        let stdin = child.stdin.take();
        Self { child, lines, _stdin: stdin }
    }

    /// The child's part of a test.
    pub(super) fn of(test: &str, file: &Path) -> Self {
        Self::start(Command::new(std::env::current_exe().expect("this binary")), test, file)
    }

    /// The next line that is meant for us; none at its end.
    pub(super) fn hear(&mut self) -> Option<String> {
        let mut lines = self.lines.by_ref().map_while(Result::ok);
        lines.find_map(|line| line.split_once(MARK).map(|(_, word)| word.to_owned()))
    }

    /// SIGKILL; then what it had still said.
    pub(super) fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("a kill");
        self.child.wait().expect("its end");
        std::iter::from_fn(|| self.hear()).collect()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Ended already, in most tests.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In a child: the store it works on.
pub(super) fn my_file() -> Option<PathBuf> {
    std::env::var_os(FILE).map(PathBuf::from)
}

pub(super) fn say(word: impl Display) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{MARK}{word}").and_then(|()| out.flush()).expect("a parent that listens");
}

/// A number nobody knows before; printed when the test fails.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one(0)
}
