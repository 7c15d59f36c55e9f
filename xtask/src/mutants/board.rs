//! A copy of the repository with all mutants in it, each behind a switch.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::mutant::{Genre, Mutant};
use super::switch::{self, Switched};
use super::tree::Tree;

type Error = Box<dyn std::error::Error>;

/// Errors of the compiler that a wrong line has wherever it stands: no such operator or name, another type, a trait
/// that a type has not.
const ITS_OWN: [&str; 7] = ["E0277", "E0308", "E0369", "E0368", "E0433", "E0599", "E0600"];
/// Every round takes out what the compiler complains of; what it saw only then, the next.
const ROUNDS: u32 = 30;

/// What the compiler says of a mutant among the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Objection {
    /// It does not compile.
    Unviable,
    /// It keeps others from compiling: it is tried alone.
    Alone,
    /// It was missed among the others, and what it changes may have been made when it was compiled: it is
    /// tried alone too.
    Constant,
}

impl Objection {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Unviable, "unviable"), (Self::Alone, "alone"), (Self::Constant, "constant")];

    /// Whether it may stand among the others.
    const fn is_in_the_way(self) -> bool {
        matches!(self, Self::Unviable | Self::Alone)
    }
}

/// The copy, and which mutants are in it.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) tree: Tree,
    /// Numbers by key.
    numbers: BTreeMap<String, usize>,
    constant: BTreeSet<String>,
    objections: BTreeMap<String, Objection>,
    kept: PathBuf,
}

impl Board {
    /// Makes the copy, until all that is left in it compiles.
    pub(super) fn open(place: &Path, build: &Path, all: &[Mutant]) -> Result<Self, Error> {
        let kept = place.join("objections.json");
        let mut objections = load(&kept)?;
        for _ in 0..ROUNDS {
            let (tree, files) = copy(place, all, &objections)?;
            let found = complaints(&tree, build, all, &files)?;
            if found.is_empty() {
                let numbers = |files: &BTreeMap<String, Switched>| -> BTreeMap<String, usize> {
                    let all_wrong = files.values().flat_map(|file| &file.wrong);
                    all_wrong.map(|(_, number)| (all[number - 1].key.clone(), *number)).collect()
                };
                let constant = files.values().flat_map(|file| &file.constant);
                let constant = constant.map(|number| all[number - 1].key.clone()).collect();
                return Ok(Self { tree, numbers: numbers(&files), constant, objections, kept });
            }
            println!("the compiler objects to {} mutants", found.len());
            objections.extend(found);
            save(&kept, &objections)?;
        }
        Err(format!("the compiler still objects after {ROUNDS} rounds").into())
    }

    /// The number that chooses it, if it is here.
    pub(super) fn number(&self, mutant: &Mutant) -> Option<usize> {
        let number = self.numbers.get(&mutant.key).copied();
        number.filter(|_| !self.objections.contains_key(&mutant.key))
    }

    /// Whether it is known not to compile.
    pub(super) fn is_unviable(&self, mutant: &Mutant) -> bool {
        self.objections.get(&mutant.key) == Some(&Objection::Unviable)
    }

    /// Has a mutant that was missed here tried alone, if that may change something.
    pub(super) fn doubt(&mut self, mutant: &Mutant) -> Result<bool, Error> {
        let is_constant = self.constant.contains(&mutant.key);
        if is_constant {
            self.objections.insert(mutant.key.clone(), Objection::Constant);
            save(&self.kept, &self.objections)?;
        }
        Ok(is_constant)
    }
}

fn load(file: &Path) -> Result<BTreeMap<String, Objection>, Error> {
    let Ok(text) = fs::read_to_string(file) else { return Ok(BTreeMap::new()) };
    let all: BTreeMap<String, String> = serde_json::from_str(&text)?;
    let read = |word: &str| Objection::ALL.iter().find(|(_, known)| *known == word);
    let known = all.iter().filter_map(|(key, word)| Some((key.clone(), read(word)?.0)));
    Ok(known.collect())
}

fn save(file: &Path, objections: &BTreeMap<String, Objection>) -> Result<(), Error> {
    let mut all = BTreeMap::new();
    for (key, objection) in objections {
        let word = Objection::ALL.iter().find(|(known, _)| known == objection);
        all.insert(key, word.map_or("", |(_, word)| *word));
    }
    Ok(fs::write(file, serde_json::to_string_pretty(&all)?)?)
}

