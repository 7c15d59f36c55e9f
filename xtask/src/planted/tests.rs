use std::collections::BTreeSet;

use super::{Found, TABLE, ids, order, rows, sites};

/// Promises, and the traps that the exhaustive checker finds.
fn all() -> BTreeSet<String> {
    let safe = (1..=16).map(|number| format!("SAFE-{number}"));
    let live = (1..=8).map(|number| format!("LIVE-{number}"));
    safe.chain(live).chain((1..=3).map(|number| format!("TRAP-{number}"))).collect()
}

#[test]
fn every_promise_has_a_planted_bug_and_every_bug_is_declared() {
    let planted: BTreeSet<String> = sites().unwrap().into_keys().collect();
    assert_eq!(planted, all());
    let manifest = include_str!("../../../Cargo.toml");
    let declared = manifest.split("cfg(moorline_planted, values(").nth(1).unwrap();
    let declared = declared.split("))").next().unwrap().replace(['\\', '"', ' '], "");
    let declared: BTreeSet<String> = declared.split(',').map(str::to_owned).collect();
    assert_eq!(declared, all());
}

#[test]
fn conditions_are_found_in_attributes_and_expressions() {
    let text = "#[cfg(moorline_planted = \"A-1\")] x(); y(cfg!(moorline_planted = \"B-2\"));";
    assert_eq!(ids(text).collect::<Vec<_>>(), ["A-1", "B-2"]);
}

#[test]
fn a_table_is_read_back_by_promise() {
    let text = format!("before\n{}{}\nafter", TABLE.begin, TABLE.end);
    let text = TABLE.with(&text, "| SAFE-2 | a |\n| LIVE-1 | b |\n").unwrap();
    let read: Vec<String> = rows(&text).unwrap().into_values().collect();
    assert_eq!(read, ["| SAFE-2 | a |\n", "| LIVE-1 | b |\n"]);
    assert!(order("SAFE-10") > order("SAFE-9") && order("LIVE-1") > order("SAFE-16"));
    assert!(rows("nothing").is_err());
}

#[test]
fn what_the_simulator_says_becomes_a_row() {
    let row = |line: &str| {
        let found = Found::read(line)?;
        Some((found.row("SAFE-9", &["a.rs".into()]), found.is_shrunk_in_time()))
    };
    let begins = "| SAFE-9 | `a.rs` | LostEarly | 3 | 1.005 | ";
    for (said, row_ends, is_in_time) in [
        ("\t977\t6\t249\t82\tdone", "- | 977 | 6 | 249 | 0.082 |\n", true),
        ("\t977\t6\t249\t10001\tdone", "- | 977 | 6 | 249 | 10.001 |\n", false),
        ("\t9\t6\t2\t9000\tnot done", "- | 9 | 6 | 2 | 9.000, not done |\n", false),
        ("SAFE-5 LIVE-1\tnot again", "SAFE-5 LIVE-1 | - | - | - | - |\n", true),
    ] {
        let line = format!("found\tLostEarly\t3\t1005\t{said}");
        assert_eq!(row(&line), Some((format!("{begins}{row_ends}"), is_in_time)));
        assert_eq!(
            row(&line).unwrap().0.matches('|').count(),
            TABLE.head.lines().next().unwrap().matches('|').count()
        );
    }
    assert_eq!(row("found\tLostEarly\t3"), None);
}
