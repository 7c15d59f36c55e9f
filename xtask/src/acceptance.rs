//! `acceptance`: what the documents claim is proved by tests that exist and run.
//!
//! A test is named in a document as a link, its name in backticks and the file it stands in. Every
//! such link must lead to a test that `cargo test --workspace` runs; and every item of the two lists
//! ([`LISTS`]) must have one, or say in words that it comes later, does not apply, or is a note.

mod built;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::Outcome;
use crate::write::root;

/// Documents that name tests.
const DOCUMENTS: &[&str] =
    &["README.md", "docs/pitfalls.md", "docs/acceptance.md", "docs/architecture.md"];

/// A list of which every item must be there.
struct List {
    document: &'static str,
    items: fn() -> Vec<String>,
}

const LISTS: &[List] = &[
    List { document: "docs/pitfalls.md", items: pitfalls },
    List { document: "docs/acceptance.md", items: promises },
];

/// What an item may say instead of naming a test, with a reason behind it.
const EXCUSES: &[&str] = &["*later*", "*does not apply*", "*note*"];

/// A test as a document names it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Named {
    /// Its file, from the root of the repository.
    file: String,
    test: String,
}

pub(crate) fn run(args: &[String]) -> Outcome {
    if !args.is_empty() {
        return Err(format!("takes nothing, got {args:?}").into());
    }
    let mut wrong = Vec::new();
    let mut named = BTreeSet::new();
    for document in DOCUMENTS {
        let text = fs::read_to_string(root().join(document))
            .map_err(|error| format!("{document}: {error}"))?;
        let base = Path::new(document).parent().unwrap_or(Path::new(""));
        for test in tests_in(&text, base) {
            named.insert(test);
        }
        for list in LISTS.iter().filter(|list| list.document == *document) {
            wrong.extend(missing(document, &text, &(list.items)()));
        }
    }
    let built = built::tests()?;
    wrong.extend(named.iter().filter_map(|test| built.problem_with(test)));
    if wrong.is_empty() {
        println!("{} tests are named, and all of them run", named.len());
        return Ok(());
    }
    Err(format!("\n  {}", wrong.join("\n  ")).into())
}

/// The pitfalls by their numbers.
fn pitfalls() -> Vec<String> {
    let groups: [std::ops::RangeInclusive<u32>; 8] =
        [1..=17, 20..=33, 40..=49, 50..=64, 70..=78, 80..=86, 90..=92, 100..=106];
    groups.into_iter().flatten().map(|number| format!("P{number:02}")).collect()
}

/// The promises of the systems that are taken up so far, and what users of such systems complained of.
fn promises() -> Vec<String> {
    let systems = [("S0", 67), ("S4", 56), ("E", 16)];
    let of = |(system, count)| (1..=count).map(move |item: u32| format!("{system}-{item}"));
    systems.into_iter().flat_map(of).collect()
}

/// What is wrong with a list: items that are missing, twice there, or without a proof.
fn missing(document: &str, text: &str, items: &[String]) -> Vec<String> {
    let rows: Vec<(&str, &str)> = text.lines().filter_map(row).collect();
    let mut wrong = Vec::new();
    for item in items {
        let found: Vec<_> = rows.iter().filter(|(id, _)| id == item).collect();
        match found.as_slice() {
            [] => wrong.push(format!("{document}: {item} is missing")),
            [(_, proof)] if is_proof(proof) => {}
            [_] => wrong.push(format!("{document}: {item} names no test and no reason for it")),
            _ => wrong.push(format!("{document}: {item} is there {} times", found.len())),
        }
    }
    wrong
}

/// A row of a table: its first cell and the rest.
fn row(line: &str) -> Option<(&str, &str)> {
    let (id, rest) = line.strip_prefix("| ")?.split_once(" | ")?;
    Some((id.trim(), rest))
}

fn is_proof(rest: &str) -> bool {
    let excused = |excuse: &&str| {
        let reason = rest.split_once(*excuse).map(|(_, reason)| reason);
        reason.is_some_and(|reason| reason.chars().filter(|c| c.is_alphabetic()).count() >= 8)
    };
    EXCUSES.iter().any(excused) || !tests_in(rest, Path::new("docs")).is_empty()
}

/// Every link of the form ``[`name`](file.rs)``.
fn tests_in(text: &str, base: &Path) -> Vec<Named> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("[`") {
        let Some((test, rest)) = text[at + 2..].split_once("`](") else { continue };
        let Some((link, _)) = rest.split_once(')') else { continue };
        let is_name = !test.is_empty() && test.chars().all(|c| c.is_alphanumeric() || c == '_');
        if is_name && link.ends_with(".rs") {
            found.push(Named { file: resolve(base, link), test: test.to_owned() });
        }
    }
    found
}

/// A link of a document in `base`, from the root of the repository.
fn resolve(base: &Path, link: &str) -> String {
    let mut parts: Vec<&str> = base.iter().filter_map(|part| part.to_str()).collect();
    for part in link.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests;
