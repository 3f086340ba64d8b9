//! Many threads that write, read and compare at random, each in a place of its own.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result, bail};
use rustix::io::Errno;

use crate::direct::{Direct, SECTOR_BYTES, pattern};

/// The largest request, in sectors.
const LARGEST: u64 = 128;

/// A generator of numbers that look random and come again with the same seed.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The one of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        // splitmix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % limit.max(1)
    }
}

/// A part of a device, what it must hold, and which of it may be unreadable.
#[derive(Clone, Debug)]
pub struct Lane {
    range: Range<u64>,
    bytes: Vec<u8>,
    /// What was there before the last write.
    older: Vec<u8>,
    unreadable: BTreeSet<u64>,
    /// Whether what was written may become unreadable again.
    is_failing: bool,
    random: Random,
    writes: u64,
}

/// The lanes of a device, side by side from sector 0 on.
#[derive(Clone, Debug)]
pub struct Load {
    lanes: Vec<Lane>,
}

impl Load {
    /// `count` lanes over `sectors` sectors that hold their [`pattern`] for `seed`.
    pub fn new(count: u64, sectors: u64, seed: u64) -> Self {
        let each = sectors / count;
        let lane = |number: u64| {
            let range = number * each..(number + 1) * each;
            let bytes: Vec<_> = range.clone().flat_map(|sector| pattern(sector, seed)).collect();
            let older = bytes.clone();
            let random = Random::new(seed ^ (number << 32));
            Lane { range, bytes, older, unreadable: BTreeSet::new(), is_failing: false, random, writes: 0 }
        };
        Self { lanes: (0..count).map(lane).collect() }
    }

    /// Puts what it must hold onto a device.
    pub fn write_all(&self, device: &Path) -> Result<()> {
        let io = Direct::open(device)?;
        for lane in &self.lanes {
            io.write(lane.range.start, &lane.bytes).with_context(|| format!("writing {:?}", lane.range))?;
        }
        Ok(())
    }

    /// Reads of these sectors may fail until they are written.
    pub fn may_fail(&mut self, sectors: impl IntoIterator<Item = u64>) {
        for sector in sectors {
            if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.range.contains(&sector)) {
                lane.unreadable.insert(sector);
            }
        }
    }

    /// Whether sectors that may be unreadable become so beneath requests: then a write heals none of them for good.
    pub fn set_failing(&mut self, is_failing: bool) {
        self.lanes.iter_mut().for_each(|lane| lane.is_failing = is_failing);
    }

    /// How many sectors may be unreadable still.
    pub fn doubtful(&self) -> usize {
        self.lanes.iter().map(|lane| lane.unreadable.len()).sum()
    }

    /// Makes `requests` requests in each lane, all lanes at once, while `meanwhile` is done; that is told when they
    /// have ended.
    pub fn run<R>(
        &mut self,
        device: &Path,
        requests: u64,
        meanwhile: impl FnOnce(&AtomicBool) -> Result<R>,
    ) -> Result<R> {
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            let lanes: Vec<_> = self
                .lanes
                .iter_mut()
                .map(|lane| scope.spawn(move || lane.run(&Direct::open(device)?, requests)))
                .collect();
            let watch = scope.spawn(|| {
                let results: Vec<_> = lanes.into_iter().map(thread::ScopedJoinHandle::join).collect();
                ended.store(true, Ordering::Release);
                results
            });
            let done = meanwhile(&ended);
            let Ok(results) = watch.join() else { bail!("a thread panicked") };
            for result in results {
                let Ok(result) = result else { bail!("a thread panicked") };
                result?;
            }
            done
        })
    }

    /// The same without doing anything else.
    pub fn run_alone(&mut self, device: &Path, requests: u64) -> Result<()> {
        self.run(device, requests, |_| Ok(()))
    }

    /// Reads everything, all lanes at once.
    pub fn compare(&self, device: &Path) -> Result<()> {
        thread::scope(|scope| {
            let lanes: Vec<_> = self
                .lanes
                .iter()
                .map(|lane| scope.spawn(move || lane.compare(&Direct::open(device)?)))
                .collect();
            for lane in lanes {
                let Ok(result) = lane.join() else { bail!("a thread panicked") };
                result?;
            }
            Ok(())
        })
    }
}

