//! What a service manager sees: ready, alive, stopping; and sockets that it hands over.

mod support;

use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{Command, Stdio};
use std::time::Duration;

use support::nbd::Client;
use support::{DM_REMAP, Play, end};

fn next(manager: &UnixDatagram) -> String {
    let mut message = [0; 512];
    let bytes = manager.recv(&mut message).expect("the service manager hears nothing");
    String::from_utf8(message[..bytes].to_vec()).unwrap()
}

#[test]
fn a_service_manager_hears_that_the_set_is_ready_alive_and_stopping() {
    let play = Play::with_set("");
    let manager = UnixDatagram::bind(play.path("notify")).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut server = play
        .command(&["serve", "s"])
        .env("NOTIFY_SOCKET", play.path("notify"))
        .env("WATCHDOG_USEC", "200000")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let ready = next(&manager);
    assert!(ready.contains("READY=1") && ready.contains("STATUS=serving s"), "{ready}");
    Client::connect(&play.socket()).unwrap();
    assert_eq!(next(&manager).trim_end(), "WATCHDOG=1");
    support::foreign("kill", &["-TERM", &server.id().to_string()]);
    let stopping = loop {
        let message = next(&manager);
        if message.trim_end() != "WATCHDOG=1" {
            break message;
        }
    };
    assert_eq!(stopping.trim_end(), "STOPPING=1");
    assert!(server.wait().unwrap().success());
    assert_eq!(play.json(&["metadata", "show", "spare"])["closed_cleanly"], true);
}

#[test]
fn a_socket_that_is_handed_over_is_served() {
    let play = Play::with_set("");
    let listener = UnixListener::bind(play.path("handed")).unwrap();
    // The shell puts the socket where the protocol wants it, and becomes the server, so that the number is right.
    let mut shell = Command::new("sh");
    shell.args([
        "-c",
        "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"",
        "sh",
        DM_REMAP,
        "serve",
        "s",
    ]);
    let server = shell
        .env("DM_REMAP_STATE_DIR", play.path("state"))
        .env("DM_REMAP_RUNTIME_DIR", play.path("run"))
        .stdin(std::os::fd::OwnedFd::from(listener))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The socket takes clients from the start; they are answered once the set is open.
    let mut client = Client::connect(&play.folder().join("handed")).unwrap();
    client.write(0, &[3; 512]).unwrap().unwrap();
    assert!(!play.socket().exists(), "a socket of its own, too");
    drop(client);
    play.ok(&["close", "s"]);
    end(server);
}
