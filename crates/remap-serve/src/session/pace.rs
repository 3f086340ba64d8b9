//! Whether the device answers faster than a worker would wake. It owns the measure: a moving average, and a
//! memory of the last slow answer.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// An average below this means that the receiving thread carries requests out itself. About what it takes to
/// wake another thread and to be woken in turn, and more than a page cache takes for 128 KiB.
const FAST_NS: u32 = 50_000;

/// An answer that takes longer than this is no page cache's: requests behind it should not have waited.
const SLOW_NS: u32 = 1_000_000;

/// How many requests go to workers after a slow one.
const CAUTION: u32 = 512;

/// What was measured, by whichever thread. Races between threads cost a sample, no more.
#[derive(Debug)]
pub(super) struct Pace {
    average_ns: AtomicU32,
    caution: AtomicU32,
}

impl Pace {
    /// Nothing measured yet: taken for slow.
    pub(super) fn new() -> Self {
        Self { average_ns: AtomicU32::new(2 * FAST_NS), caution: AtomicU32::new(0) }
    }

    /// Whether the next request is to be carried out by the thread that has it.
    pub(super) fn is_fast(&self) -> bool {
        let caution = self.caution.load(Ordering::Relaxed);
        if caution > 0 {
            self.caution.store(caution - 1, Ordering::Relaxed);
            return false;
        }
        self.average_ns.load(Ordering::Relaxed) < FAST_NS
    }

    /// Carries out a request and takes note of how long it takes.
    pub(super) fn measure<R>(&self, work: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let result = work();
        self.note(u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX));
        result
    }

    fn note(&self, ns: u32) {
        if ns > SLOW_NS {
            self.caution.store(CAUTION, Ordering::Relaxed);
        }
        let average = self.average_ns.load(Ordering::Relaxed);
        // Cut off, so that one outlier is forgotten after some dozen requests.
        self.average_ns.store(average - average / 8 + ns.min(SLOW_NS) / 8, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
