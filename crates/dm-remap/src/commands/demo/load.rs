//! A filesystem-like load, and a ledger of what it was promised.
//!
//! Files have a page of metadata each, which every change rewrites, and data of 16 to 96 KiB. The ledger
//! holds, sector by sector, what was asked to be written, what was acknowledged and what was flushed; whatever
//! is read is judged by it. It counts, and never assumes.

use remap_core::units::SECTOR_BYTES;
use remap_core::{Sector, SectorRange};
use serde::Serialize;

use super::content;
use super::random::Random;
use super::target::Target;

/// Sectors of a page, in which filesystems read and write.
pub const PAGE: u64 = 8;

/// The first pages of the disk hold the files' metadata, one each.
pub const METADATA_PAGES: u64 = 256;

/// The longest single write: 64 KiB.
const WRITE_SECTORS: u64 = 128;

/// What was seen. Requests, not sectors, unless the name says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub files: u64,
    pub writes: u64,
    pub writes_refused: u64,
    /// Writes that came before the first refused one of metadata. There, a real filesystem stops.
    pub writes_before_metadata_was_refused: Option<u64>,
    pub reads: u64,
    pub reads_refused: u64,
    /// Reads that gave bytes that were never written there, or that were written before what was acknowledged.
    pub reads_wrong: u64,
    pub flushes: u64,
    pub flushes_refused: u64,
    /// After the power cut: sectors that were acknowledged and flushed, and are not there.
    pub flushed_sectors_lost: u64,
    /// At the end: sectors of files that cannot be read.
    pub sectors_unreadable: u64,
    /// At the end: files of which a sector cannot be read, or is not what the program last wrote.
    pub files_damaged: u64,
}

/// What is known of one sector: versions, counted up by each write.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    issued: u32,
    acknowledged: u32,
    flushed: u32,
}

struct File {
    /// Its metadata, then its data.
    extents: Vec<SectorRange>,
}

/// The load, in the middle of its work.
pub struct Load {
    pub counts: Counts,
    random: Random,
    known: Vec<Known>,
    /// Sectors acknowledged since the last flush.
    unflushed: Vec<Sector>,
    files: Vec<File>,
    free: Vec<bool>,
}

impl Load {
    /// A load on an empty disk of `sectors` sectors; what it does depends on `seed` alone.
    pub fn new(sectors: u64, seed: u64) -> Self {
        let pages = sectors / PAGE;
        Self {
            counts: Counts::default(),
            random: Random::new(seed),
            known: vec![Known::default(); sectors as usize],
            unflushed: Vec::new(),
            files: Vec::new(),
            free: (0..pages).map(|page| page >= METADATA_PAGES).collect(),
        }
    }

    /// Writes `count` new files, flushing after every eighth.
    pub fn create(&mut self, target: &dyn Target, count: usize) {
        for number in 1..=count {
            let pages = 4 + self.random.below(21);
            let Some(extents) = self.allocate(pages) else { return };
            self.files.push(File { extents });
            self.counts.files += 1;
            self.rewrite(target, self.files.len() - 1, true);
            if number.is_multiple_of(8) {
                self.flush(target);
            }
        }
    }

    /// Changes files here and there, `count` times, and reads others meanwhile. `flushing` is unset before the
    /// power is cut.
    pub fn work(&mut self, target: &dyn Target, count: usize, flushing: bool) {
        for number in 1..=count {
            let file = self.random.below(self.files.len() as u64) as usize;
            self.rewrite(target, file, false);
            let other = self.random.below(self.files.len() as u64) as usize;
            self.read_file(target, other);
            if flushing && number.is_multiple_of(4) {
                self.flush(target);
            }
        }
    }

    /// Writes a file's data, all of it or a part, then its metadata.
    fn rewrite(&mut self, target: &dyn Target, file: usize, whole: bool) {
        let extents = self.files[file].extents.clone();
        for &extent in &extents[1..] {
            for range in pieces(extent, WRITE_SECTORS) {
                if whole || self.random.chance(30) {
                    self.write(target, range);
                }
            }
        }
        self.write(target, extents[0]);
    }

    /// Writes one sector anew; whether it was acknowledged.
    pub fn write_again(&mut self, target: &dyn Target, sector: Sector) -> bool {
        let refused = self.counts.writes_refused;
        self.write(target, SectorRange::new(sector, 1));
        self.counts.writes_refused == refused
    }

    fn write(&mut self, target: &dyn Target, range: SectorRange) {
        let mut data = vec![0; range.sectors as usize * SECTOR_BYTES];
        for (sector, data) in sectors(range).zip(data.as_chunks_mut::<SECTOR_BYTES>().0) {
            let known = &mut self.known[sector.0 as usize];
            known.issued += 1;
            content::fill(data, sector, known.issued);
        }
        if target.write(range.start, &data).is_ok() {
            for sector in sectors(range) {
                let known = &mut self.known[sector.0 as usize];
                known.acknowledged = known.issued;
                self.unflushed.push(sector);
            }
        } else {
            self.counts.writes_refused += 1;
            if range.start.0 < METADATA_PAGES * PAGE {
                self.counts.writes_before_metadata_was_refused.get_or_insert(self.counts.writes);
            }
        }
        self.counts.writes += 1;
    }

