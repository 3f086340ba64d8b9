//! A running set: one main device and its spares, open for requests from any thread.
//!
//! [`RemapDevice`] owns the disks, the engine's memory and the recovery thread. A healthy request announces
//! itself, asks the engine where its sectors live, and goes there, without a lock. What fails goes to the
//! recovery thread, and the request waits for what becomes of it. Where a sector lives and what to do about
//! an error is decided by `remap-core`, never here.

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use remap_core::format::superblock::Superblock;
use remap_core::{Sector, SectorRange};

mod close;
mod contents;
mod effects;
mod error;
mod events;
mod extents;
mod gate;
mod memory;
mod open;
mod orders;
mod queue;
mod recoverer;
mod registry;
mod scrub;
mod serve;
mod shared;
mod spares;
mod status;

pub use error::{CloseError, OpenError, RequestError};
pub use events::EventSink;
pub use extents::{Extent, ExtentKind};
pub use orders::{Order, OrderReport};
pub use remap_core::port::Event;
pub use scrub::{ScrubState, ScrubStatus};
pub use status::{MappingRow, MetadataReport, SpareStatus, Status};

pub(crate) use effects::{Bench, perform};
pub(crate) use gate::Listener;
pub(crate) use memory::OwnedSet;
pub(crate) use queue::{Pending, Reply};
pub(crate) use registry::thread_number;
pub(crate) use serve::{jobs_of, split};
pub(crate) use shared::{Shared, lock};

use crate::disk::Disk;
use crate::members::{DeviceOptions, Members};
use scrub::Scrubber;

/// A set that is open. Every method takes `&self`, from any thread, any number at once.
///
/// Ranges are in sectors of 512 bytes; starts and lengths are whole logical blocks
/// ([`logical_bytes`](Self::logical_bytes)) within the device. Requests that overlap in time have no order;
/// a request sees the effect of all that completed before it began.
///
/// Dropped without [`close`](Self::close) it leaves the set as a killed process would: everything
/// acknowledged and flushed is there, only the mark of a clean end is not.
#[derive(Debug)]
pub struct RemapDevice {
    shared: Arc<Shared>,
    recovery: Mutex<Option<JoinHandle<()>>>,
    scrubber: Scrubber,
    closing: Mutex<Option<Result<(), CloseError>>>,
    doubt: Option<String>,
    name: String,
}

