use super::super::mutant::{self, Mutant};
use super::{Switched, switched};

const SOURCE: &str = "fn é(a: u8, b: u8) -> bool {
    a + 1 < b && !(b == 2)
}
const fn two(of: Two) -> Two {
    match of { Two { a, .. } if a > 1 => Two { a: 3, ..of }, _ => of }
}
fn three(x: Option<u8>, b: bool) -> bool {
    if let Some(0) = x && b { false } else { true }
}
const FOUR: u8 = 2 + 2;
";

/// Mutants: the text they replace and how often it was before, by what, which genre, in a function or not.
fn mutants(of: &[(&str, usize, &str, &str, bool)]) -> Vec<Mutant> {
    let one = |(text, nth, by, genre, inside): &(&str, usize, &str, &str, bool)| {
        let from = SOURCE.match_indices(text).nth(*nth).unwrap().0;
        let place = |at: usize| {
            let line = 1 + SOURCE[..at].matches('\n').count();
            let begin = SOURCE[..at].rfind('\n').map_or(0, |at| at + 1);
            let column = 1 + SOURCE[begin..at].chars().count();
            format!(r#"{{"line": {line}, "column": {column}}}"#)
        };
        let (start, end) = (place(from), place(from + text.len()));
        let function = if *inside { "{}" } else { "null" };
        format!(
            r#"{{"package": "p", "file": "f.rs", "name": "f.rs:1:1: replace {text} with {by}", "genre": "{genre}",
            "function": {function}, "replacement": "{by}", "span": {{"start": {start}, "end": {end}}}}}"#
        )
    };
    let list: Vec<String> = of.iter().map(one).collect();
    mutant::read(&format!("[{}]", list.join(", ")), |_| Ok(SOURCE.to_owned())).unwrap()
}

fn with(of: &[(&str, usize, &str, &str, bool)]) -> Switched {
    let mutants = mutants(of);
    let numbered: Vec<(usize, &Mutant)> = (1..).zip(&mutants).collect();
    switched(SOURCE, &numbered).unwrap()
}

#[test]
fn without_mutants_a_file_stays_as_it_is() {
    assert_eq!(with(&[]), Switched { text: SOURCE.to_owned(), ..Switched::default() });
}

#[test]
fn an_operator_is_chosen_with_both_its_sides_and_the_wrong_ones_are_as_they_were() {
    let made = with(&[
        ("&&", 0, "||", "BinaryOperator", true),
        ("+", 0, "-", "BinaryOperator", true),
        ("+", 0, "*", "BinaryOperator", true),
        ("!", 0, "", "UnaryOperator", true),
    ]);
    let expected = "(if crate::wrong::is(1) {a + 1 < b || !(b == 2)} else \
        {(if crate::wrong::is(2) {a - 1} else if crate::wrong::is(3) {a * 1} else {a + 1}) < b && \
        (if crate::wrong::is(4) {(b == 2)} else {!(b == 2)})})";
    assert_eq!(made.text, SOURCE.replace("a + 1 < b && !(b == 2)", expected));
    for (range, number) in &made.wrong {
        let wrong = ["a + 1 < b || !(b == 2)", "a - 1", "a * 1", "(b == 2)"][number - 1];
        assert_eq!(&made.text[range.clone()], wrong);
    }
    let numbers: Vec<&[usize]> = made.switches.iter().map(|(_, all)| &**all).collect();
    assert_eq!(numbers, [&[2, 3][..], &[4], &[1]]);
    let whole = |range: &std::ops::Range<usize>| {
        made.text[range.clone()].starts_with("(if") && made.text[range.clone()].ends_with("})")
    };
    assert!(made.switches.iter().all(|(range, _)| whole(range)));
    assert!(made.constant.is_empty());
}

#[test]
fn a_body_is_left_before_the_first_thing_in_it() {
    let body = "a + 1 < b && !(b == 2)";
    let made = with(&[(body, 0, "true", "FnValue", true), ("&&", 0, "||", "BinaryOperator", true)]);
    let expected = "if crate::wrong::is(1) {return true;} \
        (if crate::wrong::is(2) {a + 1 < b || !(b == 2)} else {a + 1 < b && !(b == 2)})";
    assert_eq!(made.text, SOURCE.replace(body, expected));
}

#[test]
fn conditions_of_arms_and_fields_are_switched_and_known_to_be_in_a_constant_function() {
    let made = with(&[
        ("a > 1", 0, "true", "MatchArmGuard", true),
        (">", 2, "<", "BinaryOperator", true),
        ("a: 3,", 0, "", "StructField", true),
    ]);
    let guard = "(if crate::wrong::is(1) {true} else if crate::wrong::is(2) {a < 1} else {a > 1})";
    let field = "(if crate::wrong::is(3) {Two {  ..of }} else {Two { a: 3, ..of }})";
    let expected = SOURCE.replace("a > 1", guard).replace("Two { a: 3, ..of }", field);
    assert_eq!(made.text, expected);
    assert_eq!(made.constant, [1, 2, 3]);
}

#[test]
fn what_can_have_no_switch_has_none() {
    let made = with(&[
        ("&&", 1, "||", "BinaryOperator", true),
        ("+", 1, "-", "BinaryOperator", false),
        ("true", 0, "1", "Another", true),
    ]);
    assert_eq!(made.text, SOURCE);
}
