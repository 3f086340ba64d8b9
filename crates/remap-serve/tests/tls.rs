//! TLS with a foreign client: what is encrypted, who is let in, and what happens to those who are not.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, IsCa, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use remap_serve::tls::{ClientCertificates, TlsConfig, TlsPolicy};
use remap_serve::{Address, Listener, NbdServer};
use support::{Set, noise, run, text, try_run};
use tempfile::TempDir;

/// An authority of one test.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// A directory with everything for a server, or with its `client-…` counterpart.
    fn directory(&self, role: &str, serial: u64) -> TempDir {
        let directory = TempDir::new().expect("a directory");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        params.serial_number = Some(SerialNumber::from(serial));
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate").pem();
        let write = |name: &str, text: &str| {
            std::fs::write(directory.path().join(name), text).expect("room for certificates");
        };
        write("ca-cert.pem", &self.certificate);
        write(&format!("{role}-cert.pem"), &certificate);
        write(&format!("{role}-key.pem"), &key.serialize_pem());
        directory
    }

    fn revocation(&self, serial: u64) -> String {
        let revoked = RevokedCertParams {
            serial_number: SerialNumber::from(serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2099, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).expect("a list").pem().expect("a list")
    }
}

/// A set served with TLS on a port of this machine.
struct Secure {
    set: Set,
    server: NbdServer,
    port: u16,
}

fn serve(policy: TlsPolicy) -> Secure {
    serve_set(Set::new(), policy)
}

fn serve_set(set: Set, policy: TlsPolicy) -> Secure {
    let listener = Listener::bind(&"tcp:127.0.0.1:0".parse().expect("an address")).expect("a port is free");
    let Address::Tcp(address) = *listener.address() else { panic!("a TCP address") };
    let mut options = remap_serve::NbdOptions::new(&set.device);
    options.engine = set.engine;
    options.tls = policy;
    options.handshake_timeout = Duration::from_secs(4);
    let server = NbdServer::start(Arc::clone(&set.device), vec![listener], options).expect("it starts");
    Secure { set, server, port: address.port() }
}

fn config(directory: &TempDir, clients: ClientCertificates) -> TlsConfig {
    TlsConfig::load(directory.path(), clients).expect("certificates of this test")
}

impl Secure {
    fn uri(&self, scheme: &str, certificates: Option<&Path>) -> String {
        let query = certificates.map(|path| format!("?tls-certificates={}", path.display()));
        format!("{scheme}://localhost:{}/{}", self.port, query.unwrap_or_default())
    }

    fn info(&self, scheme: &str, certificates: Option<&Path>) -> Output {
        try_run("libnbd-bin", "nbdinfo", &["--json", &self.uri(scheme, certificates)])
    }
}

fn is_encrypted(output: &Output) -> bool {
    let facts: serde_json::Value = serde_json::from_slice(&output.stdout).expect("nbdinfo prints JSON");
    assert!(output.status.success());
    facts["TLS"].as_bool().expect("nbdinfo tells of TLS")
}

fn stored(secure: &Secure, name: &str, data: &[u8]) -> PathBuf {
    let path = secure.set.path(name);
    std::fs::write(&path, data).expect("room for the data");
    path
}

#[test]
fn required_tls_serves_encrypted_clients_and_no_others() {
    let authority = Authority::new();
    let files = authority.directory("server", 1);
    let secure = serve(TlsPolicy::Required(config(&files, ClientCertificates::NotAsked)));
    assert!(is_encrypted(&secure.info("nbds", Some(files.path()))));
    let plain = secure.info("nbd", None);
    assert!(!plain.status.success());
    assert!(secure.server.serving().requires_tls(), "addresses are told with nbds");
}

#[test]
fn offered_tls_serves_both() {
    let authority = Authority::new();
    let files = authority.directory("server", 1);
    let secure = serve(TlsPolicy::Offered(config(&files, ClientCertificates::NotAsked)));
    assert!(is_encrypted(&secure.info("nbds", Some(files.path()))));
    assert!(!is_encrypted(&secure.info("nbd", None)));
}

#[test]
fn without_tls_a_client_that_insists_is_refused() {
    let authority = Authority::new();
    let files = authority.directory("server", 1);
    let secure = serve(TlsPolicy::Off);
    assert!(!secure.info("nbds", Some(files.path())).status.success());
    assert!(!is_encrypted(&secure.info("nbd", None)));
}

#[test]
fn data_goes_through_tls_unchanged_over_several_connections() {
    let authority = Authority::new();
    let files = authority.directory("server", 1);
    for set in Set::of_each_kind() {
        let secure = serve_set(set, TlsPolicy::Required(config(&files, ClientCertificates::NotAsked)));
        let data = noise(64 << 20, 3);
        let before = stored(&secure, "before", &data);
        let uri = secure.uri("nbds", Some(files.path()));
        run("libnbd-bin", "nbdcopy", &["--connections=2", "--flush", text(&before), &uri]);
        assert!(secure.set.image() == data);
        let after = secure.set.path("after");
        run("libnbd-bin", "nbdcopy", &["--connections=2", &uri, text(&after)]);
        assert!(std::fs::read(&after).expect("the copy is there") == data);
    }
}

