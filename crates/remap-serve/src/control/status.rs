//! Facts about a running set as they travel, and how they come from the device's own.

use std::collections::BTreeMap;

use remap_io::device;
use serde::{Deserialize, Serialize};

/// Everything that is known of a set at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The name of the set; may be empty.
    pub name: String,
    /// The UUID of the set.
    pub uuid: String,
    /// `active`, `failing` or `read-only`.
    pub state: String,
    /// Whether it was opened read-only on request.
    pub read_only_on_request: bool,
    /// Size in sectors of 512 bytes.
    pub sectors: u64,
    /// Logical block in bytes.
    pub logical_bytes: u32,
    /// The main device's physical block in bytes.
    pub physical_bytes: u32,
    /// The unit of remapping in bytes.
    pub block_bytes: u32,
    /// The path of the main device, if it has one.
    pub main: Option<String>,
    /// Health from 0 to 100; below 90 is a warning, below 70 critical.
    pub health: u8,
    /// Sectors that live on a spare.
    pub moved_sectors: u64,
    /// Sectors that nobody holds.
    pub lost_sectors: u64,
    /// Slots on all spares.
    pub slots_total: u64,
    /// Slots that are used: blocks with a mapping.
    pub slots_used: u64,
    /// Slots that failed.
    pub slots_retired: u64,
    /// Errors of the main device when reading, since opening.
    pub read_errors: u64,
    /// Errors of the main device when writing, since opening.
    pub write_errors: u64,
    /// Damaged, unreadable or unwritable metadata copies met since opening.
    pub metadata_errors: u64,
    /// Errors of the main device in the last hour.
    pub errors_last_hour: u64,
    /// The same in the hour before.
    pub errors_hour_before: u64,
    /// Generation of the last map pages written.
    pub generation: u64,
    /// Requests under way now.
    pub in_flight: u64,
    /// The spares, in the order in which they are filled.
    pub spares: Vec<Spare>,
    /// What the serving threads counted since opening, by name.
    pub io: BTreeMap<String, u64>,
    /// What recovery counted since opening, by name.
    pub recovery: BTreeMap<String, u64>,
    /// The surface scan.
    pub scrub: Scrub,
    /// How the device is served.
    pub server: Server,
}

/// The process that serves a set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Its process number.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// Seconds since it began to answer here.
    pub uptime_s: u64,
    /// Where NBD clients reach it, such as `unix:/run/x.sock` or `tcp:127.0.0.1:10809`.
    pub nbd: Vec<String>,
    /// Whether NBD clients get nothing without TLS.
    pub requires_tls: bool,
    /// NBD connections now.
    pub connections: u64,
}

/// One spare at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spare {
    /// Its UUID.
    pub uuid: String,
    /// Its path, if it has one and is there.
    pub path: Option<String>,
    /// `present`, `missing`, `offline` or `draining`.
    pub state: String,
    /// Size in sectors of 512 bytes.
    pub sectors: u64,
    /// Its slots.
    pub slots_total: u64,
    /// Those that are used.
    pub slots_used: u64,
    /// Those that failed.
    pub slots_retired: u64,
}

/// One mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// The set's number of the slot.
    pub slot: u32,
    /// Which spare it is on.
    pub spare: usize,
    /// Its first sector there.
    pub spare_sector: u64,
    /// The first sector of its block on the main device.
    pub block_start_sector: u64,
    /// The block's sectors that the slot holds: bit n is sector n.
    pub moved: u16,
    /// The block's sectors that nobody holds.
    pub lost: u16,
}

/// The health figure and the facts behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// From 0 to 100; below 90 is a warning, below 70 critical.
    pub health: u8,
    /// `active`, `failing` or `read-only`.
    pub state: String,
    /// Sectors that live on a spare.
    pub moved_sectors: u64,
    /// Sectors that nobody holds.
    pub lost_sectors: u64,
    /// Slots on all spares.
    pub slots_total: u64,
    /// Slots that are used.
    pub slots_used: u64,
    /// Slots that failed.
    pub slots_retired: u64,
    /// Errors of the main device in the last hour.
    pub errors_last_hour: u64,
    /// The same in the hour before.
    pub errors_hour_before: u64,
}

