use std::process::Command;
use std::time::{Duration, Instant};

use super::Process;
use super::table::{Turn, text};
use super::{PEERS, System};

fn turn(per_second: f64, p50: f64) -> Turn {
    Turn { per_second, p50, p99: 2.0 * p50 }
}

#[test]
fn ratios_are_of_the_same_round_and_medians_of_all() {
    let names = ["ours", "ours, safe", "theirs"];
    // In each round ours is half as fast, four times, half as fast: medians alone would say as fast.
    let rounds = [
        [turn(10_000.0, 100.0), turn(5_000.0, 1_000.0), turn(20_000.0, 50.0)],
        [turn(20_000.0, 50.0), turn(10_000.0, 2_000.0), turn(5_000.0, 200.0)],
        [turn(30_000.0, 200.0), turn(15_000.0, 2_000.0), turn(60_000.0, 100.0)],
    ];
    let rounds: Vec<&[Turn]> = rounds.iter().map(|round| &round[..]).collect();
    assert_eq!(
        text(256, &names, &rounds),
        "| 256 in flight, 3 rounds | tasks/s | p50 / p99 us | tasks/s of ours to its | tasks/s of ours, safe to its |\n\
         | --- | ---: | ---: | ---: | ---: |\n\
         | ours | 20,000 | 100 / 200 | 1.00 | 0.50 |\n\
         | ours, safe | 10,000 | 2,000 / 4,000 | 2.00 | 1.00 |\n\
         | theirs | 20,000 | 100 / 200 | 0.50 | 0.25 |\n"
    );
    let alone = text(1, &names, &rounds[..1]);
    assert!(alone.starts_with("| 1 in flight, 1 round | "), "{alone}");
    assert!(alone.contains("| p50 of ours to its |"), "{alone}");
    assert!(alone.ends_with("| theirs | 20,000 | 50 / 100 | 2.00 | 20.00 |\n"), "{alone}");
}

#[test]
fn the_first_two_peers_are_ours_and_no_other_is() {
    let ours = PEERS.map(|peer| matches!(peer.system, System::Ours { .. }));
    assert_eq!(ours, [true, true, false, false, false, false, false]);
}

fn shell(script: &str) -> Process {
    Process::start(Command::new("sh").args(["-c", script])).unwrap()
}

#[test]
fn a_process_that_says_nothing_or_ends_badly_is_no_turn() {
    let well = shell("echo READY; echo 1");
    let long = Duration::from_secs(20);
    assert_eq!((well.line(long).unwrap(), well.line(long).unwrap()), ("READY".into(), "1".into()));
    assert!(well.line(long).unwrap_err().to_string().contains("ended"));
    well.ends(long).unwrap();
    assert!(shell("exit 3").ends(long).unwrap_err().to_string().contains('3'));

    let begin = Instant::now();
    let stuck = shell("exec sleep 600");
    let short = Duration::from_millis(20);
    assert!(stuck.line(short).unwrap_err().to_string().contains("said nothing"));
    assert!(stuck.ends(short).unwrap_err().to_string().contains("does not end"));
    // It was killed: its end was waited for.
    assert!(begin.elapsed() < Duration::from_secs(300));
}
