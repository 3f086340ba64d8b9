//! Making, opening, using and closing a set.

mod support;

use std::fs;
use std::process::Stdio;

use support::nbd::Client;
use support::{Play, foreign, noise};

#[test]
fn what_was_copied_to_a_failing_set_is_there_after_it_was_closed_and_opened() {
    let play = Play::with_set("bad 100 2\nbad-write 5000 40\nbad 20000 1\n");
    fs::write(play.path("data"), noise(16 << 20, 1)).unwrap();
    let told = play.ok(&["open", "s"]);
    assert!(told.contains(&play.uri()), "{told}");
    foreign("nbdcopy", &[&play.path("data"), &play.uri()]);
    assert!(play.json(&["status", "s"])["moved_sectors"].as_u64().unwrap() >= 43);
    assert_eq!(play.ok(&["close", "s"]), "s closed\n");
    assert!(!play.socket().exists(), "a closed set leaves no socket");
    play.ok(&["open", "s"]);
    foreign("nbdcopy", &[&play.uri(), &play.path("back")]);
    assert_eq!(fs::read(play.path("back")).unwrap(), fs::read(play.path("data")).unwrap());
    play.ok(&["close", "s"]);
}

#[test]
fn open_and_close_may_be_said_twice() {
    let play = Play::with_set("");
    assert!(play.ok(&["open", "s"]).starts_with("s open:"));
    assert!(play.ok(&["open", "s"]).starts_with("s was open:"));
    assert_eq!(play.ok(&["close", "s"]), "s closed\n");
    assert_eq!(play.ok(&["close", "s"]), "s was closed\n");
}

#[test]
fn all_sets_open_and_close_together_and_one_that_does_not_keeps_none_closed() {
    let play = Play::with_set("");
    for (name, main, spare) in [("t", "main2", "spare2"), ("u", "main3", "spare3")] {
        play.disk(main, 8 << 20);
        play.disk(spare, 8 << 20);
        play.ok(&["create", name, "--main", main, "--spare", spare]);
    }
    fs::remove_file(play.path("spare2")).unwrap();
    let ran = play.fails(&["open", "--all"], 1, "not opened: t");
    assert!(ran.stderr.contains("spare2"), "{ran:?}");
    assert!(ran.stdout.contains("s open") && ran.stdout.contains("u open"), "{ran:?}");
    let closed = play.ok(&["close", "--all"]);
    assert!(closed.contains("s closed") && closed.contains("u closed"), "{closed}");
}

#[test]
fn a_main_disk_with_data_is_adopted_in_place_and_left_again() {
    let play = Play::new();
    fs::write(play.path("main"), noise(16 << 20, 2)).unwrap();
    play.disk("spare", 16 << 20);
    let before = fs::read(play.path("main")).unwrap();
    play.ok(&["create", "s", "--main", "main", "--spare", "spare"]);
    play.ok(&["open", "s"]);
    foreign("nbdcopy", &[&play.uri(), &play.path("seen")]);
    play.ok(&["close", "s"]);
    assert!(fs::read(play.path("seen")).unwrap() == before, "another disk than the one adopted");
    assert!(fs::read(play.path("main")).unwrap() == before, "adopting wrote to the main disk");
}

#[test]
fn a_set_made_elsewhere_is_served_by_its_disks_and_remembered() {
    let play = Play::with_set("bad 8 1\n");
    assert!(play.ok(&["forget", "s"]).contains("forgot"));
    play.fails(&["open", "s"], 3, "no set is called `s`");
    let main = play.faulty_main();
    let mut server = play
        .command(&["serve", &main, "--spare", "spare", "--nbd", "unix:here", "--control", "there"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    let mut stdout = std::io::BufReader::new(server.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut stdout, &mut ready).unwrap();
    assert!(ready.starts_with("serving s nbd+unix:"), "{ready}");
    Client::connect(&play.folder().join("here")).unwrap().write(0, &noise(8192, 3)).unwrap().unwrap();
    assert_eq!(play.json(&["status", "./there"])["moved_sectors"], 8);
    play.ok(&["close", "./there"]);
    assert!(server.wait().unwrap().success());
    play.ok(&["remember", "--main", &main, "--spare", "spare"]);
    assert_eq!(play.json(&["status", "s"])["moved_sectors"], 8);
    play.fails(&["remember", "--main", &main, "--spare", "spare", "--name", "t"], 3, "already, as `s`");
}

#[test]
fn lost_sectors_read_as_errors_or_as_zeros_as_the_set_was_made() {
    for (on_lost, expected) in [("error", Err(5)), ("zero", Ok(()))] {
        let play = Play::new();
        fs::write(play.path("main"), noise(16 << 20, 4)).unwrap();
        play.disk("spare", 16 << 20);
        play.script("bad 10 1\n");
        let main = play.faulty_main();
        play.ok(&["create", "s", "--main", &main, "--spare", "spare", "--on-lost", on_lost]);
        play.ok(&["open", "s"]);
        let mut client = Client::connect(&play.socket()).unwrap();
        let mut sector = [1; 512];
        assert_eq!(client.read(10 * 512, &mut sector).unwrap(), expected);
        if expected.is_ok() {
            assert_eq!(sector, [0; 512]);
        }
        let mut neighbour = [0; 512];
        client.read(11 * 512, &mut neighbour).unwrap().unwrap();
        assert_eq!(neighbour, noise(16 << 20, 4)[11 * 512..12 * 512]);
    }
}

#[test]
fn a_set_says_where_it_runs_and_a_record_says_it_again() {
    let play = Play::new();
    play.disk("main", 16 << 20);
    play.disk("spare", 16 << 20);
    let made = play.ok(&["create", "s", "--main", &play.path("main"), "--spare", &play.path("spare")]);
    assert!(made.contains("it runs in user space, over NBD: as was asked for"), "{made}");
    assert!(made.contains("Next: dm-remap open s"), "{made}");
    let record: serde_json::Value =
        serde_json::from_slice(&fs::read(play.path("state/s.json")).unwrap()).unwrap();
    assert_eq!(record["via"], "nbd");
}

#[test]
fn a_watched_status_of_a_closed_set_is_told_once() {
    let play = Play::with_set("");
    let told = play.ok(&["status", "s", "--watch", "1", "--json"]);
    assert_eq!(told.lines().count(), 1, "{told}");
    let facts: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&facts["open"], &facts["device"]), (&false.into(), &serde_json::Value::Null));
}
