use super::page::page;
use super::subject::{GROUPS, Subject, parse};

#[test]
fn every_code_and_reason_has_everything_there_is_to_say() {
    let all = Subject::all();
    for pair in all.windows(2) {
        assert!(pair[0] < pair[1], "{pair:?}");
    }
    for subject in all {
        for text in [subject.meaning(), subject.when(), subject.hint()] {
            assert!(text.ends_with('.'), "{subject:?}: `{text}`");
        }
        assert!(subject.exit() != 2 || subject.code().number() == 1403, "{subject:?}");
    }
}

#[test]
fn no_group_is_empty_or_out_of_order() {
    for pair in GROUPS.windows(2) {
        assert!(pair[0].0 < pair[1].0, "{pair:?}");
    }
    for (group, title, _) in GROUPS {
        assert!(Subject::all().iter().any(|subject| subject.group() == *group), "{title}");
    }
}

#[test]
fn a_subject_is_found_however_people_write_it() {
    let lost = parse("stream_lost").unwrap();
    for text in ["ML2104", "ml2104", "2104", "STREAM_LOST", "stream-lost", "error[ML2104]:"] {
        assert_eq!(parse(text), Ok(lost), "{text}");
    }
}

#[test]
fn a_typo_is_answered_by_what_was_probably_meant() {
    let suggests = |text| parse(text).unwrap_err();
    assert!(suggests("steam_lost").ends_with("did you mean stream_lost?"));
    assert!(suggests("heartbeat_timout").ends_with("did you mean heartbeat_timeout?"));
    assert!(suggests("ML21041").contains("did you mean ML210"), "{}", suggests("ML21041"));
    assert!(suggests("weather").ends_with("`moorline explain` lists all"));
}

#[test]
fn an_explanation_reads_well() {
    let texts = ["ML2104", "ML3106", "ML3201", "ML4001"].map(|text| parse(text).unwrap().text());
    insta::assert_snapshot!(texts.join("\n\n"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&parse("2104").unwrap().json()).unwrap());
}

#[test]
fn the_page_of_codes_is_the_one_that_was_written() {
    let written = include_str!("../../../../../docs/codes.md");
    let how = "write it again: cargo run -p moorline -- explain --markdown > docs/codes.md";
    assert!(written == page(), "docs/codes.md is not up to date; {how}");
}
