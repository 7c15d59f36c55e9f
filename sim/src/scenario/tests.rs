use super::{Expect, Scenario, ScenarioError, parse, tidy, to_text};
use crate::{Base, Decision, Fault, Invariant, Kept, Manner, Plan, Run, Site, What, Who, run_plan};

/// The errors of a text, as places and words.
fn errors(text: &str) -> Vec<(usize, String, String)> {
    let text = format!("format = 1\n{text}");
    let told = |error: ScenarioError| (error.line, error.key, error.what);
    parse(&text).expect_err(&text).into_iter().map(told).collect()
}

#[test]
fn a_plan_is_read_as_it_was_written() {
    for seed in 0..600 {
        let own = [Plan::swallowing(seed), Plan::authenticating(seed)];
        for plan in [Plan::new(seed), Plan::hostile(seed)].into_iter().chain(own) {
            let text = to_text(&plan);
            let read = parse(&text).unwrap_or_else(|errors| panic!("{errors:#?}\n{text}"));
            assert_eq!(read, plan, "{text}");
        }
    }
}

#[test]
fn a_plan_with_decisions_and_without_some_of_its_parts_is_read_as_it_was_written() {
    for seed in 0..15 {
        let taken = Run::new(Plan::new(seed)).with_decisions().go().decisions;
        let mut plan = Plan { base: Base::Benign, decisions: taken, ..Plan::new(seed) };
        plan.decisions.push(Decision { site: Site::Thaw, entity: u64::MAX, k: 1 << 63, value: 7 });
        for (index, task) in plan.tasks.iter_mut().enumerate() {
            task.absent = index % 3 == 1;
        }
        if let Some(last) = plan.workers.last_mut().filter(|_| seed % 2 == 0) {
            last.absent = last.id & 0xff > 0;
        }
        let world = plan.clone();
        plan.episodes.retain(|episode| {
            let struck = episode.fault.strikes(&world);
            let is_gone =
                |who: &Who| matches!(who, Who::Worker(worker) if world.workers[*worker].absent);
            !struck.iter().any(is_gone)
        });
        let text = to_text(&plan);
        let read = parse(&text).unwrap_or_else(|errors| panic!("{errors:#?}\n{text}"));
        assert_eq!(read, tidy(plan.clone()), "{text}");
    }
}

#[test]
fn what_a_scenario_is_about_and_comes_to_is_kept() {
    let about = String::from("Says \"this\"\nand \\that\\\t\u{7}.");
    let expects: Vec<Expect> = What::ALL
        .iter()
        .map(|what| Expect {
            node: Some(Who::Worker(0)),
            task: Some(0),
            words: String::from("some \"words\""),
            after: 3,
            by: Some(5),
            times: Some(0),
            ..Expect::of(*what)
        })
        .collect();
    for invariant in Invariant::ALL {
        let scenario = Scenario {
            about: about.clone(),
            plan: Plan::new(3),
            outcome: Some(invariant),
            expects: expects.clone(),
        };
        assert_eq!(Scenario::parse(&scenario.to_text()), Ok(scenario));
    }
}

#[test]
fn a_fault_is_told_as_a_scenario_says_it() {
    let fault = Fault::Crash {
        who: Who::Worker(1),
        manner: Manner::Killed,
        back: 2_000_000_000,
        kept: Kept::All,
    };
    assert_eq!(super::told(&fault), "crash, node = \"w1\", manner = \"killed\", back = \"2s\"");
}

#[test]
fn every_line_of_a_written_plan_has_one_key_and_every_key_is_explained_once() {
    let text = to_text(&Plan::new(11));
    assert!(text.contains("\nheartbeat = "), "{text}");
    let explained =
        text.lines().filter(|line| line.contains("# How many attempts it runs at once."));
    assert_eq!(explained.count(), 1, "{text}");
}

#[test]
fn an_error_names_its_line_its_key_and_what_was_probably_meant() {
    let wrong = errors(
        "sead = 3\n[settings.worker]\nheartbeet = \"5s\"\n[[episode]]\nat = \"1s\"\nfault = \"crush\"\n",
    );
    let expected = [
        (2, "sead", "there is no such key: did you mean `seed`?"),
        (4, "settings.worker.heartbeet", "there is no such key: did you mean `heartbeat`?"),
        (7, "episode.fault", "there is no `crush`: did you mean `crash`?"),
    ];
    for (line, key, what) in expected {
        assert!(wrong.contains(&(line, key.into(), what.into())), "{key}: {wrong:#?}");
    }
    assert!(wrong.is_sorted_by_key(|(line, ..)| *line), "{wrong:?}");
}

#[test]
fn units_that_are_none_are_refused() {
    for (text, what) in [
        ("[quiet]\nat = 60", "it is the number 60, and has to be a time"),
        ("[quiet]\nat = \"60\"", "`60` has no unit"),
        ("[quiet]\nat = \"60sec\"", "`60sec` has a unit that is none: `sec`"),
        ("[quiet]\nat = \"99d\"", "99d is not within"),
        ("[settings.worker]\nwindow_bytes = \"4kib\"", "`4kib` has a unit that is none: `kib`"),
        ("[settings.worker]\nmultiplier = 0.5", "0.5 is not a factor from 1 to 1000"),
        ("[workload]\ntasks = 3\nfailing = 1.5", "1.5 is no share of all"),
        ("[workload]\ntasks = 3\nfailing = 0.00000001", "0.00000001 is no share of all"),
        ("[links.default]\nup = \"9ms..2ms\"", "min is 9ms, which is longer than max: 2ms"),
        ("seed = -1", "-1 is not within 0 and 18446744073709551615"),
    ] {
        let wrong = errors(text);
        assert!(wrong.len() == 1 && wrong[0].2.starts_with(what), "{text}: {wrong:?}");
    }
}

