use moorline_store::StoreError;

use super::Error;

#[test]
fn an_error_of_the_store_has_one_code_in_its_log_and_here() {
    let (path, detail) = (|| "moorline.db".to_owned(), || "why".to_owned());
    for error in [
        StoreError::Locked { path: path() },
        StoreError::UnsafeLibrary { found: "3.40.0".into() },
        StoreError::Newer { path: path(), found: 9, known: 2 },
        StoreError::Damaged { path: path(), detail: detail() },
        StoreError::Io { detail: detail() },
        StoreError::Full { path: path(), detail: detail() },
        StoreError::ReadOnly { path: path(), detail: detail() },
    ] {
        let (number, may_pass) = (error.code(), error.may_pass());
        for error in [Error::Store(error.clone()), Error::Journal(error)] {
            assert_eq!(error.code().number(), number, "{error}");
            assert_eq!(error.is_retryable(), may_pass, "{error}");
            assert!(!error.hint().is_empty(), "{error}");
        }
    }
}
