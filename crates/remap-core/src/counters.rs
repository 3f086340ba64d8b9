//! Counting: what recovery did, and what the serving threads saw.
//!
//! Serving threads count in cells of their own, one [`IoCounters`] each, so that counting never costs what
//! the lookup saves; readers add them up.

use crate::error::DiskError;
use crate::sync::{AtomicU64, Ordering};

macro_rules! counters {
    ($(#[$outer:meta])* $name:ident, $snapshot:ident { $($(#[$inner:meta])* $field:ident,)* }) => {
        $(#[$outer])*
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub struct $name { $($(#[$inner])* pub $field: Counter,)* }

        /// The same at one moment, or several added up.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $snapshot { $($(#[$inner])* pub $field: u64,)* }

        impl $name {
            /// The counts now. Each is exact; together they are of about the same time.
            pub fn snapshot(&self) -> $snapshot {
                $snapshot { $($field: self.$field.value(),)* }
            }

            /// Sets all to zero.
            pub fn clear(&self) {
                $(self.$field.set(0);)*
            }
        }

        impl $snapshot {
            /// Names and values, in the order of the fields.
            pub fn for_each(&self, mut visit: impl FnMut(&'static str, u64)) {
                $(visit(stringify!($field), self.$field);)*
            }

            /// Adds another's counts to these.
            pub fn add(&mut self, other: &Self) {
                $(self.$field = self.$field.wrapping_add(other.$field);)*
            }
        }
    };
}

/// One count.
#[derive(Debug)]
pub struct Counter(AtomicU64);

impl Default for Counter {
    fn default() -> Self {
        Self(AtomicU64::new(0))
    }
}

impl Counter {
    /// Adds `n`.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The count.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
}

counters! {
    /// What one serving thread saw.
    IoCounters, IoCounts {
        /// Requests to read.
        reads,
        /// Requests to write.
        writes,
        /// Requests to flush.
        flushes,
        /// Requests to discard.
        discards,
        /// Sectors read.
        sectors_read,
        /// Sectors written.
        sectors_written,
        /// Pieces that went to the main device.
        pieces_to_main,
        /// Pieces that went to a spare.
        pieces_to_spare,
        /// Pieces that were lost.
        pieces_lost,
        /// Pieces that the region filter let pass: no lookup was needed.
        filter_passes,
        /// Pieces for which the map table was asked.
        table_lookups,
        /// Requests that waited for recovery.
        waits,
    }
}

counters! {
    /// What recovery did to a set.
    Counters, Counts {
        /// Batches of failed requests.
        batches,
        /// Jobs in those batches.
        jobs,
        /// Commits of map pages.
        commits,
        /// Map pages written, each copy counted.
        page_writes,
        /// Flushes that recovery asked for.
        flushes,
        /// Sectors that were moved because a write failed.
        sectors_remapped,
        /// Sectors that were moved because a neighbour was lost, or ahead of their failing.
        sectors_salvaged,
        /// Sectors that were found lost.
        sectors_lost,
        /// Lost sectors made whole again: written, accepted or read at another try.
        sectors_healed,
        /// Slots that failed.
        slots_retired,
        /// Blocks written back to the main device.
        blocks_unmapped,
        /// Probes for a sign of life.
        probes,
        /// Errors of the main device when reading.
        main_read_errors,
        /// Errors of the main device when writing.
        main_write_errors,
        /// Errors of a spare's slots.
        spare_errors,
        /// Errors of metadata: copies that could not be read, written or understood.
        metadata_errors,
        /// Metadata copies written anew because they were damaged.
        metadata_repairs,
        /// Of all errors: bad media.
        errors_medium,
        /// Of all errors: I/O errors and time-outs of unknown cause.
        errors_unknown,
        /// Of all errors: the device or the path to it is gone, or anything else that is not about a place.
        errors_device,
        /// Milliseconds spent in recovery.
        recovery_ms,
        /// Batches that took at most 1 ms.
        recovery_to_1_ms,
        /// Batches that took more than 1 and at most 10 ms.
        recovery_to_10_ms,
        /// Batches that took more than 10 and at most 100 ms.
        recovery_to_100_ms,
        /// Batches that took more than 100 ms and at most 1 s.
        recovery_to_1_s,
        /// Batches that took more than 1 s and at most 10 s.
        recovery_to_10_s,
        /// Batches that took more than 10 s.
        recovery_over_10_s,
    }
}

impl Counters {
    /// Counts an error by its kind.
    pub(crate) fn count_kind(&self, error: DiskError) {
        match error {
            DiskError::Medium => self.errors_medium.add(1),
            DiskError::Io | DiskError::Timeout => self.errors_unknown.add(1),
            _ => self.errors_device.add(1),
        }
    }

    /// Counts a batch by the time it took.
    pub(crate) fn count_batch(&self, took_ms: u64) {
        self.batches.add(1);
        self.recovery_ms.add(took_ms);
        match took_ms {
            0..=1 => &self.recovery_to_1_ms,
            2..=10 => &self.recovery_to_10_ms,
            11..=100 => &self.recovery_to_100_ms,
            101..=1000 => &self.recovery_to_1_s,
            1001..=10_000 => &self.recovery_to_10_s,
            _ => &self.recovery_over_10_s,
        }
        .add(1);
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
