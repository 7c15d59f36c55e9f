use super::{FOUND, STATES, order_of_bugs, order_of_models, with_row};

#[test]
fn a_row_takes_the_place_of_the_one_for_the_same_and_the_order_is_that_of_the_list() {
    let rows = [
        ("w2-t1-b1", "| `w2-t1-b1` | 2 |"),
        ("w9", "| `w9` | 9 |"),
        ("w1-t1-b1-c1", "| `w1-t1-b1-c1` | 1 |"),
        ("w2-t1-b1", "| `w2-t1-b1` | 3 |"),
    ];
    let add =
        |rows: String, (model, row): (&str, &str)| with_row(&rows, model, row, order_of_models);
    let rows = rows.into_iter().fold(String::new(), add);
    assert_eq!(rows, "| `w1-t1-b1-c1` | 1 |\n| `w2-t1-b1` | 3 |\n| `w9` | 9 |\n");
    let bugs = with_row("| TRAP-2 | 2 |\n", "TRAP-1", "| TRAP-1 | 1 |", order_of_bugs);
    assert_eq!(bugs, "| TRAP-1 | 1 |\n| TRAP-2 | 2 |\n");
}

#[test]
fn the_document_has_a_place_for_both_tables() {
    let document = include_str!("../../../docs/simulation.md");
    for table in [STATES, FOUND] {
        assert!(document.contains(table.begin) && document.contains(table.end), "{table:?}");
    }
}
