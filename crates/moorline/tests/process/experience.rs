//! What users of such systems complained of: names that stay in metrics, work that is lost without a
//! trace, fleets that trample a coordinator that comes back.

use std::io::Write;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::bench::{Talk, nanos};
use crate::health::{get, metrics};
use crate::rig::{QUICK, Rig, STEADY, until};

#[test]
fn a_forgotten_worker_leaves_no_series_with_its_name() {
    let rig = Rig::configured("20s", "[metrics]\nper_worker = true\n");
    let mut leaving = rig.worker("leaver", STEADY);
    let _staying = rig.worker("stayer", STEADY);
    for name in ["leaver", "stayer"] {
        rig.until_worker(name, "active");
    }
    let named = |name: &str| {
        let (status, page) = until("metrics are told", || get(rig.admin, "/metrics"));
        assert_eq!(status, 200);
        page.lines().filter(|line| line.contains(name)).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(named("leaver").len() >= 3, "{:?}", named("leaver"));
    leaving.signal(Signal::TERM);
    assert!(leaving.ends().success());
    rig.until_worker("leaver", "departed");
    assert!(!named("leaver").is_empty(), "it is still known");
    rig.run(&["worker", "forget", "leaver"]);
    // The very next scrape.
    assert_eq!(named("leaver"), [""; 0]);
    assert!(named("stayer").len() >= 3);
    assert_eq!(rig.get("/api/v1/overview")["workers"], serde_json::json!({"active": 1}));
}

#[test]
fn the_work_of_a_killed_worker_is_counted_as_lost_and_its_task_ends_once() {
    let rig = Rig::new("3s");
    let begun = rig.home.path().join("begun");
    let handler = format!("--handler=work=sh -c 'touch {}; sleep 60'", begun.display());
    let mut first = rig.worker("w1", &[QUICK, &[handler.as_str()]].concat());
    rig.until_worker("w1", "active");
    const LOST: &str = "moorline_coordinator_work_lost_seconds_total{cause=\"worker_lost\"}";
    assert_eq!(metrics(rig.admin)[LOST], 0.0);

    let submitted = Instant::now();
    let task = rig.submit("work", "", &[]);
    until("its handler runs", || begun.exists().then_some(()));
    let runs = Instant::now();
    let _second = rig.worker("w2", &[QUICK, &["--handler=work=cat"]].concat());
    rig.until_worker("w2", "active");
    let ran = runs.elapsed();
    first.kill();
    let ended = rig.until_task(&task, "succeeded");
    assert_eq!((&ended["attempts"], &ended["worker"]), (&2.into(), &"w2".into()), "{ended}");

    let all = metrics(rig.admin);
    // From the lease until it was given away: its worker was last heard a moment before it was killed.
    let (least, most) = (ran + Duration::from_secs(2), submitted.elapsed());
    let lost = Duration::from_secs_f64(all[LOST]);
    assert!(least <= lost && lost <= most, "{least:?} <= {lost:?} <= {most:?}");
    let is = |name: &str, count: f64| assert_eq!(all[name], count, "{name}");
    is("moorline_coordinator_work_lost_seconds_total{cause=\"retried\"}", 0.0);
    is("moorline_coordinator_task_reassignments_total", 1.0);
    is("moorline_coordinator_lost_attempts", 1.0);
    is("moorline_coordinator_workers_lost_total", 1.0);
    is("moorline_coordinator_results_received_total{disposition=\"accepted\"}", 1.0);
    is("moorline_coordinator_tasks_finished_total{outcome=\"succeeded\"}", 1.0);
    is("moorline_coordinator_results_applied_twice", 0.0);
    rig.balances(1);
}

/// Workers of the fleet.
const FLEET: u32 = 500;
/// Registrations a second that the coordinator takes.
const RATE: u32 = 100;
/// How many may come in at once.
const BURST: u32 = 64;

#[test]
fn five_hundred_workers_come_back_at_the_admission_rate_within_the_forecast() {
    let mut rig = Rig::configured("90s", &format!("[coordinator.admission]\nrate = {RATE}\n"));
    let (address, count) = (rig.listen.to_string(), FLEET.to_string());
    let mut fleet =
        Talk::start(&["fleet", crate::wire::scheme(), &address, &count, "--heartbeat-ms", "5000"]);
    assert_eq!(fleet.line(), "UP");
    let killed = nanos();
    rig.coordinator.kill();
    rig.restart_coordinator();
    let back = nanos();
    assert_eq!(fleet.line(), "UP", "all came back");
    writeln!(fleet.stdin.as_mut().unwrap(), "tell").unwrap();
    let moments: Value = serde_json::from_str(&fleet.line()).unwrap();
    let since = |name: &str| -> Vec<u64> {
        let all = moments[name].as_array().unwrap().iter().map(|at| at.as_u64().unwrap());
        all.filter(|at| *at >= killed).collect()
    };
    let (ups, tries) = (since("ups"), since("tries"));
    assert_eq!(ups.len(), FLEET as usize, "each came back once");

    // No stampede: what comes in within a second is the burst and what the rate allows; who was given
    // a place in the row may be two seconds late for it.
    let second = 1_000_000_000;
    let busiest = (0..ups.len())
        .map(|at| ups[at..].iter().take_while(|up| **up < ups[at] + second).count())
        .max()
        .unwrap();
    assert!(busiest <= (BURST + 3 * RATE) as usize, "{busiest} within a second");
    let spread = Duration::from_nanos(ups[ups.len() - 1] - ups[0]);
    let row = Duration::from_secs_f64(f64::from(FLEET - BURST) / f64::from(RATE));
    assert!(spread >= row.mul_f64(0.8), "{spread:?} for a row of {row:?}");
    // Nor do they knock without end meanwhile.
    assert!(tries.len() <= 5 * FLEET as usize, "{} dials", tries.len());

    // The first dials are spread over what the whole fleet takes at that rate; who came in vain, while
    // nobody was there or too early, has a place behind them. Doubled for a machine that is busy.
    let forecast = (Duration::from_secs_f64(f64::from(FLEET) / f64::from(RATE)) + row) * 2;
    let last = Duration::from_nanos(ups[ups.len() - 1].saturating_sub(back));
    assert!(last <= forecast, "the last after {last:?}, not {forecast:?}");
    until("the coordinator says so", || {
        let active = metrics(rig.admin)["moorline_coordinator_workers{state=\"active\"}"];
        (active == f64::from(FLEET)).then_some(())
    });
}
