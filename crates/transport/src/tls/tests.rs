use std::io::{Read, Write};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ServerConnection};
use tempfile::TempDir;

use super::*;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "an authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed")
}

/// A certificate and its key, as PEM.
fn issued(by: &Authority, name: &str) -> (String, String) {
    let mut params = CertificateParams::new(vec!["coordinator.test".to_owned()]).expect("a name");
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().expect("a key");
    (params.signed_by(&key, by).expect("signed").pem(), key.serialize_pem())
}

struct Files {
    dir: TempDir,
    files: TlsFiles,
}

impl Files {
    fn new(ca: &Authority, (cert, key): &(String, String)) -> Self {
        let dir = TempDir::new().expect("a directory");
        let path = |name: &str| Some(dir.path().join(name));
        let files = TlsFiles { cert: path("cert.pem"), key: path("key.pem"), ca: path("ca.pem") };
        let files = Self { dir, files };
        files.write("ca.pem", &ca.pem());
        files.write("cert.pem", cert);
        files.write("key.pem", key);
        files
    }

    /// Writes a file so that it looks changed, however fast that is.
    fn write(&self, name: &str, text: &str) {
        let path = self.dir.path().join(name);
        let before = path.metadata().and_then(|metadata| metadata.modified());
        std::fs::write(&path, text).expect("written");
        if let Ok(before) = before {
            let file = std::fs::File::options().write(true).open(&path).expect("opened");
            file.set_modified(before + Duration::from_secs(1)).expect("its time is set");
        }
    }
}

/// Shakes hands, and says whom the server saw, or why one of them would not.
fn meet(client: &ClientTls, server: &ServerTls) -> Result<String, rustls::Error> {
    let name = ServerName::try_from("coordinator.test").expect("a name");
    let mut client = ClientConnection::new(client.config(b"test"), name)?;
    let mut server = ServerConnection::new(server.config(b"test"))?;
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).expect("memory takes it");
        }
        take(&mut server, &wire)?;
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).expect("memory takes it");
        }
        take(&mut client, &wire)?;
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    client.writer().write_all(b"hello").expect("taken");
    let mut wire = Vec::new();
    client.write_tls(&mut wire).expect("memory takes it");
    take(&mut server, &wire)?;
    let mut read = [0; 5];
    server.reader().read_exact(&mut read).expect("all of it is there");
    assert_eq!((&read, server.alpn_protocol()), (b"hello", Some(&b"test"[..])));
    Ok(server.peer_certificates().map_or_else(String::new, |chain| name_of(&chain[0])))
}

fn take<S>(
    conn: &mut impl std::ops::DerefMut<Target = rustls::ConnectionCommon<S>>,
    mut wire: &[u8],
) -> Result<(), rustls::Error> {
    while !wire.is_empty() {
        conn.read_tls(&mut wire).expect("memory is read");
        conn.process_new_packets()?;
    }
    Ok(())
}

#[test]
fn both_sides_prove_who_they_are() {
    let ca = authority();
    let server = Files::new(&ca, &issued(&ca, "the coordinator"));
    let worker = Files::new(&ca, &issued(&ca, "gpu-1"));
    let server_tls = ServerTls::from_files(server.files.clone()).expect("files");
    let client = ClientTls::from_files(worker.files.clone()).expect("files");
    assert_eq!(meet(&client, &server_tls), Ok("gpu-1".to_owned()));

    let nobody = TlsFiles { ca: worker.files.ca.clone(), ..TlsFiles::default() };
    let nobody = ClientTls::from_files(nobody).expect("files");
    assert!(meet(&nobody, &server_tls).is_err(), "it has no certificate");
    let open = TlsFiles { ca: None, ..server.files.clone() };
    let open = ServerTls::from_files(open).expect("files");
    assert_eq!(meet(&nobody, &open), Ok(String::new()), "nobody is asked for one");

    let other = authority();
    let stranger = Files::new(&ca, &issued(&other, "gpu-1"));
    let stranger = ClientTls::from_files(stranger.files.clone()).expect("files");
    assert!(meet(&stranger, &server_tls).is_err(), "somebody else signed it");
    let misled = Files::new(&other, &issued(&ca, "gpu-1"));
    let misled = ClientTls::from_files(misled.files.clone()).expect("files");
    assert!(meet(&misled, &server_tls).is_err(), "it does not believe the coordinator");
}

