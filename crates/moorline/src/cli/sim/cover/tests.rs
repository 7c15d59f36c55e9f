use moorline_sim::{Coverage, Families, Family, Mode, Plan, run_plan};

use super::{Covered, as_json, files, heads, matrix, of_family};
use crate::cli::exit::Exit;

fn of_partitions() -> Coverage {
    let mut all = Coverage::default();
    for seed in 0..4 {
        let plan = Plan::only(seed, Mode::Honest, Families::NONE.with(Family::N8));
        all.merge(&run_plan(plan).unwrap().coverage);
    }
    all
}

#[test]
fn a_family_that_was_there_has_figures_and_the_others_are_named_as_empty() {
    let coverage = of_partitions();
    let text = matrix(&coverage);
    let line = |family: &str| text.lines().find(|line| line.starts_with(family)).unwrap();
    assert!(line("N8 partition").chars().any(|c| ('1'..='9').contains(&c)), "{text}");
    assert!(line("C2 close").split('.').count() == 15, "{text}");
    let empty = line("families that met nothing: ");
    assert!(empty.contains("C2 close, C3 half-open") && !empty.contains("N8"), "{empty}");
    let widths: Vec<usize> =
        text.lines().skip(1).take(1 + Family::ALL.len()).map(str::len).collect();
    assert!(widths.iter().all(|width| *width == widths[0]), "{text}");
    assert!(widths[0] <= 130, "{}", widths[0]);
}

#[test]
fn one_family_is_shown_frame_by_frame() {
    let text = of_family(&of_partitions(), Family::N8);
    assert!(text.starts_with("N8 partition: Nothing travels"), "{text}");
    assert!(text.contains(&heads()));
    let beats = text.lines().find(|line| line.starts_with("beat ")).unwrap();
    assert!(beats.chars().any(|c| c.is_ascii_digit()), "{text}");
}

#[test]
fn every_cell_that_is_not_empty_is_in_the_json() {
    let covered =
        Covered { of: String::new(), worlds: 4, coverage: of_partitions(), failure: None };
    let value = as_json(&covered, Some(9), Exit::Uncovered);
    assert_eq!(value["cells"].as_array().unwrap().len(), covered.coverage.covered());
    assert_eq!(
        (&value["of"], &value["floor"], &value["exit"]),
        (&Coverage::reachable().into(), &9.into(), &15.into())
    );
    assert!(value["cells"][0]["times"].as_u64() > Some(0));
}

#[test]
fn the_scenario_files_of_a_directory_are_taken_in_order() {
    let home = tempfile::tempdir().unwrap();
    for name in ["b.toml", "a.toml", "a.txt"] {
        std::fs::write(home.path().join(name), "").unwrap();
    }
    let other = home.path().join("a.txt");
    let found = files(&[home.path().to_owned(), other.clone()]).unwrap();
    assert_eq!(found, [home.path().join("a.toml"), home.path().join("b.toml"), other]);
    assert!(files(&[home.path().join("nowhere.toml")]).is_ok(), "it is told when it is read");
}
