use super::*;

fn answer(status: u16, headers: &[(&str, &str)]) -> Response<()> {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(()).expect("a response")
}

#[test]
fn only_a_grpc_answer_is_a_coordinator() {
    let grpc = ("content-type", "application/grpc+proto");
    assert_eq!(check(&answer(200, &[grpc])), Ok(()));
    let reason = |response| check(&response).map_err(|error| error.reason);
    assert_eq!(reason(answer(502, &[grpc])), Err(Reason::ProxyRefused));
    assert_eq!(reason(answer(200, &[("content-type", "text/html")])), Err(Reason::ProxyRefused));
    assert_eq!(reason(answer(200, &[])), Err(Reason::ProxyRefused));
    assert_eq!(reason(answer(200, &[grpc, ("grpc-status", "12")])), Err(Reason::ProxyRefused));
    assert_eq!(reason(answer(200, &[grpc, ("grpc-status", "14")])), Err(Reason::ConnectRefused));
}

#[test]
fn errors_of_connecting_have_their_reason() {
    for (kind, reason) in [
        (io::ErrorKind::ConnectionRefused, Reason::ConnectRefused),
        (io::ErrorKind::TimedOut, Reason::ConnectTimeout),
        (io::ErrorKind::NetworkUnreachable, Reason::Unreachable),
        (io::ErrorKind::HostUnreachable, Reason::Unreachable),
        (io::ErrorKind::ConnectionReset, Reason::TransportReset),
    ] {
        assert_eq!(connect_reason(&io::Error::from(kind)), reason, "{kind:?}");
    }
}

#[tokio::test]
async fn the_last_good_addresses_are_used_while_the_resolver_fails() {
    let endpoint: Endpoint = "grpc://no-such-host.invalid:1".parse().expect("an endpoint");
    let resolved = Resolved::default();
    let error = addresses(&endpoint, &resolved).await.expect_err("it has never been resolved");
    assert_eq!(error.reason, Reason::DnsFailed);
    let known: SocketAddr = "127.0.0.1:1".parse().expect("an address");
    resolved.lock().expect("not poisoned").insert(endpoint.clone(), vec![known]);
    assert_eq!(addresses(&endpoint, &resolved).await, Ok(vec![known]));
}

#[tokio::test(start_paused = true)]
async fn the_last_good_addresses_are_used_while_the_resolver_is_silent_and_the_new_ones_when_it_speaks()
 {
    let endpoint: Endpoint = "grpc://coordinator:1".parse().expect("an endpoint");
    let resolved = Resolved::default();
    let [old, new]: [SocketAddr; 2] =
        ["127.0.0.1:1", "127.0.0.2:1"].map(|text| text.parse().expect("an address"));
    let found = resolve(&endpoint, &resolved, async { Ok(vec![old]) }).await;
    assert_eq!(found, Ok(vec![old]));
    let silent = resolve(&endpoint, &resolved, std::future::pending());
    let found = timeout(std::time::Duration::from_secs(3), silent).await;
    assert_eq!(found, Ok(Ok(vec![old])));
    let found = resolve(&endpoint, &resolved, async { Ok(vec![new]) }).await;
    assert_eq!(found, Ok(vec![new]), "resolved anew");
}

#[test]
fn an_ipv6_address_has_brackets_in_the_request() {
    let endpoint: Endpoint = "grpc://[::1]:8740".parse().expect("an endpoint");
    let uri = request(&endpoint).expect("a request").uri().to_string();
    assert_eq!(uri, "http://[::1]:8740/moorline.worker.v1.WorkerService/Attach");
}