    /// Has the target make everything durable.
    pub fn flush(&mut self, target: &dyn Target) {
        self.counts.flushes += 1;
        if target.flush().is_err() {
            self.counts.flushes_refused += 1;
            return;
        }
        for sector in self.unflushed.drain(..) {
            let known = &mut self.known[sector.0 as usize];
            known.flushed = known.acknowledged;
        }
    }

    /// Reads a file as programs do, a piece after the other.
    fn read_file(&mut self, target: &dyn Target, file: usize) {
        let extents = self.files[file].extents.clone();
        for range in extents.into_iter().flat_map(|extent| pieces(extent, WRITE_SECTORS)) {
            self.counts.reads += 1;
            let mut data = vec![0; range.sectors as usize * SECTOR_BYTES];
            if target.read(range.start, &mut data).is_err() {
                self.counts.reads_refused += 1;
                continue;
            }
            let right = sectors(range).zip(data.as_chunks::<SECTOR_BYTES>().0).all(|(sector, data)| {
                let Known { issued, acknowledged, .. } = self.known[sector.0 as usize];
                content::version_of(data, sector)
                    .is_some_and(|found| (acknowledged..=issued).contains(&found))
            });
            self.counts.reads_wrong += u64::from(!right);
        }
    }

    /// After a power cut: takes stock of what was flushed, and goes on from what is there.
    pub fn recover(&mut self, target: &dyn Target) {
        self.unflushed.clear();
        for file in 0..self.files.len() {
            for extent in self.files[file].extents.clone() {
                for sector in sectors(extent) {
                    let found = read_sector(target, sector);
                    let known = &mut self.known[sector.0 as usize];
                    let kept = found.filter(|found| (known.flushed..=known.issued).contains(found));
                    self.counts.flushed_sectors_lost += u64::from(kept.is_none() && known.flushed > 0);
                    if let Some(kept) = kept {
                        known.acknowledged = kept;
                        known.flushed = kept;
                    }
                }
            }
        }
    }

    /// Files that are not what the program last wrote, which it writes again, as after any crash.
    pub fn redo(&mut self, target: &dyn Target) {
        for file in 0..self.files.len() {
            let stale = self.files[file].extents.iter().flat_map(|extent| sectors(*extent)).any(|sector| {
                let known = self.known[sector.0 as usize];
                known.acknowledged != known.issued
            });
            if stale {
                self.rewrite(target, file, true);
            }
        }
        self.flush(target);
    }

    /// The verdict: reads every sector of every file.
    pub fn verify(&mut self, target: &dyn Target) {
        for file in &self.files {
            let mut damaged = false;
            for sector in file.extents.iter().flat_map(|extent| sectors(*extent)) {
                let found = read_sector(target, sector);
                damaged |= found != Some(self.known[sector.0 as usize].issued);
                self.counts.sectors_unreadable += u64::from(found.is_none());
            }
            self.counts.files_damaged += u64::from(damaged);
        }
    }

    /// Whether `page` holds metadata or data of a file.
    pub fn is_used(&self, page: u64) -> bool {
        page < self.files.len() as u64 || (page >= METADATA_PAGES && !self.free[page as usize])
    }

    /// How often `sector` was asked to be written.
    pub fn issued(&self, sector: Sector) -> u32 {
        self.known[sector.0 as usize].issued
    }

    /// Metadata in its page, and room for data in one or two runs, wherever they are found.
    fn allocate(&mut self, pages: u64) -> Option<Vec<SectorRange>> {
        let metadata = self.files.len() as u64;
        if metadata == METADATA_PAGES {
            return None;
        }
        let mut extents = vec![SectorRange::new(Sector(metadata * PAGE), PAGE)];
        let first = if self.random.chance(30) { pages / 2 } else { pages };
        for run in [first, pages - first] {
            if run > 0 {
                let page = self.find_free(run)?;
                self.free[page as usize..(page + run) as usize].fill(false);
                extents.push(SectorRange::new(Sector(page * PAGE), run * PAGE));
            }
        }
        Some(extents)
    }

    fn find_free(&mut self, run: u64) -> Option<u64> {
        let end = self.free.len() as u64 - run;
        (0..1000).find_map(|_| {
            let page = METADATA_PAGES + self.random.below(end - METADATA_PAGES);
            self.free[page as usize..(page + run) as usize].iter().all(|free| *free).then_some(page)
        })
    }
}

/// The version of a sector that the target gives; `None` when it cannot be read or is none.
pub fn read_sector(target: &dyn Target, sector: Sector) -> Option<u32> {
    let mut data = [0; SECTOR_BYTES];
    target.read(sector, &mut data).ok()?;
    content::version_of(&data, sector)
}

fn sectors(range: SectorRange) -> impl Iterator<Item = Sector> {
    (range.start.0..range.end().0).map(Sector)
}

fn pieces(range: SectorRange, most: u64) -> impl Iterator<Item = SectorRange> {
    (range.start.0..range.end().0)
        .step_by(most as usize)
        .map(move |start| SectorRange::new(Sector(start), most.min(range.end().0 - start)))
}
