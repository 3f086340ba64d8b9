//! The main disk's script, which grows while the set is in use.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use crate::support::Play;

/// Longer than a watched script goes unnoticed.
const NOTICED: Duration = Duration::from_millis(80);

pub struct Faults {
    path: PathBuf,
    sectors: u64,
    state: u64,
    bad: u64,
    /// Sectors that were free when they went bad altogether.
    killed: HashSet<u64>,
}

impl Faults {
    /// An empty script for a disk of `sectors` sectors.
    pub fn new(play: &Play, sectors: u64) -> Self {
        play.script("");
        Self {
            path: play.folder().join("faults"),
            sectors,
            state: 0x1234_5678_9abc_def1,
            bad: 0,
            killed: HashSet::new(),
        }
    }

    /// How many sectors are bad; those that are named twice count twice.
    pub fn bad_sectors(&self) -> u64 {
        self.bad
    }

    /// Whether `sector` held nothing when it went bad, so that nothing is lost with it.
    pub fn held_nothing(&self, sector: u64) -> bool {
        self.killed.contains(&sector)
    }

    /// Runs of sectors, anywhere, that can still be read and no longer be written.
    pub fn stop_writes(&mut self, count: usize) {
        let mut lines = String::new();
        for _ in 0..count {
            let (start, sectors) = (self.below(self.sectors - 16), 1 + self.below(12));
            lines.push_str(&self.line("bad-write", start, sectors));
        }
        self.append(&lines);
    }

    /// Sectors in free blocks of 4 KiB that can no longer be read nor written.
    pub fn kill_free_blocks(&mut self, free: &[(u64, u64)], count: usize) {
        let mut lines = String::new();
        for _ in 0..count {
            let (first, last) = free[self.below(free.len() as u64) as usize];
            let start = (first + self.below(last - first + 1)) * 8;
            let (offset, sectors) = (self.below(4), 1 + self.below(4));
            self.killed.extend(start + offset..start + offset + sectors);
            lines.push_str(&self.line("bad", start + offset, sectors));
        }
        self.append(&lines);
    }

    fn line(&mut self, verb: &str, start: u64, sectors: u64) -> String {
        self.bad += sectors;
        format!("{verb} {start} {sectors}\n")
    }

    fn append(&self, lines: &str) {
        let mut script = OpenOptions::new().append(true).open(&self.path).unwrap();
        script.write_all(lines.as_bytes()).unwrap();
        std::thread::sleep(NOTICED);
    }

    fn below(&mut self, end: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % end
    }
}
