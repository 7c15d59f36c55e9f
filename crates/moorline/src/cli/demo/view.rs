//! What one sees: on a terminal a picture of the workers below the story, else the story alone.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::cli::output;

/// Tells the story on stderr. Cloning shares it. The picture is wiped when the last one is dropped.
#[derive(Clone, Debug)]
pub(super) struct View {
    screen: Arc<Mutex<Screen>>,
}

#[derive(Debug)]
struct Screen {
    start: Instant,
    terminal: bool,
    picture: Vec<String>,
    /// Lines of the picture that are on the terminal now.
    drawn: usize,
}

impl View {
    pub(super) fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let screen = Screen { start: Instant::now(), terminal, picture: Vec::new(), drawn: 0 };
        Self { screen: Arc::new(Mutex::new(screen)) }
    }

    /// Whether there is somebody to draw for.
    pub(super) fn is_live(&self) -> bool {
        self.screen().terminal
    }

    /// A line of the story.
    pub(super) fn say(&self, text: &str) {
        let mut screen = self.screen();
        let line = format!("[{:5.1}s] {text}\n", screen.start.elapsed().as_secs_f64());
        let text = screen.wiped() + &line + &screen.redrawn();
        output::draw(&text);
    }

    /// The picture as it is now.
    pub(super) fn draw(&self, picture: Vec<String>) {
        let mut screen = self.screen();
        if screen.terminal {
            screen.picture = picture;
            let text = screen.wiped() + &screen.redrawn();
            output::draw(&text);
        }
    }

    fn screen(&self) -> MutexGuard<'_, Screen> {
        // What a panic leaves is at worst a picture that is drawn twice.
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Screen {
    /// Back to the picture's first line, and everything below it gone.
    fn wiped(&mut self) -> String {
        match std::mem::take(&mut self.drawn) {
            0 => String::new(),
            lines => format!("\x1b[{lines}A\r\x1b[J"),
        }
    }

    fn redrawn(&mut self) -> String {
        self.drawn = self.picture.len();
        self.picture.iter().map(|line| format!("{line}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::Screen;

    #[test]
    fn a_picture_is_wiped_by_as_many_lines_as_it_had() {
        let picture = vec!["a".to_owned(), "b".to_owned()];
        let mut screen = Screen { start: Instant::now(), terminal: true, picture, drawn: 0 };
        assert_eq!(screen.wiped(), "");
        assert_eq!(screen.redrawn(), "a\nb\n");
        screen.picture.pop();
        assert_eq!(screen.wiped(), "\x1b[2A\r\x1b[J");
        assert_eq!(screen.redrawn(), "a\n");
        assert_eq!(screen.wiped(), "\x1b[1A\r\x1b[J");
    }
}
