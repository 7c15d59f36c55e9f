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
    assert_eq!(parse("smtp://example.com:1"), Err(EndpointError::Scheme { scheme: "smtp".into() }));
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
