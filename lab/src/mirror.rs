//! What a device must hold: the same bytes, kept in memory beside every write to it.

use std::ops::Range;

use anyhow::{Context, Result, ensure};

use crate::direct::{Direct, SECTOR_BYTES, pattern};

/// The sectors from 0 on that a scenario writes and compares.
#[derive(Clone, Debug)]
pub struct Mirror {
    bytes: Vec<u8>,
    seed: u64,
}

impl Mirror {
    /// Of `sectors` sectors that hold their [`pattern`] for `seed`.
    pub fn new(sectors: u64, seed: u64) -> Self {
        Self { bytes: (0..sectors).flat_map(|sector| pattern(sector, seed)).collect(), seed }
    }

    /// How many sectors it has.
    pub fn sectors(&self) -> u64 {
        (self.bytes.len() / SECTOR_BYTES) as u64
    }

    /// Puts everything onto a device, in large requests.
    pub fn write_all(&self, io: &Direct) -> Result<()> {
        self.in_pieces(2048, |range| {
            let of = &self.bytes[bytes_of(&range)];
            io.write(range.start, of).with_context(|| format!("writing sectors {range:?}"))
        })
    }

    /// Writes something new to `range`, here and, in one request, on the device.
    pub fn write(&mut self, io: &Direct, range: Range<u64>) -> Result<()> {
        self.change(range.clone());
        io.write(range.start, &self.bytes[bytes_of(&range)])
            .with_context(|| format!("writing sectors {range:?}"))
    }

    /// Something new for `range`, for who writes it in another way; gives the bytes.
    pub fn change(&mut self, range: Range<u64>) -> &[u8] {
        self.seed += 1;
        for sector in range.clone() {
            let at = sector as usize * SECTOR_BYTES;
            self.bytes[at..at + SECTOR_BYTES].copy_from_slice(&pattern(sector, self.seed));
        }
        &self.bytes[bytes_of(&range)]
    }

    /// Zeros in `range`, for who writes them in another way.
    pub fn zero(&mut self, range: Range<u64>) {
        self.bytes[bytes_of(&range)].fill(0);
    }

    /// What `range` must hold.
    pub fn of(&self, range: Range<u64>) -> &[u8] {
        &self.bytes[bytes_of(&range)]
    }

    /// Reads `range` in requests of `request_sectors`; fails unless each succeeds and holds what it must.
    pub fn compare_range(&self, io: &Direct, range: Range<u64>, request_sectors: u64) -> Result<()> {
        let mut at = range.start;
        while at < range.end {
            let end = range.end.min(at + request_sectors);
            let found =
                io.read(at, (end - at) as usize).with_context(|| format!("reading sectors {:?}", at..end))?;
            let wanted = self.of(at..end);
            if found != wanted {
                let sector_at = |n: usize| &found[n * SECTOR_BYTES..(n + 1) * SECTOR_BYTES];
                let wrong: Vec<_> = (0..(end - at) as usize)
                    .filter(|&n| sector_at(n) != &wanted[n * SECTOR_BYTES..(n + 1) * SECTOR_BYTES])
                    .map(|n| at + n as u64)
                    .collect();
                let few = &wrong[..wrong.len().min(8)];
                ensure!(false, "{} sectors hold other bytes than were written: {few:?}", wrong.len());
            }
            at = end;
        }
        Ok(())
    }

    /// Everything, in large requests, in requests of 4 KiB, and in single sectors.
    pub fn compare(&self, io: &Direct) -> Result<()> {
        [2048, 8, 1].into_iter().try_for_each(|request| self.compare_range(io, 0..self.sectors(), request))
    }

    fn in_pieces(&self, sectors: u64, mut take: impl FnMut(Range<u64>) -> Result<()>) -> Result<()> {
        let mut at = 0;
        while at < self.sectors() {
            let end = self.sectors().min(at + sectors);
            take(at..end)?;
            at = end;
        }
        Ok(())
    }
}

fn bytes_of(range: &Range<u64>) -> Range<usize> {
    range.start as usize * SECTOR_BYTES..range.end as usize * SECTOR_BYTES
}

#[cfg(test)]
mod tests {
    use super::Mirror;
    use crate::direct::pattern;

    #[test]
    fn what_changes_is_what_was_named() {
        let mut mirror = Mirror::new(4, 1);
        assert_eq!(mirror.sectors(), 4);
        assert_eq!(mirror.of(1..2), pattern(1, 1));
        let before = mirror.clone();
        assert_ne!(mirror.change(1..2).to_vec(), pattern(1, 1));
        assert_eq!((mirror.of(0..1), mirror.of(2..4)), (before.of(0..1), before.of(2..4)));
        mirror.zero(3..4);
        assert_eq!(mirror.of(3..4), [0; 512]);
    }
}
