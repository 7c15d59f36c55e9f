use super::AgentArgs;

fn reported(port: Option<u16>, bind: &str, report: &str) -> Option<String> {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let (bind_address, report_address) = (some(bind), some(report));
    let args = AgentArgs { port, bind_address, report_address, ..AgentArgs::default() };
    args.reported(|| "host".to_owned())
}

#[test]
fn the_reported_address_is_the_one_that_was_given_with_a_port_if_it_has_none() {
    for (port, bind, report, expected) in [
        (Some(50_052), "", "", "host:50052"),
        (Some(50_052), "0.0.0.0", "", "host:50052"),
        (Some(50_052), "192.0.2.7", "", "192.0.2.7:50052"),
        (Some(50_052), "192.0.2.7", "nat.example.com", "nat.example.com:50052"),
        (Some(50_052), "", "nat.example.com:9", "nat.example.com:9"),
        (Some(50_052), "", "[2001:db8::1]", "[2001:db8::1]:50052"),
        (None, "", "nat.example.com", "nat.example.com"),
    ] {
        assert_eq!(reported(port, bind, report).as_deref(), Some(expected));
    }
    assert_eq!(reported(None, "", ""), None, "nothing was said");
}
