//! The files below a directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Every regular file below the directory, sorted by path. Symbolic links are not followed; what may
/// not be read is left out. At most `max` are returned.
pub(super) fn below(directory: &Path, max: usize) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    // Only the directory itself has to be readable.
    let mut waiting = vec![sorted(directory)?];
    while let Some(entries) = waiting.last_mut() {
        let Some((path, kind)) = entries.pop() else {
            waiting.pop();
            continue;
        };
        if kind.is_dir() {
            waiting.push(sorted(&path).unwrap_or_default());
        } else if kind.is_file() {
            files.push(path);
            if files.len() == max {
                break;
            }
        }
    }
    Ok(files)
}

/// The entries of a directory, the last one first.
fn sorted(directory: &Path) -> io::Result<Vec<(PathBuf, fs::FileType)>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        entries.push((entry.path(), entry.file_type()?));
    }
    entries.sort_by(|a, b| b.0.cmp(&a.0));
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::below;

    #[test]
    fn files_are_found_in_order_at_any_depth_and_links_are_left_alone() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join("b/c")).unwrap();
        for name in ["a", "b/x", "b/c/y", "z"] {
            fs::write(home.path().join(name), name).unwrap();
        }
        std::os::unix::fs::symlink(home.path(), home.path().join("b/loop")).unwrap();
        std::os::unix::fs::symlink(home.path().join("a"), home.path().join("link")).unwrap();
        let names = |max| -> Vec<String> {
            let files = below(home.path(), max).unwrap();
            let relative = files.iter().map(|file| file.strip_prefix(home.path()).unwrap());
            relative.map(|file| file.to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(100), ["a", "b/c/y", "b/x", "z"]);
        assert_eq!(names(2), ["a", "b/c/y"]);
        assert!(below(&home.path().join("nowhere"), 1).is_err());
    }
}
