use moorline_driver::Transports;
use moorline_memory::MemoryTransport;
use moorline_transport::TlsFiles;

use super::{Only, Reach};
use crate::Code;

/// As this worker would dial it.
fn dials(reach: &Reach, text: &str) -> Result<String, Code> {
    // What is in the files is not what this is about.
    let transports = Reach::default().dialling(Transports::new().with(MemoryTransport::new()));
    let endpoint = reach.coordinator(&transports.unwrap(), text);
    endpoint.map(|endpoint| endpoint.to_string()).map_err(|error| error.code())
}

fn with_tls() -> Reach {
    let tls = TlsFiles { ca: Some("ca.pem".into()), ..TlsFiles::default() };
    Reach { tls, ..Reach::default() }
}

fn only(name: &str, reach: Reach) -> Reach {
    Reach { only: Only::parse(name), ..reach }
}

#[test]
fn an_address_without_a_scheme_means_grpc_with_tls_if_that_is_set_up() {
    for (text, clear, encrypted) in [
        ("127.0.0.1:1", "grpc://127.0.0.1:1", "grpcs://127.0.0.1:1"),
        ("localhost", "grpc://localhost:8740", "grpcs://localhost:8740"),
        ("[::1]", "grpc://[::1]:8740", "grpcs://[::1]:8740"),
        ("[::1]:9", "grpc://[::1]:9", "grpcs://[::1]:9"),
        // What somebody has written is what is meant.
        ("ws://127.0.0.1:1", "ws://127.0.0.1:1", "ws://127.0.0.1:1"),
        ("http://localhost/x", "ws://localhost:80/x", "ws://localhost:80/x"),
        ("mem://here", "mem://here", "mem://here"),
    ] {
        assert_eq!(dials(&Reach::default(), text).as_deref(), Ok(clear));
        assert_eq!(dials(&with_tls(), text).as_deref(), Ok(encrypted));
    }
    for wrong in ["", "a:b", "a:", "::1", "a:1:2", "grpc://a", "grpcs://a:1/x"] {
        assert_eq!(dials(&Reach::default(), wrong), Err(Code::ENDPOINT), "{wrong}");
    }
}

#[test]
fn with_a_named_transport_an_address_is_its_own_and_urls_of_others_are_refused() {
    for (name, bare, with_tls_bare) in [
        ("grpc", "grpc://localhost:8740", "grpcs://localhost:8740"),
        ("quic", "quic://localhost:8740", "quic://localhost:8740"),
        ("websocket", "ws://localhost:8743", "wss://localhost:8743"),
    ] {
        let (clear, encrypted) = (only(name, Reach::default()), only(name, with_tls()));
        assert_eq!(dials(&clear, "localhost").as_deref(), Ok(bare));
        assert_eq!(dials(&encrypted, "localhost").as_deref(), Ok(with_tls_bare));
        for (url, of) in [
            ("grpc://localhost:1", "grpc"),
            ("grpcs://localhost:1", "grpc"),
            ("quic://localhost:1", "quic"),
            ("http://localhost:1", "websocket"),
            ("wss://localhost:1", "websocket"),
            ("mem://here", "none"),
        ] {
            let expected = if of == name { Ok(()) } else { Err(Code::SETTING) };
            assert_eq!(dials(&clear, url).map(|_| ()), expected, "{name}: {url}");
        }
    }
    assert_eq!(Only::parse("auto"), None);
}

#[test]
fn only_what_is_encrypted_leaves_this_machine_unless_that_is_allowed() {
    let open = Reach { is_insecure: true, ..Reach::default() };
    for clear in ["grpc://192.0.2.1:1", "ws://example.com", "http://example.com", "192.0.2.1"] {
        assert_eq!(dials(&Reach::default(), clear), Err(Code::DIAL_IN_CLEAR), "{clear}");
        assert!(dials(&open, clear).is_ok(), "{clear}");
    }
    for encrypted in ["grpcs://192.0.2.1:1", "quic://192.0.2.1:1", "https://example.com"] {
        assert!(dials(&Reach::default(), encrypted).is_ok(), "{encrypted}");
    }
    assert!(dials(&with_tls(), "192.0.2.1").is_ok(), "it means gRPC with TLS there");
}

#[test]
fn a_password_of_a_proxy_is_not_taken_from_a_setting() {
    let with = |proxy: &str| {
        let reach = Reach { proxy: Some(proxy.to_owned()), ..Reach::default() };
        reach.dialling(Transports::new()).map(|_| ())
    };
    for fine in ["http://192.0.2.1:3128", "https://proxy.example.com", "192.0.2.1:3128", "none"] {
        with(fine).unwrap();
    }
    let error = with("http://me:secret@192.0.2.1:3128").unwrap_err().to_string();
    assert!(error.contains("HTTPS_PROXY") && !error.contains("secret"), "{error}");
    let error = with("socks5://192.0.2.1:1080").unwrap_err().to_string();
    assert!(error.contains("known: http, https"), "{error}");
}
