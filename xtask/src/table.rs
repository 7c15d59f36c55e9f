//! Tables of documents that chores write: between two comments, with what people write around them.

use std::fs;

use crate::Outcome;
use crate::write::root;

/// Where a table is, and its head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table {
    /// Relative to the repository.
    pub(crate) document: &'static str,
    /// The line before it.
    pub(crate) begin: &'static str,
    /// What is behind it.
    pub(crate) end: &'static str,
    /// Names of its columns, and the line below them; empty where there are several.
    pub(crate) head: &'static str,
}

impl Table {
    /// The document as it stands.
    pub(crate) fn read(&self) -> Result<String, Box<dyn std::error::Error>> {
        let document = self.document;
        fs::read_to_string(root().join(document))
            .map_err(|error| format!("{document}: {error}").into())
    }

    /// Writes the document with these rows.
    pub(crate) fn write(&self, rows: &str) -> Outcome {
        let text = self.with(&self.read()?, rows)?;
        Ok(fs::write(root().join(self.document), text)?)
    }

    /// What stands between the comments of this text, without the head.
    pub(crate) fn rows<'a>(&self, text: &'a str) -> Result<&'a str, String> {
        let (_, table, _) = self.parts(text)?;
        Ok(table.strip_prefix(self.head).unwrap_or(table))
    }

    /// This text with these rows instead.
    pub(crate) fn with(&self, text: &str, rows: &str) -> Result<String, String> {
        let (before, _, after) = self.parts(text)?;
        let Self { begin, end, head, .. } = self;
        Ok(format!("{before}{begin}{head}{rows}{end}{after}"))
    }

    fn parts<'a>(&self, text: &'a str) -> Result<(&'a str, &'a str, &'a str), String> {
        let missing = || {
            let (begin, end) = (self.begin.trim_end(), self.end);
            format!("{} has no place for a table: put `{begin}` and `{end}` there", self.document)
        };
        let (before, rest) = text.split_once(self.begin).ok_or_else(missing)?;
        let (table, after) = rest.split_once(self.end).ok_or_else(missing)?;
        Ok((before, table, after))
    }
}

/// A number with a comma for each thousand.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Table, thousands};

    const TABLE: Table =
        Table { document: "a.md", begin: "<!-- b -->\n", end: "<!-- /b -->", head: "| h |\n" };

    #[test]
    fn rows_are_put_between_the_comments_and_nothing_else_changes() {
        let text = "one\n<!-- b -->\n<!-- /b -->\ntwo";
        assert_eq!(TABLE.rows(text), Ok(""));
        let text = TABLE.with(text, "| 1 |\n").unwrap();
        assert_eq!(text, "one\n<!-- b -->\n| h |\n| 1 |\n<!-- /b -->\ntwo");
        assert_eq!(TABLE.rows(&text), Ok("| 1 |\n"));
        assert_eq!(TABLE.with(&text, "| 1 |\n"), Ok(text.clone()));
        let error = TABLE.with("one", "").unwrap_err();
        assert!(error.contains("a.md") && error.contains("`<!-- b -->`"), "{error}");
    }

    #[test]
    fn thousands_have_commas() {
        let said = [0, 999, 1_000, 123_456, 1_234_567].map(thousands);
        assert_eq!(said, ["0", "999", "1,000", "123,456", "1,234,567"]);
    }
}
