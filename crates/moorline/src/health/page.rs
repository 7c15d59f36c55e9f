//! The status page: plain HTML without scripts, from the same values as `/status.json`.

use serde_json::Value;

/// The page.
pub(super) fn html(status: &Value) -> String {
    let word = |name: &str| escape(status[name].as_str().unwrap_or_default());
    let (role, summary) = (word("role"), word("summary"));
    let ready = status["ready"] == true;
    let colour = if ready { "#1a7f37" } else { "#b3261e" };
    let state = if ready { "ready" } else { "not ready" };
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>moorline {role}: {state}</title>\n\
         <style>body{{font:16px/1.5 system-ui,sans-serif;margin:2em;max-width:60em}}\
         th{{text-align:left;vertical-align:top;padding-right:1.5em;font-weight:600}}\
         td,th{{border-bottom:1px solid #8884;padding-block:.2em}}\
         :root{{color-scheme:light dark}}</style></head>\n\
         <body><h1>moorline {role}: <span style=\"color:{colour}\">{state}</span></h1>\n\
         <p>{summary}</p>\n<table>\n"
    );
    for check in status["checks"].as_array().into_iter().flatten() {
        let mark = if check["ok"] == true { "✓" } else { "✗" };
        let name = escape(check["name"].as_str().unwrap_or_default());
        let detail = escape(check["detail"].as_str().unwrap_or_default());
        let why = [&check["reason"], &check["code"]]
            .iter()
            .filter_map(|text| text.as_str())
            .map(escape)
            .collect::<Vec<_>>()
            .join(", ");
        page += &format!("<tr><th>{mark} {name}</th><td>{detail}</td><td>{why}</td></tr>\n");
    }
    page += "</table>\n<h2>Details</h2>\n<table>\n";
    let told = ["checks", "summary", "role", "ready"];
    for (name, value) in status.as_object().into_iter().flatten() {
        if !told.contains(&name.as_str()) && !value.is_null() {
            row(&mut page, name, value);
        }
    }
    page += "</table>\n<p><a href=\"/status.json\">status.json</a> \
             <a href=\"/metrics\">metrics</a></p>\n</body></html>\n";
    page
}

fn row(page: &mut String, name: &str, value: &Value) {
    match value {
        Value::Object(parts) => {
            for (part, value) in parts.iter().filter(|(_, value)| !value.is_null()) {
                row(page, &format!("{name} · {part}"), value);
            }
        }
        Value::String(text) => cell(page, name, text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            cell(page, name, &value.to_string());
        }
    }
}

fn cell(page: &mut String, name: &str, text: &str) {
    *page += &format!("<tr><th>{}</th><td>{}</td></tr>\n", escape(name), escape(text));
}

/// Text of others, as text.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            c => escaped.push(c),
        }
    }
    escaped
}
