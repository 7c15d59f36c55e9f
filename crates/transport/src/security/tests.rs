use super::*;

#[test]
fn what_is_clear_is_for_this_machine_unless_it_was_opened() {
    let endpoint: Endpoint = "grpc://coordinator:1".parse().expect("an endpoint");
    let [near, six, far]: [SocketAddr; 3] =
        ["127.0.0.1:1", "[::1]:1", "192.0.2.1:1"].map(|text| text.parse().expect("an address"));
    let closed = Security::new();
    assert_eq!(closed.may_be_clear(&endpoint, &[near, six]), Ok(()));
    let refused = Err(ListenError::NotLoopback { endpoint: endpoint.clone() });
    assert_eq!(closed.may_be_clear(&endpoint, &[near, far]), refused);
    assert_eq!(closed.with_clear_listeners().may_be_clear(&endpoint, &[near, far]), Ok(()));
}

#[test]
fn a_listener_with_tls_needs_a_certificate() {
    let endpoint: Endpoint = "quic://127.0.0.1:1".parse().expect("an endpoint");
    let refused = Security::new().server(&endpoint).expect_err("there is none");
    assert_eq!(refused, ListenError::NoCertificate { endpoint });
}
