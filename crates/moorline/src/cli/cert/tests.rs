use std::path::Path;
use std::time::Duration;

use moorline_grpc::GrpcTransport;
use moorline_link::Reason;
use moorline_transport::{
    ClientTls, Connection, Endpoint, Listener, Security, ServerTls, TlsFiles, Transport,
};

use super::authority::{self, Authority, Wanted};
use super::files::{Pending, Readers};
use super::parsed::{DAY, Parsed, Use};
use super::{name, now, paths};
use crate::Code;

/// An authority in a directory of its own.
fn authority() -> (tempfile::TempDir, Authority) {
    let home = tempfile::tempdir().unwrap();
    authority::init(&home.path().join("ca"), "the authority", 3_650).unwrap();
    let authority = Authority::open(&home.path().join("ca")).unwrap();
    (home, authority)
}

/// Issues what is wanted into files of the authority's home.
fn issued(home: &Path, authority: &Authority, name: &str, names: &[&str]) -> TlsFiles {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let is_for = if names.is_empty() { Use::Client } else { Use::Server };
    let wanted = Wanted { name, names: &names, is_for, days: 30 };
    let (certificate, private) = authority.issue(&wanted).unwrap();
    let (cert, key) = paths(home, name);
    Pending::new(&key, &private, Readers::Owner).unwrap().create().unwrap();
    Pending::new(&cert, &certificate, Readers::All).unwrap().create().unwrap();
    TlsFiles { cert: Some(cert), key: Some(key), ca: Some(home.join("ca").join(authority::CERT)) }
}

/// Dials and takes it in.
async fn meet(
    client: &GrpcTransport,
    listener: &mut dyn Listener,
) -> Result<(Connection, Connection), Option<Reason>> {
    let there = listener.endpoint();
    let both = futures::future::join(client.dial(&there), listener.accept());
    match tokio::time::timeout(Duration::from_secs(60), both).await.unwrap() {
        (Ok(dialled), Ok(accepted)) => Ok((dialled, accepted)),
        (dialled, _) => Err(dialled.err().map(|error| error.reason)),
    }
}

fn dials(files: &TlsFiles) -> GrpcTransport {
    let client = ClientTls::from_files(files.clone()).unwrap();
    GrpcTransport::new().with_security(Security::new().with_client(client))
}

