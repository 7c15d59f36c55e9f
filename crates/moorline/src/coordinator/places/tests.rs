use moorline_driver::Transports;
use moorline_memory::MemoryTransport;
use moorline_transport::{Authority, AuthorityError, Endpoint, TlsFiles};

use super::{Places, would_follow_over};
use crate::Code;
use crate::reach::Reach;

fn places() -> Places {
    let given = Transports::new().with(MemoryTransport::new());
    Places::new(Reach::default(), Reach::default().listening(given, None).unwrap())
}

fn endpoint(text: &str) -> Endpoint {
    text.parse().unwrap()
}

#[test]
fn what_no_worker_would_go_to_is_not_advertised() {
    let places = places();
    for (text, is) in [
        ("grpcs://other.example:8740", "grpcs://other.example:8740"),
        ("wss://other.example/moorline", "wss://other.example:443/moorline"),
        ("quic://192.0.2.7:8740", "quic://192.0.2.7:8740"),
        ("localhost", "grpc://localhost:8740"),
        ("ws://127.0.0.1:8743", "ws://127.0.0.1:8743"),
        ("mem://there", "mem://there"),
    ] {
        assert_eq!(places.advertised(text).unwrap(), endpoint(is), "{text}");
    }
    let long = format!("grpcs://{}:1", "a".repeat(600));
    for (text, why) in [
        ("nonsense:x", "has no valid port"),
        ("smoke://hill:1", "is not a scheme"),
        ("grpc://192.0.2.7:8740", "is not encrypted"),
        ("grpcs://0.0.0.0:8740", "nobody can be reached there"),
        ("grpcs://169.254.169.254:80", "nobody can be reached there"),
        ("grpcs://other.example:0", "nobody can be reached there"),
        (&*long, "512"),
    ] {
        let error = places.advertised(text).unwrap_err();
        assert_eq!(error.code(), Code::ADVERTISE, "{text}");
        assert!(error.to_string().contains(why), "{text}: {error}");
    }
}

/// What a worker that came from there, by this scheme, may be told.
fn may(scheme: &str, remote: &str, to: &str) -> Result<(), AuthorityError> {
    let own = Authority::hosts(["coordinator.example", "127.0.0.1"]);
    let door = endpoint(&format!("{scheme}://127.0.0.1:8740"));
    would_follow_over(Some(&own), &door, remote, &endpoint(to))
}

#[test]
fn over_tls_a_coordinator_names_the_hosts_of_its_certificate() {
    for scheme in ["grpcs", "quic", "wss"] {
        for remote in ["127.0.0.1:5", "192.0.2.7:5"] {
            assert_eq!(may(scheme, remote, "grpcs://coordinator.example:1"), Ok(()));
            assert_eq!(may(scheme, remote, "quic://127.0.0.1:1"), Ok(()));
            let foreign = may(scheme, remote, "wss://other.example:1");
            assert!(matches!(foreign, Err(AuthorityError::Foreign { .. })), "{foreign:?}");
            let clear = may(scheme, remote, "grpc://coordinator.example:1");
            assert!(matches!(clear, Err(AuthorityError::Clear { .. })), "{clear:?}");
        }
    }
    let door = endpoint("grpcs://127.0.0.1:8740");
    let unknown = would_follow_over(None, &door, "127.0.0.1:5", &endpoint("wss://other.example:1"));
    assert_eq!(unknown, Ok(()), "what is not known is for the worker to say");
}

#[test]
fn in_the_clear_a_coordinator_names_this_machine_to_workers_on_it() {
    for scheme in ["grpc", "ws"] {
        for here in ["127.0.0.1:5", "[::1]:5", "[::ffff:127.0.0.1]:5"] {
            assert_eq!(may(scheme, here, "grpc://127.0.0.1:1"), Ok(()), "{here}");
            assert_eq!(may(scheme, here, "wss://localhost:1"), Ok(()), "{here}");
            let other = may(scheme, here, "grpc://192.0.2.7:1");
            assert!(matches!(other, Err(AuthorityError::Unproven { .. })), "{other:?}");
            // Whoever ends TLS in between may have a certificate for it: the worker knows.
            assert_eq!(may(scheme, here, "wss://other.example:1"), Ok(()), "{here}");
            let nowhere = may(scheme, here, "wss://169.254.169.254:80");
            assert!(matches!(nowhere, Err(AuthorityError::Nowhere { .. })), "{nowhere:?}");
        }
        let far = may(scheme, "192.0.2.7:5", "grpc://127.0.0.1:1");
        assert!(matches!(far, Err(AuthorityError::Unproven { .. })), "{far:?}");
    }
    assert_eq!(may("mem", "somebody", "mem://there"), Ok(()), "its own rules are not known here");
}

#[tokio::test]
async fn the_certificate_says_what_is_proven_and_what_is_advertised_in_vain() {
    let home = tempfile::tempdir().unwrap();
    let cert = home.path().join("cert.pem");
    let of = |names: &[&str]| {
        let key = rcgen::KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let made = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        std::fs::write(&cert, made.pem()).unwrap();
    };
    let tls = TlsFiles { cert: Some(cert.clone()), ..TlsFiles::default() };
    let places = Places::new(Reach { tls, ..Reach::default() }, Transports::new());
    assert_eq!(places.own().await, None, "the file is not there");
    of(&["a.example"]);
    assert_eq!(places.own().await, Some(Authority::hosts(["a.example"])));
    let advertised =
        ["grpcs://a.example:1", "wss://b.example:1", "grpc://127.0.0.1:1"].map(endpoint);
    assert_eq!(places.unproven(&advertised), [&advertised[1]]);
    of(&["a.example", "b.example"]);
    assert!(places.unproven(&advertised).is_empty(), "it is read anew");
    let none = Places::new(Reach::default(), Transports::new());
    assert_eq!(none.own().await, Some(Authority::nobody()));
    assert!(none.unproven(&advertised).is_empty());
}