impl Lane {
    fn run(&mut self, io: &Direct, requests: u64) -> Result<()> {
        for _ in 0..requests {
            let length = self.range.end - self.range.start;
            // As many small ones as large ones.
            let most = 1 << self.random.below(u64::from(LARGEST.ilog2()) + 1);
            let sectors = (1 + self.random.below(most)).min(length);
            let start = self.range.start + self.random.below(length - sectors + 1);
            if self.random.below(5) < 3 {
                self.write(io, start..start + sectors)?;
            } else {
                self.read(io, start..start + sectors)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, io: &Direct, range: Range<u64>) -> Result<()> {
        self.writes += 1;
        let seed = self.random.0 ^ self.writes;
        let bytes: Vec<_> = range.clone().flat_map(|sector| pattern(sector, seed)).collect();
        io.write(range.start, &bytes).with_context(|| format!("writing sectors {range:?}"))?;
        let within = self.within(&range);
        self.older[within.clone()].copy_from_slice(&self.bytes[within.clone()]);
        self.bytes[within].copy_from_slice(&bytes);
        if !self.is_failing {
            self.unreadable.retain(|sector| !range.contains(sector));
        }
        Ok(())
    }

    fn read(&self, io: &Direct, range: Range<u64>) -> Result<()> {
        match io.read(range.start, (range.end - range.start) as usize) {
            Ok(found) => {
                let wrong = range.clone().find(|&sector| {
                    let at = (sector - range.start) as usize * SECTOR_BYTES;
                    found[at..at + SECTOR_BYTES] != self.bytes[self.within(&(sector..sector + 1))]
                });
                if let Some(sector) = wrong {
                    let at = (sector - range.start) as usize * SECTOR_BYTES;
                    bail!(
                        "a read of {range:?} gave {}",
                        self.describe(io, sector, &found[at..at + SECTOR_BYTES])
                    );
                }
                Ok(())
            }
            Err(Errno::NODATA) if self.unreadable.range(range.clone()).next().is_some() => Ok(()),
            Err(error) => Err(error).with_context(|| format!("reading sectors {range:?}")),
        }
    }

    /// What was read instead of what was written.
    fn describe(&self, io: &Direct, sector: u64, found: &[u8]) -> String {
        let within = self.within(&(sector..sector + 1));
        let what = if found.iter().all(|&byte| byte == 0) {
            "zeros".to_owned()
        } else if found == &self.older[within.clone()] {
            "what was there before the last write".to_owned()
        } else {
            format!("{:02x?}...", &found[..16])
        };
        let again = match io.read(sector, 1) {
            Ok(bytes) if bytes == self.bytes[within] => "what was written".to_owned(),
            Ok(bytes) if bytes == found => "the same".to_owned(),
            Ok(_) => "something else".to_owned(),
            Err(error) => error.to_string(),
        };
        let may_fail = if self.unreadable.contains(&sector) { " may be unreadable and" } else { "" };
        format!("{what} for sector {sector}, which{may_fail} gave {again} when it was read once more")
    }

    /// In large requests, and where they fail sector by sector.
    fn compare(&self, io: &Direct) -> Result<()> {
        let mut at = self.range.start;
        while at < self.range.end {
            let end = self.range.end.min(at + LARGEST);
            if self.unreadable.range(at..end).next().is_none() {
                self.read(io, at..end)?;
            } else {
                (at..end).try_for_each(|sector| self.read(io, sector..sector + 1))?;
            }
            at = end;
        }
        Ok(())
    }

    fn within(&self, range: &Range<u64>) -> Range<usize> {
        let at = |sector: u64| (sector - self.range.start) as usize * SECTOR_BYTES;
        at(range.start)..at(range.end)
    }
}

#[cfg(test)]
mod tests {
    use super::{Load, Random};

    #[test]
    fn numbers_come_again_with_their_seed() {
        let of = |seed| {
            let mut random = Random::new(seed);
            [0; 8].map(|_| random.below(1000))
        };
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert!(of(3).iter().all(|&number| number < 1000));
    }

    #[test]
    fn lanes_lie_side_by_side() {
        let mut load = Load::new(4, 64, 1);
        assert_eq!(load.lanes[3].range, 48..64);
        load.may_fail([0, 16, 63, 64]);
        assert_eq!(load.doubtful(), 3);
        assert_eq!(load.lanes[1].unreadable.len(), 1);
    }
}