/// How far a surface scan is, or was when it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scrub {
    /// `never`, `running`, `done`, `stopped` or `failed`.
    pub state: String,
    /// Sectors of the main device that have been read.
    pub sectors_done: u64,
    /// Sectors of the main device.
    pub sectors_total: u64,
    /// Places that could not be read in one go.
    pub failures: u64,
    /// Map pages verified.
    pub pages_done: u64,
    /// Metadata copies that were repaired.
    pub repaired: u64,
    /// Metadata copies that are bad and stay so.
    pub bad: u64,
}

/// What a look at all metadata showed. Copies are counted, except for `pages`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Map pages of the set.
    pub pages: u64,
    /// Copies that were good.
    pub good: u64,
    /// Copies that were not, and have been written anew.
    pub repaired: u64,
    /// Copies that are not good and stay so.
    pub bad: u64,
}

impl Status {
    /// The device's facts together with the scan's and the server's.
    pub fn new(status: device::Status, scrub: device::ScrubStatus, server: Server) -> Self {
        let (mut io, mut recovery) = (BTreeMap::new(), BTreeMap::new());
        status.io.for_each(|name, count| {
            io.insert(name.to_owned(), count);
        });
        status.recovery.for_each(|name, count| {
            recovery.insert(name.to_owned(), count);
        });
        Self {
            name: status.name,
            uuid: status.uuid,
            state: status.state.to_owned(),
            read_only_on_request: status.read_only_on_request,
            sectors: status.sectors,
            logical_bytes: status.logical_bytes,
            physical_bytes: status.physical_bytes,
            block_bytes: status.block_bytes,
            main: status.main,
            health: status.health,
            moved_sectors: status.moved_sectors,
            lost_sectors: status.lost_sectors,
            slots_total: status.slots_total,
            slots_used: status.slots_used,
            slots_retired: status.slots_retired,
            read_errors: status.read_errors,
            write_errors: status.write_errors,
            metadata_errors: status.metadata_errors,
            errors_last_hour: status.errors_last_hour,
            errors_hour_before: status.errors_hour_before,
            generation: status.generation,
            in_flight: status.in_flight as u64,
            spares: status.spares.into_iter().map(Spare::from).collect(),
            io,
            recovery,
            scrub: scrub.into(),
            server,
        }
    }
}

impl From<&device::Status> for Health {
    fn from(status: &device::Status) -> Self {
        Self {
            health: status.health,
            state: status.state.to_owned(),
            moved_sectors: status.moved_sectors,
            lost_sectors: status.lost_sectors,
            slots_total: status.slots_total,
            slots_used: status.slots_used,
            slots_retired: status.slots_retired,
            errors_last_hour: status.errors_last_hour,
            errors_hour_before: status.errors_hour_before,
        }
    }
}

impl From<device::SpareStatus> for Spare {
    fn from(spare: device::SpareStatus) -> Self {
        Self {
            uuid: spare.uuid,
            path: spare.path,
            state: spare.state.to_owned(),
            sectors: spare.sectors,
            slots_total: spare.slots_total,
            slots_used: spare.slots_used,
            slots_retired: spare.slots_retired,
        }
    }
}

impl From<device::MappingRow> for Mapping {
    fn from(row: device::MappingRow) -> Self {
        let device::MappingRow { slot, spare, spare_sector, block_start_sector, moved, lost } = row;
        Self { slot, spare, spare_sector, block_start_sector, moved, lost }
    }
}

impl From<device::ScrubStatus> for Scrub {
    fn from(scrub: device::ScrubStatus) -> Self {
        let state = match scrub.state {
            device::ScrubState::Never => "never",
            device::ScrubState::Running => "running",
            device::ScrubState::Done => "done",
            device::ScrubState::Stopped => "stopped",
            device::ScrubState::Failed => "failed",
        };
        Self {
            state: state.to_owned(),
            sectors_done: scrub.sectors_done,
            sectors_total: scrub.sectors_total,
            failures: scrub.failures,
            pages_done: scrub.pages_done,
            repaired: scrub.repaired,
            bad: scrub.bad,
        }
    }
}

impl From<device::MetadataReport> for Metadata {
    fn from(report: device::MetadataReport) -> Self {
        let device::MetadataReport { pages, good, repaired, bad } = report;
        Self { pages, good, repaired, bad }
    }
}
