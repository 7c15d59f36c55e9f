use std::time::Duration;

use toml::de::DeTable;

use super::{Kind, Value, duration, nearest};

const TIME: Kind = Kind::Duration { zero: false };

/// Reads `x = …` by this kind.
fn read(kind: Kind, toml: &str) -> Result<Value, String> {
    let text = format!("x = {toml}");
    let table = DeTable::parse(&text).unwrap();
    kind.read(table.get_ref().get("x").unwrap().get_ref())
}

#[test]
fn times_are_strings_with_a_unit_and_nothing_else() {
    assert_eq!(read(TIME, "\"1m30s\""), Ok(Value::Duration(Duration::from_secs(90))));
    for wrong in ["5", "5.0", "\"5\"", "\"5 s\"", "\"\"", "true", "[]", "\"0s\"", "\"-5s\""] {
        assert!(read(TIME, wrong).is_err(), "{wrong}");
    }
    assert_eq!(read(Kind::Duration { zero: true }, "\"0s\""), Ok(Value::Duration(Duration::ZERO)));
    let told = read(TIME, "5").unwrap_err();
    assert!(told.contains("\"5s\"") && told.contains("integer"), "{told}");
}

#[test]
fn every_kind_takes_its_own_form_of_toml_and_no_other() {
    let range = Kind::Integer { min: 1, max: 9 };
    assert_eq!(read(range, "0x9"), Ok(Value::Integer(9)));
    for wrong in ["0", "10", "-1", "1.0", "\"1\"", "99999999999999999999999"] {
        assert!(read(range, wrong).is_err(), "{wrong}");
    }
    assert_eq!(read(Kind::Bool, "false"), Ok(Value::Bool(false)));
    assert!(read(Kind::Bool, "\"false\"").is_err());
    assert_eq!(read(Kind::Factor, "2"), Ok(Value::Factor(2.0)));
    assert!(read(Kind::Factor, "nan").is_err());
    assert_eq!(read(Kind::Jitter, "0.2"), Ok(Value::Text("0.2".into())));
    assert!(read(Kind::Jitter, "1.5").is_err());
    assert_eq!(read(Kind::Rate, "50"), Ok(Value::Text("50".into())));
    assert_eq!(read(Kind::Rate, "\"measured\""), Ok(Value::Text("measured".into())));
    for wrong in ["0", "-1", "1.5", "\"some\"", "4294967296", "true"] {
        assert!(read(Kind::Rate, wrong).is_err(), "{wrong}");
    }
    assert_eq!(read(Kind::List, "[\"a\", \"b\"]"), Ok(Value::List(vec!["a".into(), "b".into()])));
    assert!(read(Kind::List, "\"a\"").is_err());
    assert!(read(Kind::List, "[1]").is_err());
    assert!(read(Kind::Map, "{ a = 1 }").is_err());
}

#[test]
fn a_value_written_as_toml_is_read_as_the_same() {
    let text = Kind::Text(super::super::checks::any);
    let map = [("a b", "sh -c 'x'"), ("ü", "\"quoted\" \\ \u{7f}\n")];
    let values = [
        (Kind::Bool, Value::Bool(true)),
        (Kind::Integer { min: 0, max: u64::MAX }, Value::Integer(i64::MAX as u64)),
        (Kind::Factor, Value::Factor(2.0)),
        (TIME, Value::Duration(Duration::new(90_061, 1_002_003))),
        (Kind::Size { min: 1 }, Value::Size(256 << 20)),
        (Kind::Size { min: 1 }, Value::Size(1_500)),
        (text, Value::Text("\"\\\n\t\u{1}\u{7f}ü".into())),
        (Kind::List, Value::List(vec!["a,b".into(), String::new()])),
        (Kind::Map, Value::Map(map.map(|(name, text)| (name.into(), text.into())).into())),
        (Kind::Map, Value::Map([].into())),
    ];
    for (kind, value) in values {
        assert_eq!(read(kind, &value.toml()), Ok(value.clone()), "{}", value.toml());
    }
    assert_eq!(duration(Duration::from_secs(7 * 86_400)), "7d");
    assert_eq!(duration(Duration::ZERO), "0s");
    assert_eq!(duration(Duration::from_millis(90_250)), "1m30s250ms");
}

#[test]
fn sizes_have_a_unit_and_a_least_one() {
    let size = Kind::Size { min: 17 << 20 };
    assert_eq!(read(size, "\"17MiB\""), Ok(Value::Size(17 << 20)));
    assert_eq!(read(size, "\"2GB\""), Ok(Value::Size(2_000_000_000)));
    assert_eq!(read(size, "\"16MiB\""), Err("`16MiB` is less than 17MiB".into()));
    for wrong in ["268435456", "\"268435456\"", "\"1.5GiB\"", "\"MiB\"", "\"99999999999GiB\""] {
        let refused = read(size, wrong).unwrap_err();
        assert!(refused.contains("256MiB"), "{wrong}: {refused}");
    }
}

#[test]
fn lists_come_by_commas_and_handlers_by_lines() {
    let list = Kind::List.parse("a, b,,c").unwrap();
    assert_eq!(list, Value::List(vec!["a".into(), "b".into(), "c".into()]));
    let map = Kind::Map.parse("a=x -y, z\nb=w").unwrap();
    assert_eq!(map.json(), serde_json::json!({"a": "x -y, z", "b": "w"}));
    assert!(Kind::Map.parse("a=x\na=y").is_err(), "two handlers of one name");
}

#[test]
fn a_suggestion_is_near_or_there_is_none() {
    assert_eq!(nearest("intervall", ["timeout", "interval"]), Some("interval"));
    assert_eq!(nearest("intreval", ["timeout", "interval"]), Some("interval"));
    assert_eq!(nearest("colour", ["timeout", "interval"]), None);
    assert_eq!(nearest("x", []), None);
}
