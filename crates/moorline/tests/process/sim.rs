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
    broken(home.path());
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

/// A world in which the store applies every end twice.
fn broken(home: &std::path::Path) {
    let plan = out(&sim(home, "plan --seed 3"));
    let broken = plan.replacen("\noutcome = ", "\nsabotage = \"store-repeats\"\noutcome = ", 1);
    std::fs::write(home.join("a b.toml"), broken).unwrap();
}

#[test]
fn a_failure_is_shrunk_to_a_scenario_that_fails_in_the_same_way() {
    let home = tempfile::tempdir().unwrap();
    broken(home.path());
    let shrunk = sim(home.path(), "shrink 'a b.toml' --out small.toml");
    let text = out(&shrunk);
    assert_eq!(shrunk.status.code(), Some(10), "{text}{}", said(&shrunk));
    assert_eq!(said(&shrunk), "wrote small.toml\n");
    assert!(text.contains("nothing more can be left out"), "{text}");
    assert_eq!(text.lines().last(), Some("moorline sim run --scenario small.toml"));
    let whole = json(&sim(home.path(), "run --scenario 'a b.toml' --json"));
    let small = json(&sim(home.path(), "run --scenario small.toml --json"));
    assert_eq!((&small["rule"], &small["exit"]), (&whole["rule"], &10.into()));
    // What is printed is the file.
    let printed = sim(home.path(), "shrink --scenario 'a b.toml'");
    assert_eq!(printed.status.code(), Some(10));
    assert_eq!(out(&printed), std::fs::read_to_string(home.path().join("small.toml")).unwrap());
    assert!(
        said(&printed).ends_with("\nmoorline sim run --scenario 'a b.toml'\n"),
        "{}",
        said(&printed)
    );
    let value = json(&sim(home.path(), "shrink 'a b.toml' --json"));
    assert_eq!((&value["minimal"], &value["rule"]), (&true.into(), &whole["rule"]));
    assert_eq!(value["scenario"].as_str(), Some(out(&printed).as_str()));
    assert!(value["after"]["workers"].as_u64() <= value["before"]["workers"].as_u64());
}

#[test]
fn what_led_to_a_failure_is_told_in_words() {
    let home = tempfile::tempdir().unwrap();
    broken(home.path());
    let told = sim(home.path(), "explain 'a b.toml'");
    let text = out(&told);
    assert_eq!(told.status.code(), Some(10), "{text}{}", said(&told));
    assert!(text.starts_with("a b.toml breaks SAFE-"), "{text}");
    assert_eq!(text.lines().last(), Some("moorline sim run --scenario 'a b.toml'"));
    let value = json(&sim(home.path(), "explain --scenario 'a b.toml' --json"));
    let sentences = value["story"].as_array().unwrap();
    assert!((5..=20).contains(&sentences.len()), "{value}");
    assert!(sentences.iter().any(|sentence| sentence["cause"] == true), "{value}");
    // What the scenario says that it comes to is no failure.
    let text = std::fs::read_to_string(home.path().join("a b.toml")).unwrap();
    let expected = text.replacen("outcome = \"pass\"", "outcome = \"SAFE-1\"", 1);
    std::fs::write(home.path().join("expected.toml"), expected).unwrap();
    for command in ["run", "explain", "shrink"] {
        let output = sim(home.path(), &format!("{command} expected.toml"));
        assert_eq!(output.status.code(), Some(0), "{command}: {}{}", out(&output), said(&output));
    }
}

#[test]
fn a_world_without_a_failure_has_nothing_to_shrink_or_to_explain() {
    let home = tempfile::tempdir().unwrap();
    for (command, what) in [("shrink", "shrink"), ("explain", "explain")] {
        let output = sim(home.path(), &format!("{command} --seed 7"));
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let wanted = format!("seed 7 keeps every promise: there is nothing to {what}\n");
        assert_eq!(out(&output), wanted);
        let value = json(&sim(home.path(), &format!("{command} --seed 7 --json")));
        assert_eq!(value["result"], "pass");
    }
}

