//! What is known of each mutant, kept between runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::mutant::Mutant;

type Error = Box<dyn std::error::Error>;

/// What became of a mutant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// A test failed.
    Caught {
        /// The program it is in, as `package/name`.
        program: String,
        /// The test.
        test: String,
        /// How long that took, with building.
        seconds: u64,
    },
    /// A test did not end in many times the time it takes: it would fail in CI.
    TimedOut {
        /// The program it is in.
        program: String,
    },
    /// It does not compile.
    Unviable,
    /// The tests of its own package pass.
    Missed,
    /// All tests pass.
    Survived,
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caught { program, test, seconds } => {
                write!(f, "caught in {seconds} s by {program} {test}:")
            }
            Self::TimedOut { program } => write!(f, "timed out in {program}:"),
            Self::Unviable => f.write_str("does not compile:"),
            Self::Missed => f.write_str("MISSED:"),
            Self::Survived => f.write_str("SURVIVED:"),
        }
    }
}

/// What is known, in a file.
#[derive(Debug)]
pub(super) struct State {
    file: PathBuf,
    fates: BTreeMap<String, Fate>,
}

impl State {
    /// From a file, or empty if there is none.
    pub(super) fn load(file: &Path) -> Result<Self, Error> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "{}".to_owned(),
            Err(error) => return Err(error.into()),
        };
        let all: Value = serde_json::from_str(&text)?;
        let all = all.as_object().ok_or("the state is no object")?;
        let read = |(key, value): (&String, &Value)| {
            let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
            let program = text("program");
            let fate = match value["fate"].as_str()? {
                "caught" => {
                    let seconds = value["seconds"].as_u64()?;
                    Fate::Caught { program, test: text("test"), seconds }
                }
                "timed out" => Fate::TimedOut { program },
                "unviable" => Fate::Unviable,
                "missed" => Fate::Missed,
                "survived" => Fate::Survived,
                _ => return None,
            };
            Some((key.clone(), fate))
        };
        let fates =
            all.iter().map(read).collect::<Option<_>>().ok_or("the state is not as expected")?;
        Ok(Self { file: file.to_owned(), fates })
    }

    /// What became of it.
    pub(super) fn of(&self, mutant: &Mutant) -> Option<&Fate> {
        self.fates.get(&mutant.key)
    }

    /// Writes down what became of it.
    pub(super) fn put(&mut self, mutant: &Mutant, fate: Fate) -> Result<(), Error> {
        self.fates.insert(mutant.key.clone(), fate);
        let value = |fate: &Fate| match fate {
            Fate::Caught { program, test, seconds } => {
                json!({"fate": "caught", "program": program, "test": test, "seconds": seconds})
            }
            Fate::TimedOut { program } => json!({"fate": "timed out", "program": program}),
            Fate::Unviable => json!({"fate": "unviable"}),
            Fate::Missed => json!({"fate": "missed"}),
            Fate::Survived => json!({"fate": "survived"}),
        };
        let all: serde_json::Map<String, Value> =
            self.fates.iter().map(|(key, fate)| (key.clone(), value(fate))).collect();
        // Whole or not at all, whenever it is stopped.
        let new = self.file.with_extension("new");
        fs::write(&new, serde_json::to_string_pretty(&all)?)?;
        Ok(fs::rename(new, &self.file)?)
    }

    /// Takes over what was written down in the repository of those that are not known here.
    pub(super) fn join(&mut self, all: &[Mutant], known: &str) -> Result<(), Error> {
        let mut read = BTreeMap::new();
        for line in known.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split(' ');
            let hash = words.next().unwrap_or_default();
            let mut program = || words.next().map(str::to_owned);
            let fate = match program().as_deref() {
                Some("caught") => program().map(|program| Fate::Caught {
                    program,
                    test: String::new(),
                    seconds: 0,
                }),
                Some("timed-out") => program().map(|program| Fate::TimedOut { program }),
                Some("unviable") => Some(Fate::Unviable),
                Some("missed") => Some(Fate::Missed),
                Some("survived") => Some(Fate::Survived),
                Some(_) | None => None,
            };
            read.insert(hash, fate.ok_or_else(|| format!("what became of {line:?}?"))?);
        }
        for mutant in all {
            if let Some(fate) = read.get(hash(&mutant.key).as_str()) {
                self.fates.entry(mutant.key.clone()).or_insert_with(|| fate.clone());
            }
        }
        Ok(())
    }

    /// What is known of these, to be written down in the repository: a line each.
    pub(super) fn known(&self, all: &[Mutant]) -> String {
        let mut lines = BTreeSet::new();
        for mutant in all {
            let of = match self.of(mutant) {
                Some(Fate::Caught { program, .. }) => format!("caught {program}"),
                Some(Fate::TimedOut { program }) => format!("timed-out {program}"),
                Some(Fate::Unviable) => "unviable".to_owned(),
                Some(Fate::Missed) => "missed".to_owned(),
                Some(Fate::Survived) => "survived".to_owned(),
                None => continue,
            };
            lines.insert(format!("{} {of}\n", hash(&mutant.key)));
        }
        let head = "# Written by `cargo xtask mutants`: what became of each mutant, by a hash of what it does to which line.\n";
        [head].into_iter().chain(lines.iter().map(String::as_str)).collect()
    }

    /// How many mutants of a file this program caught.
    pub(super) fn caught_by(&self, program: &str, file: &str) -> usize {
        let caught = |(key, fate): &(&String, &Fate)| {
            let by = match fate {
                Fate::Caught { program, .. } | Fate::TimedOut { program } => program,
                Fate::Unviable | Fate::Missed | Fate::Survived => return false,
            };
            by == program && key.split('|').next() == Some(file)
        };
        self.fates.iter().filter(caught).count()
    }
}

/// FNV-1a: the same on every machine and with every compiler.
fn hash(key: &str) -> String {
    let add = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    format!("{:016x}", key.bytes().fold(0xCBF2_9CE4_8422_2325, add))
}
