//! The reference: every key of every table, made of the same forms that read and write them.

use std::fmt::Write;

use super::expect::{self, Expect};
use super::file;
use super::form::{Form, Key};
use super::kind::Kind;
use super::latency;
use super::parts::{decisions, episodes, head, nodes, settings, workload};
use crate::plan::{CoordinatorPlan, Episode, Latency, Lull, MS};
use crate::{Base, Settings, What};

/// One table of keys.
#[derive(Debug, Default)]
struct Lists {
    rows: String,
    named: Vec<&'static str>,
}

impl Lists {
    fn row(&mut self, key: Key, form: &str, standard: &str) {
        if self.named.contains(&key.name) {
            return;
        }
        self.named.push(key.name);
        let standard = if key.needed { "needed" } else { standard };
        let form = form.replace('|', "\\|");
        let _ = writeln!(self.rows, "| `{}` | {form} | {standard} | {} |", key.name, key.doc);
    }
}

impl Form for Lists {
    fn field(&mut self, key: Key, kind: Kind, value: Option<i128>) -> Option<i128> {
        let standard = key.unless.or(value).map(|value| format!("`{}`", kind.show(value)));
        self.row(key, &kind.form(), &standard.unwrap_or_else(|| "nothing".into()));
        value
    }

    fn latency(&mut self, key: Key, value: &mut Latency) {
        let short = latency::short(value).unwrap_or_default();
        self.row(key, latency::FORM, &format!("`{short}`"));
    }

    fn text(&mut self, key: Key, _value: &mut String) {
        self.row(key, "a string", "nothing");
    }
}

const HEAD: &str = "\
# Scenario files

<!-- Made from sim/src/scenario by `MOORLINE_WRITE_DOCS=1 cargo test -p moorline-sim --lib scenario`; a test compares. -->

A scenario is everything that happens in a world of the simulator: settings, workers, tasks, and what goes wrong when. A
seed is only a way to make one: `moorline sim plan --seed 42` prints the scenario of a seed, `moorline sim run --scenario FILE`
runs it, and what a swarm finds is kept as one.

- It is TOML and begins with `format = 1`. Unknown keys, units that are none, impossible values and names of nobody are errors,
  all of them told at once with their lines.
- Times, sizes and rates are strings with a unit: `\"12.5s\"`, `\"1m30s\"`, `\"128KiB\"`, `\"1MB/s\"`. They are read exactly.
- What is left out has the default of the tables below, so that ten lines are a scenario. What the simulator writes is complete.
- Workers are called `w0`, `w1` and so on, tasks `t0`, `t1` and so on. The numbers are names: where some are left out the others
  keep theirs, and every decision about them stays as it was.

```toml
format = 1
[nodes]
workers = 3
[links.default]
latency = \"1ms..20ms\"
[workload]
tasks = 30
[[episode]]
at = \"8s\"
fault = \"crash\"
node = \"coordinator\"
back = \"4s\"
[[expect]]
happens = \"state\"
node = \"w1\"
state = \"active\"
after = \"12s\"
by = \"15s\"
```
";

/// The document docs/scenarios.md.
pub(super) fn document() -> String {
    let mut out = HEAD.to_owned();
    let mut plan = file::blank();
    plan.quiet_at = 10_000 * MS;
    let mut table = |title: &str, about: &str, fields: &mut dyn FnMut(&mut Lists)| {
        let mut lists = Lists::default();
        fields(&mut lists);
        let _ = write!(
            out,
            "\n## {title}\n\n{about}\n\n| key | value | default | what it is for |\n| --- | --- | --- | --- |\n{}",
            lists.rows
        );
    };
    table("The head", "At the top of the file.", &mut |lists| {
        head::head(lists, &mut String::new(), &mut None, &mut plan);
    });
    table(
        "`[quiet]`",
        "When the faults end. Then everybody has to be back, and everything has to end, in a time that follows from the settings. Left out, it is a second after the last fault is over, the last task handed in and the last process begun, and not before 10 s.",
        &mut |lists| head::quiet(lists, &mut plan),
    );
    table("`[lull]`", "A time without faults between them.", &mut |lists| {
        head::lull(lists, &mut Lull { at: 0, lasts: 0 });
    });
    table("`[settings.worker]`", "How the workers' links are set.", &mut |lists| {
        settings::worker(lists, &mut Settings::standard());
        settings::jitter_keys(lists);
    });
    table("`[settings.coordinator]`", "How the coordinator is set.", &mut |lists| {
        settings::coordinator(lists, &mut Settings::standard());
    });
    table("`[settings.world]`", "What the world around them is like.", &mut |lists| {
        settings::world(lists, &mut Settings::standard());
    });
    table(
        "`[links.default]`",
        "The links of workers that have none of their own; `latency` stands for `up` and `down`.",
        &mut |lists| {
            let one = Latency::Fixed { at: MS };
            lists.latency(Key::new("latency", "The latency of both ways."), &mut one.clone());
            nodes::link(lists, &mut one.clone(), &mut one.clone(), &mut 0);
        },
    );
    table("`[coordinator]`", "The coordinator's process and its machine.", &mut |lists| {
        nodes::coordinator(lists, &mut CoordinatorPlan::default());
    });
    table(
        "`[nodes]`",
        "Workers of whom nothing else is said. Left out, and no `[[worker]]`: one.",
        &mut |lists| {
            file::nodes(lists, &mut None);
        },
    );
    table("`[[worker]]`", "One worker, its machine and its link.", &mut |lists| {
        let one = Latency::Fixed { at: MS };
        lists.field(file::NAME, Kind::Worker, None);
        nodes::worker(lists, &mut nodes::worker_of(0, one, one, 0));
    });
    table(
        "`[workload]`",
        "Tasks that are not written one by one. Which handler each wants and how long it works is decided by the seed.",
        &mut |lists| {
            workload::workload(lists, &mut workload::STANDARD.clone());
        },
    );
    table("`[[task]]`", "One task, and how its handlers behave.", &mut |lists| {
        lists.field(file::NAME, Kind::Task, None);
        nodes::task(lists, &mut nodes::task_of(0));
    });
    table(
        "`[[expect]]`",
        "What is to happen, and by when: `moorline sim run` says what of it did not. `happens` is a kind of record; what `--lines` shows are the words of records.",
        &mut |lists| {
            for what in What::ALL {
                expect::expect(lists, &mut Expect::of(*what));
            }
        },
    );
    table(
        "`[decisions]`",
        "What is decided on the way: latencies, how long handlers run, how late timers fire. `taken = [{ site = …, entity = …, k = …, value = … }, …]` lays some of them down; mostly a shrinker writes them.",
        &mut |lists| {
            decisions::base(lists, &mut Base::Random);
            decisions::decision(lists, &mut decisions::NONE.clone());
        },
    );
    for (place, (name, fault)) in episodes::FAULTS.iter().enumerate() {
        let family = fault.family();
        let title = format!("`[[episode]]` with `fault = \"{name}\"`");
        let about = format!("{} {}: {}", family.name(), family.title(), family.meaning());
        table(&title, &about, &mut |lists| {
            let mut episode = Episode { at: 0, moment: None, fault: *fault };
            episodes::episode(lists, &mut episode);
            for more in episodes::variants(place) {
                episodes::episode(lists, &mut Episode { fault: more, ..episode });
            }
        });
    }
    out
}
