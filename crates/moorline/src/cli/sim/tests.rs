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
        "moorline sim run a.toml",
        "moorline sim shrink --seed 42 --time 10s",
        "moorline sim shrink a.toml --out b.toml",
        "moorline sim explain a.toml",
        "moorline sim explain --seed 42 --mode hostile",
        "moorline sim cover",
        "moorline sim cover failures a.toml --floor 3000 --family N8",
        "moorline sim cover --time 60s --mode hostile --jobs 2",
        "moorline sim check --model w2-t2-b1-c1",
        "moorline sim check --model w1-t1-b1,w1-t1-c1 --model w1-t1-e1 --time 10s",
        "moorline sim plan --seed 18446744073709551615",
        "moorline sim same --seed 42",
        "moorline sim same --seeds 0..1000",
        "moorline sim swarm",
        "moorline sim swarm --seeds 0..100000 --jobs 4 --only partition,H1,half-open --out failures",
        "moorline sim swarm --time 60s --mode hostile --stop-after 1",
        "moorline sim swarm --out failures --shrink 0s",
    ] {
        assert!(is_taken(line), "{line}");
    }
    for line in [
        "moorline sim run",
        "moorline sim run --seed 42 --scenario a.toml",
        "moorline sim run --scenario a.toml --mode hostile",
        "moorline sim run --scenario a.toml b.toml",
        "moorline sim run a.toml --seed 42",
        "moorline sim shrink",
        "moorline sim shrink --seed 42 --time 0s",
        "moorline sim explain",
        "moorline sim check",
        "moorline sim check --model w9-t1",
        "moorline sim cover failures --seeds 0..5",
        "moorline sim cover --family weather",
        "moorline sim check --model z1",
        "moorline sim swarm --shrink 10s",
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
