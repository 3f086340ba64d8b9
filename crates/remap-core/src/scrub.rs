//! The surface scan: what to read next, at which rate, and where to look closer. Pure: time is an argument.
//!
//! The driver reads what it is told, hands failed ranges to recovery as [`Read`](crate::recovery::job::JobKind)
//! jobs without data, and reports back. Around a failure the neighbourhood is read in small steps, since bad
//! sectors come in clusters. Last, every map page is verified.

use crate::recovery::JOB_SECTORS;
use crate::units::{Sector, SectorRange};

/// Sectors of one read while all is well: 1 MiB.
const STRIDE_SECTORS: u64 = 2048;

/// How far around a failure is looked at closely: 4 MiB to each side.
const NEIGHBOURHOOD_SECTORS: u64 = 8192;

/// What the scrub wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScrubStep {
    /// Read this, wherever it lives on the main device; leave out what is moved or lost.
    Read(SectorRange),
    /// Wait until the clock shows this, in milliseconds.
    Wait(u64),
    /// Verify this map page.
    VerifyPage(u32),
    /// All done.
    Done,
}

/// Where a scrub is.
#[derive(Clone, Debug)]
pub struct Scrub {
    cursor: u64,
    sectors: u64,
    /// The cursor up to which small steps are taken.
    close_until: u64,
    page: u32,
    pages: u32,
    rate_bytes_per_s: u64,
    started_ms: u64,
    /// Sectors read since the start, for the rate.
    read_sectors: u64,
    failures: u64,
}

impl Scrub {
    /// A scrub of `sectors` sectors and `pages` map pages, at most `rate_bytes_per_s` (0 is without limit).
    pub fn new(sectors: u64, pages: u32, rate_bytes_per_s: u64, now_ms: u64) -> Self {
        Self {
            cursor: 0,
            sectors,
            close_until: 0,
            page: 0,
            pages,
            rate_bytes_per_s,
            started_ms: now_ms,
            read_sectors: 0,
            failures: 0,
        }
    }

    /// What to do now.
    pub fn next(&mut self, now_ms: u64) -> ScrubStep {
        if self.cursor < self.sectors {
            let due_ms = self.due_ms();
            if now_ms < due_ms {
                return ScrubStep::Wait(due_ms);
            }
            let step = if self.cursor < self.close_until { JOB_SECTORS } else { STRIDE_SECTORS };
            let sectors = step.min(self.sectors - self.cursor);
            let range = SectorRange::new(Sector(self.cursor), sectors);
            self.cursor += sectors;
            self.read_sectors += sectors;
            return ScrubStep::Read(range);
        }
        if self.page < self.pages {
            self.page += 1;
            return ScrubStep::VerifyPage(self.page - 1);
        }
        ScrubStep::Done
    }

    /// When the next read is due for the rate to hold.
    fn due_ms(&self) -> u64 {
        if self.rate_bytes_per_s == 0 {
            return 0;
        }
        // Whole seconds and the rest, so that neither product overflows for a disk and a rate that exist; 128-bit
        // division is more than a kernel offers.
        let bytes = self.read_sectors.saturating_mul(512);
        let (rate, rest) = (self.rate_bytes_per_s, bytes % self.rate_bytes_per_s);
        let ms = (bytes / rate).saturating_mul(1000).saturating_add(rest.saturating_mul(1000) / rate);
        self.started_ms.saturating_add(ms)
    }

    /// Something in `range`, which was told to be read in one go, cannot be read. A large range is read
    /// again in small steps, together with its neighbourhood.
    pub fn failed(&mut self, range: SectorRange) {
        self.failures += 1;
        let close_until = range.end().0.saturating_add(NEIGHBOURHOOD_SECTORS);
        if range.sectors > JOB_SECTORS {
            let before = range.start.0.saturating_sub(NEIGHBOURHOOD_SECTORS);
            self.cursor = if self.close_until >= range.start.0 { range.start.0 } else { before };
        }
        self.close_until = self.close_until.max(close_until);
    }

    /// How far it is: sectors read once, of how many; failures so far.
    pub fn progress(&self) -> (u64, u64, u64) {
        (self.cursor.min(self.sectors), self.sectors, self.failures)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
