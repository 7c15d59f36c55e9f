//! Where coordinators are said to be, by whom: endpoint URLs, and whether a worker goes there.

use std::net::IpAddr;

use moorline_node::Address;
use moorline_transport::{Authority, Endpoint};

/// Reads each line as an endpoint that a coordinator has pushed. One that is read is written as it is read
/// again, holds nothing that could end a line of a request, and is gone to only if whoever says so has
/// proven to be that host.
pub fn endpoint(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for line in text.split('|') {
        let endpoint = match line.parse::<Endpoint>() {
            Ok(endpoint) => endpoint,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                continue;
            }
        };
        let written = endpoint.to_string();
        assert_eq!(written.parse().as_ref(), Ok(&endpoint), "written as {written:?}");
        let is_foreign = |c: char| c.is_whitespace() || c.is_control();
        assert!(!written.contains(is_foreign), "{written:?} may end a line");
        assert!(!endpoint.host().is_empty() && endpoint.path().starts_with('/'), "{endpoint:?}");
        assert_eq!(endpoint.with_port(endpoint.port()), endpoint);
        // What a node passes on is what the driver reads.
        if let Ok(address) = Address::new(&written) {
            assert!(address.as_str().len() <= Address::MAX);
            assert_eq!(address.as_str().parse().as_ref(), Ok(&endpoint));
        }
        pushed(&endpoint);
    }
}

fn pushed(endpoint: &Endpoint) {
    assert!(Authority::nobody().may_name(endpoint).is_err(), "nobody may name {endpoint}");
    if Authority::this_machine().may_name(endpoint).is_ok() {
        assert!(endpoint.is_loopback(), "{endpoint} is not on this machine");
    }
    let hosts = ["coordinator.test", "*.fleet.test", "192.0.2.7", "2001:db8::7"];
    if Authority::hosts(hosts).may_name(endpoint).is_ok() {
        assert!(endpoint.is_encrypted(), "{endpoint} is clear");
        assert_ne!(endpoint.port(), 0, "nobody is at {endpoint}");
        let host = endpoint.host().to_ascii_lowercase();
        let ours: [IpAddr; 2] =
            ["192.0.2.7", "2001:db8::7"].map(|address| address.parse().expect("an address"));
        let is_below = host.strip_suffix(".fleet.test").is_some_and(|label| {
            // One label and no more: a certificate for a domain is none for what is below it.
            !label.is_empty() && !label.contains('.')
        });
        let is_proven = host == "coordinator.test"
            || is_below
            || host.parse::<IpAddr>().is_ok_and(|address| ours.contains(&address));
        assert!(is_proven, "{endpoint} is none of its hosts");
    }
}
