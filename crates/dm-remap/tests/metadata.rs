//! Care of metadata off-line: copies destroyed, repaired, backed up and restored.

mod support;

use std::fs;

use support::Play;
use support::nbd::Client;

/// A closed set with a mapping.
fn play() -> Play {
    let play = Play::with_set("bad 16 2\n");
    play.ok(&["open", "s"]);
    Client::connect(&play.socket()).unwrap().write(16 * 512, &[7; 4096]).unwrap().unwrap();
    play.ok(&["close", "s"]);
    play
}

/// How long one copy of the map is.
fn map_bytes(play: &Play) -> usize {
    play.json(&["metadata", "show", "spare"])["pages"].as_u64().unwrap() as usize * 4096
}

fn reads_sevens(play: &Play) {
    play.ok(&["open", "s"]);
    let mut data = [0; 4096];
    Client::connect(&play.socket()).unwrap().read(16 * 512, &mut data).unwrap().unwrap();
    assert_eq!(data, [7; 4096]);
    play.ok(&["close", "s"]);
}

#[test]
fn any_one_superblock_and_any_one_copy_of_the_map_suffice() {
    let play = play();
    let (whole, map_bytes) = (fs::read(play.path("spare")).unwrap(), map_bytes(&play));
    for copy in [0, 1024, 2048, 4096] {
        play.garble("spare", copy * 512, 4096);
    }
    play.garble("spare", 8208 * 512, map_bytes);
    let ran = play.run(&["check", "spare"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(ran.stdout.contains("1 of 5 superblock copies good"), "{ran:?}");
    let report = play.json(&["check", "spare"]);
    assert_eq!(report[0]["bad_page_copies"], report[0]["pages"]);
    assert_eq!((&report[0]["lost_page_count"], &report[0]["repaired"]), (&0.into(), &0.into()));
    let damaged = fs::read(play.path("spare")).unwrap();
    play.ok(&["check", "spare", "--repair"]);
    assert!(fs::read(play.path("spare")).unwrap() == whole, "repaired to other bytes than before");
    play.ok(&["check", "spare"]);
    // Opening does by itself what check does on request.
    fs::write(play.path("spare"), damaged).unwrap();
    reads_sevens(&play);
    play.ok(&["check", "spare"]);
}

#[test]
fn a_backup_brings_destroyed_metadata_back() {
    let play = play();
    play.ok(&["metadata", "backup", "spare", "backup"]);
    play.fails(&["metadata", "backup", "spare", "backup"], 3, "there already");
    assert_eq!(play.json(&["metadata", "show", "backup"]), play.json(&["metadata", "show", "spare"]));
    let (whole, map_bytes) = (fs::read(play.path("spare")).unwrap(), map_bytes(&play));
    for copy in [0, 1024, 2048, 4096, 8192] {
        play.garble("spare", copy * 512, 4096);
    }
    play.garble("spare", 8208 * 512, map_bytes);
    play.fails(&["open", "s"], 3, "metadata restore");
    play.fails(&["metadata", "restore", "backup", "spare"], 3, "pass --yes");
    play.ok(&["metadata", "restore", "backup", "spare", "--yes"]);
    play.ok(&["check", "spare"]);
    assert!(fs::read(play.path("spare")).unwrap() == whole, "restored to other bytes than before");
    reads_sevens(&play);
}

#[test]
fn restoring_never_goes_back_behind_what_the_spare_knows() {
    let play = Play::with_set("bad 16 2\n");
    play.ok(&["metadata", "backup", "spare", "old"]);
    play.ok(&["open", "s"]);
    Client::connect(&play.socket()).unwrap().write(16 * 512, &[7; 4096]).unwrap().unwrap();
    play.ok(&["close", "s"]);
    for copy in [0, 1024, 2048, 4096, 8192] {
        play.garble("spare", copy * 512, 4096);
    }
    play.ok(&["metadata", "restore", "old", "spare", "--yes"]);
    assert_eq!(play.json(&["status", "s"])["moved_sectors"], 8, "a page that was valid and newer is gone");
    reads_sevens(&play);
}

#[test]
fn a_backup_goes_to_its_own_spare_only() {
    let play = play();
    play.ok(&["metadata", "backup", "spare", "backup"]);
    play.disk("larger", 20 << 20);
    play.fails(&["metadata", "restore", "backup", "larger", "--yes"], 3, "nothing was written");
    play.disk("foreign", 16 << 20);
    support::foreign("mkfs.ext4", &["-q", "-F", &play.path("foreign")]);
    play.fails(&["metadata", "restore", "backup", "foreign", "--yes"], 3, "ext4 filesystem");
    play.disk("main2", 16 << 20);
    play.disk("spare2", 16 << 20);
    play.ok(&["create", "t", "--main", "main2", "--spare", "spare2"]);
    play.fails(&["metadata", "restore", "backup", "spare2", "--yes"], 3, "a spare of the set t");
    play.fails(&["metadata", "restore", "spare", "spare", "--yes"], 1, "no backup of metadata");
    let bytes = fs::read(play.path("backup")).unwrap();
    fs::write(play.path("cut"), &bytes[..bytes.len() - 1]).unwrap();
    play.fails(&["metadata", "restore", "cut", "spare", "--yes"], 1, "cut short");
    play.garble("backup", 8192 + 100, 16);
    play.fails(&["metadata", "restore", "backup", "spare", "--yes"], 1, "damaged");
}

#[test]
fn a_running_set_is_left_alone() {
    let play = play();
    play.ok(&["open", "s"]);
    play.fails(&["check", "spare", "--repair"], 3, "closed sets");
    play.fails(&["metadata", "show", "spare"], 3, "closed sets");
    play.fails(&["metadata", "backup", "spare", "backup"], 3, "closed sets");
}