/// Copies the repository, with switches for all that nothing is objected to.
fn copy(
    place: &Path,
    all: &[Mutant],
    objections: &BTreeMap<String, Objection>,
) -> Result<(Tree, BTreeMap<String, Switched>), Error> {
    let mut of_file = BTreeMap::<&str, Vec<(usize, &Mutant)>>::new();
    for (index, mutant) in all.iter().enumerate() {
        if !objections.get(&mutant.key).is_some_and(|objection| objection.is_in_the_way()) {
            // Zero is none of them.
            of_file.entry(&mutant.file).or_default().push((index + 1, mutant));
        }
    }
    let mut files = BTreeMap::new();
    for (file, mutants) in &of_file {
        let source = fs::read_to_string(crate::write::root().join(file))?;
        files.insert((*file).to_owned(), switch::switched(&source, mutants)?);
    }
    let libraries: BTreeSet<String> =
        all.iter().filter_map(|mutant| library(&mutant.file)).collect();
    let tree = Tree::with(place.join("switched"), |name, bytes| {
        if let Some(file) = files.get(name) {
            return Ok(file.text.clone().into_bytes());
        }
        if libraries.contains(name) {
            let text = String::from_utf8(bytes)?;
            return Ok([switch::FEATURES, &text, switch::MODULE].concat().into_bytes());
        }
        Ok(bytes)
    })?;
    Ok((tree, files))
}

/// The root of the crate that a file belongs to.
fn library(file: &str) -> Option<String> {
    file.split_once("/src/").map(|(folder, _)| format!("{folder}/src/lib.rs"))
}

/// What the compiler says of the mutants that it does not take.
fn complaints(
    tree: &Tree,
    build: &Path,
    all: &[Mutant],
    files: &BTreeMap<String, Switched>,
) -> Result<BTreeMap<String, Objection>, Error> {
    let mut found = BTreeMap::new();
    let packages: BTreeSet<&str> = all.iter().map(|mutant| mutant.package.as_str()).collect();
    for package in packages {
        let mut command = Command::new(env!("CARGO"));
        command.args(["check", "--lib", "--quiet", "--message-format", "json", "--jobs", "1"]);
        command.args(["--package", package]).current_dir(tree.place());
        let output = super::suite::environment(&mut command, build).output()?;
        if output.status.success() {
            continue;
        }
        let before = found.len();
        let text = String::from_utf8(output.stdout)?;
        for line in text.lines() {
            let message: Value = serde_json::from_str(line)?;
            for (number, is_its_own) in blamed(&message["message"], files) {
                let mutant = &all[number - 1];
                // Returned early, it is another question whether it is of a type without a name.
                let is_its_own =
                    is_its_own && !(mutant.genre == Genre::Body && mutant.what.contains("-> impl"));
                let objection = if is_its_own { Objection::Unviable } else { Objection::Alone };
                found.entry(mutant.key.clone()).or_insert(objection);
            }
        }
        if found.len() == before {
            let said = text.lines().take(3).collect::<Vec<_>>().join("\n");
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(
                format!("{package} with switches does not compile: {errors}\n{said}").into()
            );
        }
    }
    Ok(found)
}

/// The numbers of the mutants that an error is about, and whether it is in the wrong line itself.
fn blamed(message: &Value, files: &BTreeMap<String, Switched>) -> Vec<(usize, bool)> {
    if message["level"] != "error" {
        return Vec::new();
    }
    let is_own_code = message["code"]["code"].as_str().is_some_and(|code| ITS_OWN.contains(&code));
    let mut numbers = Vec::new();
    for span in message["spans"].as_array().into_iter().flatten() {
        let file = span["file_name"].as_str().and_then(|name| files.get(name));
        let begin = span["byte_start"].as_u64().and_then(|at| usize::try_from(at).ok());
        let Some((file, begin)) = file.zip(begin).filter(|_| span["is_primary"] == true) else {
            continue;
        };
        let wrong = file.wrong.iter().find(|(range, _)| range.contains(&begin));
        let around = || {
            let all = file.switches.iter().filter(|(range, _)| range.contains(&begin));
            all.min_by_key(|(range, _)| range.len())
        };
        match wrong {
            Some((_, number)) => numbers.push((*number, is_own_code)),
            None => numbers.extend(
                around().into_iter().flat_map(|(_, all)| all).map(|number| (*number, false)),
            ),
        }
    }
    numbers
}
