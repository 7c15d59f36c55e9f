//! `bench`: the figures of docs/performance.md, each beside its peer in the same run; and the counts of
//! instructions that guard against regressions.

mod cargo;
mod icount;
mod report;

use std::process::Command;

use crate::Outcome;

/// A group of figures: its name, what it measures, and how.
struct Group {
    name: &'static str,
    about: &'static str,
    package: &'static str,
    bench: &'static str,
    /// What the benchmark is told beside `--quick`.
    args: &'static [&'static str],
    /// It starts the command as users do, and is told where it is.
    needs_command: bool,
}

const fn machine(
    name: &'static str,
    about: &'static str,
    package: &'static str,
    bench: &'static str,
) -> Group {
    Group { name, about, package, bench, args: &[], needs_command: false }
}

const GROUPS: &[Group] = &[
    machine(
        "link",
        "heartbeats and messages; a hub of 1,000 to 1,000,000",
        "moorline-link",
        "machines",
    ),
    Group {
        args: &["--timers"],
        ..machine("timers", "deadlines of a hub", "moorline-link", "machines")
    },
    machine("wire", "frames to bytes and back", "moorline-wire", "wire"),
    machine(
        "dispatch",
        "tasks through the dispatcher, without a store",
        "moorline-work",
        "dispatch",
    ),
    machine("store", "group commit; reading beside 1,000,000 events", "moorline-store", "commit"),
    machine(
        "tasks",
        "whole tasks through two processes, beside bare tonic",
        "moorline-driver",
        "tasks",
    ),
];

pub(crate) fn run(args: &[String]) -> Outcome {
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--check"] => return icount::check(),
        ["--update"] => return icount::update(),
        _ => {}
    }
    let (flags, names): (Vec<&str>, Vec<&str>) =
        args.iter().map(String::as_str).partition(|arg| arg.starts_with("--"));
    if let Some(flag) = flags.iter().find(|flag| **flag != "--quick") {
        return Err(format!("{flag}: there are --quick, --check and --update").into());
    }
    let unknown = names.iter().find(|name| GROUPS.iter().all(|group| group.name != **name));
    if let Some(name) = unknown {
        let known: String =
            GROUPS.iter().map(|group| format!("\n  {:9} {}", group.name, group.about)).collect();
        return Err(format!("{name} is no group; there are{known}").into());
    }
    for group in GROUPS.iter().filter(|group| names.is_empty() || names.contains(&group.name)) {
        println!("{}", report::heading(group.name, &flags)?);
        group.measure(&flags)?;
    }
    Ok(())
}

/// `bench-icount`: prints the counts.
pub(crate) fn instructions(_: &[String]) -> Outcome {
    icount::print()
}

impl Group {
    fn measure(&self, flags: &[&str]) -> Outcome {
        let command = self.needs_command.then(cargo::moorline).transpose()?;
        let mut bench = Command::new(env!("CARGO"));
        bench.args(["bench", "--quiet", "--package", self.package, "--bench", self.bench, "--"]);
        bench.args(self.args).args(flags);
        if let Some(command) = command {
            bench.env("MOORLINE_COMMAND", command);
        }
        let output = bench.stderr(std::process::Stdio::inherit()).output()?;
        let said = String::from_utf8(output.stdout)?;
        print!("{said}");
        if !output.status.success() {
            return Err(format!("{}: {}", self.name, output.status).into());
        }
        for line in report::ratios(&said)? {
            println!("{line}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
