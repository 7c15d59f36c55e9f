use std::collections::BTreeSet;

use moorline_link::Reason;

use super::*;
use crate::Code;

fn args(role: Role) -> UnitArgs {
    UnitArgs {
        role,
        user: false,
        kind: Kind::NotifyReload,
        binary: Some("/usr/bin/moorline".into()),
        arguments: Vec::new(),
    }
}

/// Each `Name=value` with its section, or what is none.
fn settings(text: &str) -> Vec<(String, String, String)> {
    let mut section = String::new();
    let mut all = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(name) => section = name.to_owned(),
            None => {
                let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("{line}"));
                all.push((section.clone(), name.to_owned(), value.to_owned()));
            }
        }
    }
    all
}

#[test]
fn the_units_in_the_documents_are_what_the_command_prints() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ops");
    for (role, name) in [(Role::Worker, "worker"), (Role::Coordinator, "coordinator")] {
        let (text, path) = (unit(&args(role)).unwrap(), format!("{root}/moorline-{name}.service"));
        crate::metrics::same_document(&path, &text);
    }
}

#[test]
fn a_unit_has_each_setting_once_in_its_section_and_what_a_service_needs() {
    for role in [Role::Worker, Role::Coordinator] {
        for user in [false, true] {
            let text = unit(&UnitArgs { user, ..args(role) }).unwrap();
            let all = settings(&text);
            let names: BTreeSet<_> = all.iter().map(|(_, name, _)| name).collect();
            // Wants and After are lists, but each is there once too.
            assert_eq!(names.len(), all.len(), "{text}");
            let has = |section: &str, name: &str, value: &str| {
                let wanted = (section.to_owned(), name.to_owned(), value.to_owned());
                assert!(all.contains(&wanted), "{wanted:?} in {text}");
            };
            has("Service", "Type", "notify-reload");
            has("Service", "RestartPreventExitStatus", "2 5 73 74 76 77 78");
            has("Service", "WatchdogSec", "30s");
            has("Install", "WantedBy", if user { "default.target" } else { "multi-user.target" });
            let needs_root = all.iter().any(|(_, name, _)| name == "DynamicUser");
            assert_eq!(needs_root, !user);
        }
    }
    let old = unit(&UnitArgs { kind: Kind::Notify, ..args(Role::Worker) }).unwrap();
    assert!(old.contains("Type=notify\nExecReload="), "{old}");
}

#[test]
fn a_restart_is_prevented_exactly_where_it_cannot_help() {
    let prevented: BTreeSet<u8> = PREVENT.split(' ').map(|code| code.parse().unwrap()).collect();
    let useless = [
        Exit::Usage,
        Exit::Conflict,
        Exit::InUse,
        Exit::Io,
        Exit::Version,
        Exit::Denied,
        Exit::Config,
    ];
    assert_eq!(prevented, useless.map(|exit| exit as u8).into());
    for reason in [Reason::AttemptsExhausted, Reason::CoordinatorOverloaded] {
        assert!(!prevented.contains(&(Exit::from(reason) as u8)), "{reason}");
    }
    assert!(prevented.contains(&(Exit::from(Code::SETTING) as u8)));
}

#[test]
fn what_is_given_is_started_word_for_word() {
    let arguments = ["--name=w 1", "--handler=a=sh -c \"echo 100% $HOME\"", "--slots=2"];
    let arguments = arguments.map(str::to_owned).into();
    let text = unit(&UnitArgs { arguments, ..args(Role::Worker) }).unwrap();
    let wanted = "ExecStart=/usr/bin/moorline worker \"--name=w 1\" \
                  \"--handler=a=sh -c \\\"echo 100%% $$HOME\\\"\" --slots=2\n";
    assert!(text.contains(wanted), "{text}");
    let relative = UnitArgs { binary: Some("moorline".into()), ..args(Role::Worker) };
    assert_eq!(unit(&relative).unwrap_err().code(), Code::SETTING);
}
