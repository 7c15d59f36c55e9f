use std::collections::BTreeSet;

use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};

use super::super::setting::Standard;
use super::super::{init, preset, schema};
use super::{Key, SETTINGS};
use crate::config::{Sources, Surroundings, load};

#[test]
fn every_row_is_found_by_its_key_and_fits_its_kind() {
    for (at, row) in SETTINGS.iter().enumerate() {
        assert_eq!(row.key as usize, at, "{}", row.path);
        assert_eq!(row.key.setting().path, row.path);
        let (Standard::Is(text) | Standard::Unset { example: text, .. }) = row.standard;
        row.kind.parse(text).unwrap_or_else(|wrong| panic!("{}: {wrong}", row.path));
        assert!(row.doc.ends_with('.') && row.doc.len() > 20, "{}", row.path);
        assert!(row.example().is_some());
    }
    for name in preset::NAMES {
        for (key, value) in preset::values_of(name) {
            let json = value.json();
            let text = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
            assert_eq!(key.setting().kind.parse(&text), Ok(value), "{name}: {}", key.path());
            assert_eq!(key.setting().role(), Key::Preset.setting().role(), "{name}");
        }
    }
}

#[test]
fn no_two_settings_share_a_path_a_variable_or_a_flag() {
    let mut names = BTreeSet::new();
    for row in SETTINGS {
        assert!(names.insert(row.path.to_owned()), "{}", row.path);
        assert!(names.insert(row.variable()), "{}", row.variable());
        let flags = row.flag.iter().flat_map(|flag| flag.aliases.iter().chain([&flag.long]));
        for flag in flags {
            let role = row.role().map_or("", super::super::Role::name);
            assert!(names.insert(format!("{role} --{flag}")), "{flag}");
        }
    }
    // The sections follow each other: a file can have each only once.
    let sections: Vec<_> = SETTINGS.iter().map(|row| row.section().0).collect();
    let runs = sections.chunk_by(|a, b| a == b).count();
    assert_eq!(runs, sections.iter().collect::<BTreeSet<_>>().len(), "{sections:?}");
}

/// The file of `config init`, with every line in force that could be.
fn in_force() -> String {
    let is_setting = |line: &str| {
        let name = line.split(" = ").next().unwrap_or_default();
        line.contains(" = ") && SETTINGS.iter().any(|row| row.section().1 == name)
    };
    let init = init();
    let lines = init.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if is_setting(rest) => format!("{rest}\n"),
        Some(_) | None => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn the_file_of_init_has_every_setting_changes_nothing_and_is_accepted_line_by_line() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("moorline.toml");
    let read = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let sources = Sources { file: Some(file.clone()), ..Sources::default() };
        let (config, problems) = load(&sources, &Surroundings::nowhere());
        assert_eq!(problems, [], "{text}");
        config
    };
    let (as_it_is, all) = (read(&init()), read(&in_force()));
    for row in SETTINGS {
        assert!(!as_it_is.is_given(row.key), "{}", row.path);
        assert!(all.is_given(row.key), "{}", row.path);
        if matches!(row.standard, Standard::Is(_)) {
            assert_eq!(all.get(row.key), as_it_is.get(row.key), "{}", row.path);
        }
        assert!(init().contains(&row.variable()), "{}", row.path);
    }
}

