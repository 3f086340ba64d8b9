//! What udev is told of disks, and sets that are opened by their UUIDs.

mod support;

use support::Play;

#[test]
fn members_are_told_and_others_are_not() {
    let play = Play::with_set("");
    play.disk("other", 16 << 20);
    let uuid = play.json(&["status", "s"])["uuid"].as_str().unwrap().to_owned();
    let told = |role: &str| format!("DM_REMAP_ROLE={role}\nDM_REMAP_SET={uuid}\nDM_REMAP_NAME=s\n");
    assert_eq!(play.ok(&["probe", &play.path("spare")]), told("spare"));
    assert_eq!(play.ok(&["probe", &play.path("main")]), told("main"));
    assert_eq!(play.ok(&["probe", &play.path("other")]), "");
    play.fails(&["probe", &play.path("nothing")], 1, "nothing");
    // A main disk is known by the record only: it carries no mark.
    play.ok(&["forget", "s"]);
    assert_eq!(play.ok(&["probe", &play.path("main")]), "");
    assert_eq!(play.ok(&["probe", &play.path("spare")]), told("spare"));
}

#[test]
fn another_disk_at_the_place_of_the_main_disk_is_not_told() {
    let play = Play::with_set("");
    play.disk("main", 8 << 20);
    assert_eq!(play.ok(&["probe", &play.path("main")]), "");
}

#[test]
fn a_set_is_opened_by_its_uuid() {
    let play = Play::with_set("");
    let uuid = play.json(&["status", "s"])["uuid"].as_str().unwrap().to_owned();
    let opened = play.ok(&["open", &uuid]);
    assert!(opened.starts_with("s open: nbd+unix://"), "{opened}");
    let again = play.ok(&["open", &uuid]);
    assert!(again.starts_with("s was open: "), "{again}");
    play.ok(&["close", "s"]);
}

#[test]
fn a_set_that_is_nowhere_is_waited_for_and_refused() {
    let play = Play::new();
    let begun = std::time::Instant::now();
    play.fails(&["open", "--wait", "1", "5573aa38-3ed1-4df3-94ed-c571912a0367"], 3, "dm-remap scan");
    assert!(begun.elapsed() >= std::time::Duration::from_secs(1), "nobody waited");
}

#[test]
fn another_set_that_is_open_by_that_name_is_not_taken_for_it() {
    let play = Play::with_set("");
    let uuid = play.json(&["status", "s"])["uuid"].as_str().unwrap().to_owned();
    play.ok(&["open", "s"]);
    // The record is now that of another set: as if its name had been given twice.
    let other = "5573aa38-3ed1-4df3-94ed-c571912a0367";
    let record = std::fs::read_to_string(play.path("state/s.json")).unwrap();
    std::fs::write(play.path("state/s.json"), record.replace(&uuid, other)).unwrap();
    play.fails(&["open", other], 3, &uuid);
    std::fs::write(play.path("state/s.json"), record).unwrap();
    play.ok(&["close", "s"]);
}
