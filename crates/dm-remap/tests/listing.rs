//! What commands print for programs: every `--json` parses, and says what is the case.

mod support;

use serde_json::Value;
use support::Play;
use support::nbd::Client;

/// A running set with moved and lost sectors.
fn play() -> Play {
    let play = Play::with_set("bad 16 2\nbad 40 1\n");
    play.ok(&["open", "s"]);
    let mut client = Client::connect(&play.socket()).unwrap();
    client.write(16 * 512, &[7; 4096]).unwrap().unwrap();
    assert!(client.read(40 * 512, &mut [0; 4096]).unwrap().is_err());
    play
}

#[test]
fn a_running_and_a_closed_set_tell_the_same_facts() {
    let play = play();
    let ask = || {
        let mut status = play.json(&["status", "s"]);
        for changing in
            ["open", "io", "recovery", "read_errors", "write_errors", "errors_last_hour", "health", "server"]
        {
            status[changing] = Value::Null;
        }
        (status, play.json(&["mappings", "s"]), play.json(&["spare", "s", "list"]))
    };
    let mut running = ask();
    assert_eq!(play.json(&["status", "s"])["open"], true);
    play.ok(&["close", "s"]);
    let mut closed = ask();
    assert_eq!(play.json(&["status", "s"])["open"], false);
    for (status, _, _) in [&mut running, &mut closed] {
        // A closed set is looked at read-only, and closing it wrote its superblock.
        status["state"] = Value::Null;
        status["read_only_on_request"] = Value::Null;
        status["generation"] = Value::Null;
    }
    assert_eq!(running, closed);
}

#[test]
fn mappings_name_every_sector() {
    let play = play();
    let mappings = play.json(&["mappings", "s"]);
    assert_eq!(mappings.as_array().unwrap().len(), 2, "{mappings}");
    assert_eq!(mappings[0]["moved"], serde_json::json!((16..24).collect::<Vec<u64>>()));
    assert_eq!(mappings[1]["lost"], serde_json::json!([40]));
    assert_eq!(mappings[1]["moved"], serde_json::json!((41..48).collect::<Vec<u64>>()));
    assert_eq!(play.json(&["mappings", "s", "40"]).as_array().unwrap().len(), 1);
    assert_eq!(play.json(&["mappings", "s", "1M+8"]), serde_json::json!([]));
    let table = play.ok(&["mappings", "s"]);
    assert!(table.contains("41-47"), "{table}");
    assert!(play.ok(&["mappings", "s", "--map"]).contains('L'));
}

#[test]
fn lists_know_what_is_open_and_what_is_not() {
    let play = play();
    let list = play.json(&["list"]);
    assert_eq!((&list[0]["name"], &list[0]["state"]), (&"s".into(), &"open".into()));
    assert_eq!(list[0]["uris"][0], play.uri());
    play.ok(&["close", "s"]);
    assert_eq!(play.json(&["list"])[0]["state"], "closed");
    std::fs::write(play.path("state/broken.json"), "{").unwrap();
    let ran = play.run(&["list"]);
    assert!(ran.stderr.contains("broken.json") && ran.stdout.contains("closed"), "{ran:?}");
}

