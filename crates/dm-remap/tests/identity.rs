//! Is it the disk that the set was made for? Files have no serial number: what is on them tells.

mod support;

use std::fs;

use support::{Play, foreign};

/// A file with a filesystem of its own.
fn filesystem(play: &Play, name: &str) -> String {
    play.disk(name, 16 << 20);
    foreign("mkfs.ext4", &["-q", "-F", &play.path(name)]);
    uuid_of(play, name)
}

fn uuid_of(play: &Play, name: &str) -> String {
    foreign("blkid", &["-p", "-o", "value", "-s", "UUID", &play.path(name)]).trim_end().to_owned()
}

/// A set `s` of a main disk with a filesystem, and another such disk.
fn play() -> Play {
    let play = Play::new();
    filesystem(&play, "main");
    filesystem(&play, "main2");
    play.disk("spare", 16 << 20);
    play.ok(&["create", "s", "--main", "main", "--spare", "spare"]);
    play
}

fn exchange(play: &Play) {
    fs::rename(play.path("main"), play.path("kept")).unwrap();
    fs::rename(play.path("main2"), play.path("main")).unwrap();
    fs::rename(play.path("kept"), play.path("main2")).unwrap();
}

fn recorded(play: &Play) -> String {
    play.json(&["metadata", "show", "spare"])["main"]["filesystem_uuid"].as_str().unwrap().to_owned()
}

#[test]
fn a_main_disk_of_the_same_size_with_another_filesystem_is_refused_until_it_is_accepted() {
    let play = play();
    for was_used in [false, true] {
        if was_used {
            play.ok(&["open", "s"]);
            play.ok(&["close", "s"]);
        }
        assert_eq!(recorded(&play), uuid_of(&play, "main"));
        exchange(&play);
        let before = play.bytes(&["main", "spare"]);
        let ran = play.fails(&["open", "s"], 3, "not the main device of the set s");
        for named in [recorded(&play), uuid_of(&play, "main"), "--accept-other-main".into()] {
            assert!(ran.stderr.contains(&named), "{ran:?}");
        }
        play.fails(&["status", "s"], 3, "--accept-other-main");
        assert!(play.bytes(&["main", "spare"]) == before, "refused and wrote");
        exchange(&play);
        play.ok(&["status", "s"]);
    }
    exchange(&play);
    play.ok(&["open", "s", "--accept-other-main"]);
    play.ok(&["close", "s"]);
    assert_eq!(recorded(&play), uuid_of(&play, "main"));
    play.ok(&["open", "s"]);
    play.ok(&["close", "s"]);
}

#[test]
fn a_blank_disk_in_the_place_of_one_with_a_filesystem_is_refused() {
    let play = play();
    play.disk("main", 16 << 20);
    play.fails(&["open", "s"], 3, "it holds none that is known");
}

#[test]
fn a_filesystem_made_on_the_set_is_the_one_that_is_known_from_the_close_on() {
    let play = play();
    play.ok(&["open", "s"]);
    foreign("nbdcopy", &[&play.path("main2"), &play.uri()]);
    play.ok(&["close", "s"]);
    assert_eq!(recorded(&play), uuid_of(&play, "main2"));
    let ran = play.run(&["open", "s"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    play.ok(&["close", "s"]);
}

#[test]
fn a_filesystem_made_on_the_set_whose_superblock_was_moved_is_known_again() {
    let play = Play::new();
    filesystem(&play, "main");
    filesystem(&play, "main2");
    play.disk("spare", 16 << 20);
    play.script("bad-write 2 2\n");
    play.ok(&["create", "s", "--main", &play.faulty_main(), "--spare", "spare"]);
    let old = uuid_of(&play, "main");
    play.ok(&["open", "s"]);
    foreign("nbdcopy", &[&play.path("main2"), &play.uri()]);
    play.ok(&["close", "s"]);
    assert_eq!(uuid_of(&play, "main"), old, "the main disk itself still holds what cannot be overwritten");
    assert_eq!(recorded(&play), uuid_of(&play, "main2"));
    let ran = play.run(&["open", "s"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    play.ok(&["close", "s"]);
}

#[test]
fn after_an_end_without_a_close_another_filesystem_is_doubted_and_not_refused() {
    let play = play();
    let before = uuid_of(&play, "main");
    play.ok(&["open", "s"]);
    foreign("nbdcopy", &["--flush", &play.path("main2"), &play.uri()]);
    play.kill_server();
    assert_eq!(recorded(&play), before);
    let ran = play.run(&["status", "s"]);
    assert!(ran.code == Some(0) && ran.stderr.contains("may not be the main device"), "{ran:?}");
    let ran = play.run(&["open", "s"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("may not be the main device") && ran.stderr.contains(&before), "{ran:?}");
    play.kill_server();
    let ran = play.run(&["open", "s"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    play.ok(&["close", "s"]);
}

#[test]
fn a_backup_from_before_a_new_filesystem_opens_a_set_all_the_same() {
    let play = play();
    play.ok(&["metadata", "backup", "spare", "backup"]);
    play.ok(&["open", "s"]);
    foreign("nbdcopy", &[&play.path("main2"), &play.uri()]);
    play.ok(&["close", "s"]);
    play.disk("spare", 16 << 20);
    play.ok(&["metadata", "restore", "backup", "spare", "--yes"]);
    play.ok(&["open", "s"]);
    play.ok(&["close", "s"]);
}

#[test]
fn removing_a_spare_keeps_what_is_known_of_the_main_disk() {
    let play = play();
    play.disk("spare2", 16 << 20);
    play.ok(&["spare", "s", "add", "spare2"]);
    play.ok(&["spare", "s", "remove", "2"]);
    assert_eq!(recorded(&play), uuid_of(&play, "main"));
}
