//! docs/config.md, made from the table.

use std::fmt::Write;

use super::init::init;
use super::preset;
use super::setting::Standard;
use super::table::SETTINGS;

/// The text of the document.
pub(crate) fn document() -> String {
    let mut text = HEAD.to_owned();
    let mut section = "";
    for row in SETTINGS {
        let (own, name) = row.section();
        if own != section {
            section = own;
            let _ = write!(
                text,
                "\n### `[{section}]`\n\n| setting | default | flag, variable | what it is for |\n\
                 | --- | --- | --- | --- |\n"
            );
        }
        let standard = match row.standard {
            Standard::Is(text) => format!("`{text}`"),
            Standard::Unset { words, .. } => cell(words),
        };
        let flag = row.flag.map(|flag| {
            let names = std::iter::once(flag.long).chain(flag.aliases.iter().copied());
            names.map(|name| format!("`--{name}` ")).collect::<String>()
        });
        let reloadable = if row.reloadable { " Reloadable." } else { "" };
        let _ = writeln!(
            text,
            "| `{name}` | {standard} | {}`{}` | {}{reloadable} |",
            flag.unwrap_or_default(),
            row.variable(),
            cell(row.doc)
        );
    }
    text.push_str("\n## Presets\n\n| preset | what differs from the defaults |\n| --- | --- |\n");
    for name in preset::NAMES {
        let values: Vec<_> = preset::values_of(name)
            .iter()
            .map(|(key, value)| format!("`{} = {}`", key.path(), value.toml()))
            .collect();
        let values = if values.is_empty() { "nothing".to_owned() } else { values.join(", ") };
        let _ = writeln!(text, "| `{name}` | {values} |");
    }
    let _ = write!(text, "\n## The whole file\n\n```toml\n{}```\n", init());
    text
}

/// A text within a table: its bars are no borders.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

const HEAD: &str = "\
# Configuration

<!-- Made from crates/moorline/src/config/table.rs by
     `MOORLINE_WRITE_DOCS=1 cargo test -p moorline --lib config::document`; a test compares. -->

A value comes from the first of these that has it:

1. a flag,
2. a variable: `MOORLINE_` and the setting's path in capitals, `MOORLINE_WORKER_HEARTBEAT_INTERVAL`. A list is
   separated by commas, handlers by line breaks. An empty variable says nothing. `MOORLINE_LOG` is a short name of
   `MOORLINE_LOG_LEVEL`,
3. the file: `--config`, else `MOORLINE_CONFIG`, else `moorline.toml` in the working directory, else
   `/etc/moorline/moorline.toml`. One of them is read, never several,
4. the preset,
5. what is built in.

`moorline config show --origin` prints every value and where it came from, `moorline config check` everything that is
wrong, with a code, the numbers and what to do, `moorline config timing` what the values mean together,
`moorline config init` a file to begin with, `moorline config schema` a JSON Schema for editors.

- The file is TOML and begins with `config_version = 1`. Unknown keys, unknown `MOORLINE_` variables and values that
  contradict each other are errors: a process that finds one does not start (exit code 78).
- Times are strings with a unit: `\"5s\"`, `\"1m30s\"`, `\"250ms\"`, and so are sizes: `\"256MiB\"`, `\"2GB\"`. A number
  alone is refused.
- Settings of workers and of coordinators may be in one file; each process reads its own, and `config check` compares both.
- Secrets are never in the file: tokens and private keys are in files of their own, which a setting names.
- SIGHUP, or `moorline coordinator reload`, reads the file again. What is marked *Reloadable* is applied; what else has
  changed is named in the log and waits for a restart. A file with an error changes nothing.

## Settings
";

#[cfg(test)]
mod tests;
