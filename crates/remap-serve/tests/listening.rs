//! Where a server listens: who can reach it, and what it does not take from others.

mod support;

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use remap_serve::server::ServerError;
use remap_serve::{Address, ListenError, Listener, NbdOptions, NbdServer};
use support::{Set, run};
use tempfile::TempDir;

fn unix(directory: &TempDir) -> Address {
    Address::Unix(directory.path().join("socket"))
}

#[test]
fn a_unix_socket_is_private_whatever_the_umask() {
    let directory = TempDir::new().expect("a directory");
    let before = rustix::process::umask(rustix::fs::Mode::empty());
    let listener = Listener::bind(&unix(&directory));
    rustix::process::umask(before);
    let _listener = listener.expect("the path is free");
    let metadata = directory.path().join("socket").metadata().expect("the socket is there");
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_a_dead_server_left_is_replaced() {
    let directory = TempDir::new().expect("a directory");
    drop(UnixListener::bind(directory.path().join("socket")).expect("the path is free"));
    assert!(directory.path().join("socket").exists());
    let _listener = Listener::bind(&unix(&directory)).expect("nobody listens there any more");
}

#[test]
fn a_socket_that_is_in_use_is_refused_by_name_and_stays() {
    let directory = TempDir::new().expect("a directory");
    let first = Listener::bind(&unix(&directory)).expect("the path is free");
    let error = Listener::bind(&unix(&directory)).expect_err("somebody listens there");
    assert!(matches!(error, ListenError::InUse(_)));
    let path = directory.path().join("socket");
    assert_eq!(
        error.to_string(),
        format!("{}: another server is listening there; stop it or choose another path", path.display())
    );
    assert!(path.exists());
    drop(first);
    assert!(!path.exists());
}

#[test]
fn what_is_no_socket_is_never_removed() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("socket");
    std::fs::write(&path, "precious").expect("a file");
    assert!(matches!(Listener::bind(&unix(&directory)), Err(ListenError::NotASocket(_))));
    assert_eq!(std::fs::read_to_string(path).expect("still there"), "precious");
}

#[test]
fn a_path_that_is_too_long_is_refused() {
    let path = format!("/tmp/{}", "x".repeat(110));
    assert!(matches!(Listener::bind(&Address::Unix(path.into())), Err(ListenError::PathTooLong(_))));
}

#[test]
fn a_replaced_socket_file_is_not_removed_by_its_former_server() {
    let directory = TempDir::new().expect("a directory");
    let first = Listener::bind(&unix(&directory)).expect("the path is free");
    let path = directory.path().join("socket");
    std::fs::remove_file(&path).expect("it is there");
    let _second = UnixListener::bind(&path).expect("the path is free");
    drop(first);
    assert!(path.exists());
}

#[test]
fn tcp_is_served_on_the_loopback_address() {
    let set = Set::new();
    let listener = Listener::bind(&"tcp:127.0.0.1:0".parse().expect("an address")).expect("a port is free");
    let options = NbdOptions::new(&set.device);
    let server = NbdServer::start(Arc::clone(&set.device), vec![listener], options).expect("it is local");
    let uri = server.addresses()[0].uri("shelf", false).expect("TCP has a URI");
    assert_eq!(run("libnbd-bin", "nbdinfo", &["--size", &uri]).trim(), (64 << 20).to_string());
}

#[test]
fn an_address_that_others_can_reach_is_refused_unless_allowed() {
    let set = Set::new();
    let start = |allow_remote| {
        let listener = Listener::bind(&"tcp:0.0.0.0:0".parse().expect("an address")).expect("a port is free");
        let mut options = NbdOptions::new(&set.device);
        options.allow_remote = allow_remote;
        NbdServer::start(Arc::clone(&set.device), vec![listener], options)
    };
    let refused = start(false);
    assert!(matches!(refused, Err(ServerError::Listen(ListenError::Remote(_)))));
    start(true).expect("it was allowed");
}

#[test]
fn inherited_sockets_are_served_and_left_in_place() {
    let set = Set::new();
    let path = set.path("inherited");
    let unix = UnixListener::bind(&path).expect("the path is free");
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let listeners = vec![
        Listener::inherited(unix.into()).expect("it listens"),
        Listener::inherited(tcp.into()).expect("it listens"),
    ];
    let options = NbdOptions::new(&set.device);
    let server = NbdServer::start(Arc::clone(&set.device), listeners, options).expect("both are local");
    for address in server.addresses() {
        let uri = address.uri("", false).expect("both have names");
        run("libnbd-bin", "nbdinfo", &["--size", &uri]);
    }
    drop(server);
    assert!(path.exists(), "the file belongs to whoever made it");
}

#[test]
fn a_descriptor_that_does_not_listen_is_refused() {
    let file = tempfile::tempfile().expect("a file");
    assert!(matches!(Listener::inherited(file.into()), Err(ListenError::NotListening)));
    let (one, _other) = std::os::unix::net::UnixStream::pair().expect("a pair");
    assert!(matches!(Listener::inherited(one.into()), Err(ListenError::NotListening)));
}