#[test]
fn the_schema_has_every_setting_and_accepts_the_file_of_init_and_not_much_else() {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    for row in SETTINGS {
        let mut place = &schema;
        for part in row.path.split('.') {
            place = &place["properties"][part];
        }
        assert_eq!(place["description"], row.doc, "{}", row.path);
        assert_eq!(place["default"], row.standard_value().map_or(Json::Null, |value| value.json()));
    }
    let json = |text: &str| json_of(&DeValue::Table(DeTable::parse(text).unwrap().into_inner()));
    assert_eq!(validate(&schema, &json(&in_force()), ""), Ok(()));
    for (wrong, place) in [
        ("", ""),
        ("config_version = 2", "/config_version"),
        ("config_version = 1\nworker = 1", "/worker"),
        ("config_version = 1\n[wroker]", "/wroker"),
        ("config_version = 1\n[worker]\nslots = 0", "/worker/slots"),
        ("config_version = 1\n[worker]\nslots = \"1\"", "/worker/slots"),
        ("config_version = 1\n[worker]\npreset = \"none\"", "/worker/preset"),
        (
            "config_version = 1\n[worker.heartbeat]\nintervall = \"1s\"",
            "/worker/heartbeat/intervall",
        ),
        ("config_version = 1\n[worker]\ncoordinator = [1]", "/worker/coordinator/0"),
        ("config_version = 1\n[worker.handlers]\nx = 1", "/worker/handlers/x"),
        ("config_version = 1\n[worker.reconnect]\njitter = true", "/worker/reconnect/jitter"),
    ] {
        assert_eq!(validate(&schema, &json(wrong), ""), Err(place.to_owned()), "{wrong}");
    }
}

fn json_of(value: &DeValue<'_>) -> Json {
    match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Integer(number) => number.to_string().parse::<i64>().unwrap().into(),
        DeValue::Float(number) => number.to_string().parse::<f64>().unwrap().into(),
        DeValue::Boolean(flag) => (*flag).into(),
        DeValue::Datetime(time) => time.to_string().into(),
        DeValue::Array(items) => items.iter().map(|item| json_of(item.get_ref())).collect(),
        DeValue::Table(items) => items
            .iter()
            .map(|(name, item)| (name.get_ref().to_string(), json_of(item.get_ref())))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

/// The words of JSON Schema that ours uses, but for patterns; others are a failure of the test. The
/// error is the place that does not fit.
fn validate(schema: &Json, value: &Json, place: &str) -> Result<(), String> {
    const KNOWN: [&str; 17] = [
        "$schema",
        "title",
        "description",
        "default",
        "examples",
        "pattern",
        "type",
        "const",
        "enum",
        "minimum",
        "maximum",
        "exclusiveMaximum",
        "anyOf",
        "items",
        "properties",
        "required",
        "additionalProperties",
    ];
    for word in schema.as_object().unwrap().keys() {
        assert!(KNOWN.contains(&word.as_str()), "{word}");
    }
    let fits_type = match schema["type"].as_str() {
        None => true,
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("number") => value.is_number(),
        Some(other) => panic!("{other}"),
    };
    let compare = |word: &str, holds: fn(f64, f64) -> bool| {
        let bound = schema[word].as_f64();
        bound.zip(value.as_f64()).is_none_or(|(bound, value)| holds(value, bound))
    };
    let fits = fits_type
        && (schema["const"].is_null() || schema["const"] == *value)
        && schema["enum"].as_array().is_none_or(|words| words.contains(value))
        && compare("minimum", |value, bound| value >= bound)
        && compare("maximum", |value, bound| value <= bound)
        && compare("exclusiveMaximum", |value, bound| value < bound)
        && schema["anyOf"]
            .as_array()
            .is_none_or(|any| any.iter().any(|one| validate(one, value, place).is_ok()));
    let required = schema["required"].as_array().into_iter().flatten();
    if !fits || required.into_iter().any(|name| value.get(name.as_str().unwrap()).is_none()) {
        return Err(place.to_owned());
    }
    for (at, item) in value.as_array().into_iter().flatten().enumerate() {
        validate(&schema["items"], item, &format!("{place}/{at}"))?;
    }
    for (name, item) in value.as_object().into_iter().flatten() {
        let (place, own) = (format!("{place}/{name}"), &schema["properties"][name]);
        match (own, &schema["additionalProperties"]) {
            (Json::Null, Json::Bool(false) | Json::Null) => return Err(place),
            (Json::Null, other) => validate(other, item, &place)?,
            (own, _) => validate(own, item, &place)?,
        }
    }
    Ok(())
}
