//! `bench sim`: one workload in our simulator, on madsim and on turmoil, in turns. All of them run on one
//! thread, whose CPU time is what counts: the machine has other things to do.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::cargo;
use super::process::median;
use crate::Outcome;
use crate::write::{root, target};

type Error = Box<dyn std::error::Error>;

/// Whose simulator.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum System {
    Ours,
    /// Ours, with faults.
    Faults,
    MadsimTcp,
    MadsimUdp,
    /// All workers on one host.
    Turmoil,
    /// Each worker on a host of its own.
    TurmoilApart,
}

const SYSTEMS: [System; 6] = [
    System::Ours,
    System::Faults,
    System::MadsimTcp,
    System::MadsimUdp,
    System::Turmoil,
    System::TurmoilApart,
];

/// How much is simulated.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Size {
    workers: u64,
    seconds: u64,
    /// Worlds one after the other, in one process.
    worlds: u64,
}

const SIZES: [Size; 3] = [
    Size { workers: 100, seconds: 60, worlds: 1 },
    Size { workers: 1_000, seconds: 10, worlds: 1 },
    Size { workers: 10, seconds: 60, worlds: 20 },
];

/// What one run came to.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Run {
    messages: f64,
    /// Simulated seconds of each worker, all together, in a second.
    worker_seconds: f64,
    worlds: f64,
    nanos_per_message: f64,
    mebibytes: f64,
}

impl System {
    const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Faults => "ours, with faults",
            Self::MadsimTcp => "madsim, TCP",
            Self::MadsimUdp => "madsim, UDP",
            Self::Turmoil => "turmoil, TCP, one host",
            Self::TurmoilApart => "turmoil, TCP, a host for each worker",
        }
    }

    /// Its program, and what that is told beside the size.
    const fn program(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Ours => ("standard", None),
            Self::Faults => ("standard", Some("faults")),
            Self::MadsimTcp => ("madsim", None),
            Self::MadsimUdp => ("madsim", Some("udp")),
            Self::Turmoil => ("turmoil", None),
            Self::TurmoilApart => ("turmoil", Some("apart")),
        }
    }

    /// How much of a size it is given: what takes too long is cut down. None: nothing.
    const fn load(self, size: Size) -> Option<Size> {
        match self {
            Self::Ours | Self::MadsimTcp | Self::MadsimUdp | Self::Turmoil => Some(size),
            // Faults are episodes of small worlds.
            Self::Faults if size.workers > 10 => None,
            Self::Faults => Some(size),
            // A tick of 1 ms takes seconds.
            Self::TurmoilApart if size.workers > 100 => None,
            Self::TurmoilApart if size.workers == 100 => Some(Size { seconds: 5, ..size }),
            Self::TurmoilApart => Some(Size { worlds: 1, ..size }),
        }
    }
}

pub(super) fn measure(flags: &[&str]) -> Outcome {
    let rounds = if flags.contains(&"--quick") { 1 } else { 5 };
    let programs = build()?;
    let mut runs: BTreeMap<(Size, System), Vec<Run>> = BTreeMap::new();
    for _ in 0..rounds {
        for size in SIZES {
            for system in SYSTEMS {
                let Some(load) = system.load(size) else { continue };
                let run = run(&programs, system, load)
                    .map_err(|error| format!("{}, {load:?}: {error}", system.name()))?;
                runs.entry((size, system)).or_default().push(run);
            }
        }
    }
    print!("{}", text(&runs));
    Ok(())
}

/// Ours, and the others', which are no part of the workspace: under a condition that madsim wants.
fn build() -> Result<BTreeMap<String, PathBuf>, Error> {
    let ours = ["build", "--release", "--package", "moorline-sim", "--bench", "standard"];
    let manifest = root().join("sim/peers/Cargo.toml");
    let manifest = manifest.to_str().ok_or("the repository's path is no UTF-8")?;
    let target = target().join("sim-peers");
    let target = target.to_str().ok_or("the path of the target directory is no UTF-8")?;
    let peers = ["build", "--release", "--locked", "--manifest-path", manifest];
    let mut programs: BTreeMap<String, PathBuf> = cargo::build(&ours)?.into_iter().collect();
    let flags = [("RUSTFLAGS", "--cfg madsim")];
    programs.extend(cargo::build_with(&[&peers[..], &["--target-dir", target]].concat(), &flags)?);
    Ok(programs)
}

