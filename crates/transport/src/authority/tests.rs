use super::*;

fn endpoint(text: &str) -> Endpoint {
    text.parse().expect("an endpoint")
}

fn proven(names: &[&str]) -> Authority {
    let key = rcgen::KeyPair::generate().expect("a key");
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let params = rcgen::CertificateParams::new(names).expect("names");
    let certificate = params.self_signed(&key).expect("a certificate");
    Authority::certificate(certificate.der())
}

#[test]
fn who_is_not_known_may_name_nobody() {
    let refused = Authority::nobody().may_name(&endpoint("grpcs://example.com:8740"));
    assert!(matches!(refused, Err(AuthorityError::Unproven { .. })), "{refused:?}");
}

#[test]
fn a_peer_on_this_machine_may_name_this_machine_only() {
    let here = Authority::this_machine();
    for own in ["grpc://127.0.0.1:1", "ws://[::1]:2", "quic://localhost:3", "mem://a"] {
        assert_eq!(here.may_name(&endpoint(own)), Ok(()), "{own}");
    }
    for other in ["grpc://192.0.2.1:1", "grpcs://example.com:2"] {
        let refused = here.may_name(&endpoint(other));
        assert!(matches!(refused, Err(AuthorityError::Unproven { .. })), "{refused:?}");
    }
}

#[test]
fn a_certificate_speaks_for_the_hosts_it_names() {
    let peer = proven(&["a.example.com", "*.eu.example.com", "192.0.2.9", "2001:db8::9"]);
    assert_eq!(peer.to_string(), "a.example.com, *.eu.example.com, 192.0.2.9, 2001:db8::9");
    for own in [
        "grpcs://A.example.com:1",
        "wss://b.EU.example.com/x",
        "quic://192.0.2.9:3",
        "grpcs://[2001:db8::9]:4",
    ] {
        assert_eq!(peer.may_name(&endpoint(own)), Ok(()), "{own}");
    }
    for other in [
        "grpcs://b.example.com:1",
        "grpcs://eu.example.com:1",
        "grpcs://c.b.eu.example.com:1",
        "grpcs://.eu.example.com:1",
        "grpcs://192.0.2.8:1",
        "grpcs://localhost:1",
    ] {
        let refused = peer.may_name(&endpoint(other));
        assert!(matches!(refused, Err(AuthorityError::Foreign { .. })), "{other}: {refused:?}");
    }
}

#[test]
fn what_was_encrypted_stays_encrypted() {
    let refused = proven(&["a.example.com"]).may_name(&endpoint("grpc://a.example.com:1"));
    assert!(matches!(refused, Err(AuthorityError::Clear { .. })), "{refused:?}");
}

#[test]
fn nobody_is_sent_where_nobody_can_be() {
    let addresses = [
        "grpcs://0.0.0.0:1",
        "grpcs://[::]:1",
        "grpcs://224.0.0.1:1",
        "grpcs://[ff02::1]:1",
        "grpcs://255.255.255.255:1",
        "grpcs://169.254.169.254:1",
        "grpcs://[fe80::1]:1",
        "grpcs://[::ffff:169.254.169.254]:1",
        "grpcs://127.0.0.1:0",
    ];
    let hosts: Vec<_> = addresses.iter().map(|text| endpoint(text).host().to_owned()).collect();
    let hosts: Vec<_> = hosts.iter().map(String::as_str).collect();
    for authority in [proven(&hosts), Authority::this_machine()] {
        for address in addresses {
            let refused = authority.may_name(&endpoint(address));
            assert!(
                matches!(refused, Err(AuthorityError::Nowhere { .. })),
                "{address}: {refused:?}"
            );
        }
    }
}

#[test]
fn a_certificate_without_hosts_speaks_for_none() {
    let nobody = rustls_pki_types::CertificateDer::from(vec![1, 2, 3]);
    for peer in [proven(&[]), Authority::certificate(&nobody)] {
        let refused = peer.may_name(&endpoint("grpcs://example.com:1"));
        assert!(matches!(refused, Err(AuthorityError::Foreign { .. })), "{refused:?}");
    }
}

#[test]
fn a_name_that_looks_like_an_address_proves_no_address() {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::default();
    for name in ["192.0.2.9", "2001:db8::9", "a.example.com"] {
        params.subject_alt_names.push(rcgen::SanType::DnsName(name.try_into().expect("ASCII")));
    }
    let certificate = params.self_signed(&key).expect("a certificate");
    let peer = Authority::certificate(certificate.der());
    assert_eq!(peer.to_string(), "a.example.com");
    for address in ["quic://192.0.2.9:3", "grpcs://[2001:db8::9]:4"] {
        let refused = peer.may_name(&endpoint(address));
        assert!(matches!(refused, Err(AuthorityError::Foreign { .. })), "{refused:?}");
    }
}