#[test]
fn what_cannot_be_together_is_refused() {
    let crash = "[[episode]]\nat = \"5s\"\nfault = \"crash\"\nback = \"1s\"\n";
    for (text, key, what) in [
        (format!("{crash}node = \"w3\""), "episode.node", "there is no worker w3; there are {w0}"),
        (
            format!("{crash}node = \"w0\"\n[quiet]\nat = \"4s\""),
            "episode.at",
            "it begins when nothing",
        ),
        (format!("{crash}node = \"w0\"\nlaps = 3"), "episode.laps", "there is no such key"),
        (
            format!("{crash}node = \"coordinator\"\ndisk = \"nothing\""),
            "episode.fault",
            "this is nothing that an honest world does",
        ),
        (
            "[[worker]]\nname = \"w1\"\n[[worker]]\nname = \"w1\"".into(),
            "worker.name",
            "there is \"w1\" already",
        ),
        ("[[worker]]\nname = \"bob\"".into(), "worker.name", "`bob` is no name"),
        ("[settings.coordinator]\nlost_after = \"50ms\"".into(), "settings", ""),
        (
            "[workload]\ntasks = 3\nshortest = \"9s\"".into(),
            "workload.longest",
            "the shortest work is longer",
        ),
        ("[quiet]\ncore = [\"w7\"]".into(), "quiet.core", "there is no worker w7"),
        ("[[episode]]\nfault = \"cut\"\nworker = \"w0\"".into(), "episode.at", "it is missing"),
    ] {
        let wrong = errors(&text);
        assert!(
            wrong.len() == 1 && wrong[0].1 == key && wrong[0].2.starts_with(what),
            "{text}: {wrong:?}"
        );
    }
}

#[test]
fn no_file_makes_a_world_that_is_too_large() {
    for text in [
        "[nodes]\nworkers = 65",
        "[nodes]\nworkers = 1_000_000_000_000_000_000_000",
        "[[worker]]\nname = \"w64\"",
        "[[task]]\nname = \"t10000\"",
        "[[task]]\nname = \"t99999999999999999999999\"",
        "[workload]\ntasks = 10_001",
        "[workload]\ntasks = 10_000\nsize = \"1MB\"",
        "[[task]]\nname = \"t0\"\nsize = \"1GiB\"",
        "[[worker]]\nname = \"w0\"\nslots = 100_000",
        "[quiet]\nat = \"2d\"",
    ] {
        assert_eq!(errors(text).len(), 1, "{text}");
    }
    let many = "[[episode]]\n".repeat(5_000);
    assert_eq!(errors(&many).len(), super::reads::ERRORS_MAX);
    let long = format!("format = 1\nabout = \"{}\"\n", "x".repeat(17 << 20));
    assert_eq!(parse(&long).unwrap_err()[0].line, 1);
}

#[test]
fn what_is_no_toml_or_of_another_form_is_told() {
    assert!(parse("format = \n").unwrap_err()[0].key.is_empty());
    assert_eq!(parse("").unwrap_err()[0].key, "format");
    assert_eq!(parse("format = 2").unwrap_err()[0].key, "format");
    let wrong = parse("format = 1\nworker = 3\nsettings = 7\n").unwrap_err();
    assert_eq!(
        wrong.iter().map(|error| error.key.as_str()).collect::<Vec<_>>(),
        ["worker", "settings"]
    );
    // What an error quotes may be long.
    let wrong =
        parse(&format!("format = 1\n[quiet]\nat = \"{}\"\n", "y".repeat(100_000))).unwrap_err();
    assert!(wrong[0].what.len() < 3_000);
}

#[test]
fn ten_lines_are_a_scenario() {
    let text = r#"
        format = 1
        [nodes]
        workers = 3
        [links.default]
        latency = "1ms..20ms"
        [workload]
        tasks = 30
        every = "500ms"
        [[episode]]
        at = "8s"
        fault = "crash"
        node = "coordinator"
        back = "4s"
        [[episode]]
        at = "10s"
        fault = "freeze"
        node = "w1"
        for = "9s"
    "#;
    let plan = parse(text).unwrap();
    assert_eq!(plan.quiet_at, 20_000_000_000, "when the last fault is over, and a second");
    let report = run_plan(plan).unwrap_or_else(|failure| panic!("\n{failure}"));
    assert_eq!((report.tasks, report.crashes), (30, 1));
}

#[test]
fn the_reference_is_made_of_the_forms_and_has_every_fault() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/scenarios.md");
    let text = super::lists::document();
    for (name, _) in super::parts::episodes::FAULTS {
        assert!(text.contains(&format!("`fault = \"{name}\"`")), "{name}");
    }
    if std::env::var_os("MOORLINE_WRITE_DOCS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        there == text,
        "{path} is not what its source says: run the tests with MOORLINE_WRITE_DOCS=1"
    );
}

#[test]
fn the_example_of_the_reference_is_a_scenario() {
    let text = super::lists::document();
    let example = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let scenario = Scenario::parse(example).unwrap_or_else(|errors| panic!("{errors:#?}"));
    let run = Run::new(scenario.plan.clone()).recorded(1_000_000).go();
    assert_eq!(scenario.unmet(&run.recording.unwrap()), Vec::<String>::new());
    run.result.unwrap_or_else(|failure| panic!("\n{failure}"));
}
