use super::*;

fn parse(text: &str) -> Result<Endpoint, EndpointError> {
    text.parse()
}

#[test]
fn an_endpoint_is_written_as_it_is_read() {
    for text in
        ["grpc://127.0.0.1:8740", "grpc://[::1]:0", "grpc://example.com:65535", "mem://here"]
    {
        assert_eq!(parse(text).expect("an endpoint").to_string(), text);
    }
    assert_eq!(
        parse("GRPC://Example.com:1/").expect("an endpoint").to_string(),
        "grpc://Example.com:1"
    );
    assert_eq!(parse("example.com:1").expect("an endpoint").to_string(), "grpc://example.com:1");
}

#[test]
fn what_is_missing_or_too_much_is_said() {
    let host = |text: &str| Err(EndpointError::Host { text: text.into() });
    let port = |text: &str| Err(EndpointError::Port { text: text.into() });
    let much = |text: &str| Err(EndpointError::TooMuch { text: text.into() });
    assert_eq!(parse("grpc://:8740"), host("grpc://:8740"));
    assert_eq!(parse("mem://"), host("mem://"));
    assert_eq!(parse(""), port(""));
    assert_eq!(parse("grpc://example.com"), port("grpc://example.com"));
    assert_eq!(parse("grpc://example.com:65536"), port("grpc://example.com:65536"));
    assert_eq!(parse("grpc://example.com:-1"), port("grpc://example.com:-1"));
    assert_eq!(parse("grpc://me@example.com:1"), much("grpc://me@example.com:1"));
    assert_eq!(parse("grpc://example.com:1/path"), much("grpc://example.com:1/path"));
    assert_eq!(parse("grpc://example.com:1#part"), much("grpc://example.com:1#part"));
    assert_eq!(parse("ws://example.com/a?b"), much("ws://example.com/a?b"));
    assert_eq!(parse("mem://here/there"), much("mem://here/there"));
    assert_eq!(parse("ws://"), host("ws://"));
    assert_eq!(parse("quic://[::1]"), port("quic://[::1]"));
    for scheme in ["", "1grpc", "gr pc", "gr_pc"] {
        let text = format!("{scheme}://example.com:1");
        assert_eq!(parse(&text), Err(EndpointError::NoScheme { text: text.clone() }));
    }
}

#[test]
fn nothing_in_an_endpoint_can_end_a_line_of_a_request() {
    for text in [
        "ws://example.com/a\r\nX-Evil: 1",
        "ws://example.com\r\nX-Evil: 1:80/",
        "ws://example.com/a b",
        "wss://example.com HTTP/1.1\n:443",
        "grpc://exa\u{2028}mple.com:1",
        "grpc://exa\0mple.com:1",
        "mem://here\n",
    ] {
        assert_eq!(parse(text), Err(EndpointError::TooMuch { text: text.into() }));
    }
    for text in ["grpc://[a]b]:1", "grpc://[[a]:1", "grpc://a]:1"] {
        assert_eq!(parse(text), Err(EndpointError::Host { text: text.into() }));
    }
}

#[test]
fn a_web_servers_url_means_websocket() {
    for (text, meant) in [
        ("http://example.com", "ws://example.com:80"),
        ("https://example.com/moorline", "wss://example.com:443/moorline"),
        ("HTTPS://example.com:8443/a/b/", "wss://example.com:8443/a/b/"),
        ("ws://[::1]/", "ws://[::1]:80"),
        ("wss://[2001:db8::1]:8743/x", "wss://[2001:db8::1]:8743/x"),
    ] {
        let endpoint = parse(text).expect("an endpoint");
        assert_eq!(endpoint.to_string(), meant);
        assert_eq!(parse(meant).expect("an endpoint"), endpoint);
    }
    assert_eq!(parse("ws://example.com/a").expect("an endpoint").path(), "/a");
    assert_eq!(parse("grpc://example.com:1/").expect("an endpoint").path(), "/");
}

#[test]
fn a_scheme_of_somebody_elses_transport_may_be_written() {
    let endpoint = parse("Carrier-Pigeon://loft:1149").expect("an endpoint");
    assert_eq!((endpoint.scheme(), endpoint.port()), ("carrier-pigeon", 1149));
}

#[test]
fn what_is_encrypted_says_so() {
    for encrypted in ["grpcs://a:1", "quic://a:1", "wss://a", "https://a"] {
        assert!(parse(encrypted).expect("an endpoint").is_encrypted(), "{encrypted}");
    }
    for clear in ["grpc://a:1", "a:1", "ws://a", "http://a", "mem://a", "tls://a:1"] {
        assert!(!parse(clear).expect("an endpoint").is_encrypted(), "{clear}");
    }
}

#[test]
fn an_ipv6_address_needs_its_brackets() {
    assert_eq!(
        parse("grpc://::1:8740"),
        Err(EndpointError::Host { text: "grpc://::1:8740".into() })
    );
    assert_eq!(parse("[::1]:8740").expect("an endpoint").host(), "::1");
}

#[test]
fn only_this_machine_is_loopback() {
    for near in ["127.0.0.1:1", "127.255.0.9:1", "[::1]:1", "LocalHost:1", "mem://x"] {
        assert!(parse(near).expect("an endpoint").is_loopback(), "{near}");
    }
    for far in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "example.com:1", "localhost.example.com:1"] {
        assert!(!parse(far).expect("an endpoint").is_loopback(), "{far}");
    }
}