impl RemapDevice {
    /// Opens the set that the members form, repairs what is damaged of its metadata and marks it as in use.
    ///
    /// The spares may be given in any order. The main device must be the one that the set was made for, unless
    /// [`accept_other_main`](DeviceOptions::accept_other_main): its size, and where both are known its serial
    /// number, WWN and partition UUID. What is on it must be what was there when the set was closed; after an
    /// end without a close, when it may have changed since it was recorded, that is only
    /// [doubted](Self::doubt).
    pub fn open(members: Members, options: &DeviceOptions) -> Result<Arc<Self>, OpenError> {
        open::open(members, options).map(Arc::new)
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The size in sectors.
    pub fn sectors(&self) -> u64 {
        self.shared.sectors
    }

    /// What starts and lengths of requests must be multiples of, in bytes: the largest of all members.
    pub fn logical_bytes(&self) -> u32 {
        self.shared.logical_sectors as u32 * 512
    }

    /// What the main device reads and writes as one, in bytes; at least the logical block.
    pub fn physical_bytes(&self) -> u32 {
        self.shared.physical_bytes()
    }

    /// Whether requests to the main device go past the page cache. A [`RingQueue`](crate::ring::RingQueue) is
    /// then several times as fast as blocking requests from one thread; where they do not, blocking ones are
    /// the faster.
    pub fn is_direct(&self) -> bool {
        let main = &self.shared.main;
        main.descriptor().is_some() && main.facts().buffer_alignment > 1
    }

    /// Whether it was opened read-only. A device can also become so, see [`Status::state`].
    pub fn is_read_only(&self) -> bool {
        self.shared.read_only
    }

    /// What makes it doubtful, as a sentence, that the main device is the one that the set had before.
    pub fn doubt(&self) -> Option<&str> {
        self.doubt.as_deref()
    }

    /// The name of the set; may be empty.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The set's superblock as last written or read.
    pub fn superblock(&self) -> Superblock {
        self.shared.superblock().clone()
    }

    /// Fills `into` from `start` on.
    ///
    /// Sectors that nobody holds fail the whole with [`Medium`](remap_core::DiskError::Medium), and `into`
    /// is then unspecified; with the set's option `lost_reads_zero` they read as zeros instead.
    pub fn read(&self, start: Sector, into: &mut [u8]) -> Result<(), RequestError> {
        self.shared.read(start, into)
    }

    /// Stores `from` from `start` on. With `durable` this data survives a power cut once the call returns
    /// (FUA). A write that the main device refuses succeeds all the same, as long as there is room.
    pub fn write(&self, start: Sector, from: &[u8], durable: bool) -> Result<(), RequestError> {
        self.shared.write(start, from, durable)
    }

    /// Stores zeros, as [`write`](Self::write) would.
    pub fn write_zeroes(&self, range: SectorRange, durable: bool) -> Result<(), RequestError> {
        self.shared.write_zeroes(range, durable)
    }

    /// Tells that the contents of `range` are not needed: what lives on the main device is unspecified until
    /// it is written again, moved and lost sectors stay as they are. A main device that cannot do this does
    /// nothing.
    pub fn discard(&self, range: SectorRange) -> Result<(), RequestError> {
        self.shared.discard(range)
    }

    /// Makes every write that returned before this call durable, wherever it lives.
    pub fn flush(&self) -> Result<(), RequestError> {
        self.shared.flush()
    }

    /// Calls `visit` with the runs of `range` that live in one kind of place, in order, and nothing between
    /// them left out. A snapshot: recovery may be at work meanwhile.
    pub fn extents(&self, range: SectorRange, visit: &mut dyn FnMut(Extent)) {
        self.shared.extents(range, visit);
    }

    /// Carries out an operator's order over `range`, in small pieces; requests go on meanwhile. `progress`
    /// is told blocks done and blocks in all. A block that fails is reported, and the others are still done.
    pub fn order(
        &self,
        order: Order,
        range: SectorRange,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<OrderReport, RequestError> {
        self.shared.order(order, range, progress)
    }

    /// Carries everything that lies on spare `spare_index` to the others, and gives no slot of it out
    /// meanwhile and afterwards. When a block cannot be carried, the spare is in full use again and the first
    /// error is returned; what was carried stays carried.
    pub fn evacuate(&self, spare_index: usize) -> Result<(), RequestError> {
        self.shared.evacuate(spare_index)
    }

    /// Everything that is to be known of the device now.
    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// Mappings in the order of their slots: at most `limit`, from slot `from_slot` on. Ask again from
    /// behind the last row's slot for more.
    pub fn mappings(&self, from_slot: u32, limit: usize) -> Vec<MappingRow> {
        self.shared.mappings(from_slot, limit)
    }

    /// Starts to read the whole main device, at most `rate_bytes_per_s` (0 is without limit), and to verify
    /// all metadata behind it. What fails is dealt with as a failed read is. One at a time.
    pub fn scrub_start(&self, rate_bytes_per_s: u64) -> Result<(), RequestError> {
        self.scrubber.start(&self.shared, rate_bytes_per_s)
    }

    /// Stops the scrub, if there is one, and waits for its end.
    pub fn scrub_stop(&self) {
        self.scrubber.stop();
    }

    /// How far the scrub is, or how the last one ended.
    pub fn scrub_status(&self) -> ScrubStatus {
        self.scrubber.status()
    }

    /// Verifies every copy of every map page and repairs what is not good, unless the device is read-only.
    pub fn verify_metadata(&self) -> Result<MetadataReport, RequestError> {
        self.shared.verify_metadata()
    }

    /// Asks the main device for a sign of life, and changes the state by the answer; `false` also when the
    /// device is closed.
    pub fn probe(&self) -> bool {
        self.shared.probe().unwrap_or(false)
    }

    /// The operator's word that a *failing* main device is well again: errors are recovered from now on.
    pub fn resume(&self) -> Result<(), RequestError> {
        self.shared.resume()
    }

    /// Tells `sink` of events from now on; a first one is also told what happened since the opening began.
    /// It is called on the recovery thread and must not wait for this device.
    pub fn set_event_sink(&self, sink: EventSink) {
        self.shared.events.listen(sink);
    }

    /// Waits for requests under way (orders end early), makes everything durable and marks the set as closed cleanly. Requests
    /// that come later fail. A second call tells again how the first one went.
    pub fn close(&self) -> Result<(), CloseError> {
        let mut closing = lock(&self.closing);
        *closing.get_or_insert_with(|| {
            self.scrubber.stop();
            self.shared.close()
        })
    }
}

impl Drop for RemapDevice {
    fn drop(&mut self) {
        self.scrubber.stop();
        self.shared.shut();
        self.shared.queue.close();
        // An event's listener may have been the last to hold the device: no thread waits for itself.
        if let Some(thread) = lock(&self.recovery).take()
            && thread.thread().id() != std::thread::current().id()
        {
            // A panic there has been told to everyone who waited.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
