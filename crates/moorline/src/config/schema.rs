//! The configuration as a JSON Schema (draft 2020-12), for editors that know it.

use serde_json::{Map, Value as Json, json};

use super::setting::Setting;
use super::table::SETTINGS;
use super::value::Kind;

/// A time as humantime reads it, without spaces: numbers with a unit each.
const DURATION: &str = "^([0-9]+(nsec|ns|usec|us|msec|ms|sec|secs|second|seconds|s|min|mins|minute|minutes|m|hour|hours|hr|hrs|h|day|days|d|week|weeks|wk|wks|w|month|months|M|year|years|yr|yrs|y))+$";

/// The whole schema.
pub(crate) fn schema() -> Json {
    let mut root = object(Map::new());
    for row in SETTINGS {
        let mut place = &mut root;
        let (section, name) = row.section();
        for part in section.split('.') {
            place = &mut place["properties"][part];
            if place.is_null() {
                *place = object(Map::new());
            }
        }
        place["properties"][name] = property(row);
    }
    root["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    root["title"] = "moorline.toml".into();
    root["properties"]["config_version"] =
        json!({"const": 1, "description": "The version of the file's form."});
    root["required"] = json!(["config_version"]);
    root
}

fn object(properties: Map<String, Json>) -> Json {
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}

fn property(row: &Setting) -> Json {
    let mut schema = match row.kind {
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Integer { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        Kind::Factor => json!({"type": "number"}),
        Kind::Duration { .. } => json!({"type": "string", "pattern": DURATION}),
        Kind::Size { .. } => json!({"type": "string", "pattern": "^[0-9]+([KMG]i|[kMG])?B$"}),
        Kind::Text(_) => json!({"type": "string"}),
        Kind::Choice(words) => json!({"type": "string", "enum": words}),
        Kind::Jitter => json!({
            "anyOf": [
                {"type": "string", "pattern": "^(full|none|equal|decorrelated|0?\\.[0-9]+|0)$"},
                {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
            ],
        }),
        Kind::Rate => json!({
            "anyOf": [
                {"type": "string", "pattern": "^(measured|[0-9]+)$"},
                {"type": "integer", "minimum": 1, "maximum": u32::MAX},
            ],
        }),
        Kind::List => json!({"type": "array", "items": {"type": "string"}}),
        Kind::Map => json!({"type": "object", "additionalProperties": {"type": "string"}}),
    };
    schema["description"] = row.doc.into();
    if let Some(value) = row.standard_value() {
        schema["default"] = value.json();
    } else if let Some(value) = row.example() {
        schema["examples"] = json!([value.json()]);
    }
    schema
}
