use moorline_memory::MemoryTransport;

use super::*;

fn addresses(texts: &[&str]) -> Vec<Address> {
    texts.iter().map(|text| Address::new(text).expect("an address")).collect()
}

#[test]
fn what_the_peer_may_name_and_a_transport_serves_is_kept_as_it_is_written_here() {
    let transports = Transports::new().with(MemoryTransport::new());
    let named = addresses(&["MEM://a", "grpc://127.0.0.1:1", "not a place", "mem://b"]);
    let here = Authority::this_machine();
    assert_eq!(vet(&transports, &here, Vet::Redirect, &named), addresses(&["mem://a", "mem://b"]));
    assert_eq!(vet(&transports, &Authority::nobody(), Vet::Endpoints, &named), []);
}

#[test]
fn an_endpoint_that_is_too_long_is_left_out() {
    let long = format!("ws://example.com:80/{}", "x".repeat(Address::MAX));
    let [long, short] = [&*long, "ws://example.com:80/x"].map(|text| text.parse().expect("one"));
    assert_eq!(address(&long), None);
    assert_eq!(address(&short), Some(addresses(&["ws://example.com:80/x"])[0].clone()));
}
