//! Bad input: a clear sentence each, the right exit code, and not a byte written.

mod support;

use std::fs;

use support::{Play, foreign};

/// Runs what has to be refused, and sees that no disk has changed.
fn refused(play: &Play, args: &[&str], part: &str) {
    let names: Vec<String> = fs::read_dir(play.folder())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let before = play.bytes(&names);
    play.fails(args, 3, part);
    assert!(play.bytes(&names) == before, "{args:?} was refused and wrote");
}

/// A set `s`, and another main disk and spare that belong to none.
fn play() -> Play {
    let play = Play::with_set("");
    play.disk("main2", 16 << 20);
    play.disk("spare2", 16 << 20);
    play
}

#[test]
fn a_truncated_spare() {
    let play = play();
    let spare = fs::OpenOptions::new().write(true).open(play.path("spare")).unwrap();
    spare.set_len(8 << 20).unwrap();
    refused(&play, &["open", "s"], "give it its size back");
    refused(&play, &["check", "spare"], "truncated");
}

#[test]
fn a_spare_smaller_than_its_metadata() {
    let play = play();
    play.disk("tiny", 1 << 20);
    refused(&play, &["create", "t", "--main", "main2", "--spare", "tiny"], "too small for a spare");
}

#[test]
fn a_garbled_spare() {
    let play = play();
    play.garble("spare", 0, 5 << 20);
    refused(&play, &["open", "s"], "no dm-remap superblock");
    refused(&play, &["status", "s"], "metadata restore");
}

