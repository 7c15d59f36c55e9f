use futures::executor::block_on;

use super::*;

#[test]
fn too_many_open_files_is_told_from_a_broken_listener() {
    let of = |code| accept_error(&io::Error::from_raw_os_error(code));
    // EMFILE, ENFILE, ECONNABORTED, EBADF.
    assert!(matches!(of(24), AcceptError::Exhausted { .. }));
    assert!(matches!(of(23), AcceptError::Exhausted { .. }));
    assert!(matches!(of(103), AcceptError::Connection { .. }));
    assert!(matches!(of(9), AcceptError::Closed { .. }));
    // What no system said: the runtime has ended.
    assert!(matches!(accept_error(&io::Error::other("gone")), AcceptError::Closed { .. }));
}

#[test]
fn a_name_is_looked_up_and_an_address_is_not() {
    let [six, four]: [SocketAddr; 2] =
        ["[::1]:1", "127.0.0.1:1"].map(|text| text.parse().expect("an address"));
    let endpoint = |text: &str| text.parse::<Endpoint>().expect("an endpoint");
    let found = block_on(own_addresses(&endpoint("ws://here:1"), async { Ok(vec![six, four]) }));
    assert_eq!(found.expect("found"), [four, six]);
    let lookup = async { panic!("it is an address already") };
    let found = block_on(own_addresses(&endpoint("ws://[::1]:1"), lookup));
    assert_eq!(found.expect("found"), [six]);
}

#[test]
fn why_nothing_could_be_bound_is_told() {
    let endpoint: Endpoint = "ws://here:1".parse().expect("an endpoint");
    let told = |first: Option<io::ErrorKind>| bind_error(&endpoint, first.map(Into::into));
    assert_eq!(
        told(Some(io::ErrorKind::AddrInUse)),
        ListenError::InUse { endpoint: endpoint.clone() }
    );
    let other =
        |detail: &str| ListenError::Other { endpoint: endpoint.clone(), detail: detail.to_owned() };
    assert_eq!(told(None), other("it has no address"));
    assert_eq!(told(Some(io::ErrorKind::PermissionDenied)), other("permission denied"));
}
