use super::*;

#[test]
fn a_name_with_parentheses_does_not_move_the_fields() {
    let text =
        "77 (a) b (c) S 1 77 77 0 -1 4194304 100 0 0 0 30 12 0 0 20 0 4 0 555 1000000 250 1 2";
    let stat = Stat::parse(text).unwrap();
    let wanted =
        Stat { cpu_ticks: 42, start_ticks: 555, virtual_bytes: 1_000_000, resident_pages: 250 };
    assert_eq!(stat, wanted);
    assert_eq!(Stat::parse("77 (cut"), None);
}

#[test]
fn this_process_started_a_while_ago_and_has_memory_and_descriptors() {
    let mut page = Page::default();
    measure(&mut page);
    let text = page.finish();
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse::<f64>().unwrap()
    };
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    let age = now - value("process_start_time_seconds");
    assert!((-2.0..86_400.0).contains(&age), "{age}");
    assert!(value("process_resident_memory_bytes") > 1e6);
    assert!(value("process_virtual_memory_bytes") >= value("process_resident_memory_bytes"));
    assert!(value("process_open_fds") >= 1.0);
    assert!(value("process_cpu_seconds_total") >= 0.0);
}
