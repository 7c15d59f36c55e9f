use super::{SETTINGS, document};
use crate::metrics::tests::same_document;

#[test]
fn the_document_is_made_from_the_table_and_has_every_setting() {
    let text = document();
    for row in SETTINGS {
        assert!(text.contains(&format!("`{}`", row.variable())), "{}", row.path);
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/config.md");
    same_document(path, &text);
}
