use moorline_link::Reason;

use super::Code;

#[test]
fn every_code_is_unique_and_says_what_it_means_and_what_to_do() {
    for pair in Code::ALL.windows(2) {
        assert!(pair[0] < pair[1], "{} and {} are out of order", pair[0], pair[1]);
    }
    for &code in Code::ALL {
        assert!(code.meaning().ends_with('.'), "{code}");
        assert!(code.hint().ends_with('.'), "{code}");
        assert_eq!(Reason::from_code(code.number()), None, "{code} is a reason's");
    }
}

#[test]
fn a_code_is_parsed_from_its_own_text_only() {
    for &code in Code::ALL {
        assert_eq!(Code::parse(&code.to_string()), Some(code));
    }
    for text in ["", "ML", "4001", "ML+401", "ML401", "ML40011", "ml4001"] {
        assert_eq!(Code::parse(text), None, "{text}");
    }
}

#[test]
fn a_reason_lends_its_words_to_its_code() {
    let code = Code::from(Reason::NameConflict);
    assert_eq!(code.to_string(), "ML3106");
    assert_eq!(code.hint(), Reason::NameConflict.remedy());
}
