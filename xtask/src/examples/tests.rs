use std::fs;

use super::{Crate, Public, blocks, without};

/// A crate of these files, with what is missing in it.
fn missing(files: &[(&str, &str)], strict: bool) -> Result<Vec<String>, String> {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join("src").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let found: Vec<Public> = Crate::read(dir.path()).unwrap().public()?;
    Ok(without(&found, strict))
}

const SHOWN: &str = "/// It is.\n///\n/// ```\n/// let shown = Mentioned;\n/// ```\n";

#[test]
fn items_are_followed_through_private_modules_and_new_names() {
    let lib = format!(
        "//! A crate.\n//!\n//! ```\n//! ```\n//! ```\n//! let x = 1;\n//! ```\n\
         mod inner;\npub use inner::{{Thing, deep::Other as Another}};\nmod whole;\npub use whole::*;\n\
         pub use std::time::Duration;\n{SHOWN}pub fn shown() {{}}\npub(crate) struct Hidden;\n\
         #[cfg(test)]\nmod tests;\n#[doc(hidden)]\npub mod cli {{ pub struct Internal; }}"
    );
    let inner = format!(
        "pub mod deep;\n{SHOWN}pub struct Thing;\nimpl Thing {{\n    pub fn bare(&self) {{}}\n\
         {SHOWN}    pub fn documented() {{}}\n    fn private() {{}}\n    pub const MAX: u8 = 1;\n}}\n\
         impl Default for Thing {{ fn default() -> Self {{ Thing }} }}\npub struct NotExported;"
    );
    let files = [
        ("lib.rs", lib.as_str()),
        ("inner.rs", &inner),
        ("inner/deep.rs", "pub struct Other;"),
        ("whole.rs", "pub struct Taken;\nstruct Kept;"),
    ];
    assert_eq!(missing(&files, true).unwrap(), ["Taken", "Another", "Thing::bare", "Thing::MAX"]);
    assert_eq!(
        missing(&files, false).unwrap(),
        ["Taken", "Another"],
        "methods need none below the facade"
    );
}

#[test]
fn below_the_facade_an_example_of_another_item_counts_for_every_type_it_names() {
    let lib = format!(
        "//! x\n//! ```\n//! let y = 1;\n//! ```\npub struct Mentioned;\npub struct Bare;\n{SHOWN}pub struct Shown;"
    );
    assert_eq!(missing(&[("lib.rs", &lib)], false).unwrap(), ["Bare"]);
    assert_eq!(missing(&[("lib.rs", &lib)], true).unwrap(), ["Bare", "Mentioned"]);
}

#[test]
fn types_that_a_macro_makes_are_found_and_lost_ones_are_an_error() {
    let of_macro = |docs: &str| {
        format!(
            "//! x\n//! ```\n//! let y = 1;\n//! ```\nmod table;\npub use table::Reason;\n//{docs}"
        )
    };
    let shown = "macro_rules! table { () => {\n    /// Why.\n    ///\n    /// ```\n    /// let x = 1;\n    /// ```\n    #[derive(Clone)]\n    pub enum Reason { A }\n} }\ntable!();";
    let bare = "macro_rules! table { () => { \n pub enum Reason { A }\n} }\ntable!();";
    let lib = of_macro("");
    assert!(missing(&[("lib.rs", &lib), ("table.rs", shown)], true).unwrap().is_empty());
    assert_eq!(missing(&[("lib.rs", &lib), ("table.rs", bare)], true).unwrap(), ["Reason"]);
    assert!(missing(&[("lib.rs", &lib), ("table.rs", "pub enum Reasons {}")], true).is_err());
}

#[test]
fn only_what_rustdoc_compiles_is_an_example() {
    for fence in ["", "no_run", "rust,no_run", "should_panic", "edition2024"] {
        assert_eq!(
            blocks(&format!("a\n\n```{fence}\nlet x = 1;\n```\nb")),
            ["let x = 1;\n"],
            "{fence}"
        );
    }
    for fence in ["text", "ignore", "toml", "rust,ignore", "json"] {
        assert!(blocks(&format!("```{fence}\nlet x = 1;\n```")).is_empty(), "{fence}");
    }
    assert!(blocks("```\n```").is_empty(), "nothing inside is nothing");
}

#[test]
fn every_public_item_has_its_example() {
    super::documented().unwrap();
}