async fn listens(files: &TlsFiles) -> Box<dyn Listener> {
    let server = ServerTls::from_files(files.clone()).unwrap();
    let transport = GrpcTransport::new().with_security(Security::new().with_server(server));
    let here: Endpoint = "grpcs://127.0.0.1:0".parse().unwrap();
    transport.listen(&here).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_issued_proves_a_worker_to_a_coordinator_and_the_other_way_round() {
    let (home, authority) = authority();
    let server = issued(home.path(), &authority, "coordinator", &["127.0.0.1", "localhost"]);
    let worker = issued(home.path(), &authority, "gpu-1", &[]);
    let mut listener = listens(&server).await;
    let (_dialled, accepted) = meet(&dials(&worker), &mut *listener).await.unwrap();
    assert_eq!(accepted.identity.as_deref(), Some("gpu-1"));

    // A server's is no worker's, nor is a worker's a server's.
    let refused = meet(&dials(&server), &mut *listener).await;
    assert_eq!(refused.err(), Some(Some(Reason::TlsFailed)));
    let mut listener = listens(&TlsFiles { ca: None, ..worker.clone() }).await;
    let refused = meet(&dials(&worker), &mut *listener).await;
    assert_eq!(refused.err(), Some(Some(Reason::TlsFailed)));

    // Whose address is another one is not believed.
    let elsewhere = issued(home.path(), &authority, "elsewhere", &["coordinator.example.com"]);
    let mut listener = listens(&elsewhere).await;
    let refused = meet(&dials(&worker), &mut *listener).await;
    assert_eq!(refused.err(), Some(Some(Reason::TlsFailed)));

    // Nor is who was made by another authority of the same name.
    let (other_home, other) = self::authority();
    let stranger = issued(other_home.path(), &other, "gpu-1", &[]);
    let stranger = TlsFiles { ca: worker.ca.clone(), ..stranger };
    let mut listener = listens(&server).await;
    let refused = meet(&dials(&stranger), &mut *listener).await;
    assert_eq!(refused.err(), Some(Some(Reason::TlsFailed)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_renewed_has_the_old_key_and_counts_from_the_next_connection_on() {
    let (home, authority) = authority();
    let server = issued(home.path(), &authority, "coordinator", &["127.0.0.1"]);
    let worker = issued(home.path(), &authority, "gpu-1", &[]);
    let mut listener = listens(&server).await;
    let client = dials(&worker);
    meet(&client, &mut *listener).await.unwrap();
    let path = worker.cert.as_deref().unwrap();
    let old = Parsed::first_in(path).unwrap();
    let names = [];
    let wanted = Wanted { name: "gpu-1", names: &names, is_for: Use::Client, days: 60 };
    let text = authority.again(&wanted, &old).unwrap();
    Pending::new(path, &text, Readers::All).unwrap().like_the_old().unwrap().replace().unwrap();
    let new = Parsed::first_in(path).unwrap();
    assert_eq!((new.public_key(), &new.subject), (old.public_key(), &old.subject));
    assert_ne!(new.serial, old.serial, "no two have the same number");
    assert!(new.until - old.until >= 29 * DAY && new.is_signed_by(&authority.cert));
    let (_dialled, accepted) = meet(&client, &mut *listener).await.unwrap();
    assert_eq!(accepted.identity.as_deref(), Some("gpu-1"));
}

#[test]
fn what_stands_in_a_certificate_is_read_again() {
    let (home, authority) = authority();
    assert_eq!(
        (authority.cert.subject.as_str(), authority.cert.is_for),
        ("the authority", Use::Authority)
    );
    assert!(authority.cert.is_signed_by(&authority.cert));
    let files =
        issued(home.path(), &authority, "coordinator", &["10.0.0.5", "*.example.com", "::1"]);
    let cert = Parsed::first_in(files.cert.as_deref().unwrap()).unwrap();
    assert_eq!((cert.subject.as_str(), cert.issuer.as_str()), ("coordinator", "the authority"));
    assert_eq!(cert.names, ["10.0.0.5", "*.example.com", "::1"]);
    assert_eq!(cert.is_for, Use::Server);
    assert!(cert.from < now() && (29 * DAY..=30 * DAY).contains(&(cert.until - now())));
    assert_eq!(cert.serial.len(), 32);
    assert_eq!(cert.fingerprint().len(), 32 * 3 - 1);
    let worker = issued(home.path(), &authority, "gpu-1", &[]);
    assert_eq!(Parsed::first_in(worker.cert.as_deref().unwrap()).unwrap().is_for, Use::Client);
}

#[test]
fn nothing_is_believed_for_longer_than_its_authority() {
    let home = tempfile::tempdir().unwrap();
    authority::init(home.path(), "short", 10).unwrap();
    let authority = Authority::open(home.path()).unwrap();
    let names = [];
    let wanted = Wanted { name: "gpu-1", names: &names, is_for: Use::Client, days: 365 };
    let (text, _) = authority.issue(&wanted).unwrap();
    let path = home.path().join("gpu-1.pem");
    std::fs::write(&path, text).unwrap();
    assert_eq!(Parsed::first_in(&path).unwrap().until, authority.cert.until);
}

#[test]
fn an_authority_that_is_there_is_not_overwritten_even_in_part() {
    let home = tempfile::tempdir().unwrap();
    for there in [authority::KEY, authority::CERT] {
        let directory = home.path().join(there);
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join(there), "what is there").unwrap();
        let error = authority::init(&directory, "another", 10).unwrap_err();
        assert_eq!(error.code(), Code::AUTHORITY_EXISTS);
        let entries = std::fs::read_dir(&directory).unwrap().count();
        assert_eq!(
            (entries, std::fs::read_to_string(directory.join(there)).unwrap()),
            (1, "what is there".to_owned())
        );
    }
}

#[test]
fn an_authority_whose_files_do_not_go_together_signs_nothing() {
    let home = tempfile::tempdir().unwrap();
    let (one, other) = (home.path().join("one"), home.path().join("other"));
    let code = |directory: &Path| Authority::open(directory).err().map(|error| error.code());
    assert_eq!(code(&one), Some(Code::NO_AUTHORITY));
    authority::init(&one, "one", 10).unwrap();
    authority::init(&other, "one", 10).unwrap();
    assert_eq!(code(&one), None);
    std::fs::copy(other.join(authority::KEY), one.join(authority::KEY)).unwrap();
    assert_eq!(code(&one), Some(Code::CERT_FILE), "another one's key");
    std::fs::write(one.join(authority::KEY), "-----BEGIN PRIVATE KEY-----\nno\n").unwrap();
    assert_eq!(code(&one), Some(Code::CERT_FILE), "no key");
    let expired = home.path().join("expired");
    std::fs::create_dir(&expired).unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    std::fs::write(expired.join(authority::KEY), key.serialize_pem()).unwrap();
    let cert = params.self_signed(&key).unwrap().pem();
    std::fs::write(expired.join(authority::CERT), cert).unwrap();
    assert_eq!(code(&expired), Some(Code::CERT_FILE), "nobody believes it any more");
    let authority = Authority::open(&other).unwrap();
    let files = issued(&other, &authority, "gpu-1", &[]);
    std::fs::copy(files.cert.unwrap(), other.join(authority::CERT)).unwrap();
    std::fs::copy(files.key.unwrap(), other.join(authority::KEY)).unwrap();
    assert_eq!(code(&other), Some(Code::CERT_FILE), "a worker is no authority");
}

#[cfg(unix)]
#[test]
fn keys_are_readable_by_their_owner_alone_and_who_is_replaced_keeps_its_readers() {
    use std::os::unix::fs::PermissionsExt;
    let (home, authority) = authority();
    let files = issued(home.path(), &authority, "gpu-1", &[]);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let (cert, key) = (files.cert.unwrap(), files.key.unwrap());
    assert_eq!((mode(&key), mode(&cert)), (0o600, 0o644));
    let ca = home.path().join("ca");
    assert_eq!((mode(&ca.join(authority::KEY)), mode(&ca)), (0o600, 0o700));
    assert!(!authority::is_open_to_others(&ca));
    std::fs::set_permissions(ca.join(authority::KEY), PermissionsExt::from_mode(0o640)).unwrap();
    assert!(authority::is_open_to_others(&ca));
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o640)).unwrap();
    let pending = Pending::new(&key, "another", Readers::Owner).unwrap();
    pending.like_the_old().unwrap().replace().unwrap();
    assert_eq!((mode(&key), std::fs::read_to_string(&key).unwrap().as_str()), (0o640, "another"));
}

/// What reads a file while it is replaced again and again.
#[test]
fn whoever_reads_a_file_that_is_replaced_has_all_of_one() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("cert.pem");
    let texts = ["a".repeat(5_000), "b".repeat(9_000)];
    std::fs::write(&path, &texts[0]).unwrap();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for round in 1..200 {
                let pending = Pending::new(&path, &texts[round % 2], Readers::All).unwrap();
                pending.replace().unwrap();
            }
        });
        while !writing.is_finished() {
            let read = std::fs::read_to_string(&path).unwrap();
            assert!(texts.contains(&read), "{} bytes", read.len());
        }
    });
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1, "nothing is left behind");
}

