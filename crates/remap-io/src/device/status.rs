//! What is to be known of a running device.

use std::sync::atomic::Ordering;

use remap_core::Sector;
use remap_core::counters::{Counts, IoCounts};
use remap_core::format::superblock::Superblock;
use remap_core::health::{Condition, health};
use remap_core::record::{Record, SlotState};
use remap_core::set::{SetState, SpareState, SpareView};
use remap_core::units::SlotIndex;
use serde::Serialize;

use super::error::RequestError;
use super::recoverer::drive;
use super::shared::{Shared, lock};

/// Everything that is to be known of a device at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The name of the set; may be empty.
    pub name: String,
    /// The UUID of the set.
    pub uuid: String,
    /// `active`, `failing` (the main device answers nowhere) or `read-only`.
    pub state: &'static str,
    /// Whether it was opened read-only.
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
    pub in_flight: usize,
    /// The spares, in the order in which they are filled.
    pub spares: Vec<SpareStatus>,
    /// What the serving threads counted since opening.
    #[serde(serialize_with = "serialize_counts")]
    pub io: IoCounts,
    /// What recovery counted since opening.
    #[serde(serialize_with = "serialize_counts")]
    pub recovery: Counts,
}

/// One spare at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SpareStatus {
    /// Its UUID.
    pub uuid: String,
    /// Its path, if it has one and is there.
    pub path: Option<String>,
    /// `present`, `missing`, `offline` or `draining`.
    pub state: &'static str,
    /// Size in sectors.
    pub sectors: u64,
    /// Its slots.
    pub slots_total: u64,
    /// Those that are used.
    pub slots_used: u64,
    /// Those that failed.
    pub slots_retired: u64,
}

/// One mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MappingRow {
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

/// What a look at all metadata showed. Copies are counted, except for `pages`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MetadataReport {
    /// Map pages of the set.
    pub pages: u64,
    /// Copies that were good.
    pub good: u64,
    /// Copies that were not, and have been written anew.
    pub repaired: u64,
    /// Copies that are not good and stay so.
    pub bad: u64,
}

