//! A copy of the repository in which lines are made wrong.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::write::root;

type Error = Box<dyn std::error::Error>;

/// The copy. What differs from the repository is copied anew when it is opened, nothing else, so that
/// what was built of it stays fresh.
#[derive(Debug)]
pub(super) struct Tree {
    place: PathBuf,
    /// What was copied when it was opened.
    copied: Vec<String>,
}

/// A file that was made wrong.
#[must_use]
pub(super) struct Changed {
    file: PathBuf,
    text: String,
    mark: PathBuf,
}

/// Says which file is wrong now: who is killed meanwhile leaves it so.
const MARK: &str = ".wrong";

impl Tree {
    pub(super) fn at(place: PathBuf) -> Result<Self, Error> {
        Self::with(place, |_, bytes| Ok(bytes))
    }

    /// A copy whose files are made of those of the repository by their names.
    pub(super) fn with(
        place: PathBuf,
        make: impl Fn(&str, Vec<u8>) -> Result<Vec<u8>, Error>,
    ) -> Result<Self, Error> {
        let place = super::absolute(place)?;
        let listed = |folder: &Path| -> Result<BTreeSet<String>, Error> {
            let output = Command::new("git")
                .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
                .current_dir(folder)
                .output()?;
            let names = String::from_utf8(output.stdout)?;
            Ok(names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
        };
        let kept = place.join(".files");
        let before = fs::read_to_string(&kept).unwrap_or_default();
        let files = listed(&root())?;
        for gone in before.lines().filter(|name| !files.contains(*name)) {
            let _ = fs::remove_file(place.join(gone));
        }
        let wrong = fs::read_to_string(place.join(MARK)).unwrap_or_default();
        let mut copied = Vec::new();
        let mut names = String::new();
        for name in &files {
            // A file that was removed and is still in the index.
            let Ok(bytes) = fs::read(root().join(name)) else { continue };
            let bytes = make(name, bytes)?;
            names.push_str(name);
            names.push('\n');
            let copy = place.join(name);
            if fs::read(&copy).ok().as_ref() != Some(&bytes) {
                if let Some(folder) = copy.parent() {
                    fs::create_dir_all(folder)?;
                }
                fs::write(copy, bytes)?;
                if *name != wrong {
                    copied.push(name.clone());
                }
            }
        }
        fs::write(kept, names)?;
        let _ = fs::remove_file(place.join(MARK));
        Ok(Self { place, copied })
    }

    /// Files that were not as in the repository when it was opened, but for one that was wrong on purpose.
    pub(super) fn copied(&self) -> &[String] {
        &self.copied
    }

    pub(super) fn place(&self) -> &Path {
        &self.place
    }

    pub(super) fn read(&self, file: &str) -> Result<String, Error> {
        Ok(fs::read_to_string(self.place.join(file))?)
    }

    /// Writes a file until it is restored.
    pub(super) fn change(&self, file: &str, text: &str) -> Result<Changed, Error> {
        let mark = self.place.join(MARK);
        fs::write(&mark, file)?;
        let file = self.place.join(file);
        let before = fs::read_to_string(&file)?;
        fs::write(&file, text)?;
        Ok(Changed { file, text: before, mark })
    }
}

impl Changed {
    pub(super) fn restore(self) -> Result<(), Error> {
        fs::write(self.file, self.text)?;
        Ok(fs::remove_file(self.mark)?)
    }
}
