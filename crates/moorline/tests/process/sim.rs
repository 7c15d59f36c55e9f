//! `moorline sim` as people and CI use it.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::rig::MOORLINE;

fn sim(home: &std::path::Path, line: &str) -> Output {
    Command::new(MOORLINE)
        .arg("sim")
        .args(shell_words::split(line).unwrap())
        .current_dir(home)
        .env_remove("COLUMNS")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}{}", out(output), said(output)))
}

#[test]
fn a_plan_that_is_printed_runs_as_its_seed_does() {
    let home = tempfile::tempdir().unwrap();
    for flags in ["--seed 42", "--seed 42 --mode hostile"] {
        let plan = sim(home.path(), &format!("plan {flags}"));
        assert_eq!(plan.status.code(), Some(0), "{}", said(&plan));
        std::fs::write(home.path().join("plan.toml"), &plan.stdout).unwrap();
        let by_seed = json(&sim(home.path(), &format!("run {flags} --json")));
        let by_file = json(&sim(home.path(), "run --scenario plan.toml --json"));
        assert_eq!(by_seed, by_file);
        assert_eq!(by_seed["result"], "pass");
        let printed = json(&sim(home.path(), &format!("plan {flags} --json")));
        assert_eq!(printed["scenario"].as_str(), Some(out(&plan).as_str()));
    }
}

#[test]
fn a_failure_ends_with_the_command_that_repeats_it() {
    let home = tempfile::tempdir().unwrap();
    let plan = out(&sim(home.path(), "plan --seed 3"));
    let broken = plan.replacen("\noutcome = ", "\nsabotage = \"store-forgets\"\noutcome = ", 1);
    std::fs::write(home.path().join("a b.toml"), broken).unwrap();
    let first = sim(home.path(), "run --scenario 'a b.toml'");
    let text = out(&first);
    assert_eq!(first.status.code(), Some(10), "{text}");
    assert!(said(&first).is_empty(), "{}", said(&first));
    assert!(text.contains("a b.toml breaks SAFE-"), "{text}");
    let last = text.lines().last().unwrap();
    assert_eq!(last, "moorline sim run --scenario 'a b.toml'");
    let again = sim(home.path(), last.strip_prefix("moorline sim ").unwrap());
    assert_eq!((again.status.code(), out(&again)), (Some(10), text.clone()));
    let value = json(&sim(home.path(), "run --scenario 'a b.toml' --json"));
    assert_eq!((&value["result"], &value["exit"]), (&"fail".into(), &10.into()));
    assert_eq!(value["replay"], last);
}

#[test]
fn everything_that_is_wrong_with_a_scenario_is_told_at_once() {
    let home = tempfile::tempdir().unwrap();
    let text = "format = 1\n[quiet]\nat = \"60\"\n[[episode]]\nat = \"1s\"\nfault = \"crush\"\nnode = \"w9\"\n";
    std::fs::write(home.path().join("wrong.toml"), text).unwrap();
    let output = sim(home.path(), "run --scenario wrong.toml");
    assert_eq!(output.status.code(), Some(65));
    insta::assert_snapshot!(said(&output));
    let missing = sim(home.path(), "run --scenario missing.toml");
    assert_eq!(missing.status.code(), Some(65));
    assert!(
        said(&missing).starts_with("error[ML1301]: missing.toml cannot be read"),
        "{}",
        said(&missing)
    );
}

#[test]
fn a_swarm_says_how_many_worlds_it_ran_and_is_the_same_with_other_threads() {
    let home = tempfile::tempdir().unwrap();
    let one = json(&sim(home.path(), "swarm --seeds 0..60 --jobs 1 --json"));
    let more = json(&sim(home.path(), "swarm --seeds 0..60 --jobs 3 --json"));
    assert_eq!((&one["worlds"], &one["result"]), (&60.into(), &"pass".into()));
    assert_eq!(one["hash"], more["hash"]);
    assert_eq!(one["packets"], more["packets"]);
    let text = sim(home.path(), "swarm --seeds 0..60");
    assert_eq!(text.status.code(), Some(0));
    assert!(said(&text).is_empty(), "no progress where there is no terminal");
    let text = out(&text);
    assert!(text.starts_with("60 worlds of the seeds 0..60 in "), "{text}");
    assert!(text.contains(&format!("hash {}", one["hash"].as_str().unwrap())), "{text}");
}

#[test]
fn worlds_that_are_run_twice_do_the_same() {
    let home = tempfile::tempdir().unwrap();
    let output = sim(home.path(), "same --seeds 0..20");
    assert_eq!(output.status.code(), Some(0));
    assert!(
        out(&output).starts_with("20 worlds ran twice and did the same: hash "),
        "{}",
        out(&output)
    );
    let value = json(&sim(home.path(), "same --seed 7 --json"));
    assert_eq!((&value["result"], &value["worlds"]), (&"same".into(), &1.into()));
}

#[test]
fn pictures_are_written_where_they_were_asked_for() {
    let home = tempfile::tempdir().unwrap();
    let output = sim(home.path(), "run --seed 7 --html run.html --svg run.svg");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let read = |name: &str| std::fs::read_to_string(home.path().join(name)).unwrap();
    assert!(read("run.html").contains("<script"));
    assert!(read("run.svg").starts_with("<svg"));
    let nowhere = sim(home.path(), "run --seed 7 --svg no/such/place.svg");
    assert_eq!(nowhere.status.code(), Some(74));
    assert!(said(&nowhere).starts_with("error[ML1303]: "), "{}", said(&nowhere));
}

#[test]
fn what_people_read_is_as_it_was_reviewed() {
    let home = tempfile::tempdir().unwrap();
    let text = concat!(
        "format = 1\n[decisions]\nbase = \"benign\"\n[[task]]\nname = \"t0\"\n[[episode]]\nat = \"5s\"\n",
        "fault = \"crash\"\nnode = \"coordinator\"\nback = \"3s\"\n",
        "[[expect]]\nhappens = \"starts\"\ntask = \"t0\"\ntimes = 1\n",
    );
    std::fs::write(home.path().join("short.toml"), text).unwrap();
    std::fs::write(
        home.path().join("never.toml"),
        format!("{text}[[expect]]\nhappens = \"aborts\"\n"),
    )
    .unwrap();
    let mut all = String::new();
    for line in [
        "run --scenario short.toml",
        "run --scenario short.toml --lines 3",
        "run --scenario never.toml",
        "run",
        "swarm --only weather",
    ] {
        let output = sim(home.path(), line);
        let end = match output.status.code().unwrap() {
            0 => String::new(),
            code => format!("[exit {code}]\n"),
        };
        all += &format!("$ moorline sim {line}\n{}{}{end}\n", out(&output), said(&output));
    }
    insta::assert_snapshot!(all);
}