#[test]
fn a_small_world_is_searched_and_a_search_that_is_given_up_says_so() {
    let home = tempfile::tempdir().unwrap();
    let whole = sim(home.path(), "check --model w1-t1,w1-t1-x1");
    assert_eq!(whole.status.code(), Some(0), "{}{}", out(&whole), said(&whole));
    assert_eq!(out(&whole).matches("every state was visited").count(), 2, "{}", out(&whole));
    let value = json(&sim(home.path(), "check --model w1-t1 --out found.toml --json"));
    assert_eq!((&value["models"][0]["result"], &value["exit"]), (&"holds".into(), &0.into()));
    assert!(!home.path().join("found.toml").exists(), "nothing was found");
    assert!(value["models"][0]["states"].as_u64() > Some(10), "{value}");
    let given_up = sim(home.path(), "check --model w1-t1,w2-t2-b2-c2-e2 --time 10ms");
    assert_eq!(given_up.status.code(), Some(3), "{}", out(&given_up));
    let again = "moorline sim check --model w2-t2-b2-c2-e2 --time 40ms";
    assert_eq!(out(&given_up).lines().last(), Some(again));
    let first = sim(home.path(), "check --model w2-t2-b2-c2-e2,w1-t1 --time 10ms");
    assert_eq!(first.status.code(), Some(3), "the next one makes it not good: {}", out(&first));
    assert_eq!(out(&first).lines().last(), Some(again));
    let wrong = sim(home.path(), "check --model w2-q1");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(said(&wrong).contains("q1"), "{}", said(&wrong));
}

#[test]
fn coverage_below_its_floor_ends_with_a_code_of_its_own() {
    let home = tempfile::tempdir().unwrap();
    let value = json(&sim(home.path(), "cover --seeds 0..12 --json"));
    let covered = value["covered"].as_u64().unwrap();
    assert!(covered > 100, "{covered}");
    let enough = sim(home.path(), &format!("cover --seeds 0..12 --floor {covered}"));
    assert_eq!(enough.status.code(), Some(0), "{}", out(&enough));
    assert!(out(&enough).contains("\nN8 partition "), "{}", out(&enough));
    let floor = covered + 1;
    let short = sim(home.path(), &format!("cover --seeds 0..12 --floor {floor}"));
    assert_eq!(short.status.code(), Some(15));
    let again = format!("moorline sim cover --seeds 0..12 --floor {floor}");
    assert_eq!(out(&short).lines().last(), Some(again.as_str()));
    // Of files it is what those who wrote them see.
    std::fs::write(home.path().join("plan.toml"), sim(home.path(), "plan --seed 3").stdout)
        .unwrap();
    let of_file = json(&sim(home.path(), "cover . --json"));
    let of_seed = json(&sim(home.path(), "cover --seeds 3..4 --json"));
    assert_eq!(of_file["cells"], of_seed["cells"]);
    assert_eq!(of_file["worlds"], 1);
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

/// How long it took is the one thing that differs.
fn timeless(text: &str) -> String {
    let mut parts = text.split(" in ");
    let mut timeless = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let is_time = rest.len() < part.len() && rest.starts_with(" s");
        timeless += if is_time { " in [time]" } else { " in " };
        timeless += if is_time { rest } else { part };
    }
    timeless
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
    let forgetful = text.replacen("format = 1\n", "format = 1\nsabotage = \"store-forgets\"\n", 1);
    std::fs::write(home.path().join("forgetful.toml"), forgetful).unwrap();
    let mut all = String::new();
    for line in [
        "run --scenario short.toml",
        "run --scenario short.toml --lines 3",
        "run --scenario never.toml",
        "run --scenario forgetful.toml --lines 3",
        "shrink forgetful.toml --out small.toml",
        "explain small.toml",
        "explain short.toml",
        "check --model w1-t1",
        "check --model w9",
        "run",
        "swarm --only weather",
    ] {
        let output = sim(home.path(), line);
        let end = match output.status.code().unwrap() {
            0 => String::new(),
            code => format!("[exit {code}]\n"),
        };
        let told = timeless(&format!("{}{}", out(&output), said(&output)));
        all += &format!("$ moorline sim {line}\n{told}{end}\n");
    }
    insta::assert_snapshot!(all);
}
