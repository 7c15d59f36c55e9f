//! Lines that are thin: what is large does not keep what is urgent waiting.

use std::time::{Duration, Instant};

use crate::proxy::Proxy;
use crate::rig::{Rig, SOON};

/// 5 Mbit/s.
const THIN: u64 = 5_000_000 / 8;

/// Results of a megabyte each: with heartbeats of a second, a dozen of these would be missed if one had
/// to wait until they are through. `cargo xtask e2e` sends fifty.
fn megabytes() -> usize {
    std::env::var("MOORLINE_TEST_MEGABYTES").map_or(8, |text| text.parse().unwrap())
}

#[test]
fn megabytes_of_results_over_a_thin_line_delay_no_heartbeat() {
    let rig = Rig::new("90s");
    let proxy = Proxy::start(rig.listen);
    let flags = [
        "--heartbeat-interval=1s",
        "--heartbeat-timeout=3s",
        "--slots=64",
        "--handler=blob=head -c 1000000 /dev/urandom",
    ];
    let worker = rig.worker_at(proxy.address(), "thin", &flags);
    rig.until_worker("thin", "active");
    proxy.throttle(THIN);
    let count = megabytes();
    let all = rig.run(&["task", "submit", "blob", &format!("--count={count}")]);
    // Any of them may be the last one: all have the time that all need, twice, and some to begin with.
    let limit = Duration::from_secs_f64(2.0 * count as f64 * 1e6 / THIN as f64) + SOON;
    let begun = Instant::now();
    let mut arrived = 0;
    while arrived < count as u64 {
        assert!(begun.elapsed() < limit, "{arrived} of {count} within {limit:?}");
        std::thread::sleep(Duration::from_millis(100));
        let before = std::mem::replace(
            &mut arrived,
            rig.overview()["tasks"]["succeeded"].as_u64().unwrap_or_default(),
        );
        if arrived / 10 > before / 10 {
            eprintln!("{arrived} of {count} MB after {:.0} s", begun.elapsed().as_secs_f64());
        }
    }
    for task in all.as_array().unwrap() {
        let task = rig.until_task(task["id"].as_str().unwrap(), "succeeded");
        assert_eq!((&task["attempts"], &task["result_bytes"]), (&1.into(), &1_000_000.into()));
    }
    // A dozen and the link would be lost; one or two are missed where a loaded machine runs neither side.
    assert!(worker.log().messages("heartbeat.missed").len() < count / 3 + 1);
    assert_eq!(worker.log().messages("link.lost"), [""; 0]);
    assert_eq!(rig.coordinator.log().messages("worker.suspect"), [""; 0]);
    rig.balances(count as u64);
}