#[test]
fn a_name_fits_a_certificate_and_its_files_stay_where_they_are_put() {
    assert!(name(&"n".repeat(64)).is_ok());
    for wrong in [String::new(), "n".repeat(65), "\u{e9}".repeat(33), "a\nb".to_owned()] {
        assert!(name(&wrong).is_err(), "{wrong:?}");
    }
    for (name, file) in [
        ("gpu-1", "gpu-1.pem"),
        ("../../etc/passwd", "_.._.._etc_passwd.pem"),
        (".hidden", "_.hidden.pem"),
        ("a b/c", "a_b_c.pem"),
        ("n\u{e9}@host.local", "n\u{e9}@host.local.pem"),
    ] {
        assert_eq!(paths(Path::new("out"), name).0, Path::new("out").join(file));
    }
}

#[test]
fn a_file_that_is_damaged_says_so() {
    let (home, authority) = authority();
    let files = issued(home.path(), &authority, "gpu-1", &[]);
    let cert = files.cert.unwrap();
    let text = std::fs::read_to_string(&cert).unwrap();
    let path = home.path().join("x.pem");
    let half: String = text.lines().take(3).collect::<Vec<_>>().join("\n");
    let short = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".to_owned();
    for damaged in [String::new(), "hello".to_owned(), half, short] {
        std::fs::write(&path, &damaged).unwrap();
        let error = Parsed::all_in(&path).unwrap_err();
        assert_eq!(error.code(), Code::CERT_FILE, "{damaged}");
        assert!(error.to_string().contains("x.pem"), "{error}");
    }
    let key = Parsed::all_in(&files.key.unwrap()).unwrap_err();
    assert!(key.to_string().contains("holds no certificate"), "{key}");
    std::fs::write(&path, format!("{text}{}", text)).unwrap();
    assert_eq!(Parsed::all_in(&path).unwrap().len(), 2);
}