#[test]
fn only_clients_with_a_certificate_of_the_authority_are_let_in_where_that_is_required() {
    let authority = Authority::new();
    let files = authority.directory("server", 1);
    let secure = serve(TlsPolicy::Required(config(&files, ClientCertificates::Required)));
    let known = authority.directory("client", 2);
    assert!(is_encrypted(&secure.info("nbds", Some(known.path()))));
    let nameless = TempDir::new().expect("a directory");
    std::fs::copy(files.path().join("ca-cert.pem"), nameless.path().join("ca-cert.pem")).expect("a copy");
    assert!(!secure.info("nbds", Some(nameless.path())).status.success(), "no certificate");
    let stranger = Authority::new().directory("client", 3);
    std::fs::copy(files.path().join("ca-cert.pem"), stranger.path().join("ca-cert.pem")).expect("a copy");
    assert!(!secure.info("nbds", Some(stranger.path())).status.success(), "another authority");
    assert!(is_encrypted(&secure.info("nbds", Some(known.path()))), "the server goes on");
}

#[test]
fn a_revoked_certificate_is_refused() {
    let authority = Authority::new();
    let files = authority.directory("server", 1);
    std::fs::write(files.path().join("ca-crl.pem"), authority.revocation(2)).expect("room for the list");
    let secure = serve(TlsPolicy::Required(config(&files, ClientCertificates::Required)));
    assert!(!secure.info("nbds", Some(authority.directory("client", 2).path())).status.success());
    assert!(is_encrypted(&secure.info("nbds", Some(authority.directory("client", 3).path()))));
}

#[test]
fn a_client_that_stalls_or_talks_rubbish_instead_of_tls_is_dropped() {
    let authority = Authority::new();
    let files = authority.directory("server", 1);
    let secure = serve(TlsPolicy::Required(config(&files, ClientCertificates::NotAsked)));
    for rubbish in [noise(3000, 1), Vec::new()] {
        let mut stream = TcpStream::connect(("127.0.0.1", secure.port)).expect("the server listens");
        stream.set_read_timeout(Some(support::PATIENCE)).expect("a timeout can be set");
        let mut greeting = [0; 18];
        stream.read_exact(&mut greeting).expect("the server greets");
        stream.write_all(&3u32.to_be_bytes()).expect("flags can be sent");
        // NBD_OPT_STARTTLS, without data.
        stream.write_all(b"IHAVEOPT\0\0\0\x05\0\0\0\0").expect("an option can be sent");
        let mut acknowledgement = [0; 20];
        stream.read_exact(&mut acknowledgement).expect("TLS may begin");
        stream.write_all(&rubbish).expect("the server takes bytes");
        // An alert, perhaps, and then the end.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.len() < 100);
    }
    support::wait_for("nobody is left", || secure.server.connections() == 0);
    assert!(is_encrypted(&secure.info("nbds", Some(files.path()))));
}

#[test]
fn remote_addresses_are_open_to_clients_that_prove_who_they_are() {
    let authority = Authority::new();
    let files = authority.directory("server", 1);
    let set = Set::new();
    let start = |tls| {
        let listener = Listener::bind(&"tcp:0.0.0.0:0".parse().expect("an address")).expect("a port is free");
        let mut options = remap_serve::NbdOptions::new(&set.device);
        options.tls = tls;
        NbdServer::start(Arc::clone(&set.device), vec![listener], options)
    };
    assert!(start(TlsPolicy::Required(config(&files, ClientCertificates::NotAsked))).is_err());
    assert!(start(TlsPolicy::Offered(config(&files, ClientCertificates::Required))).is_err());
    assert!(start(TlsPolicy::Required(config(&files, ClientCertificates::Required))).is_ok());
}

#[test]
fn files_that_are_missing_or_damaged_are_named() {
    let authority = Authority::new();
    let files = authority.directory("server", 1);
    let path = |name: &str| files.path().join(name);
    let message = |clients| TlsConfig::load(files.path(), clients).expect_err("a file is bad").to_string();
    std::fs::rename(path("ca-cert.pem"), path("kept")).expect("it is there");
    assert!(message(ClientCertificates::Required).contains("ca-cert.pem"));
    TlsConfig::load(files.path(), ClientCertificates::NotAsked).expect("not needed for this");
    std::fs::write(path("server-key.pem"), "no key").expect("room");
    assert!(message(ClientCertificates::NotAsked).ends_with("server-key.pem: the file holds no private key"));
    let other = KeyPair::generate().expect("a key").serialize_pem();
    std::fs::write(path("server-key.pem"), other).expect("room");
    assert!(message(ClientCertificates::NotAsked).contains("cannot be used"));
    std::fs::remove_file(path("server-cert.pem")).expect("it is there");
    assert!(message(ClientCertificates::NotAsked).contains("server-cert.pem"));
}
