//! Figures that have to move when what they are about does.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use crate::health::{get, metrics, until_ready};
use crate::proxy::Proxy;
use crate::rig::{QUICK, Rig, STEADY, free_address, until};

#[test]
fn a_worker_that_is_cut_off_shows_less_stability_and_what_it_could_not_get_rid_of() {
    let rig = Rig::new("60s");
    let proxy = Proxy::start(rig.listen);
    let health = free_address();
    let (begun, go) = (rig.home.path().join("begun"), rig.home.path().join("go"));
    let handler = format!(
        "--handler=work=sh -c 'touch {}; while [ ! -e {} ]; do sleep 0.05; done; echo done'",
        begun.display(),
        go.display()
    );
    let flag = format!("--health-listen={health}");
    let flags = [QUICK, &[handler.as_str(), flag.as_str()]].concat();
    let worker = rig.worker_at(proxy.address(), "w1", &flags);
    until_ready(health, 200);
    let task = rig.submit("work", "", &[]);
    until("its handler runs", || begun.exists().then_some(()));
    let outbox =
        |unit: &str| metrics(health)[&format!("moorline_worker_outbox_{unit}{{lane=\"b\"}}")];
    assert_eq!((outbox("messages"), outbox("bytes")), (0.0, 0.0));

    proxy.half_open();
    std::fs::write(&go, "").unwrap();
    worker.log().wait("link.lost");
    // Its acceptance may not have got through either.
    until("the result waits", || {
        (outbox("messages") >= 1.0 && outbox("bytes") >= 5.0).then_some(())
    });
    let stability = || metrics(health)["moorline_worker_link_stability_ratio"];
    let before = stability();
    assert!(before > 0.0 && before < 1.0, "{before}");
    until("it falls while the link is down", || (stability() < before).then_some(()));

    proxy.heal();
    rig.until_task(&task, "succeeded");
    until("nothing waits any more", || (outbox("messages") == 0.0).then_some(()));
    let low = stability();
    until("it rises while the link is up", || (stability() > low).then_some(()));
    assert_eq!(outbox("bytes"), 0.0);
}

#[test]
fn a_task_that_waits_is_seen_in_the_age_of_the_oldest_and_then_in_the_latency() {
    const LATENCY: &str = "moorline_coordinator_task_queue_latency_seconds";
    const OLDEST: &str = "moorline_coordinator_queue_oldest_task_age_seconds";
    const COMMITS: &str = "moorline_coordinator_store_operation_seconds_count{op=\"commit\"}";
    let rig = Rig::new("20s");
    let before = metrics(rig.admin);
    assert_eq!((before[OLDEST], before[&format!("{LATENCY}_count")]), (0.0, 0.0));
    let first = rig.submit("work", "1", &[]);
    let age =
        until("the first one ages", || Some(metrics(rig.admin)[OLDEST]).filter(|age| *age >= 0.3));
    let second = rig.submit("work", "2", &[]);
    assert!(metrics(rig.admin)[OLDEST] >= age, "the oldest one counts");

    let _worker = rig.worker("w1", &[STEADY, &["--handler=work=cat"]].concat());
    for task in [&first, &second] {
        rig.until_task(task, "succeeded");
    }
    let after = metrics(rig.admin);
    assert_eq!(after[OLDEST], 0.0, "none is queued");
    assert_eq!(after[&format!("{LATENCY}_count")], 2.0);
    assert!(after[&format!("{LATENCY}_sum")] >= age, "{after:?}");
    let quick = after[&format!("{LATENCY}_bucket{{le=\"0.1\"}}")];
    assert!(quick <= 1.0, "the first one waited for longer: {quick}");
    // Submitted, leased and finished, each durably.
    assert!(after[COMMITS] >= before[COMMITS] + 3.0, "{} {}", before[COMMITS], after[COMMITS]);
    assert!(after[&COMMITS.replace("_count", "_sum")] > 0.0);
}

#[test]
fn requests_are_timed_by_route_and_never_by_what_a_client_made_up() {
    let rig = Rig::new("20s");
    let count = |route: &str, method: &str, class: &str| {
        let labels = format!("route=\"{route}\",method=\"{method}\",status_class=\"{class}\"");
        let name = format!("moorline_http_request_duration_seconds_count{{{labels}}}");
        metrics(rig.admin).get(&name).copied().unwrap_or_default()
    };
    let task = rig.submit("work", "", &[]);
    rig.task(&task);
    rig.task(&task);
    assert_eq!(count("/api/v1/tasks", "POST", "2xx"), 1.0);
    assert_eq!(count("/api/v1/tasks/{id}", "GET", "2xx"), 2.0);
    get(rig.admin, "/api/v1/tasks/81");
    assert_eq!(count("/api/v1/tasks/{id}", "GET", "4xx"), 1.0);
    let nothing = format!("/nothing/{task}");
    get(rig.admin, &nothing);
    assert_eq!(count("other", "GET", "4xx"), 1.0);
    let (_, page) = get(rig.admin, "/metrics").unwrap();
    assert!(!page.contains(&task), "no id is a label");
    // One that is refused at the door counts too.
    let mut stream = TcpStream::connect(rig.admin).unwrap();
    write!(stream, "GET /api/v1/version HTTP/1.1\r\nHost: evil.example\r\n\r\n").unwrap();
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).unwrap();
    assert!(line.contains(" 403 "), "{line}");
    assert_eq!(count("/api/v1/version", "GET", "4xx"), 1.0);

    let clients = || metrics(rig.admin)["moorline_coordinator_stream_clients"];
    assert_eq!(clients(), 0.0);
    let mut follows = TcpStream::connect(rig.admin).unwrap();
    let host = rig.admin;
    write!(follows, "GET /api/v1/events?follow=true HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    until("it is counted", || (clients() == 1.0).then_some(()));
    drop(follows);
    until("it is gone", || {
        // It is noticed with something to write.
        rig.submit("work", "", &[]);
        (clients() == 0.0).then_some(())
    });
}
