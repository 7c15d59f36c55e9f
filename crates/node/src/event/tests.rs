use std::collections::BTreeSet;

use super::{Detail, EventKind};

/// What a store has written stays readable: a number or a name that was published is never edited.
#[test]
fn every_kind_keeps_its_number_and_its_name() {
    let mut numbers = BTreeSet::new();
    for &kind in EventKind::ALL {
        assert!((1..64).contains(&kind.number()), "{kind}: a set of kinds is a number of 64 bits");
        assert!(numbers.insert(kind.number()), "{kind}: its number is taken");
        assert_eq!(EventKind::from_number(kind.number()), Some(kind));
        assert_eq!(EventKind::from_name(kind.name()), Some(kind));
        assert!(!kind.meaning().is_empty());
    }
    assert_eq!(EventKind::from_number(0), None);
    assert_eq!(EventKind::from_name("task"), None);
    let sorted: Vec<u8> = numbers.into_iter().collect();
    assert!(EventKind::ALL.iter().map(|kind| kind.number()).eq(sorted), "in order");
}

#[test]
fn a_detail_is_one_short_line_whatever_the_text() {
    let odd = format!("{}\u{85}{}", "x".repeat(198), "é".repeat(50));
    let detail = Detail::new(&odd);
    assert!(detail.as_str().len() <= Detail::MAX);
    assert!(!detail.as_str().contains(char::is_control));
    assert!(detail.as_str().starts_with(&"x".repeat(198)));
    assert_eq!(Detail::new("").as_str(), "");
}
