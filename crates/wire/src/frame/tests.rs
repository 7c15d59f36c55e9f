use super::*;

/// `lane_c` as `LaneC`.
fn camel(name: &str) -> String {
    let words = name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]);
    words.collect()
}

#[test]
fn the_kinds_are_the_fields_of_the_schema() {
    for number in 1..64 {
        let named = shapes::FRAME.path(number).map(|path| camel(&path["Frame.".len()..]));
        let kind = Kind::of(number.into()).map(|kind| format!("{kind:?}"));
        assert_eq!(kind, named, "{number}");
        assert_eq!(Kind::of(number.into()).map_or(number, |kind| kind as u32), number);
    }
}
