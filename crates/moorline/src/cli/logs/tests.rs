use super::*;

#[test]
fn a_level_alone_keeps_libraries_quiet_and_directives_stand_for_themselves() {
    assert_eq!(directives("debug"), format!("debug,{LIBRARIES}"));
    assert_eq!(directives("moorline_driver=trace,info"), "moorline_driver=trace,info");
    for text in [directives("info"), directives("TRACE")] {
        EnvFilter::try_new(text).unwrap();
    }
}