#[test]
fn what_is_replaced_counts_from_the_next_connection_on() {
    let (old, new) = (authority(), authority());
    let server = Files::new(&old, &issued(&old, "the coordinator"));
    let worker = Files::new(&old, &issued(&old, "before"));
    let (tls, client) = (
        ServerTls::from_files(server.files.clone()).expect("files"),
        ClientTls::from_files(worker.files.clone()).expect("files"),
    );
    assert_eq!(meet(&client, &tls), Ok("before".to_owned()));
    let (cert, key) = issued(&old, "after");
    worker.write("cert.pem", &cert);
    assert_eq!(meet(&client, &tls), Ok("before".to_owned()), "its key is still to come");
    worker.write("key.pem", &key);
    assert_eq!(meet(&client, &tls), Ok("after".to_owned()));
    worker.write("cert.pem", "no certificate at all");
    assert_eq!(meet(&client, &tls), Ok("after".to_owned()), "what there was goes on");
    worker.write("cert.pem", &cert);
    server.write("ca.pem", &new.pem());
    assert!(meet(&client, &tls).is_err(), "whom the coordinator believes has changed");
    let (cert, key) = issued(&new, "after that");
    worker.write("cert.pem", &cert);
    worker.write("key.pem", &key);
    assert_eq!(meet(&client, &tls), Ok("after that".to_owned()));
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let ca = authority();
    let Files { dir, files } = Files::new(&ca, &issued(&ca, "gpu-1"));
    let refused = |files: TlsFiles| {
        let error = ClientTls::from_files(files).expect_err("they are no good").to_string();
        error.replace(&*dir.path().to_string_lossy(), "DIR")
    };
    let path = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        Some(path)
    };
    let gone = TlsFiles { ca: Some(dir.path().join("gone")), ..TlsFiles::default() };
    assert!(refused(gone).starts_with("cannot read DIR/gone: No such file"));
    let empty = TlsFiles { ca: path("empty", "-"), ..TlsFiles::default() };
    assert_eq!(refused(empty), "DIR/empty holds no certificate");
    let torn = path("torn", "-----BEGIN CERTIFICATE-----\nMIIB\n");
    assert!(
        refused(TlsFiles { ca: torn, ..TlsFiles::default() }).starts_with("DIR/torn is damaged: ")
    );
    let half = TlsFiles { key: None, ..files.clone() };
    assert_eq!(refused(half), "a certificate is given without its key");
    let half = TlsFiles { cert: None, ..files.clone() };
    assert_eq!(refused(half), "a key is given without its certificate");
    let swapped = TlsFiles { cert: files.key.clone(), ..files.clone() };
    assert_eq!(refused(swapped), "DIR/key.pem holds no certificate");
    let foreign = TlsFiles { key: path("foreign", &issued(&ca, "x").1), ..files.clone() };
    let key = "the key in DIR/foreign is not the one that the certificate in DIR/cert.pem is for";
    assert_eq!(refused(foreign), key);
    let none = ServerTls::from_files(TlsFiles::default()).expect_err("there is none");
    assert_eq!(none.to_string(), "a listener with TLS needs a certificate and its key");
}

#[test]
fn a_certificate_outside_its_time_is_told_and_used_all_the_same() {
    let ca = authority();
    let at = |from: i32, until: i32| {
        let mut params = CertificateParams::default();
        (params.not_before, params.not_after) =
            (rcgen::date_time_ymd(from, 1, 1), rcgen::date_time_ymd(until, 1, 1));
        let key = KeyPair::generate().expect("a key");
        let issued = (params.signed_by(&key, &ca).expect("signed").pem(), key.serialize_pem());
        let Files { dir, files } = Files::new(&ca, &issued);
        // This machine's clock may be wrong, and may be set any moment.
        assert!(ClientTls::from_files(files.clone()).is_ok());
        assert!(ServerTls::from_files(files.clone()).is_ok());
        let dir = dir.path().to_string_lossy();
        files.in_force().err().map(|error| error.to_string().replace(&*dir, "DIR"))
    };
    assert_eq!(at(2000, 2400), None);
    let over = at(2000, 2001).expect("its time is over");
    assert!(over.starts_with("DIR/cert.pem has expired: it was valid until Jan"), "{over}");
    let early = at(2400, 2401).expect("its time has not begun");
    assert!(early.starts_with("DIR/cert.pem is not valid before Jan"), "{early}");
    let gone = TlsFiles { cert: Some("gone.pem".into()), ..TlsFiles::default() };
    assert!(gone.in_force().is_ok(), "it is no matter of time");
}

#[test]
fn what_could_not_be_read_is_tried_again_also_if_the_files_look_the_same() {
    let ca = authority();
    let server = Files::new(&ca, &issued(&ca, "the coordinator"));
    let worker = Files::new(&ca, &issued(&ca, "before"));
    let tls = ServerTls::from_files(server.files.clone()).expect("files");
    let client = ClientTls::from_files(worker.files.clone()).expect("files");
    let path = worker.files.cert.clone().expect("a file");
    let (cert, key) = issued(&ca, "after");
    worker.write("key.pem", &key);
    // As long as the right one.
    worker.write("cert.pem", &"x".repeat(cert.len()));
    assert_eq!(meet(&client, &tls), Ok("before".to_owned()));
    let modified = path.metadata().and_then(|metadata| metadata.modified()).expect("a time");
    std::fs::write(&path, &cert).expect("written");
    let file = std::fs::File::options().write(true).open(&path).expect("opened");
    file.set_modified(modified).expect("its time is set");
    assert_eq!(meet(&client, &tls), Ok("before".to_owned()), "not at once");
    if let Some((_, at)) = &mut client.0.last.lock().expect("nobody panics").failed {
        *at -= AGAIN_AFTER;
    }
    assert_eq!(meet(&client, &tls), Ok("after".to_owned()));
}

#[test]
fn a_certificate_proves_its_common_name_and_only_one() {
    let named = |names: &[&str]| {
        let mut params = CertificateParams::new(vec!["gpu-2".to_owned()]).expect("a name");
        params.distinguished_name = rcgen::DistinguishedName::new();
        for name in names {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        let key = KeyPair::generate().expect("a key");
        name_of(params.self_signed(&key).expect("signed").der())
    };
    assert_eq!(named(&["gpu-1"]), "gpu-1");
    assert_eq!(named(&[]), "", "what else it says is no worker's name");
    assert_eq!(name_of(&CertificateDer::from(vec![0x30, 0x03])), "");
}
