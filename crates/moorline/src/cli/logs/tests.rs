use super::*;
use crate::config::Kind;

#[test]
fn a_level_alone_keeps_libraries_quiet_and_directives_stand_for_themselves() {
    assert_eq!(directives("debug"), format!("debug,{LIBRARIES}"));
    assert_eq!(directives("moorline_driver=trace,info"), "moorline_driver=trace,info");
    for text in [directives("info"), directives("TRACE")] {
        EnvFilter::try_new(text).unwrap();
    }
}

#[test]
fn every_word_of_the_setting_is_a_format() {
    let Kind::Choice(words) = Key::LogFormat.setting().kind else { panic!("no choice") };
    let formats: Vec<_> = words.iter().map(|word| LogFormat::of(word).expect(word)).collect();
    let all = [LogFormat::Auto, LogFormat::Pretty, LogFormat::Logfmt, LogFormat::Json];
    assert_eq!(formats, all);
}

#[test]
fn a_command_without_a_configuration_logs_by_its_flags() {
    let flags = [
        (Key::LogFormat, vec!["logfmt".to_owned()]),
        (Key::LogLevel, vec!["moorline_driver=debug,info".to_owned()]),
    ];
    let settings = LogSettings::of(&flags.into());
    assert_eq!(settings.format, LogFormat::Logfmt);
    assert_eq!(settings.level, Some("moorline_driver=debug,info"));
}
