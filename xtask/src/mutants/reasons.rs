//! Why a mutant that no test notices changes nothing.

use std::fs;
use std::path::Path;

use super::mutant::Mutant;

type Error = Box<dyn std::error::Error>;

/// One reason: for all mutants that do this to this line.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Reason {
    file: String,
    what: String,
    line: String,
    why: String,
}

/// The reasons that are written down in `xtask/mutants.toml`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Reasons(Vec<Reason>);

impl Reasons {
    pub(super) fn load(file: &Path) -> Result<Self, Error> {
        Self::parse(&fs::read_to_string(file)?)
    }

    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let table: toml::Table = text.parse()?;
        let mut reasons = Vec::new();
        for one in table.get("equivalent").and_then(toml::Value::as_array).into_iter().flatten() {
            let field = |name: &str| {
                let text = one.get(name).and_then(toml::Value::as_str).map(str::trim);
                let text = text.filter(|text| !text.is_empty());
                text.map(str::to_owned).ok_or_else(|| format!("a reason without {name}: {one}"))
            };
            reasons.push(Reason {
                file: field("file")?,
                what: field("what")?,
                line: field("line")?,
                why: field("why")?,
            });
        }
        Ok(Self(reasons))
    }

    /// Why this one changes nothing, if somebody said so.
    pub(super) fn of(&self, mutant: &Mutant) -> Option<&str> {
        let found = self.0.iter().find(|reason| {
            (&reason.file, &reason.what, &reason.line) == (&mutant.file, &mutant.what, &mutant.line)
        });
        found.map(|reason| reason.why.as_str())
    }
}
