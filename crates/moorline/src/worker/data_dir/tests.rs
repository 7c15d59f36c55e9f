use std::fs;

use super::DataDir;
use crate::{Code, Error};

#[test]
fn a_directory_keeps_its_identity() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("worker/gpu-1");
    let first = DataDir::open(&path).unwrap().worker();
    assert_eq!(DataDir::open(&path).unwrap().worker(), first);
    let other = DataDir::open(&home.path().join("worker/gpu-2")).unwrap();
    assert_ne!(other.worker(), first);
}

#[test]
fn an_open_directory_is_refused_to_others_and_free_again_when_it_is_dropped() {
    let home = tempfile::tempdir().unwrap();
    let open = DataDir::open(home.path()).unwrap();
    let refused = DataDir::open(home.path()).unwrap_err();
    assert!(matches!(refused, Error::DataDirInUse { .. }), "{refused}");
    assert_eq!(refused.code(), Code::DATA_DIR_IN_USE);
    drop(open);
    DataDir::open(home.path()).unwrap();
}

#[test]
fn a_damaged_identity_is_said_and_not_replaced() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("identity");
    for text in
        ["", "12", "zz\n", "0123456789abcdef0123456789abcdef", "+123456789abcdef0123456789abcdef\n"]
    {
        fs::write(&file, text).unwrap();
        let error = DataDir::open(home.path()).unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
}
