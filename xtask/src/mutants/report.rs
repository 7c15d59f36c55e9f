//! The table in `docs/mutants.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::mutant::Mutant;
use super::reasons::Reasons;
use super::state::{Fate, State};

/// Counts of some mutants.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Counts {
    all: usize,
    unviable: usize,
    caught: usize,
    timed_out: usize,
    /// Survived, and changes nothing.
    equivalent: usize,
    /// Survived without a reason.
    survived: usize,
    unknown: usize,
}

impl Counts {
    fn add(&mut self, fate: Option<&Fate>, is_explained: bool) {
        self.all += 1;
        match fate {
            None | Some(Fate::Open) => self.unknown += 1,
            Some(Fate::Unviable) => self.unviable += 1,
            Some(Fate::Caught { .. }) => self.caught += 1,
            Some(Fate::TimedOut { .. }) => self.timed_out += 1,
            Some(Fate::Missed | Fate::Survived) if is_explained => self.equivalent += 1,
            Some(Fate::Missed | Fate::Survived) => self.survived += 1,
        }
    }

    /// Of those that change something and were tried, in tenths of a percent.
    fn share(&self) -> String {
        let caught = self.caught + self.timed_out;
        let of = caught + self.survived;
        if of == 0 {
            return "–".to_owned();
        }
        let tenths = caught * 1_000 / of;
        format!("{}.{} %", tenths / 10, tenths % 10)
    }

    fn row(&self, name: &str) -> String {
        let Self { all, unviable, caught, timed_out, equivalent, survived, unknown } = self;
        let share = self.share();
        format!(
            "| {name} | {all} | {unknown} | {unviable} | {caught} | {timed_out} | {equivalent} | {survived} | {share} |\n"
        )
    }
}

/// The whole document.
pub(super) fn write(all: &[Mutant], state: &State, reasons: &Reasons, decisive: &[&str]) -> String {
    let mut files = BTreeMap::<&str, Counts>::new();
    let (mut sum, mut first) = (Counts::default(), Counts::default());
    for mutant in all {
        let (fate, is_explained) = (state.of(mutant), reasons.of(mutant).is_some());
        files.entry(&mutant.file).or_default().add(fate, is_explained);
        sum.add(fate, is_explained);
        if decisive.iter().any(|end| mutant.file.ends_with(end)) {
            first.add(fate, is_explained);
        }
    }
    let mut text = "# Mutants\n\n\
        Written by `cargo xtask mutants`: every way cargo-mutants knows to make a line of `link` and `work` wrong, and\n\
        whether a test notices. A mutant is shown to the package's own tests first, and what they miss to those of the\n\
        nodes and to 400 worlds of the simulator. *Caught*: a test failed, or *did not end* in five times the CPU time it takes.\n\
        *Equivalent*: nothing that anybody can see changes, with the reason below. The share is of those that were tried\n\
        and change something. Lines that only a build with a planted bug has are left out. What is known of a line holds\n\
        until the line changes. *Not judged yet*: nobody has tried it, or only the quickest of its tests, and they missed it.\n\n"
        .to_owned();
    let head = "| file | mutants | not judged yet | do not compile | caught | did not end | equivalent | survive | caught of those |\n\
        | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";
    text.push_str(head);
    text.push_str(&sum.row("all"));
    text.push_str(&first.row("the decisive files"));
    for (file, counts) in &files {
        text.push_str(&counts.row(&format!("`{}`", file.trim_start_matches("crates/"))));
    }
    let survives =
        |mutant: &&Mutant| matches!(state.of(mutant), Some(Fate::Missed | Fate::Survived));
    let alive: Vec<&Mutant> = all.iter().filter(survives).collect();
    text.push_str("\n## What survives\n\n");
    if alive.is_empty() {
        text.push_str("Nothing.\n");
        return text;
    }
    text.push_str("| where | what | why no test can notice |\n| --- | --- | --- |\n");
    for mutant in alive {
        let why = reasons.of(mutant).unwrap_or(match state.of(mutant) {
            Some(Fate::Missed) => "*to be tested: the second stage has not seen it yet*",
            _ => "*to be tested*",
        });
        let place = mutant.name.splitn(4, ':').take(2).collect::<Vec<_>>().join(":");
        let place = place.trim_start_matches("crates/");
        let what = mutant.what.replace('|', "\\|");
        let _ = writeln!(text, "| `{place}` | `{what}` | {why} |");
    }
    text
}
