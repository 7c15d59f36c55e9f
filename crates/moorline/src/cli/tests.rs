use clap::{CommandFactory, Parser};

use super::Cli;
use crate::config::Key;

#[test]
fn the_tree_of_commands_holds_together() {
    Cli::command().debug_assert();
}

#[test]
fn the_help_of_every_command_is_as_it_was_reviewed() {
    let mut root = Cli::command().term_width(100);
    root.build();
    let mut texts = Vec::new();
    collect(&root, "moorline", &mut texts);
    insta::assert_snapshot!(texts.join("\n"));
}

fn collect(command: &clap::Command, path: &str, texts: &mut Vec<String>) {
    let mut shown = command.clone().term_width(100);
    texts.push(format!("$ {path} --help\n{}", shown.render_long_help()));
    let children = command.get_subcommands().filter(|child| child.get_name() != "help");
    for child in children.filter(|child| !child.is_hide_set()) {
        collect(child, &format!("{path} {}", child.get_name()), texts);
    }
}

#[test]
fn json_may_be_asked_for_anywhere() {
    for line in [
        &["moorline", "--json", "task", "list"][..],
        &["moorline", "task", "--json", "list"],
        &["moorline", "task", "list", "--json"],
        &["moorline", "worker", "list", "--json"],
        &["moorline", "demo", "--json"],
        &["moorline", "dev", "--json"],
        &["moorline", "version", "--json"],
    ] {
        assert!(Cli::try_parse_from(line).unwrap().global.context().json, "{line:?}");
    }
}

#[test]
fn the_flags_of_the_coordinator_work_as_written() {
    let line = "moorline coordinator --listen grpc://127.0.0.1:8740 --admin-listen 127.0.0.1:8741 \
                --store sqlite:moorline.db --lost-after 90s --start-grace 120s --accept-timeout 10s";
    Cli::try_parse_from(line.split_whitespace()).unwrap();
    for wrong in ["--store=redis://x", "--lost-after=90", "--lost-after=0s", "--accept-timeout=0s"]
    {
        let error = Cli::try_parse_from(["moorline", "coordinator", wrong]).err();
        assert_eq!(error.expect(wrong).exit_code(), 2);
    }
}

#[test]
fn a_configuration_file_may_be_named_anywhere() {
    for line in [
        &["moorline", "--config", "x.toml", "worker"][..],
        &["moorline", "worker", "-c", "x.toml"],
        &["moorline", "worker", "start", "-c", "x.toml"],
        &["moorline", "agent", "--config=x.toml"],
        &["moorline", "coordinator", "start", "-c", "x.toml"],
        &["moorline", "config", "show", "--origin", "-c", "x.toml"],
    ] {
        let cli = Cli::try_parse_from(line).unwrap();
        assert_eq!(cli.global.config.as_deref(), Some(std::path::Path::new("x.toml")), "{line:?}");
    }
}

#[test]
fn the_flags_of_the_logs_are_settings_and_may_be_given_anywhere() {
    for line in [
        &["moorline", "--log-level=debug", "worker"][..],
        &["moorline", "worker", "--log-level=debug"],
        &["moorline", "coordinator", "start", "--log-level", "debug"],
        &["moorline", "task", "list", "--log-level=debug"],
    ] {
        let cli = Cli::try_parse_from(line).unwrap();
        assert_eq!(cli.global.settings.0[&Key::LogLevel], ["debug"], "{line:?}");
        assert_eq!(cli.global.settings.0.len(), 1, "{line:?}");
    }
    for wrong in ["--log-format=xml", "--log-level=inof", "--log-repeat-every=30"] {
        let error = Cli::try_parse_from(["moorline", "worker", wrong]).err();
        assert_eq!(error.expect(wrong).exit_code(), 2);
    }
}
