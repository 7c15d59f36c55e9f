//! One way to make one line wrong, as cargo-mutants lists it.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use serde_json::Value;

type Error = Box<dyn std::error::Error>;

/// A place in a file: line and column, from 1, in characters.
type Place = (usize, usize);

/// What is made wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Genre {
    /// All that a function does.
    Body,
    /// An operator, of one side or of two.
    Operator,
    /// A field that is not taken from a value of the same kind.
    Field,
    /// The condition of an arm.
    Guard,
    /// Something else.
    Other,
}

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
    pub(super) genre: Genre,
    /// Whether it happens when a function is called, not when it is compiled.
    pub(super) is_in_function: bool,
    /// What stands there instead.
    pub(super) replacement: String,
    start: Place,
    end: Place,
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
        let nth = |n: usize| sources[&file].lines().nth(n).unwrap_or_default().trim();
        // No build has it but one that looks for the bug that is planted there.
        if start.0 > 1 && nth(start.0 - 2).starts_with("#[cfg(moorline_planted") {
            continue;
        }
        let line = nth(start.0 - 1).to_owned();
        let common = format!("{file}|{what}|{line}");
        let nth = alike.entry(common.clone()).or_default();
        *nth += 1;
        mutants.push(Mutant {
            package: text(&one["package"])?,
            key: format!("{common}|{nth}"),
            genre: match one["genre"].as_str() {
                Some("FnValue") => Genre::Body,
                Some("BinaryOperator" | "UnaryOperator") => Genre::Operator,
                Some("StructField") => Genre::Field,
                Some("MatchArmGuard") => Genre::Guard,
                Some(_) | None => Genre::Other,
            },
            is_in_function: one["function"].is_object(),
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
        let Range { start, end } = self.place(text)?;
        Ok([&text[..start], &self.replacement, &text[end..]].concat())
    }

    /// Which bytes of the file are replaced.
    pub(super) fn place(&self, text: &str) -> Result<Range<usize>, Error> {
        let (from, to) = (offset(text, self.start), offset(text, self.end));
        Ok(from
            .zip(to)
            .filter(|(from, to)| from <= to)
            .map(|(from, to)| from..to)
            .ok_or("no such place")?)
    }
}

/// Which byte of a text is at a place.
pub(super) fn offset(text: &str, (line, column): Place) -> Option<usize> {
    let begin = match line.checked_sub(2) {
        None => 0,
        Some(nth) => text.match_indices('\n').nth(nth)?.0 + 1,
    };
    let rest = &text[begin..];
    let within =
        rest.char_indices().map(|(at, _)| at).chain([rest.len()]).nth(column.checked_sub(1)?)?;
    Some(begin + within)
}
