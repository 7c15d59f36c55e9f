//! What a configuration file may say, for the fuzz target of the same name.

use std::collections::BTreeSet;
use std::path::Path;

use super::file;
use super::problem::{Level, Origin};
use super::rules::machines;
use super::setting::Role;
use super::table::SETTINGS;
use super::{Config, Layer, Timing, layered};

/// Reads any bytes as a configuration file. It must not panic; each problem has a line of the file; what
/// is accepted makes machines, and is read again as it is shown.
#[doc(hidden)]
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let path = Path::new("fuzz.toml");
    let (given, mut problems) = file::read(path, text);
    let lines = 1 + text.matches('\n').count();
    for problem in &problems {
        assert!(!problem.to_string().is_empty() && problem.json().is_object());
        for (_, origin) in &problem.at {
            let line = origin.line();
            assert!((1..=lines).contains(&line), "line {line} of {lines}: {problem}");
        }
    }
    shown(&given);
    let (file, confirmed) = (Some(path.to_owned()), BTreeSet::new());
    let config = Config { layer: layered(given), file, confirmed };
    problems.extend(config.problems(&[Role::Worker, Role::Coordinator]));
    for problem in &problems {
        assert!(!problem.to_string().is_empty() && problem.json().is_object());
    }
    let is_refused = problems.iter().any(|problem| problem.level == Level::Error);
    if !is_refused {
        assert!(machines(&config).is_some(), "accepted, and there is no such machine");
    }
    if let Some(timing) = Timing::of(&config) {
        assert!(!timing.text().is_empty() && timing.json().is_object());
    }
}

/// Every value is read again as it is shown.
fn shown(layer: &Layer) {
    let mut text = format!("config_version = {}\n", file::VERSION);
    for row in SETTINGS {
        if let Some((value, _)) = layer.get(&row.key) {
            text.push_str(&format!("{} = {}\n", row.path, value.toml()));
        }
    }
    let (again, problems) = file::read(Path::new("shown.toml"), &text);
    assert!(problems.is_empty(), "{problems:?} in\n{text}");
    let values = |layer: &Layer| -> Vec<_> {
        layer.iter().map(|(key, (value, _))| (*key, value.clone())).collect()
    };
    assert_eq!(values(&again), values(layer), "in\n{text}");
    assert!(again.values().all(|(_, origin)| matches!(origin, Origin::File { .. })));
}
