//! Certificates, as whoever shows one has made it.

use moorline_node::Name;
use moorline_transport::{Authority, Endpoint, name_of};

/// Reads any bytes as a certificate that was shown: the name in it and the hosts in it. The same bytes prove
/// the same each time, a name stands in them as it is, and they vouch for nothing that is not encrypted.
pub fn certificate(bytes: &[u8]) {
    let shown = bytes.to_vec().into();
    let name = name_of(&shown);
    assert_eq!(name_of(&shown), name);
    assert!(name.len() <= bytes.len(), "{name:?} comes from nowhere");
    let authority = Authority::certificate(&shown);
    assert_eq!(Authority::certificate(&shown), authority);
    if let Ok(name) = Name::new(&name) {
        // It is compared with the name that a worker gives itself, as it stands.
        assert!(bytes.windows(name.as_str().len()).any(|part| part == name.as_str().as_bytes()));
    }
    for host in authority.to_string().split(", ").filter(|host| !host.is_empty()) {
        let host = host.strip_prefix("*.").map_or(host.to_owned(), |domain| format!("a.{domain}"));
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        for (scheme, is_encrypted) in [("grpc", false), ("grpcs", true)] {
            let Ok(endpoint) = format!("{scheme}://{host}:8740").parse::<Endpoint>() else {
                continue;
            };
            let may = authority.may_name(&endpoint).is_ok();
            assert!(is_encrypted || !may, "{endpoint} is clear");
        }
    }
}
