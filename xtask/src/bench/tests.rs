use super::icount::{Counts, compare, parse, text};
use super::{GROUPS, cargo, report};

fn counts(list: &[(&str, u64)]) -> Counts {
    list.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[test]
fn a_group_is_named_and_a_part_only_of_one_that_has_it() {
    let named = |name: &str| -> Vec<&str> {
        GROUPS.iter().filter(|group| group.is_named(name)).map(|group| group.name).collect()
    };
    assert_eq!(named("transports"), ["transports"]);
    assert_eq!(named("transports/memory"), ["transports"]);
    for wrong in ["transports/", "transports/idle", "memory/speed", "transport"] {
        assert_eq!(named(wrong), [""; 0], "{wrong}");
    }
}

#[test]
fn counts_are_read_as_they_were_written() {
    let counted = counts(&[("link heartbeat", 900), ("wire encode_beat", 80)]);
    let (compiler, read) = parse(&text("rustc 1.95.0 for x86_64", &counted)).unwrap();
    assert_eq!((compiler.as_str(), read), ("rustc 1.95.0 for x86_64", counted));
    assert!(parse("").is_err());
    assert!(parse("rustc\nheartbeat").is_err());
}

#[test]
fn only_what_is_more_than_five_hundredths_worse_new_or_gone_fails() {
    let committed = counts(&[("better", 1_000), ("same", 1_000), ("gone", 1)]);
    let counted = counts(&[("better", 500), ("same", 1_050), ("new", 1)]);
    let (lines, worse) = compare(&committed, &counted);
    assert_eq!(worse, ["new", "gone"]);
    assert!(lines.contains("better: 1000 -> 500 (-50.0 %)"), "{lines}");
    assert!(lines.contains("same: 1000 -> 1050 (+5.0 %)"), "{lines}");
    let (_, worse) = compare(&committed, &counts(&[("better", 1), ("same", 1_051), ("gone", 1)]));
    assert_eq!(worse, ["same"]);
}

#[test]
fn the_committed_counts_can_be_read() {
    let (compiler, counts) = parse(include_str!("../../../docs/bench/icount.txt")).unwrap();
    assert!(compiler.starts_with("rustc "), "{compiler}");
    for bench in ["machines ", "dispatch ", "wire "] {
        assert!(counts.keys().any(|name| name.starts_with(bench)), "{bench}");
    }
    assert!(counts.values().all(|count| *count > 10), "{counts:?}");
}

#[test]
fn a_figure_is_compared_with_the_peer_that_follows_it() {
    let line = |what: &str, median: u32| {
        format!("{{\"bench\":\"x\",\"what\":\"{what}\",\"median_ns\":{median}.0}}\n")
    };
    let lines = [line("hub_1000", 100), line("hub_1000000", 250), line("peer: a map", 50)].concat();
    let said = report::ratios(&format!("not JSON\n{lines}{{\"what\":\"no median\"}}\n")).unwrap();
    assert_eq!(
        said,
        [
            "hub_1000: 2.00 times a map",
            "hub_1000000: 5.00 times a map",
            "a hub of 1,000,000: 2.50 times a hub of 1,000",
        ]
    );
}

#[test]
fn programs_are_found_among_the_messages_of_cargo() {
    let messages = "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"a\"},\"executable\":null}\n\
                    {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"wire\"},\"executable\":\"/t/wire\"}\n\
                    {\"reason\":\"build-finished\",\"success\":true}\n";
    let found = cargo::programs(messages).unwrap();
    assert_eq!(found, [("wire".to_owned(), "/t/wire".into())]);
}
