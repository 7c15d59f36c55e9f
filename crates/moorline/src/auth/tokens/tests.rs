use std::path::PathBuf;

use moorline_node::Credential;

use super::{FILE_MAX, Taken, own};

fn file(text: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("tokens");
    std::fs::write(&path, text).unwrap();
    (home, path)
}

#[test]
fn a_worker_shows_what_is_in_its_file_without_the_space_around_it() {
    for text in ["a token", "a token\n", "\n  a token\r\n\n"] {
        let (_home, path) = file(text);
        assert_eq!(own(&path).unwrap().as_bytes(), b"a token");
    }
    let (_home, longest) = file("x".repeat(Credential::MAX) + "\n");
    assert_eq!(own(&longest).unwrap().as_bytes().len(), Credential::MAX);
}

#[test]
fn a_file_that_holds_no_single_token_is_named_and_its_content_is_not() {
    for (text, why) in [
        (String::new(), "holds no token"),
        (" \n\n".to_owned(), "holds no token"),
        ("secret-1\nsecret-2\n".to_owned(), "holds several lines"),
        ("secret".repeat(2_000), "holds more than that"),
        ("secret".repeat(200_000), "is no plain file of up to 1 MiB"),
    ] {
        let (home, path) = file(&text);
        let error = own(&path).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("tokens"), "{error}");
        assert!(!error.contains("secret"), "{error}");
        let directory = own(home.path()).unwrap_err().to_string();
        assert!(directory.contains("is no plain file"), "{directory}");
        drop(home);
        assert!(own(&path).unwrap_err().to_string().starts_with("cannot read "));
    }
    assert_eq!(FILE_MAX, 1 << 20, "as the message says");
}

#[test]
fn a_coordinator_takes_each_token_of_its_file_and_no_other() {
    let (_home, path) =
        file("# for the first rack\nfirst-token-of-two\n\n  second-token-of-two \r\n");
    let taken = Taken::read(&path).unwrap();
    let has = |text: &str| taken.has(&Credential::new(text.to_owned()).unwrap());
    assert!(has("first-token-of-two") && has("second-token-of-two"));
    for other in ["first-token-of-tw", "first-token-of-two ", "# for the first rack", "x"] {
        assert!(!has(other), "{other}");
    }
}

#[test]
fn a_file_without_tokens_or_with_one_that_can_be_guessed_is_refused() {
    for (text, why) in [
        ("", "holds no token"),
        ("# only words\n", "holds no token"),
        ("long-enough-for-a-token\nshort-by-a-byte\n", "line 2: a token has 16 to 8192 bytes"),
    ] {
        let (_home, path) = file(text);
        let error = Taken::read(&path).err().unwrap().to_string();
        assert!(error.contains(why), "{error}");
        assert!(!error.contains("short"), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_everybody_may_read_is_told_from_one_that_few_may() {
    use std::os::unix::fs::PermissionsExt;
    let (_home, path) = file("a token");
    for (mode, open) in [(0o600, None), (0o640, None), (0o644, Some(0o644)), (0o602, Some(0o602))] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(super::is_open(&path), open, "{mode:o}");
    }
}
