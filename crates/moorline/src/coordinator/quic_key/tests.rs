use super::beside;
use crate::Code;

#[test]
fn a_key_is_made_once_and_found_again_and_each_store_has_its_own() {
    let home = tempfile::tempdir().unwrap();
    let (one, other) = (home.path().join("one.db"), home.path().join("other.db"));
    std::fs::write(&one, "").unwrap();
    std::fs::write(&other, "").unwrap();
    let key = beside(&one).unwrap();
    assert_ne!(key, [0; 32]);
    assert_eq!(beside(&one).unwrap(), key);
    assert_ne!(beside(&other).unwrap(), key);
    assert_eq!(std::fs::read(home.path().join("one.db.quic-key")).unwrap(), key);
}

#[cfg(unix)]
#[test]
fn a_key_is_for_its_owner_only_also_if_it_was_copied_with_other_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let (store, file) = (home.path().join("a.db"), home.path().join("a.db.quic-key"));
    std::fs::write(&store, "").unwrap();
    let mode = || file.metadata().unwrap().permissions().mode() & 0o777;
    // What was left of a life that ended while it made one.
    std::fs::write(home.path().join("a.db.quic-key.new"), "half").unwrap();
    let key = beside(&store).unwrap();
    assert_eq!(mode(), 0o600);
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(beside(&store).unwrap(), key);
    assert_eq!(mode(), 0o600);
}

#[test]
fn a_key_that_cannot_be_read_or_made_is_named_and_not_replaced() {
    let home = tempfile::tempdir().unwrap();
    let store = home.path().join("a.db");
    std::fs::write(&store, "").unwrap();
    for damaged in [&[7; 31][..], &[7; 33]] {
        std::fs::write(home.path().join("a.db.quic-key"), damaged).unwrap();
        let error = beside(&store).unwrap_err();
        assert_eq!(error.code(), Code::QUIC_KEY);
        assert!(error.to_string().contains("a.db.quic-key"), "{error}");
        assert!(error.to_string().contains("remove it"), "{error}");
        assert_eq!(std::fs::read(home.path().join("a.db.quic-key")).unwrap(), damaged);
    }
    let error = beside(&home.path().join("nowhere").join("b.db")).unwrap_err();
    assert_eq!(error.code(), Code::QUIC_KEY);
}

#[cfg(unix)]
#[test]
fn a_store_has_one_key_by_whichever_link_it_is_named() {
    let home = tempfile::tempdir().unwrap();
    let (store, link) = (home.path().join("tasks.db"), home.path().join("current.db"));
    std::fs::write(&store, "").unwrap();
    std::os::unix::fs::symlink(&store, &link).unwrap();
    assert_eq!(beside(&link).unwrap(), beside(&store).unwrap());
    assert!(home.path().join("tasks.db.quic-key").exists());
}
