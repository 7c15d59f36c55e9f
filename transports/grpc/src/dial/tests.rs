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
fn an_ipv6_address_has_brackets_in_the_request() {
    let endpoint: Endpoint = "grpc://[::1]:8740".parse().expect("an endpoint");
    let uri = request(&endpoint).expect("a request").uri().to_string();
    assert_eq!(uri, "http://[::1]:8740/moorline.worker.v1.WorkerService/Attach");
    let endpoint: Endpoint = "grpcs://[::1]:8740".parse().expect("an endpoint");
    assert_eq!(request(&endpoint).expect("a request").uri().scheme_str(), Some("https"));
}
