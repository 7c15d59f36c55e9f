//! What happens in a world is one number, and the same one as when it was written down.
//!
//! `golden.txt` has the numbers of eight hundred worlds. They hold for every machine and every profile. They
//! change when what happens in worlds changes: when plans are drawn otherwise, when the world does something
//! else, or the machines do. Then `MOORLINE_SIM_GOLDEN=write cargo test -p moorline-sim --test golden` writes
//! them anew, and the commit says why. A change that is meant to change nothing changes no number.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::OnceLock;

use moorline_sim::{Coverage, Mode, Origin, Report, Size, Spread, run_plan};

/// Worlds of each kind. Each has a seed of its own: what is hostile does not happen in every hostile world.
const SEEDS: u64 = 200;

const KINDS: [(Mode, Size); 4] = [
    (Mode::Honest, Size::Usual),
    (Mode::Honest, Size::Brief),
    (Mode::Hostile, Size::Usual),
    (Mode::Hostile, Size::Brief),
];

/// Every world, under what it is drawn by.
fn worlds() -> &'static BTreeMap<String, Report> {
    static WORLDS: OnceLock<BTreeMap<String, Report>> = OnceLock::new();
    WORLDS.get_or_init(|| {
        let origin = |number: u64| {
            let (mode, size) = KINDS[usize::try_from(number).unwrap() % KINDS.len()];
            Origin { mode, size, ..Origin::new(number) }
        };
        let mut worlds = BTreeMap::new();
        Spread::over(0..SEEDS * KINDS.len() as u64).run(
            |number| run_plan(origin(number).plan()),
            |number, result| {
                let origin = origin(number);
                let report = result.unwrap_or_else(|failure| panic!("{origin}\n{failure}"));
                worlds.insert(origin.to_string(), report);
                ControlFlow::Continue(())
            },
            || (),
        );
        worlds
    })
}

fn text() -> String {
    let worlds = worlds().iter();
    worlds.map(|(origin, report)| format!("{:016x} {origin}\n", report.hash)).collect()
}

#[test]
fn what_happens_in_a_world_is_what_happened_in_it_before() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden.txt");
    let text = text();
    if std::env::var_os("MOORLINE_SIM_GOLDEN").is_some_and(|wish| wish == "write") {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    let differ: Vec<_> = golden.lines().zip(text.lines()).filter(|(was, is)| was != is).collect();
    let first = differ.first().map_or_else(String::new, |(was, is)| format!("{was}\n{is}"));
    assert!(
        differ.is_empty(),
        "{} worlds are not what they were; the first:\n{first}",
        differ.len()
    );
    assert_eq!(golden.lines().count(), worlds().len(), "there are more, or less, of them");
}

#[test]
fn no_two_worlds_are_the_same() {
    let hashes: BTreeMap<u64, &String> =
        worlds().iter().map(|(origin, report)| (report.hash, origin)).collect();
    assert_eq!(hashes.len(), worlds().len());
}

/// What is left out of the share of cells that have to be covered is not met, and of the rest more than a
/// third is, even in so few worlds.
#[test]
fn frames_are_written_in_no_state_in_which_they_cannot_be() {
    let mut all = Coverage::default();
    for report in worlds().values() {
        all.merge(&report.coverage);
    }
    assert_eq!(all.surprises().next(), None);
    let (covered, reachable) = (all.covered(), Coverage::reachable());
    assert!(covered > reachable / 3, "{covered} of {reachable}");
}
