//! The monitoring plugin: one line, figures, and the exit codes that monitoring systems know.

mod support;

use support::Play;
use support::nbd::Client;

#[test]
fn exit_codes_are_those_of_monitoring_plugins() {
    let play = Play::with_set("bad 40 1\n");
    play.ok(&["open", "s"]);
    let ok = play.run(&["health", "s"]);
    assert_eq!(ok.code, Some(0), "{ok:?}");
    assert!(ok.stdout.starts_with("DM-REMAP OK - s: active, health 100,"), "{ok:?}");

    let mut client = Client::connect(&play.socket()).unwrap();
    assert!(client.read(40 * 512, &mut [0; 512]).unwrap().is_err());
    let warning = play.run(&["health", "s"]);
    assert_eq!(warning.code, Some(1), "{warning:?}");
    assert!(
        warning.stdout.starts_with("DM-REMAP WARNING") && warning.stdout.contains("1 lost"),
        "{warning:?}"
    );
    assert_eq!(play.run(&["health", "s", "--warning", "95", "--critical", "91"]).code, Some(2));

    let unknown = play.run(&["health", "nobody"]);
    assert_eq!(unknown.code, Some(3), "{unknown:?}");
    assert!(
        unknown.stdout.starts_with("DM-REMAP UNKNOWN") && unknown.stdout.lines().count() == 1,
        "{unknown:?}"
    );
}

#[test]
fn a_disk_that_answers_nowhere_is_critical() {
    let play = Play::with_set("");
    play.ok(&["open", "s"]);
    play.script("offline\n");
    let mut client = Client::connect(&play.socket()).unwrap();
    assert!(client.read(0, &mut [0; 512]).unwrap().is_err());
    play.script("bad 0 32768 error=io\n");
    for block in 0..64 {
        let _ = client.read(block * 65536, &mut [0; 512]).unwrap();
    }
    let critical = play.run(&["health", "s"]);
    assert_eq!(critical.code, Some(2), "{critical:?}");
    assert!(critical.stdout.starts_with("DM-REMAP CRITICAL - s: failing"), "{critical:?}");
    assert_eq!(play.json(&["status", "s"])["lost_sectors"], 0, "a dead disk is not a million bad sectors");
}

#[test]
fn figures_stand_behind_the_bar() {
    let play = Play::with_set("");
    let line = play.run(&["health", "s"]).stdout;
    let (_, figures) = line.trim_end().split_once(" | ").unwrap();
    let figures: Vec<&str> = figures.split(' ').collect();
    assert_eq!(figures[0], "health=100;90:;70:;0;100");
    for figure in &figures {
        let (name, value) = figure.split_once('=').unwrap();
        assert!(!name.is_empty() && value.starts_with(|c: char| c.is_ascii_digit()), "{figure}");
    }
    let json = play.json(&["health", "s"]);
    assert_eq!((&json["level"], &json["open"], &json["health"]), (&"ok".into(), &false.into(), &100.into()));
}
