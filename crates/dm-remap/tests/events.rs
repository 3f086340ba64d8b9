//! What the monitor tells of a set to the journal and to a hook, as it happens.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use support::Play;
use support::nbd::Client;
use support::scrape::Monitor;

/// The fields of the next event in the journal.
fn next(journal: &UnixDatagram) -> Vec<String> {
    let mut datagram = [0; 4096];
    let bytes = journal.recv(&mut datagram).expect("nothing is told");
    String::from_utf8(datagram[..bytes].to_vec()).unwrap().lines().map(str::to_owned).collect()
}

fn journal(play: &Play) -> UnixDatagram {
    let journal = UnixDatagram::bind(play.path("journal")).unwrap();
    journal.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    journal
}

/// A program made of a shell script.
fn program(play: &Play, script: &str) -> String {
    let path = play.path("hook");
    fs::write(&path, format!("#!/bin/sh\n{script}")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Waits until a file has so many lines.
fn lines(play: &Play, name: &str, count: usize) -> Vec<String> {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let text = fs::read_to_string(play.path(name)).unwrap_or_default();
        if text.lines().count() >= count {
            return text.lines().map(str::to_owned).collect();
        }
        assert!(Instant::now() < until, "the hook was not run: {text}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_lost_sector_and_a_killed_server_are_told_to_journal_and_hook() {
    let play = Play::with_set("bad 40 1\n");
    play.ok(&["open", "s"]);
    let journal = journal(&play);
    let script =
        "echo $DM_REMAP_SET $DM_REMAP_EVENT $DM_REMAP_BEFORE $DM_REMAP_VALUE $DM_REMAP_PRIORITY >> told\n";
    let hook = program(&play, script);
    let _monitor = Monitor::start(&play, &["--journal", &play.path("journal"), "--hook", &hook]);
    let mut client = Client::connect(&play.socket()).unwrap();
    assert!(client.read(40 * 512, &mut [0; 512]).unwrap().is_err());
    let lost = next(&journal);
    for field in [
        "MESSAGE=s: 1 more sector lost, 1 in all",
        "MESSAGE_ID=e1a52a142c8f45e0a89b6cc4e66341ca",
        "PRIORITY=3",
        "SYSLOG_IDENTIFIER=dm-remap",
        "DM_REMAP_SET=s",
        "DM_REMAP_EVENT=lost",
        "DM_REMAP_VALUE=1",
        "DM_REMAP_BEFORE=0",
    ] {
        assert!(lost.iter().any(|line| line == field), "no {field} in {lost:?}");
    }
    // The loss costs health, too.
    assert!(next(&journal).contains(&"DM_REMAP_EVENT=health-warning".to_owned()));
    play.kill_server();
    let gone = next(&journal);
    assert!(gone.contains(&"MESSAGE=s: who runs the set does not answer".to_owned()), "{gone:?}");
    let told = lines(&play, "told", 3);
    assert_eq!(told[0], "s lost 0 1 3");
    assert!(told[1].starts_with("s health-warning 100 "), "{told:?}");
    assert_eq!(told[2], "s state active unreachable 2");
}

#[test]
fn a_hook_that_hangs_is_ended_and_the_next_event_is_told() {
    let play = Play::with_set("bad 40 1\n");
    play.ok(&["open", "s"]);
    let _journal = journal(&play);
    let hook = program(&play, "echo $DM_REMAP_EVENT >> told\nsleep 8\n");
    let monitor =
        Monitor::start(&play, &["--journal", &play.path("journal"), "--hook", &hook, "--hook-limit", "1"]);
    let mut client = Client::connect(&play.socket()).unwrap();
    assert!(client.read(40 * 512, &mut [0; 512]).unwrap().is_err());
    assert_eq!(lines(&play, "told", 2), ["lost", "health-warning"]);
    monitor.scrape();
}

#[test]
fn without_a_journal_standard_error_is_told() {
    let play = Play::with_set("bad 40 1\n");
    play.ok(&["open", "s"]);
    let errors = fs::File::create(play.path("errors")).unwrap();
    let monitor = Monitor::start_with(&play, &["--journal", &play.path("nowhere")], errors);
    let mut client = Client::connect(&play.socket()).unwrap();
    assert!(client.read(40 * 512, &mut [0; 512]).unwrap().is_err());
    assert_eq!(lines(&play, "errors", 2)[0], "dm-remap: s: 1 more sector lost, 1 in all");
    monitor.scrape();
}
