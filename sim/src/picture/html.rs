//! The picture as one HTML file that needs no network.

use super::Timeline;

/// The page around the data.
const PAGE: &str = include_str!("viewer.html");
/// How it looks.
const STYLE: &str = include_str!("viewer.css");
/// How it moves.
const SCRIPT: &str = include_str!("viewer.js");

impl Timeline {
    /// The page, complete: open it in any browser.
    #[must_use]
    pub fn html(&self) -> String {
        // Whatever words say, they do not end the element that they are in.
        let data = serde_json::to_string(self).unwrap_or_default().replace('<', "\\u003c");
        let title = escape(&self.title);
        PAGE.replace("{{title}}", &title)
            .replace("{{style}}", STYLE)
            .replace("{{script}}", SCRIPT)
            .replace("{{data}}", &data)
    }
}

/// Text that means itself in HTML and SVG.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}
