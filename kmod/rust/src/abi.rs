//! What both sides of the C interface agree on; `kmod/remap_core.h` says the same in C, and both sides assert
//! the sizes.

use remap_core::format::superblock::MAX_SPARES;

/// One spare as the glue opened it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SpareParams {
    /// Size in sectors.
    pub sectors: u64,
    /// Logical block in bytes.
    pub logical_bytes: u32,
    /// Always zero.
    pub padding: u32,
}

/// The members of a set and how to open it.
#[repr(C)]
#[derive(Clone, Debug)]
pub struct Params {
    /// The main device's size in sectors.
    pub main_sectors: u64,
    /// Now, in seconds since 1970.
    pub now_unix_s: u64,
    /// The main device's logical block in bytes.
    pub main_logical_bytes: u32,
    /// The main device's physical block in bytes.
    pub main_physical_bytes: u32,
    /// How many of `spares` there are: 1 to 16.
    pub spare_count: u32,
    /// [`OPTION_READ_ONLY`] and the others.
    pub options: u32,
    /// The unit of remapping in sectors; 0 where the table line says nothing.
    pub block_sectors: u32,
    /// Copies of each map page; 0 where the table line says nothing.
    pub copies: u32,
    /// The spares, in the order of the table line.
    pub spares: [SpareParams; MAX_SPARES],
    /// Random bytes: for the set's UUID, then 16 for each spare's.
    pub random: [u8; 16 * (MAX_SPARES + 1)],
    /// The name for a new set, ended by a zero.
    pub name: [u8; 65],
    /// The main device's path, ended by a zero.
    pub main_path: [u8; 257],
    /// The main device's partition UUID, ended by a zero; empty when it has none.
    pub partition_uuid: [u8; 41],
    /// Always zero.
    pub padding: [u8; 5],
}

/// Write nothing.
pub const OPTION_READ_ONLY: u32 = 1;
/// Format spares that are not blank.
pub const OPTION_FORCE: u32 = 1 << 1;
/// Lost sectors fail, whatever the set said before.
pub const OPTION_ON_LOST_ERROR: u32 = 1 << 2;
/// Lost sectors read as zeros, whatever the set said before.
pub const OPTION_ON_LOST_ZERO: u32 = 1 << 3;
/// Go on with another main device than the set was made for.
pub const OPTION_ACCEPT_OTHER_MAIN: u32 = 1 << 4;
/// With [`OPTION_READ_ONLY`]: go on without some of the spares.
pub const OPTION_ACCEPT_MISSING_SPARES: u32 = 1 << 5;
/// With [`OPTION_READ_ONLY`]: go on without the map pages of which no copy is valid.
pub const OPTION_ACCEPT_LOST_PAGES: u32 = 1 << 6;
/// Go on with a main device that has grown: the set becomes as large.
pub const OPTION_GROW: u32 = 1 << 7;
/// The first spare that is not yet a member joins the set.
pub const OPTION_ADD: u32 = 1 << 8;
/// The last spare of the table line, which must be empty, leaves the set.
pub const OPTION_REMOVE: u32 = 1 << 9;

/// A table line, taken apart. Devices and texts are numbers of arguments, 0 is the main device.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Where the first spare's room starts, in sectors.
    pub spare_start: u64,
    /// How long it is; 0: all of the spare.
    pub spare_sectors: u64,
    /// How many spares there are.
    pub spare_count: u32,
    /// As in [`Params`].
    pub options: u32,
    /// As in [`Params`].
    pub block_sectors: u32,
    /// As in [`Params`].
    pub copies: u32,
    /// Which argument is the set's name; 0: none.
    pub name: u32,
    /// Which arguments are the spares.
    pub spares: [u32; MAX_SPARES],
    /// Always zero.
    pub padding: u32,
}

/// The longest prefix of a request that goes to one place.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// The sector there.
    pub start: u64,
    /// How many sectors.
    pub sectors: u64,
    /// [`TARGET_MAIN`] and the others.
    pub target: u32,
    /// The device: 0 is main, 1 is the first spare of the table line.
    pub device: u16,
    /// Whether the region filter alone told.
    pub filtered: u16,
}

/// On a device, at a sector.
pub const TARGET_DEVICE: u32 = 0;
/// Nowhere.
pub const TARGET_LOST: u32 = 1;
/// Nowhere, and reads as zeros.
pub const TARGET_ZERO: u32 = 2;
/// Held by recovery.
pub const TARGET_BUSY: u32 = 3;
/// The set is read-only, and the request is not.
pub const TARGET_READ_ONLY: u32 = 4;

/// A failed request, or a part of it, for recovery.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Job {
    /// The first sector.
    pub start: u64,
    /// How many sectors.
    pub sectors: u64,
    /// [`JOB_WRITE`] and the others.
    pub kind: u32,
    /// The device that failed.
    pub device: u16,
    /// How it failed, see [`crate::glue`]; 0: it was not asked.
    pub error: u16,
}