/// Counts that know their names.
trait Named {
    fn for_each(&self, visit: &mut dyn FnMut(&'static str, u64));
}

impl Named for IoCounts {
    fn for_each(&self, visit: &mut dyn FnMut(&'static str, u64)) {
        Self::for_each(self, visit);
    }
}

impl Named for Counts {
    fn for_each(&self, visit: &mut dyn FnMut(&'static str, u64)) {
        Self::for_each(self, visit);
    }
}

fn serialize_counts<S: serde::Serializer>(counts: &impl Named, serializer: S) -> Result<S::Ok, S::Error> {
    let mut pairs = Vec::new();
    counts.for_each(&mut |name, value| pairs.push((name, value)));
    serializer.collect_map(pairs)
}

impl Shared {
    pub fn status(&self) -> Status {
        let set = self.set();
        let superblock = self.superblock().clone();
        let spares = self.spare_statuses(&superblock);
        let recovery = set.counters.snapshot();
        let errors = recovery.main_read_errors + recovery.main_write_errors;
        let now_ms = self.now_ms();
        let (errors_last_hour, errors_hour_before) = {
            let mut trend = lock(&self.trend);
            trend.sample(now_ms, errors);
            trend.hours(now_ms, errors)
        };
        let total = |of: fn(&SpareStatus) -> u64| spares.iter().map(of).sum::<u64>();
        let condition = Condition {
            state: set.state(),
            read_only_on_request: self.read_only,
            slots_total: total(|spare| spare.slots_total),
            slots_used: set.gauges.mapped.value(),
            slots_retired: set.gauges.retired.value(),
            lost_sectors: set.gauges.lost.value(),
            errors_last_hour,
            errors_hour_before,
            bad_metadata_copies: self.bad_copies.load(Ordering::Relaxed),
            spares_away: set
                .spares()
                .iter()
                .filter(|spare| matches!(spare.state(), SpareState::Offline | SpareState::Missing))
                .count() as u64,
        };
        Status {
            name: superblock.name.to_string(),
            uuid: superblock.set.to_string(),
            state: match set.state() {
                SetState::Active => "active",
                SetState::Failing => "failing",
                SetState::ReadOnly => "read-only",
            },
            read_only_on_request: self.read_only,
            sectors: self.sectors,
            logical_bytes: self.logical_sectors as u32 * 512,
            physical_bytes: self.physical_bytes(),
            block_bytes: set.block_size().bytes() as u32,
            main: self.main.path().map(|path| path.display().to_string()),
            health: health(&condition),
            moved_sectors: set.gauges.moved.value(),
            lost_sectors: condition.lost_sectors,
            slots_total: condition.slots_total,
            slots_used: condition.slots_used,
            slots_retired: condition.slots_retired,
            read_errors: recovery.main_read_errors,
            write_errors: recovery.main_write_errors,
            metadata_errors: recovery.metadata_errors,
            errors_last_hour,
            errors_hour_before,
            generation: self.generation.load(Ordering::Relaxed),
            in_flight: self.registry.in_flight(),
            spares,
            io: self.io_counts(),
            recovery,
        }
    }

    fn spare_statuses(&self, superblock: &Superblock) -> Vec<SpareStatus> {
        let set = self.set();
        let is_only = self.spares.len() == 1;
        let views = set.spares().iter().zip(&superblock.members).zip(&self.spares);
        views
            .map(|((view, member), spare)| {
                let (used, retired) = if is_only {
                    (set.gauges.mapped.value(), set.gauges.retired.value())
                } else {
                    self.count_slots(view)
                };
                SpareStatus {
                    uuid: member.uuid.to_string(),
                    path: spare.disk().and_then(|d| d.path()).map(|path| path.display().to_string()),
                    state: match view.state() {
                        SpareState::Present => "present",
                        SpareState::Missing => "missing",
                        SpareState::Offline => "offline",
                        SpareState::Draining => "draining",
                    },
                    sectors: member.sectors,
                    slots_total: u64::from(view.slots),
                    slots_used: used,
                    slots_retired: retired,
                }
            })
            .collect()
    }

    /// How many slots of a spare are used, and how many failed.
    fn count_slots(&self, view: &SpareView) -> (u64, u64) {
        let states = (view.first_slot..view.first_slot + view.slots)
            .map(|slot| self.set().table().record(SlotIndex(slot)).state());
        states.fold((0, 0), |(used, retired), state| match state {
            SlotState::Used => (used + 1, retired),
            SlotState::Retired => (used, retired + 1),
            SlotState::Free => (used, retired),
        })
    }

    pub fn mappings(&self, from_slot: u32, limit: usize) -> Vec<MappingRow> {
        let set = self.set();
        (from_slot..set.table().slots())
            .filter_map(|slot| {
                let Record::Used { block, masks, .. } = set.table().record(SlotIndex(slot)) else {
                    return None;
                };
                let (spare, Sector(spare_sector)) = set.slot_address(SlotIndex(slot))?;
                Some(MappingRow {
                    slot,
                    spare,
                    spare_sector,
                    block_start_sector: set.block_size().first_sector(block).0,
                    moved: masks.moved,
                    lost: masks.lost,
                })
            })
            .take(limit)
            .collect()
    }

    pub fn verify_metadata(&self) -> Result<MetadataReport, RequestError> {
        let _claim = self.enter()?;
        let pages = self.superblock().pages();
        let mut report = MetadataReport { pages: u64::from(pages), ..MetadataReport::default() };
        for page in 0..pages {
            self.check_open()?;
            let seen = self.verify_page(page)?;
            report.good += seen.good;
            report.repaired += seen.repaired;
            report.bad += seen.bad;
        }
        self.bad_copies.store(report.bad, Ordering::Relaxed);
        Ok(report)
    }

    pub fn verify_page(&self, page: u32) -> Result<MetadataReport, RequestError> {
        self.command(move |recovery, port, shared| {
            let verdict = drive(shared, port, &mut [], recovery.verify_page(port, page));
            MetadataReport {
                pages: 1,
                good: u64::from(verdict.good),
                repaired: u64::from(verdict.repaired),
                bad: u64::from(verdict.bad),
            }
        })
    }

    pub fn probe(&self) -> Result<bool, RequestError> {
        let _claim = self.enter()?;
        self.command(|recovery, port, shared| drive(shared, port, &mut [], recovery.probe(port)))
    }

    pub fn resume(&self) -> Result<(), RequestError> {
        let _claim = self.enter()?;
        self.command(|recovery, port, shared| drive(shared, port, &mut [], recovery.resume(port)))
    }
}
