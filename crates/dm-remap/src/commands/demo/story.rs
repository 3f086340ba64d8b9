//! What the demonstration tells at the end, as text and as JSON.

use std::fmt::Write as _;
use std::path::PathBuf;

use remap_core::SectorRange;
use remap_io::device::{Extent, ExtentKind, Status};
use serde::Serialize;

use crate::text::map::{self, Mark};
use crate::text::{count, grouped, size};

use super::load::Counts;
use super::{MAIN_SECTORS, SPARE_SECTORS};

const MAP_LINES: u64 = 8;
const NAMES: [&str; 2] = ["plain disk", "dm-remap"];

/// Sectors that went bad while they held the only copy of their data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OnlyCopies {
    pub killed: u64,
    pub unreadable: u64,
    /// The other sectors of their pages.
    pub neighbours: u64,
    pub neighbours_readable: u64,
    /// Of the killed: hold data again once they are written.
    pub writable_again: u64,
}

/// One side: the failing disk as it is, or under dm-remap.
#[derive(Clone, Copy, Debug, Serialize)]
struct Side {
    #[serde(flatten)]
    counts: Counts,
    /// Sectors that the power cut did not leave as last written, none of them flushed.
    unflushed_sectors_lost: u64,
    only_copies: OnlyCopies,
}

/// Everything that was counted.
#[derive(Debug, Serialize)]
pub struct Story {
    seed: u64,
    pub seconds: f64,
    main_sectors: u64,
    spare_sectors: u64,
    bad_sectors: u64,
    plain: Side,
    remap: Side,
    moved_sectors: u64,
    lost_sectors: u64,
    slots_used: u64,
    slots_total: u64,
    pub kept_in: Option<PathBuf>,
    #[serde(skip)]
    marks: Vec<(SectorRange, Mark)>,
}

impl Story {
    pub fn new(
        seed: u64,
        bad_sectors: u64,
        bad: Vec<SectorRange>,
        cut: [u64; 2],
        counts: [Counts; 2],
        only_copies: [OnlyCopies; 2],
    ) -> Self {
        let side = |index: usize| Side {
            counts: counts[index],
            unflushed_sectors_lost: cut[index],
            only_copies: only_copies[index],
        };
        Self {
            seed,
            seconds: 0.0,
            main_sectors: MAIN_SECTORS,
            spare_sectors: SPARE_SECTORS,
            bad_sectors,
            plain: side(0),
            remap: side(1),
            moved_sectors: 0,
            lost_sectors: 0,
            slots_used: 0,
            slots_total: 0,
            kept_in: None,
            marks: bad.into_iter().map(|range| (range, Mark::Bad)).collect(),
        }
    }

    pub fn with_device(mut self, status: &Status, extents: &[Extent]) -> Self {
        self.moved_sectors = status.moved_sectors;
        self.lost_sectors = status.lost_sectors;
        self.slots_used = status.slots_used;
        self.slots_total = status.slots_total;
        self.marks.extend(extents.iter().filter_map(|extent| {
            let mark = match extent.kind {
                ExtentKind::Main => return None,
                ExtentKind::Moved => Mark::Moved,
                ExtentKind::Lost => Mark::Lost,
            };
            Some((extent.range, mark))
        }));
        self
    }

    /// The story as text.
    pub fn tell(&self) -> String {
        let mut text = String::new();
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let counts = self.plain.counts;
        writeln!(text, "The same work on the same failing disk, twice: as it is, and under dm-remap.\n")?;
        writeln!(
            text,
            "  disk   {}, {} of its {} sectors go bad, most while it is in use",
            size::show_sectors(self.main_sectors),
            grouped(self.bad_sectors),
            grouped(self.main_sectors)
        )?;
        writeln!(text, "  spare  {}", size::show_sectors(self.spare_sectors))?;
        writeln!(
            text,
            "  work   {} files written, changed and read; the power is cut in the middle (seed {})\n",
            counts.files, self.seed
        )?;
        writeln!(text, "{:44}{:>14}{:>14}", "", NAMES[0], NAMES[1])?;
        self.row(text, "writes refused", |side| of(side.counts.writes_refused, side.counts.writes))?;
        self.row(text, "reads refused", |side| of(side.counts.reads_refused, side.counts.reads))?;
        self.row(text, "reads that gave wrong bytes", |side| grouped(side.counts.reads_wrong))?;
        self.row(text, "metadata first refused (filesystems stop)", |side| {
            side.counts
                .writes_before_metadata_was_refused
                .map_or("never".into(), |n| format!("write {}", n + 1))
        })?;
        self.row(text, "flushed sectors lost in the power cut", |side| {
            grouped(side.counts.flushed_sectors_lost)
        })?;
        self.row(text, "sectors of files unreadable at the end", |side| {
            grouped(side.counts.sectors_unreadable)
        })?;
        self.row(text, "files damaged at the end", |side| of(side.counts.files_damaged, side.counts.files))?;
        writeln!(
            text,
            "\nThe disk under dm-remap, {} a character: m carried to the spare, x bad and not used yet\n",
            map::scale(self.main_sectors, MAP_LINES)
        )?;
        text.push_str(&map::draw(self.main_sectors, MAP_LINES, &self.marks, "  "));
        writeln!(
            text,
            "\n  {} carried in {} of {} slots of the spare",
            count(self.moved_sectors, "sector"),
            grouped(self.slots_used),
            grouped(self.slots_total)
        )?;
        let killed = self.remap.only_copies.killed;
        writeln!(
            text,
            "\nLast, {} go bad that hold the only copy of their data. No tool",
            count(killed, "sector")
        )?;
        writeln!(text, "brings that back; what matters is what happens around it and afterwards.\n")?;
        self.row(text, "of them unreadable, and told as errors", |side| {
            of(side.only_copies.unreadable, side.only_copies.killed)
        })?;
        self.row(text, "sectors beside them readable", |side| {
            of(side.only_copies.neighbours_readable, side.only_copies.neighbours)
        })?;
        self.row(text, "writable and readable again", |side| {
            of(side.only_copies.writable_again, side.only_copies.killed)
        })?;
        writeln!(text, "\n{:.1} s. {}", self.seconds, self.next())
    }

    fn row(&self, text: &mut String, name: &str, figure: impl Fn(&Side) -> String) -> std::fmt::Result {
        writeln!(text, "  {name:42}{:>14}{:>14}", figure(&self.plain), figure(&self.remap))
    }

    /// What to do next.
    fn next(&self) -> String {
        match &self.kept_in {
            Some(folder) => format!(
                "Next, look at what the spare knows: dm-remap metadata show {}",
                folder.join("spare.img").display()
            ),
            None => {
                "Next, with a disk and a spare of your own: dm-remap create NAME --main DEVICE --spare DEVICE"
                    .into()
            }
        }
    }
}

fn of(part: u64, whole: u64) -> String {
    if part == 0 { "0".into() } else { format!("{} of {}", grouped(part), grouped(whole)) }
}
