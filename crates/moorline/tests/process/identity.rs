//! Who may be whom: names, data directories and processes that come back.

use std::net::{Ipv6Addr, SocketAddr};

use crate::rig::{QUICK, Rig, STEADY, start_worker, until};

#[test]
fn a_second_live_worker_of_the_same_name_is_refused_with_a_hint_and_the_first_is_undisturbed() {
    let rig = Rig::new("20s");
    let flags = [STEADY, &["--handler=work=cat"]].concat();
    let first = start_worker(rig.home.path(), rig.listen, "data-1", "twin", &flags);
    rig.until_worker("twin", "active");
    let second = start_worker(rig.home.path(), rig.listen, "data-2", "twin", &flags);
    let refused = second.log().wait("link.dismissed");
    assert_eq!((&refused["reason"], &refused["code"]), (&"name_conflict".into(), &"ML3106".into()));
    let hint = refused["msg"].as_str().unwrap();
    assert!(hint.contains("--name"), "{hint}");
    let task = rig.submit("work", "still here", &[]);
    rig.until_task(&task, "succeeded");
    assert_eq!(first.log().messages("task.finished").len(), 1);
    assert_eq!(first.log().messages("link.lost"), [""; 0]);
    assert_eq!(second.log().messages("worker.registered"), [""; 0]);
}

#[test]
fn a_worker_that_crashed_takes_over_from_itself_at_once() {
    let rig = Rig::new("60s");
    // The first attempt takes longer than anything here; the second finds its mark, and is short.
    let mark = rig.home.path().join("mark");
    let handler = format!(
        "--handler=work=sh -c 'test -e {0} || {{ touch {0}; exec sleep 20; }}'",
        mark.display()
    );
    let flags = [QUICK, &[handler.as_str()]].concat();
    let mut first = rig.worker("w1", &flags);
    rig.until_worker("w1", "active");
    let task = rig.submit("work", "", &[]);
    until("its handler runs", || mark.exists().then_some(()));
    until("it is leased", || (rig.task(&task)["state"] == "leased").then_some(()));
    first.kill();
    let again = rig.worker("w1", &flags);
    // Not after `lost_after`, a minute: its inventory says that the task is not there any more.
    let ended = rig.until_task(&task, "succeeded");
    assert_eq!(ended["attempts"], 2, "{ended}");
    assert_eq!(again.log().messages("link.dismissed"), [""; 0]);
    assert_eq!(rig.coordinator.log().messages("worker.lost"), [""; 0]);
    rig.balances(1);
}

#[test]
fn a_second_process_on_one_data_directory_ends_before_it_dials() {
    let rig = Rig::new("20s");
    let first = start_worker(rig.home.path(), rig.listen, "shared", "w1", STEADY);
    rig.until_worker("w1", "active");
    let mut second = start_worker(rig.home.path(), rig.listen, "shared", "w2", STEADY);
    assert_eq!(second.ends().code(), Some(73));
    assert_eq!(second.log().messages("link.dial"), [""; 0]);
    assert_eq!(first.log().messages("link.lost"), [""; 0]);
    assert!(rig.seen("w2").is_null());
}

#[test]
fn a_copied_data_directory_is_one_worker_and_not_two() {
    let rig = Rig::new("60s");
    let flags = [STEADY, &["--handler=work=cat"]].concat();
    let mut first = start_worker(rig.home.path(), rig.listen, "original", "twin", &flags);
    let id = rig.until_worker("twin", "active")["id"].clone();
    // As if another host had been made from an image of the first.
    let (original, copy) = (rig.home.path().join("original"), rig.home.path().join("copy"));
    std::fs::create_dir(&copy).unwrap();
    for file in std::fs::read_dir(&original).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), copy.join(file.file_name())).unwrap();
    }
    let second = start_worker(rig.home.path(), rig.listen, "copy", "twin", &flags);
    let refused = second.log().wait("link.dismissed");
    assert_eq!(refused["reason"], "name_conflict");
    let task = rig.submit("work", "still here", &[]);
    rig.until_task(&task, "succeeded");
    assert_eq!(first.log().messages("task.finished").len(), 1);
    assert_eq!(first.log().messages("link.lost"), [""; 0]);
    // Without the first there is nobody in its way, and it is the same worker.
    first.kill();
    second.log().wait("worker.registered");
    assert_eq!(rig.until_worker("twin", "active")["id"], id);
    assert_eq!(rig.get("/api/v1/workers")["workers"].as_array().unwrap().len(), 1);
}

#[test]
fn a_coordinator_and_its_worker_meet_over_ipv6() {
    let address = |port: u16| SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    let port = || crate::rig::free_address().port();
    let rig = Rig::at("20s", address(port()), address(port()));
    let worker = rig.worker("six", &[STEADY, &["--handler=work=cat"]].concat());
    let seen = rig.until_worker("six", "active");
    assert_eq!(seen["transport"], crate::wire::scheme());
    let registered = worker.log().wait("worker.registered");
    assert!(registered["msg"].as_str().unwrap().contains("[::1]:"), "{registered}");
    let task = rig.submit("work", "over and back", &[]);
    rig.until_task(&task, "succeeded");
    rig.balances(1);
}

#[test]
fn a_second_coordinator_on_one_store_is_refused() {
    let rig = Rig::new("20s");
    let (listen, admin) = (crate::rig::free_address(), crate::rig::free_address());
    let mut second = crate::rig::Process::start(
        "second",
        &[
            "coordinator",
            &format!("--listen={}", crate::wire::url(listen)),
            &format!("--admin-listen={admin}"),
            &format!("--store=sqlite:{}", rig.home.path().join("store.db").display()),
        ],
    );
    assert_eq!(second.ends().code(), Some(73));
    let said = second.log().messages("plain").concat();
    assert!(said.contains("in use by another process"), "{said}");
}
