//! `bench`: the figures of docs/performance.md, each beside its peer in the same run; and the counts of
//! instructions that guard against regressions.

mod cargo;
mod herd;
mod herds;
mod icount;
mod idle;
mod peers;
mod process;
mod report;
mod sim;
mod transports;

use std::process::Command;

use crate::Outcome;

/// A group of figures: its name, what it measures, and how.
struct Group {
    name: &'static str,
    about: &'static str,
    how: How,
}

enum How {
    /// A benchmark of cargo, and what it is told beside `--quick`.
    Bench { package: &'static str, bench: &'static str, args: &'static [&'static str] },
    /// Whole processes, as users start them.
    Processes(fn(&[&str]) -> Outcome),
}

const fn bench(
    name: &'static str,
    about: &'static str,
    package: &'static str,
    bench: &'static str,
    args: &'static [&'static str],
) -> Group {
    Group { name, about, how: How::Bench { package, bench, args } }
}

const GROUPS: &[Group] = &[
    bench(
        "link",
        "heartbeats and messages; a hub of 1,000 to 1,000,000",
        "moorline-link",
        "machines",
        &[],
    ),
    bench("timers", "deadlines of a hub", "moorline-link", "machines", &["--timers"]),
    bench("wire", "frames to bytes and back", "moorline-wire", "wire", &[]),
    bench(
        "dispatch",
        "tasks through the dispatcher, without a store",
        "moorline-work",
        "dispatch",
        &[],
    ),
    bench("node", "tasks through both nodes, without a store", "moorline-node", "node", &[]),
    bench("memory", "the same, with the store in memory", "moorline-store", "memory", &[]),
    bench(
        "store",
        "group commit; reading beside 1,000,000 events",
        "moorline-store",
        "commit",
        &[],
    ),
    bench(
        "tasks",
        "whole tasks through two processes, beside bare tonic",
        "moorline-driver",
        "tasks",
        &[],
    ),
    Group {
        name: "idle",
        about: "1,000 workers without work, beside bare tonic",
        how: How::Processes(idle::measure),
    },
    Group {
        name: "herd",
        about: "1,000 workers through a SIGKILL of their coordinator",
        how: How::Processes(herd::measure),
    },
    Group {
        name: "herds",
        about: "up to 100,000 in virtual time, by our policy and by others",
        how: How::Processes(herds::measure),
    },
    Group {
        name: "sim",
        about: "the simulator, beside madsim and turmoil",
        how: How::Processes(sim::measure),
    },
    Group {
        name: "peers",
        about: "whole tasks beside NATS and Redis",
        how: How::Processes(peers::measure),
    },
    Group {
        name: "transports",
        about: "every transport beside the bare library beneath it; transports/PART for one of speed, memory, \
                wire and cut",
        how: How::Processes(transports::measure),
    },
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
    let unknown = names.iter().find(|name| !GROUPS.iter().any(|group| group.is_named(name)));
    if let Some(name) = unknown {
        let known: String =
            GROUPS.iter().map(|group| format!("\n  {:10} {}", group.name, group.about)).collect();
        return Err(format!("{name} is no group; there are{known}").into());
    }
    for group in GROUPS {
        let chosen: Vec<&str> = names.iter().copied().filter(|name| group.is_named(name)).collect();
        if names.is_empty() || !chosen.is_empty() {
            println!("{}", report::heading(chosen.first().unwrap_or(&group.name), &flags)?);
            let parts = chosen.iter().filter_map(|name| Some(name.split_once('/')?.1));
            group.measure(&flags.iter().copied().chain(parts).collect::<Vec<_>>())?;
        }
    }
    Ok(())
}

/// `bench-icount`: prints the counts.
pub(crate) fn instructions(_: &[String]) -> Outcome {
    icount::print()
}

impl Group {
    /// Whether this is its name, or `NAME/PART` of one that has parts.
    fn is_named(&self, name: &str) -> bool {
        let (group, part) = name.split_once('/').map_or((name, None), |(a, b)| (a, Some(b)));
        group == self.name
            && part.is_none_or(|part| self.name == "transports" && transports::has_part(part))
    }

    fn measure(&self, flags: &[&str]) -> Outcome {
        let (package, name, args) = match self.how {
            How::Processes(measure) => return measure(flags),
            How::Bench { package, bench, args } => (package, bench, args),
        };
        let mut bench = Command::new(env!("CARGO"));
        bench.args(["bench", "--quiet", "--package", package, "--bench", name, "--"]);
        let bench = bench.args(args).args(flags).stderr(std::process::Stdio::inherit());
        let output = bench.output()?;
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