#[test]
fn a_spare_of_which_parts_of_the_map_are_gone() {
    let play = play();
    let map = play.json(&["metadata", "show", "spare"]);
    assert_eq!(map["copies"], 3);
    // All but the superblocks.
    play.garble("spare", 8208 * 512, (16 << 20) - 8208 * 512);
    refused(&play, &["open", "s"], "no copy of map page 0 is valid");
    let ran = play.run(&["check", "spare"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(ran.stdout.contains("without any valid copy"), "{ran:?}");
    play.ok(&["open", "s", "--read-only", "--accept-lost-pages"]);
    assert_eq!(play.json(&["status", "s"])["read_only_on_request"], true);
}

#[test]
fn a_foreign_spare() {
    let play = play();
    foreign("mkfs.ext4", &["-q", "-F", &play.path("spare")]);
    refused(&play, &["open", "s"], "ext4 filesystem");
}

#[test]
fn a_spare_of_another_set() {
    let play = play();
    play.ok(&["create", "t", "--main", "main2", "--spare", "spare2"]);
    fs::copy(play.path("spare2"), play.path("spare")).unwrap();
    refused(&play, &["open", "s"], "another set");
}

#[test]
fn a_main_disk_of_another_size() {
    let play = play();
    play.disk("main", 20 << 20);
    refused(&play, &["open", "s"], "not the main device of the set s");
    play.disk("main", 12 << 20);
    refused(&play, &["open", "s", "--accept-other-main"], "not the main device of the set s");
}

#[test]
fn a_spare_with_a_filesystem() {
    let play = play();
    foreign("mkfs.ext4", &["-q", "-F", &play.path("spare2")]);
    refused(&play, &["create", "t", "--main", "main2", "--spare", "spare2"], "ext4 filesystem");
    refused(&play, &["create", "t", "--main", "main2", "--spare", "spare2", "--force"], "pass --yes");
    play.ok(&["create", "t", "--main", "main2", "--spare", "spare2", "--force", "--yes"]);
}

#[test]
fn a_spare_with_data_of_no_known_kind() {
    let play = play();
    play.garble("spare2", 3 << 20, 512);
    refused(&play, &["create", "t", "--main", "main2", "--spare", "spare2"], "data that is not zero");
    refused(&play, &["create", "t", "--main", "main2", "--spare", "spare2", "--force"], "pass --yes");
}

#[test]
fn main_and_spare_in_one() {
    let play = play();
    refused(&play, &["create", "t", "--main", "main2", "--spare", "./main2"], "the same disk");
    std::os::unix::fs::symlink(play.path("spare2"), play.path("link")).unwrap();
    let twice = ["create", "t", "--main", "main2", "--spare", "spare2", "--spare", "link"];
    refused(&play, &twice, "the same disk");
    refused(&play, &["serve", "spare2", "--spare", "link", "--nbd", "unix:x"], "the same disk");
}

#[test]
fn the_same_disks_in_two_sets() {
    let play = play();
    refused(&play, &["create", "t", "--main", "main2", "--spare", "spare"], "belongs to the set s");
    refused(&play, &["create", "t", "--main", "main", "--spare", "spare2"], "belongs to the set s");
    play.ok(&["forget", "s"]);
    refused(&play, &["create", "t", "--main", "main2", "--spare", "spare"], "a spare of the dm-remap set s");
    refused(&play, &["create", "t", "--main", "spare", "--spare", "spare2"], "exchanged");
}

#[test]
fn a_spare_in_two_running_sets() {
    let play = play();
    play.ok(&["open", "s"]);
    play.ok(&["create", "t", "--main", "main2", "--spare", "spare2"]);
    play.fails(&["spare", "t", "add", "spare", "--force", "--yes"], 3, "in use by dm-remap");
    play.fails(&["create", "u", "--main", "main2", "--spare", "spare", "--force", "--yes"], 3, "in use");
}

#[test]
fn two_servers_on_one_set() {
    let play = play();
    play.ok(&["open", "s"]);
    play.fails(&["serve", "s"], 3, "in use by dm-remap");
    let main = play.faulty_main();
    play.fails(&["serve", &main, "--spare", "spare", "--nbd", "unix:x"], 3, "in use by dm-remap");
    play.fails(&["check", "spare"], 3, "in use by dm-remap");
    play.ok(&["status", "s"]);
}

#[test]
fn names_that_are_taken_or_unknown() {
    let play = play();
    refused(&play, &["create", "s", "--main", "main2", "--spare", "spare2"], "already");
    for command in ["open", "close", "status", "mappings", "serve"] {
        refused(&play, &[command, "nobody"], "no set is called `nobody`");
    }
    refused(&play, &["spare", "nobody", "list"], "dm-remap list");
    play.fails(&["create", "a/b", "--main", "main2", "--spare", "spare2"], 2, "slash");
}

#[test]
fn ranges_that_are_none_or_lie_outside() {
    let play = play();
    refused(&play, &["remap", "s", "32767+2"], "the set ends with sector 32767");
    play.fails(&["remap", "s", "8-4"], 2, "ends before it starts");
    play.fails(&["retry", "s"], 2, "--all");
}

#[test]
fn giving_data_up_without_being_asked() {
    let play = play();
    refused(&play, &["accept-loss", "s", "--all"], "pass --yes");
}

#[test]
fn command_lines_that_lack_something() {
    let play = play();
    play.fails(&["serve", "./main2"], 2, "--spare");
    play.fails(&["create", "t", "--main", "main2"], 2, "--spare");
    play.fails(&["open", "s", "--tls-optional"], 2, "--tls");
    play.fails(&["serve", "s", "--nbd", "here"], 2, "unix:PATH");
}

#[test]
fn other_machines_are_let_in_only_when_told_so() {
    let play = play();
    let ran = play.run(&["serve", "s", "--nbd", "tcp:0.0.0.0:0"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("can be reached from other machines"), "{ran:?}");
    let shown = play.json(&["metadata", "show", "spare"]);
    assert_eq!(shown["closed_cleanly"], true, "a server that did not start has closed what it opened");
}

#[test]
fn faults_by_a_script_in_the_kernel() {
    let play = play();
    let main = play.faulty_main();
    refused(
        &play,
        &["create", "t", "--via", "kernel", "--main", &main, "--spare", "spare2"],
        "user space only",
    );
}

#[test]
fn command_lines_that_mean_the_kernel_and_a_server() {
    let play = play();
    play.fails(&["open", "s", "--via", "kernel", "--nbd", "tcp:127.0.0.1:0"], 2, "block device");
    let create = ["create", "t", "--main", "main2", "--spare", "spare2", "--closed"];
    play.fails(&create, 2, "--via kernel");
    play.ok(&["open", "s"]);
    play.fails(&["close", "s", "--when-unused"], 2, "sets in the kernel");
    play.ok(&["close", "s"]);
    play.fails(&["status", "/dev/null"], 3, "no device of a set");
}
