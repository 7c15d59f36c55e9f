use clap::Parser;
use moorline_sim::Class;

use crate::cli::Cli;
use crate::cli::exit::Exit;

fn is_taken(line: &str) -> bool {
    match Cli::try_parse_from(line.split(' ')) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.exit_code(), 2, "{line}");
            false
        }
    }
}

#[test]
fn a_world_comes_from_a_seed_or_from_a_file() {
    for line in [
        "moorline sim run --seed 42",
        "moorline sim run --seed 42 --mode hostile --lines 10 --html a.html --svg a.svg",
        "moorline sim run --scenario a.toml --json",
        "moorline sim plan --seed 18446744073709551615",
        "moorline sim same --seed 42",
        "moorline sim same --seeds 0..1000",
        "moorline sim swarm",
        "moorline sim swarm --seeds 0..100000 --jobs 4 --only partition,H1,half-open --out failures",
        "moorline sim swarm --time 60s --mode hostile --stop-after 1",
    ] {
        assert!(is_taken(line), "{line}");
    }
    for line in [
        "moorline sim run",
        "moorline sim run --seed 42 --scenario a.toml",
        "moorline sim run --scenario a.toml --mode hostile",
        "moorline sim run --seed -1",
        "moorline sim plan",
        "moorline sim same",
        "moorline sim same --seed 1 --seeds 0..2",
        "moorline sim swarm --seeds 5..5",
        "moorline sim swarm --seeds 9..5",
        "moorline sim swarm --seeds a..b",
        "moorline sim swarm --time 60",
        "moorline sim swarm --jobs 0",
        "moorline sim swarm --only weather",
        "moorline sim swarm --stop-after 0",
    ] {
        assert!(!is_taken(line), "{line}");
    }
}

#[test]
fn the_exit_codes_are_those_of_the_simulator() {
    for class in Class::ALL {
        assert_eq!(Exit::of_class(class) as u8, class.exit_code(), "{class:?}");
    }
}
