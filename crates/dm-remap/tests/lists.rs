//! Lists of bad sectors out of a set and into another, and the table that needs no dm-remap.

mod support;

use std::fs;

use support::nbd::Client;
use support::{Play, finish, noise};

/// A closed set on a disk full of data, of which 8 sectors are moved and 2 are lost.
fn play() -> Play {
    let play = Play::new();
    fs::write(play.path("main"), noise(16 << 20, 9)).unwrap();
    play.disk("spare", 16 << 20);
    play.script("bad-write 64 8\nbad 1000 2\n");
    let main = play.faulty_main();
    play.ok(&["create", "s", "--main", &main, "--spare", "spare"]);
    play.ok(&["open", "s"]);
    let mut client = Client::connect(&play.socket()).unwrap();
    client.write(64 * 512, &[7; 4096]).unwrap().unwrap();
    assert!(client.read(1000 * 512, &mut [0; 4096]).unwrap().is_err());
    drop(client);
    play.ok(&["close", "s"]);
    play
}

/// Another set, on a disk where only one of the listed sectors is bad.
fn other(play: &Play) {
    fs::write(play.path("main2"), noise(16 << 20, 10)).unwrap();
    fs::write(play.path("faults2"), "bad 1001 1\n").unwrap();
    play.disk("spare2", 16 << 20);
    let main = format!("faulty:{},faults={}", play.path("main2"), play.path("faults2"));
    play.ok(&["create", "t", "--main", &main, "--spare", "spare2"]);
}

#[test]
fn what_one_set_exports_another_imports_and_reads_before_it_marks() {
    for (format, flag) in [("ddrescue", "--ddrescue"), ("badblocks", "--badblocks")] {
        let play = play();
        other(&play);
        play.ok(&["export", "s", "--format", format, "--block-size", "512", "-o", "list"]);
        let ran = play.run(&["import", "t", flag, "list", "--block-size", "512", "--json"]);
        assert_eq!(ran.code, Some(4), "{ran:?}");
        let imported: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(imported["listed_sectors"], 16);
        assert_eq!(imported["moved_sectors"], 15, "what answers is carried over");
        assert_eq!(imported["lost_sectors"], 1, "only what was read and failed is lost");
        play.ok(&["export", "t", "--format", format, "--block-size", "512", "-o", "list2"]);
        assert_eq!(fs::read(play.path("list")).unwrap(), fs::read(play.path("list2")).unwrap(), "{format}");
        play.ok(&["open", "t"]);
        let mut data = vec![0; 64 * 512];
        let mut client = Client::connect(&play.folder().join("run/t.nbd")).unwrap();
        client.read(64 * 512, &mut data).unwrap().unwrap();
        assert!(data == noise(16 << 20, 10)[64 * 512..128 * 512], "importing changed what was there");
    }
}

#[test]
fn lists_are_refused_with_the_line_that_is_wrong() {
    let play = play();
    fs::write(play.path("list"), "12\nx\n").unwrap();
    play.fails(&["import", "s", "--badblocks", "list"], 1, "line 2");
    play.fails(&["import", "s", "--ddrescue", "list"], 1, "list");
    play.fails(&["import", "s"], 2, "--ddrescue");
    play.fails(&["import", "s", "--badblocks", "nothing"], 1, "nothing");
}

#[test]
fn what_lies_behind_the_end_is_left_out_and_told() {
    let play = play();
    fs::write(play.path("list"), "32760\n40000\n").unwrap();
    let imported = play.json(&["import", "s", "--badblocks", "list", "--block-size", "512"]);
    assert_eq!((&imported["listed_sectors"], &imported["outside_sectors"]), (&2.into(), &1.into()));
}

#[test]
fn lost_sectors_alone_are_exported_when_asked() {
    let play = play();
    let list = play.ok(&["export", "s", "--format", "badblocks", "--bad", "lost", "--block-size", "512"]);
    assert_eq!(list, "1000\n1001\n");
}

#[test]
fn the_table_tells_where_every_sector_lives() {
    let play = play();
    let table = play.ok(&["export", "s", "--format", "dm-linear"]);
    let (main, spare) = (play.path("main"), play.path("spare"));
    let mut next = 0;
    let mut seen = Vec::new();
    for line in table.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let (start, sectors): (u64, u64) = (words[0].parse().unwrap(), words[1].parse().unwrap());
        assert_eq!(start, next, "a gap or an overlap: {table}");
        next = start + sectors;
        match words[2..] {
            ["error"] => seen.push((start, sectors, "error")),
            ["linear", path, at] if path == main => assert_eq!(at.parse(), Ok(start)),
            ["linear", path, at] if path == spare => {
                seen.push((start, sectors, "spare"));
                let at = at.parse::<usize>().unwrap() * 512;
                let held = &fs::read(&spare).unwrap()[at..at + sectors as usize * 512];
                let data = noise(16 << 20, 9);
                let kept = &data[start as usize * 512..(start + sectors) as usize * 512];
                assert!(if start == 64 { held.iter().all(|byte| *byte == 7) } else { held == kept });
            }
            _ => panic!("{line}"),
        }
    }
    assert_eq!(next, 32768);
    assert_eq!(seen, [(64, 8, "spare"), (1000, 2, "error"), (1002, 6, "spare")]);
}

#[test]
fn ddrescue_maps_are_those_that_ddrescue_reads() {
    let play = play();
    play.ok(&["export", "s", "--format", "ddrescue", "--output", "map"]);
    let text = fs::read_to_string(play.path("map")).unwrap();
    assert!(text.contains("0x00008000  0x00001000  -"), "{text}");
    let mut log = std::process::Command::new("ddrescuelog");
    log.args(["--list-blocks=-", "--block-size=512", &play.path("map")]);
    let ran = finish(&mut log);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let blocks: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!((blocks.len(), blocks[0], blocks[15]), (16, "64", "1007"));
}
