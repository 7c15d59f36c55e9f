use std::time::Duration;

use super::{printable, roughly, short, table};

#[test]
fn a_table_is_aligned_and_has_no_trailing_spaces() {
    let rows = [
        vec!["gpu-1".to_owned(), "active".to_owned(), String::new()],
        vec!["ä".to_owned(), "disconnected".to_owned(), "stream_lost".to_owned()],
    ];
    let expected = "\
NAME   STATE         REASON
gpu-1  active
ä      disconnected  stream_lost";
    assert_eq!(table(&["NAME", "STATE", "REASON"], &rows), expected);
}

#[test]
fn a_text_of_others_cannot_steer_the_terminal() {
    assert_eq!(printable("a\x1b[2Jb\r\x07\nc"), "a [2Jb  \nc");
    assert_eq!(short("one\ntwo three", 8), "one two…");
    assert_eq!(short("short", 8), "short");
}

#[test]
fn an_age_is_told_in_its_largest_unit() {
    let cases = [
        (0, "250ms"),
        (42, "42s"),
        (119, "119s"),
        (120, "2m"),
        (7_199, "119m"),
        (7_200, "2h"),
        (172_800, "2d"),
    ];
    for (seconds, text) in cases {
        let millis = if seconds == 0 { 250 } else { 0 };
        assert_eq!(roughly(Duration::from_secs(seconds) + Duration::from_millis(millis)), text);
    }
}
