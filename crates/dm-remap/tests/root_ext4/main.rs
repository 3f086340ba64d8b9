//! A real filesystem on a failing set, whose server is killed again and again.
//!
//! Needs root, FUSE and loop devices; without them it is skipped, and says so.

mod attach;
mod faults;
#[path = "../support/mod.rs"]
mod support;
mod tree;

use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use attach::Attached;
use faults::Faults;
use support::{Play, finish, foreign};
use tree::Tree;

/// The failing disk: 320 MiB.
const MAIN_BYTES: u64 = 320 << 20;
/// As much of a real tree as is copied: 140 MB.
const TREE_BYTES: u64 = 140_000_000;
/// How often the server is killed.
const KILLS: u32 = 5;

/// Why this machine cannot run the test.
fn lacks() -> Option<String> {
    let root =
        std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if !root {
        return Some("this is not run by root".into());
    }
    for path in ["/dev/fuse", "/dev/loop-control"] {
        if !Path::new(path).exists() {
            return Some(format!("there is no {path}"));
        }
    }
    let programs =
        ["nbdfuse", "losetup", "mkfs.ext4", "e2fsck", "dumpe2fs", "mount", "fusermount3", "timeout"];
    let is_there = |program: &&str| {
        let search = std::env::var("PATH").unwrap_or_default();
        search.split(':').any(|folder| Path::new(folder).join(program).exists())
    };
    programs.iter().find(|program| !is_there(program)).map(|program| format!("there is no {program}"))
}

#[test]
fn root_ext4_survives_kill_and_bad_sectors() {
    if let Some(why) = lacks() {
        // Past the capture of passing tests' output: that nothing was tested must be seen.
        let _ =
            writeln!(std::io::stderr(), "\n*** SKIPPED root_ext4_survives_kill_and_bad_sectors: {why} ***\n");
        return;
    }
    let play = Play::new();
    play.disk("main", MAIN_BYTES);
    play.disk("spare", 64 << 20);
    let mut faults = Faults::new(&play, MAIN_BYTES / 512);
    faults.stop_writes(100);
    play.ok(&["create", "s", "--main", &play.faulty_main(), "--spare", "spare"]);
    play.ok(&["open", "s"]);
    let device = Attached::attach(&play);
    // All that the filesystem is made of is written now: what is free afterwards holds nothing.
    let options = "lazy_itable_init=0,lazy_journal_init=0";
    foreign("mkfs.ext4", &["-q", "-b", "4096", "-E", options, device.path()]);
    device.detach();

    let mut tree = Tree::of("/usr/share", TREE_BYTES);
    let mut interrupted = 0;
    for kill in 0..=KILLS {
        let device = Attached::attach(&play);
        // The journal is replayed; then what is free is known, and may go bad altogether.
        device.mount();
        device.unmount();
        faults.kill_free_blocks(&device.free_blocks(), 60);
        device.mount();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (tree, done, mount) = (&mut tree, &done, device.mount_point());
            let copying = scope.spawn(move || {
                let result = tree.copy_to(&mount);
                done.store(true, Ordering::SeqCst);
                result
            });
            let until = Instant::now() + Duration::from_millis(1000 + 300 * u64::from(kill));
            while !done.load(Ordering::SeqCst) && (kill == KILLS || Instant::now() < until) {
                faults.stop_writes(6);
            }
            if kill < KILLS {
                play.kill_server();
            }
            let copied = copying.join().unwrap();
            assert!(kill < KILLS || copied.is_ok(), "the last copy failed: {copied:?}");
            interrupted += u32::from(copied.is_err());
        });
        if kill < KILLS {
            device.tear_down();
            play.ok(&["open", "s"]);
        } else {
            device.unmount();
            let checked = finish(std::process::Command::new("e2fsck").args(["-f", "-n", device.path()]));
            assert_eq!(checked.code, Some(0), "{checked:?}");
            device.mount();
            tree.compare_with(&device.mount_point());
            device.unmount();
            device.detach();
        }
    }
    let mappings = play.json(&["mappings", "s"]);
    let sectors = |of: &str| -> Vec<u64> {
        let rows = mappings.as_array().unwrap().iter();
        rows.flat_map(|row| row[of].as_array().unwrap()).map(|sector| sector.as_u64().unwrap()).collect()
    };
    let (moved, lost) = (sectors("moved"), sectors("lost"));
    println!(
        "{} files of {} MB compared equal; {} sectors bad, {} moved; {} free ones lost, for they were \
         read ahead; server killed {KILLS} times, {interrupted} times while files were copied",
        tree.synced(),
        TREE_BYTES / 1_000_000,
        faults.bad_sectors(),
        moved.len(),
        lost.len()
    );
    assert!(moved.len() > 100, "hardly anything was moved");
    assert!(lost.iter().all(|sector| faults.held_nothing(*sector)), "a sector that held data is lost");
    assert!(interrupted > 0, "all was copied before the first kill: take a larger tree");
    play.ok(&["close", "s"]);
    play.ok(&["check", "spare"]);
}
