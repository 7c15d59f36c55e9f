use std::path::Path;

use super::read;
use crate::Code;
use crate::config::Origin;
use crate::config::table::Key;

fn line_of(origin: &Origin) -> usize {
    match origin {
        Origin::File { line, .. } => *line,
        Origin::Flag(_) | Origin::Variable(_) | Origin::Preset(_) | Origin::Standard => 0,
    }
}

#[test]
fn every_value_knows_its_line_whatever_form_its_section_has() {
    let text = "config_version = 1\n\
                worker.slots = 4\n\
                [worker.heartbeat]\n\
                \n\
                interval = \"2s\"\n\
                [worker.reconnect]\n\
                first = \"backoff\"\n\
                [log]\n\
                level = '''warn'''\n";
    let (layer, problems) = read(Path::new("x.toml"), text);
    assert_eq!(problems, []);
    let lines: Vec<_> = layer.iter().map(|(key, (_, origin))| (*key, line_of(origin))).collect();
    assert_eq!(
        lines,
        [(Key::Slots, 2), (Key::HeartbeatInterval, 5), (Key::First, 7), (Key::LogLevel, 9)]
    );
    let inline = "config_version = 1\nworker = { heartbeat = { interval = \"2s\" } }";
    assert_eq!(line_of(&read(Path::new("x"), inline).0[&Key::HeartbeatInterval].1), 2);
}

#[test]
fn an_empty_file_says_nothing_and_any_other_says_its_version() {
    assert_eq!(read(Path::new("x"), "# nothing\n").1, []);
    for (text, found) in [
        ("[worker]\n", "does not say"),
        ("config_version = 2\n", "version 2"),
        ("config_version = \"1\"\n", "version string"),
        ("config_version = 1.0\n", "version float"),
    ] {
        let problems = read(Path::new("x"), text).1;
        assert_eq!(problems.len(), 1, "{text}");
        assert_eq!(problems[0].code, Code::CONFIG_VERSION);
        assert!(problems[0].text.contains(found), "{}", problems[0].text);
    }
}

#[test]
fn no_text_makes_the_reader_panic() {
    let text = "config_version = 1\n[worker]\nslots = 4\nname = \"ü\"\n";
    for end in 0..text.len() {
        let cut = String::from_utf8_lossy(&text.as_bytes()[..end]);
        let _ = read(Path::new("x"), &cut);
    }
    for odd in ["\u{feff}", "=", "[[worker]]\n", "[worker]\n[worker]\n", "a.b.c.d = 1", "\"\" = 1"]
    {
        assert!(!read(Path::new("x"), odd).1.is_empty() || odd == "\u{feff}", "{odd}");
    }
}
