//! The file that `moorline config init` writes: every setting with its documentation, all of them
//! commented out, so that defaults stay defaults when a later version has better ones, and presets
//! are not undone.

use std::fmt::Write;

use super::file::VERSION;
use super::setting::Standard;
use super::table::SETTINGS;

/// The text of the file.
pub(crate) fn init() -> String {
    let mut text = format!(
        "# moorline's configuration: every setting with its default, commented out.\n\
         # A flag goes before a variable, a variable before this file. `moorline config check` says\n\
         # what is wrong, `moorline config show --origin` what holds and why.\n\
         config_version = {VERSION}\n"
    );
    let mut section = "";
    for row in SETTINGS {
        let (own, name) = row.section();
        if own != section {
            section = own;
            let _ = write!(text, "\n[{section}]\n");
        }
        let _ = writeln!(text, "\n# {}", wrapped(row.doc));
        let reload = if row.reloadable { ". Reloadable" } else { "" };
        let _ = match row.standard {
            Standard::Is(_) => writeln!(text, "# {}{reload}.", row.variable()),
            Standard::Unset { words, .. } => {
                writeln!(text, "# {}{reload}. Default: {words}.", row.variable())
            }
        };
        if let Some(value) = row.example() {
            let _ = writeln!(text, "# {name} = {}", value.toml());
        }
    }
    text
}

/// A sentence as a comment of several lines, if it is long.
fn wrapped(sentence: &str) -> String {
    let mut lines = vec![String::new()];
    for word in sentence.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + 1 + word.len() <= 98 => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines.join("\n# ")
}
