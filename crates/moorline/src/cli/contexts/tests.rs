use std::os::unix::fs::PermissionsExt;

use super::Contexts;
use crate::Code;

#[test]
fn what_was_written_is_read_again_and_only_its_owner_may_read_it() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("moorline/contexts.toml");
    assert_eq!(Contexts::read_from(&path).unwrap(), Contexts::default(), "no file is no contexts");
    let mut contexts = Contexts::default();
    contexts.add("lab.1", "http://127.0.0.1:8741").unwrap();
    contexts.current = Some("lab.1".into());
    contexts.write_to(&path).unwrap();
    contexts.add("fab", "http://localhost:1").unwrap();
    contexts.write_to(&path).unwrap();
    assert_eq!(Contexts::read_from(&path).unwrap(), contexts);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let left = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
    assert_eq!(left, 1, "nothing temporary stays");
    insta::assert_snapshot!(std::fs::read_to_string(&path).unwrap());
}

#[test]
fn a_file_that_is_none_of_ours_is_named_and_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("contexts.toml");
    for text in ["current = 1", "curent = 'a'", "[server", "\u{0}"] {
        std::fs::write(&path, text).unwrap();
        let error = Contexts::read_from(&path).unwrap_err();
        assert_eq!(error.code(), Code::CONTEXT_FILE, "{text}");
        assert!(error.to_string().contains("contexts.toml"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn a_url_that_cannot_be_used_is_not_added() {
    let mut contexts = Contexts::default();
    let error = contexts.add("far", "https://example.com").unwrap_err();
    assert_eq!(error.code(), Code::SERVER_URL);
    assert_eq!(contexts, Contexts::default());
}

#[test]
fn a_name_that_would_need_quotes_is_refused() {
    for wrong in ["", "a b", "a/b", "ä", &"x".repeat(65)] {
        assert!(super::name(wrong).is_err(), "{wrong}");
    }
    assert_eq!(super::name("lab-1.x_y").unwrap(), "lab-1.x_y");
}