fn run(programs: &BTreeMap<String, PathBuf>, system: System, size: Size) -> Result<Run, Error> {
    let (name, word) = system.program();
    let program = programs.get(name).ok_or_else(|| format!("cargo built no {name}"))?;
    let numbers = [size.workers, size.seconds, size.worlds].map(|number| number.to_string());
    let output = Command::new(program).args(&numbers).args(word).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    figures(size, &serde_json::from_slice(&output.stdout)?)
}

fn figures(size: Size, said: &Value) -> Result<Run, Error> {
    let figure = |name: &str| said[name].as_f64().ok_or_else(|| format!("no {name}: {said}"));
    let (messages, nanos) = (figure("messages")?, figure("cpu_nanos")?);
    let seconds = nanos / 1e9;
    let simulated = size.workers * size.seconds * size.worlds;
    Ok(Run {
        messages: messages / seconds,
        worker_seconds: simulated as f64 / seconds,
        worlds: size.worlds as f64 / seconds,
        nanos_per_message: nanos / messages,
        mebibytes: figure("peak_kib")? / 1_024.0,
    })
}

fn text(runs: &BTreeMap<(Size, System), Vec<Run>>) -> String {
    let mut text = String::new();
    for size in SIZES {
        let Size { workers, seconds, .. } = size;
        text += &format!(
            "| {workers} workers, {seconds} s | messages/s | worker-seconds/s | worlds/s | MiB | messages/s of ours to its | worker-seconds/s of ours to its |\n"
        );
        text += &format!("| --- |{}\n", " ---: |".repeat(6));
        let ours = runs.get(&(size, System::Ours)).map_or(&[][..], Vec::as_slice);
        for system in SYSTEMS {
            let Some(its) = runs.get(&(size, system)) else { continue };
            let of = |figure: fn(&Run) -> f64| median(its.iter().map(figure));
            let ratio = |figure: fn(&Run) -> f64| {
                median(ours.iter().zip(its).map(|(ours, its)| figure(ours) / figure(its)))
            };
            text += &format!(
                "| {} | {:.0} | {:.0} | {:.2} | {:.1} | {:.2} | {:.2} |\n",
                system.name(),
                of(|run| run.messages),
                of(|run| run.worker_seconds),
                of(|run| run.worlds),
                of(|run| run.mebibytes),
                ratio(|run| run.messages),
                ratio(|run| run.worker_seconds)
            );
        }
        if let Some(faults) = runs.get(&(size, System::Faults)) {
            let more = ours.iter().zip(faults);
            let more =
                more.map(|(quiet, faulty)| faulty.nanos_per_message / quiet.nanos_per_message);
            text += &format!("\nFaults: {:.2} times the time of a message\n", median(more));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{BTreeMap, SIZES, Size, System, figures, text};

    #[test]
    fn systems_are_compared_in_messages_and_in_what_is_simulated() {
        let size = SIZES[0];
        let said = |messages: u64, millis: u64| {
            let said =
                json!({"messages": messages, "cpu_nanos": millis * 1_000_000, "peak_kib": 2_048});
            figures(size, &said).unwrap()
        };
        let runs = BTreeMap::from([
            ((size, System::Ours), vec![said(48_000, 500)]),
            ((size, System::MadsimTcp), vec![said(14_400, 100)]),
        ]);
        let text = text(&runs);
        assert!(text.contains("| ours | 96000 | 12000 | 2.00 | 2.0 | 1.00 | 1.00 |"), "{text}");
        let madsim = "| madsim, TCP | 144000 | 60000 | 10.00 | 2.0 | 0.67 | 0.20 |";
        assert!(text.contains(madsim), "{text}");
        assert!(figures(size, &json!({"messages": 1})).is_err());
    }

    #[test]
    fn what_takes_hours_is_cut_down() {
        let load = |size: Size| System::TurmoilApart.load(size);
        assert_eq!(load(SIZES[0]), Some(Size { workers: 100, seconds: 5, worlds: 1 }));
        assert_eq!(load(SIZES[1]), None);
        assert!(SIZES.iter().all(|size| System::Ours.load(*size) == Some(*size)));
    }
}
