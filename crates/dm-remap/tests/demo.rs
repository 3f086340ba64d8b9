//! The demonstration's figures: what the plain disk loses, and that dm-remap loses nothing.

mod support;

use serde_json::Value;
use support::Play;

fn figure(side: &Value, name: &str) -> u64 {
    side[name].as_u64().unwrap_or_else(|| panic!("{name} in {side}"))
}

#[test]
fn the_plain_disk_loses_and_dm_remap_loses_nothing() {
    let play = Play::new();
    for seed in ["1", "7"] {
        let story = play.json(&["demo", "--seed", seed]);
        let (plain, remap) = (&story["plain"], &story["remap"]);
        for name in ["writes_refused", "files_damaged", "sectors_unreadable"] {
            assert!(figure(plain, name) > 0, "{name} of the plain disk, seed {seed}");
        }
        for name in [
            "writes_refused",
            "reads_refused",
            "reads_wrong",
            "flushes_refused",
            "flushed_sectors_lost",
            "sectors_unreadable",
            "files_damaged",
        ] {
            assert_eq!(figure(remap, name), 0, "{name} under dm-remap, seed {seed}");
        }
        assert!(figure(remap, "writes") > 500 && figure(remap, "flushes") > 20);
        assert!(figure(remap, "unflushed_sectors_lost") > 0, "the power cut cost nothing: it was none");
        assert!(figure(&story, "moved_sectors") > 0);
        let only_copies = &remap["only_copies"];
        let killed = figure(only_copies, "killed");
        assert_eq!(figure(only_copies, "unreadable"), killed, "what nobody holds is told as an error");
        assert_eq!(figure(only_copies, "neighbours_readable"), killed * 7);
        assert_eq!(figure(only_copies, "writable_again"), killed);
    }
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let play = Play::new();
    let tell = || {
        let mut story = play.json(&["demo", "--seed", "3"]);
        story["seconds"] = Value::Null;
        story
    };
    assert_eq!(tell(), tell());
}

#[test]
fn the_last_line_says_what_to_do_next_and_it_works() {
    let play = Play::new();
    let told = play.ok(&["demo", "--keep", "kept"]);
    assert!(told.contains("files damaged"), "{told}");
    let (_, next) = told.lines().last().unwrap().split_once(": dm-remap ").unwrap();
    let words: Vec<&str> = next.split(' ').collect();
    assert!(play.ok(&words).contains("sectors moved"));
    play.ok(&["check", "kept/spare.img"]);
    play.fails(&["demo", "--keep", "kept"], 3, "not empty");
}
