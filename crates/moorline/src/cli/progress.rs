//! How far a wait is, on a terminal only.

use std::io::IsTerminal;

use super::global::look;
use super::output::draw;

/// A line on stderr that is drawn again and again. Dropping it wipes it.
pub(super) struct Progress {
    total: usize,
    terminal: bool,
}

/// A line of any text, drawn in the same way.
#[cfg(feature = "sim")]
pub(super) struct Line {
    terminal: bool,
}

#[cfg(feature = "sim")]
impl Line {
    /// Nothing to see yet.
    pub(super) fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal() && !look().quiet }
    }

    /// Shows this now.
    pub(super) fn show(&self, text: &str) {
        if self.terminal {
            draw(&format!("\r\x1b[K{text}"));
        }
    }
}

#[cfg(feature = "sim")]
impl Drop for Line {
    fn drop(&mut self) {
        if self.terminal {
            draw("\r\x1b[K");
        }
    }
}

/// Characters of the bar.
const WIDTH: usize = 30;

impl Progress {
    /// For so many tasks.
    pub(super) fn new(total: usize) -> Self {
        let terminal = std::io::stderr().is_terminal() && !look().quiet;
        Self { total, terminal }
    }

    /// So many have ended, so many of them without success.
    pub(super) fn show(&self, ended: usize, failed: usize) {
        if self.terminal {
            draw(&format!("\r\x1b[K{}", bar(self.total, ended, failed)));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal {
            draw("\r\x1b[K");
        }
    }
}

/// `[#####·····]  12/24, 1 failed`.
pub(super) fn bar(total: usize, ended: usize, failed: usize) -> String {
    let full = (WIDTH * ended.min(total)).checked_div(total).unwrap_or(WIDTH);
    let failed = if failed == 0 { String::new() } else { format!(", {failed} failed") };
    format!("[{}{}] {ended}/{total}{failed}", "#".repeat(full), "·".repeat(WIDTH - full))
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn a_bar_is_empty_at_the_start_full_at_the_end_and_as_wide_between() {
        assert_eq!(bar(2, 0, 0), format!("[{}] 0/2", "·".repeat(30)));
        assert_eq!(bar(2, 1, 0), format!("[{}{}] 1/2", "#".repeat(15), "·".repeat(15)));
        assert_eq!(bar(2, 2, 1), format!("[{}] 2/2, 1 failed", "#".repeat(30)));
        assert_eq!(bar(0, 0, 0), format!("[{}] 0/0", "#".repeat(30)));
    }
}