/// A write that must not be durable when it completes.
pub const JOB_WRITE: u32 = 0;
/// A write that must be.
pub const JOB_WRITE_DURABLE: u32 = 1;
/// A read.
pub const JOB_READ: u32 = 2;
/// A read of the scrub, which has no memory for the data.
pub const JOB_SCRUB: u32 = 3;

/// What serving saw, of all processors.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoCounts {
    /// Requests to read.
    pub reads: u64,
    /// Requests to write.
    pub writes: u64,
    /// Requests to flush.
    pub flushes: u64,
    /// Requests to discard.
    pub discards: u64,
    /// Sectors read.
    pub sectors_read: u64,
    /// Sectors written.
    pub sectors_written: u64,
    /// Pieces that went to the main device.
    pub pieces_to_main: u64,
    /// Pieces that went to a spare.
    pub pieces_to_spare: u64,
    /// Pieces that were lost.
    pub pieces_lost: u64,
    /// Pieces that the region filter let pass.
    pub filter_passes: u64,
    /// Pieces for which the map table was asked.
    pub table_lookups: u64,
    /// Requests that waited for recovery.
    pub waits: u64,
}

/// What sysfs shows of a set.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Blocks with a mapping.
    pub mapped_blocks: u64,
    /// Sectors that live on a spare.
    pub moved_sectors: u64,
    /// Sectors that nobody holds.
    pub lost_sectors: u64,
    /// Slots on all spares.
    pub slots_total: u64,
    /// Slots that failed.
    pub slots_retired: u64,
    /// Sectors moved since opening.
    pub remapped: u64,
    /// Errors of the main device since opening.
    pub errors: u64,
    /// The same, in the last hour.
    pub errors_last_hour: u64,
    /// Milliseconds spent in recovery since opening.
    pub recovery_ms: u64,
    /// Jobs of recovery since opening.
    pub jobs: u64,
    /// [`remap_core::set::SetState`] as a number.
    pub state: u32,
    /// 0 to 100.
    pub health: u32,
}

/// An order that takes steps, each on the recovery work.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// Where its range starts.
    pub start: u64,
    /// How long its range is.
    pub sectors: u64,
    /// How far it is; its meaning is the order's own.
    pub cursor: u64,
    /// Blocks or copies that were dealt with.
    pub done: u64,
    /// Of them, those that failed.
    pub failed: u64,
    /// Metadata copies that were repaired.
    pub repaired: u64,
    /// See [`crate::messages`].
    pub kind: u32,
    /// How often lost sectors are tried.
    pub attempts: u32,
    /// Why the last failure was.
    pub error: u32,
    /// Which spare; as devices are numbered.
    pub device: u32,
}

/// What a scrub is to do next.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScrubStep {
    /// [`SCRUB_READ`] and the others.
    pub kind: u32,
    /// The map page to verify.
    pub page: u32,
    /// The first sector to read, or the time to wait for in milliseconds.
    pub start: u64,
    /// How many sectors to read.
    pub sectors: u64,
}

/// Read a range.
pub const SCRUB_READ: u32 = 0;
/// Wait until a time.
pub const SCRUB_WAIT: u32 = 1;
/// Verify a map page.
pub const SCRUB_VERIFY: u32 = 2;
/// All done.
pub const SCRUB_DONE: u32 = 3;

/// Something for the kernel log, `dmsetup wait` and udev.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// [`EVENT_MOVED`] and the others.
    pub kind: u32,
    /// The device, the state or the mask of sectors that the event is about.
    pub what: u32,
    /// The first sector that the event is about.
    pub start: u64,
    /// How many sectors from there on.
    pub sectors: u64,
}

/// Sectors were moved.
pub const EVENT_MOVED: u32 = 0;
/// Sectors were lost.
pub const EVENT_LOST: u32 = 1;
/// A slot was retired.
pub const EVENT_RETIRED: u32 = 2;
/// The state changed.
pub const EVENT_STATE: u32 = 3;
/// A spare stopped answering.
pub const EVENT_SPARE_OFFLINE: u32 = 4;
/// There is no room for a write.
pub const EVENT_SPARE_FULL: u32 = 5;
/// A metadata copy was repaired.
pub const EVENT_REPAIRED: u32 = 6;

const _: () = {
    assert!(size_of::<SpareParams>() == 16);
    assert!(size_of::<Params>() == 40 + 256 + 272 + 368);
    assert!(size_of::<Table>() == 16 + 20 + 64 + 4);
    assert!(size_of::<Piece>() == 24);
    assert!(size_of::<Job>() == 24);
    assert!(size_of::<IoCounts>() == 96);
    assert!(size_of::<Facts>() == 88);
    assert!(size_of::<Order>() == 64);
    assert!(size_of::<ScrubStep>() == 24);
    assert!(size_of::<Event>() == 24);
};
