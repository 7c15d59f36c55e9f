//! One way to make one line wrong, as cargo-mutants lists it.

use std::collections::BTreeMap;
use std::io;

use serde_json::Value;

type Error = Box<dyn std::error::Error>;

/// A place in a file: line and column, from 1, in characters.
type Place = (usize, usize);

/// One way to make one line wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Mutant {
    pub(super) package: String,
    /// Relative to the repository.
    pub(super) file: String,
    /// For people: where and what.
    pub(super) name: String,
    /// What it does, without where.
    pub(super) what: String,
    /// The line it begins in, trimmed.
    pub(super) line: String,
    /// The same whatever is written above it: file, what, line, and which of those alike.
    pub(super) key: String,
    start: Place,
    end: Place,
    replacement: String,
}

/// Reads the list. `source` reads a file of the repository.
pub(super) fn read(
    list: &str,
    source: impl Fn(&str) -> io::Result<String>,
) -> Result<Vec<Mutant>, Error> {
    let list: Value = serde_json::from_str(list)?;
    let list = list.as_array().ok_or("cargo-mutants said no list")?;
    let mut sources = BTreeMap::<String, String>::new();
    let mut alike = BTreeMap::<String, u32>::new();
    let mut mutants = Vec::new();
    for one in list {
        let text = |value: &Value| {
            value.as_str().map(str::to_owned).ok_or_else(|| format!("not as expected: {one}"))
        };
        let place = |end: &str| {
            let number = |which: &str| {
                one["span"][end][which].as_u64().and_then(|n| usize::try_from(n).ok())
            };
            Some((number("line")?, number("column")?))
        };
        let (start, end) = place("start").zip(place("end")).ok_or("a mutant without a place")?;
        let (file, name) = (text(&one["file"])?, text(&one["name"])?);
        let what = name.splitn(4, ':').nth(3).ok_or("a name without a place")?.trim().to_owned();
        if !sources.contains_key(&file) {
            sources.insert(file.clone(), source(&file)?);
        }
        let line = sources[&file].lines().nth(start.0 - 1).unwrap_or_default().trim().to_owned();
        let common = format!("{file}|{what}|{line}");
        let nth = alike.entry(common.clone()).or_default();
        *nth += 1;
        mutants.push(Mutant {
            package: text(&one["package"])?,
            key: format!("{common}|{nth}"),
            replacement: text(&one["replacement"])?,
            file,
            name,
            what,
            line,
            start,
            end,
        });
    }
    Ok(mutants)
}

impl Mutant {
    /// The file with the line made wrong.
    pub(super) fn changed(&self, text: &str) -> Result<String, Error> {
        let (from, to) = (offset(text, self.start), offset(text, self.end));
        let (from, to) = from.zip(to).filter(|(from, to)| from <= to).ok_or("no such place")?;
        Ok([&text[..from], &self.replacement, &text[to..]].concat())
    }
}

fn offset(text: &str, (line, column): Place) -> Option<usize> {
    let begin = match line.checked_sub(2) {
        None => 0,
        Some(nth) => text.match_indices('\n').nth(nth)?.0 + 1,
    };
    let rest = &text[begin..];
    let within =
        rest.char_indices().map(|(at, _)| at).chain([rest.len()]).nth(column.checked_sub(1)?)?;
    Some(begin + within)
}
