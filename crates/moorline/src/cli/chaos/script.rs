//! Scripts: what happens when, as a file.

use std::num::NonZeroU64;
use std::path::Path;
use std::time::Duration;

use moorline_chaos::{Change, Patch, Share, Step};
use serde::{Deserialize, Deserializer};

use super::change::{self, Terms, Verb, WayWord};
use crate::cli::{output, values};
use crate::{Code, Error, Result};

/// The one form there is.
const FORMAT: u64 = 1;
/// Steps of a script: more are a mistake.
const STEPS_MAX: usize = 10_000;
/// Bytes of a script.
const BYTES_MAX: u64 = 4 << 20;

/// What a file says.
#[derive(PartialEq, Eq, Debug, Default)]
pub(super) struct Script {
    /// Unless a flag says another one.
    pub(super) seed: Option<u64>,
    /// The faults of the beginning: of both ways, and of each.
    pub(super) faults: [Patch; 3],
    /// In the order of the file; what lasts for a time is healed after it.
    pub(super) steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    format: u64,
    seed: Option<u64>,
    #[serde(default)]
    faults: Terms,
    #[serde(default)]
    to_target: Terms,
    #[serde(default)]
    back: Terms,
    #[serde(default)]
    step: Vec<FileStep>,
}

// One by one and not flattened: only so are unknown keys errors, with their lines.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileStep {
    #[serde(deserialize_with = "time")]
    at: Duration,
    #[serde(rename = "do")]
    verb: Verb,
    #[serde(default, rename = "for", deserialize_with = "some_time")]
    lasts: Option<Duration>,
    way: Option<WayWord>,
    #[serde(default, deserialize_with = "change::time")]
    latency: Option<Duration>,
    #[serde(default, deserialize_with = "change::time")]
    jitter: Option<Duration>,
    #[serde(default, deserialize_with = "change::part")]
    loss: Option<Share>,
    #[serde(default, deserialize_with = "change::rate")]
    bandwidth: Option<Option<NonZeroU64>>,
    #[serde(default, deserialize_with = "change::part")]
    corrupt: Option<Share>,
    #[serde(default, deserialize_with = "change::part")]
    reorder: Option<Share>,
    #[serde(default, deserialize_with = "change::part")]
    duplicate: Option<Share>,
}

impl FileStep {
    fn terms(&self) -> Terms {
        let Self { at: _, verb: _, lasts: _, way, latency, jitter, loss, .. } = *self;
        let Self { bandwidth, corrupt, reorder, duplicate, .. } = *self;
        Terms { way, latency, jitter, loss, bandwidth, corrupt, reorder, duplicate }
    }
}

fn time<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    values::duration(&text).map_err(serde::de::Error::custom)
}

fn some_time<'de, D: Deserializer<'de>>(
    from: D,
) -> std::result::Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    values::some_duration(&text).map(Some).map_err(serde::de::Error::custom)
}

/// Reads a script.
pub(super) fn read(path: &Path) -> Result<Script> {
    let input = |source| Error::Input { path: path.to_owned(), source };
    let refused = |problem: &str| Error::Command {
        code: Code::CHAOS_SCRIPT,
        detail: output::printable(&format!("{}: {problem}", path.display())),
    };
    if std::fs::metadata(path).map_err(input)?.len() > BYTES_MAX {
        return Err(refused(&format!("a script has at most {BYTES_MAX} bytes")));
    }
    let bytes = std::fs::read(path).map_err(input)?;
    let text = String::from_utf8(bytes).map_err(|_| refused("it is not a text in UTF-8"))?;
    parse(&text).map_err(|problem| refused(&problem))
}

/// Reads the text of a script.
pub(super) fn parse(text: &str) -> std::result::Result<Script, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    if file.format != FORMAT {
        return Err(format!("format is {}; this moorline reads {FORMAT}", file.format));
    }
    let mut faults = [Patch::default(); 3];
    let sections = [("faults", file.faults), ("to-target", file.to_target), ("back", file.back)];
    for (place, (name, terms)) in faults.iter_mut().zip(sections) {
        if terms.way.is_some() {
            return Err(format!("[{name}] has no way: there are [to-target] and [back]"));
        }
        *place = terms.patch();
    }
    if file.step.len() > STEPS_MAX {
        return Err(format!("{} steps; at most {STEPS_MAX} are taken", file.step.len()));
    }
    let mut steps = Vec::new();
    for (place, step) in file.step.into_iter().enumerate() {
        let wrong = |problem: String| format!("[[step]] {}: {problem}", place + 1);
        let change = step.terms().change(step.verb).map_err(wrong)?;
        steps.push(Step { at: step.at, change });
        if let Some(lasts) = step.lasts {
            if matches!(change, Change::Reset | Change::Heal) {
                return Err(wrong(format!("{} does not last", step.verb.word())));
            }
            let at = step.at.checked_add(lasts).ok_or_else(|| wrong("it never ends".to_owned()))?;
            steps.push(Step { at, change: Change::Heal });
        }
    }
    Ok(Script { seed: file.seed, faults, steps })
}