#[test]
fn a_scan_finds_members_and_what_is_wrong_with_them() {
    let play = play();
    play.ok(&["close", "s"]);
    play.disk("spare2", 16 << 20);
    play.ok(&["spare", "s", "add", "spare2"]);
    let whole = play.json(&["scan", "main", "spare", "spare2"]);
    assert_eq!(whole["sets"][0]["complete"], true, "{whole}");
    play.garble("spare", 1024 * 512, 4096);
    let ran = play.run(&["scan", "spare", "--json"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    let part: Value = serde_json::from_str(&ran.stdout).unwrap();
    let set = &part["sets"][0];
    assert_eq!((&set["name"], &set["complete"]), (&"s".into(), &false.into()));
    assert_eq!(set["spares"][0]["good_superblock_copies"], 4);
    assert_eq!(set["spares"][1]["paths"], serde_json::json!([]));
    assert_eq!(set["main"]["found"], true);
    play.fails(&["scan", "nothing"], 1, "none of the disks");
}

#[test]
fn a_scan_writes_nothing_and_needs_no_closed_set() {
    let play = play();
    let before = play.bytes(&["main", "spare"]);
    assert_eq!(play.json(&["scan", "spare"])["sets"][0]["closed_cleanly"], false);
    assert!(play.bytes(&["main", "spare"]) == before);
}

#[test]
fn orders_tell_what_they_changed() {
    let play = play();
    let moved = play.json(&["remap", "s", "100+8"]);
    assert_eq!((&moved["moved_sectors_before"], &moved["moved_sectors"]), (&15.into(), &23.into()));
    let ran = play.run(&["retry", "s", "--all", "--json"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    play.script("");
    let healed = play.json(&["retry", "s", "40"]);
    assert_eq!((&healed["lost_sectors"], &healed["failed"]), (&0.into(), &0.into()));
    let back = play.json(&["unmap", "s", "--all"]);
    assert_eq!((&back["moved_sectors"], &back["failed"]), (&0.into(), &0.into()));
    assert_eq!(play.json(&["mappings", "s"]), serde_json::json!([]));
    let mut data = [0; 4096];
    Client::connect(&play.socket()).unwrap().read(16 * 512, &mut data).unwrap().unwrap();
    assert_eq!(data, [7; 4096], "unmapping carried the data back");
}

#[test]
fn accepting_a_loss_makes_the_sector_readable_as_zeros() {
    let play = play();
    play.ok(&["close", "s"]);
    assert_eq!(play.json(&["accept-loss", "s", "40", "--yes"])["lost_sectors"], 0);
    play.ok(&["open", "s"]);
    let mut data = [1; 512];
    Client::connect(&play.socket()).unwrap().read(40 * 512, &mut data).unwrap().unwrap();
    assert_eq!(data, [0; 512]);
}

#[test]
fn a_surface_scan_finds_what_nobody_has_met() {
    let play = play();
    play.script("bad 16 2\nbad 40 1\nbad 9000 2\n");
    let ran = play.run(&["scrub", "s", "start", "--rate", "0", "--wait", "--json"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    let scrub: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(scrub["state"], "done", "{scrub}");
    assert_eq!(play.json(&["status", "s"])["lost_sectors"], 3);
    assert_eq!(play.json(&["scrub", "s", "status"])["state"], "done");
    play.ok(&["close", "s"]);
    play.fails(&["scrub", "s", "status"], 3, "dm-remap open s");
}

#[test]
fn spares_come_and_go_and_the_data_stays() {
    let play = play();
    play.disk("spare2", 16 << 20);
    play.fails(&["spare", "s", "add", "spare2"], 3, "dm-remap close s");
    play.ok(&["close", "s"]);
    play.ok(&["spare", "s", "add", "spare2"]);
    play.fails(&["spare", "s", "remove", "main"], 3, "no spare main");
    play.ok(&["spare", "s", "remove", "spare"]);
    let left = play.json(&["spare", "s", "list"]);
    assert_eq!(left.as_array().unwrap().len(), 1);
    assert_eq!(left[0]["slots_used"], 2);
    play.ok(&["open", "s"]);
    let mut data = [0; 4096];
    Client::connect(&play.socket()).unwrap().read(16 * 512, &mut data).unwrap().unwrap();
    assert_eq!(data, [7; 4096]);
    play.ok(&["close", "s"]);
    play.fails(&["spare", "s", "remove", "1"], 3, "spare");
    // A spare that has left belongs to nobody, but is not blank either.
    assert_eq!(play.json(&["scan", "spare"])["sets"], serde_json::json!([]));
    play.fails(&["spare", "s", "add", "spare"], 3, "--force");
    play.fails(&["spare", "s", "add", "spare", "--force"], 3, "pass --yes");
    play.ok(&["spare", "s", "add", "spare", "--force", "--yes"]);
}

#[test]
fn completions_and_man_pages_are_made() {
    let play = Play::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(play.ok(&["completions", shell]).contains("accept-loss"), "{shell}");
    }
    play.ok(&["man", "man"]);
    let page = std::fs::read_to_string(play.path("man/dm-remap-create.1")).unwrap();
    assert!(page.contains("spare"));
    assert!(play.ok(&["--help"]).contains("Exit codes:"));
}
