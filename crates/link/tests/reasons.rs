//! The closed list of reasons, from outside: what a store, a filter or a peer names is found again.

use moorline_link::Reason;

#[test]
fn every_reason_is_found_by_its_code_and_by_its_name_and_nothing_else_is() {
    for reason in Reason::ALL {
        assert_eq!(Reason::from_code(reason.code()), Some(*reason));
        assert_eq!(Reason::from_name(reason.name()), Some(*reason));
    }
    for code in [0, 2100, 2199, u16::MAX] {
        assert!(Reason::ALL.iter().all(|reason| reason.code() != code));
        assert_eq!(Reason::from_code(code), None);
    }
    for name in ["", "stream", "stream_lost ", "STREAM_LOST", "2104"] {
        assert_eq!(Reason::from_name(name), None);
    }
}
