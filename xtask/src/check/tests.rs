use super::{FOUND, STATES, order_of_bugs, order_of_models, with_row};

#[test]
fn a_row_takes_the_place_of_the_one_for_the_same_and_the_order_is_that_of_the_list() {
    let empty = format!("above\n{}{}\nbelow", STATES.begin, STATES.end);
    let rows = [
        ("w2-t1-b1", "| `w2-t1-b1` | 2 |"),
        ("w9", "| `w9` | 9 |"),
        ("w1-t1-b1-c1", "| `w1-t1-b1-c1` | 1 |"),
        ("w2-t1-b1", "| `w2-t1-b1` | 3 |"),
    ];
    let document = rows.iter().fold(empty, |document, (model, row)| {
        with_row(&document, STATES, model, row, order_of_models).expect("there is a place for it")
    });
    let rows = "| `w1-t1-b1-c1` | 1 |\n| `w2-t1-b1` | 3 |\n| `w9` | 9 |\n";
    let expected = format!("above\n{}{}{rows}{}\nbelow", STATES.begin, STATES.head, STATES.end);
    assert_eq!(document, expected);
    with_row(&document, FOUND, "TRAP-1", "| TRAP-1 |", order_of_bugs).expect_err("no such table");
}

#[test]
fn the_document_has_a_place_for_both_tables() {
    let document = include_str!("../../../docs/simulation.md");
    for table in [STATES, FOUND] {
        assert!(document.contains(table.begin) && document.contains(table.end), "{table:?}");
    }
}
