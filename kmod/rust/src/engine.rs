//! A running set: what serving asks, and what only the recovery work may do.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU64, Ordering};

use arrayvec::{ArrayString, ArrayVec};
use remap_core::format::superblock::MAX_SPARES;
use remap_core::port::{Device, Port};
use remap_core::recovery::job::{Job, JobError, JobKind};
use remap_core::recovery::{MAX_BATCH, Recovery, Workspace};
use remap_core::set::{Set, SetState, SpareState, Target};
use remap_core::{DiskError, Sector, SectorRange};
use uuid::Uuid;

use crate::abi;
use crate::drive::Bench;
use crate::glue::{self, Glue, disk_error, number_of};
use crate::memory::{Allocation, Arena, Placed, Room};
use remap_core::trend::Trend;

/// A set and its writer. Fields are dropped from top to bottom: what borrows goes before what is borrowed.
pub struct Engine {
    /// Used by the recovery work alone, see [`writer`](Self::writer).
    pub writer: UnsafeCell<Writer>,
    /// What serving asks.
    pub set: Placed<Set<'static>>,
    /// By member: the glue's number of its device.
    pub places: ArrayVec<u8, MAX_SPARES>,
    /// The name of the set.
    pub name: ArrayString<64>,
    /// The UUID of the set.
    pub uuid: Uuid,
    /// The UUIDs of its spares and their sizes in sectors, by member.
    pub members: ArrayVec<(Uuid, u64), MAX_SPARES>,
    /// The glue's own.
    pub glue: Glue,
    /// Whether it was opened read-only.
    pub read_only: bool,
    /// Map pages of the set.
    pub pages: u32,
    /// Of the last map pages written.
    pub generation: AtomicU64,
    /// Metadata copies that were found bad and stayed so, when all were last verified.
    pub bad_copies: AtomicU64,
    /// Errors of the main device in the last hour.
    pub errors_last_hour: AtomicU64,
    /// The same in the hour before.
    pub errors_hour_before: AtomicU64,
    /// Memory of the writer's port.
    pub scratch: Allocation,
    /// Memory of the set and the writer.
    pub tables: Tables,
}

/// The memory that a set and its writer borrow.
pub struct Tables {
    /// The region filter.
    pub filter: Allocation,
    /// The map table's records.
    pub records: Allocation,
    /// The map table's index.
    pub index: Allocation,
    /// The spare allocator.
    pub allocator: Allocation,
    /// The writer's lists.
    pub workspace: Room<Workspace>,
}

/// What the recovery work has for itself.
pub struct Writer {
    /// The writer of the set.
    pub recovery: Recovery<'static, 'static>,
    /// Where procedures and their effects meet.
    pub port: Port<'static>,
    /// Memory for the procedure at work.
    pub arena: Arena,
    /// Errors over time.
    pub trend: Placed<Trend>,
    /// The batch at work.
    pub jobs: Placed<ArrayVec<Job, MAX_BATCH>>,
}

impl Engine {
    /// The devices, for the recovery work.
    pub fn bench(&self) -> Bench<'_> {
        Bench::of(self.glue, &self.places, self.set.get())
    }

    /// What only the recovery work may use.
    ///
    /// # Safety
    /// The caller is the recovery work of this set, or nobody else uses the engine, and no earlier result of
    /// this function is still in use.
    #[expect(clippy::mut_from_ref, reason = "there is one recovery work, which is one thread at a time")]
    pub unsafe fn writer(&self) -> &mut Writer {
        // SAFETY: by the caller's promise.
        unsafe { &mut *self.writer.get() }
    }

    /// Where the longest prefix of a request lives that lives in one place. Empty requests are read-only.
    pub fn resolve(&self, start: u64, sectors: u64, write: bool) -> abi::Piece {
        let set = self.set.get();
        let range = SectorRange::new(Sector(start), sectors);
        let nowhere = |target, sectors| abi::Piece { sectors, target, ..abi::Piece::default() };
        if sectors == 0 || !range.fits(set.sectors()) {
            return nowhere(abi::TARGET_LOST, sectors);
        }
        let filtered = u16::from(set.passes_filter(range));
        let piece = if write {
            let Ok(piece) = set.resolve_write(range) else {
                return nowhere(abi::TARGET_READ_ONLY, sectors);
            };
            piece
        } else {
            set.resolve(range)
        };
        let sectors = piece.sectors;
        match piece.target {
            Target::Main => abi::Piece { start, sectors, target: abi::TARGET_DEVICE, device: 0, filtered },
            Target::Spare { index, start } => match number_of(Device::Spare(index), &self.places) {
                Some(number) => abi::Piece {
                    start: start.0,
                    sectors,
                    target: abi::TARGET_DEVICE,
                    device: number as u16,
                    filtered,
                },
                None => nowhere(abi::TARGET_LOST, sectors),
            },
            Target::Lost if !write && self.reads_as_zero() => nowhere(abi::TARGET_ZERO, sectors),
            Target::Lost => nowhere(abi::TARGET_LOST, sectors),
            Target::Busy => nowhere(abi::TARGET_BUSY, sectors),
        }
    }

    /// Whether lost sectors are served as zeros. What lies on a missing spare is not: it is somewhere.
    pub fn reads_as_zero(&self) -> bool {
        let set = self.set.get();
        set.lost_reads_zero() && set.spares().iter().all(|spare| spare.state() != SpareState::Missing)
    }

    /// Works through jobs of the glue, at most [`MAX_BATCH`]; each is told finished.
    pub fn batch(&self, writer: &mut Writer, jobs: &[abi::Job]) {
        let list = writer.jobs.get_mut();
        list.clear();
        for job in jobs {
            let _ = list.try_push(self.job_of(job));
        }
        let Writer { recovery, port, arena, jobs, .. } = writer;
        self.bench().run(arena, port, || recovery.batch(port, jobs.get()));
        self.after_work(writer);
    }

    /// Works through the writer's jobs; `finished` is told of each.
    pub fn own_batch(&self, writer: &mut Writer, finished: impl FnMut(usize, Result<(), JobError>)) {
        let Writer { recovery, port, arena, jobs, .. } = writer;
        self.bench().run_own(arena, port, || recovery.batch(port, jobs.get()), finished);
        self.after_work(writer);
    }

    /// Shows to others what only the writer knows.
    pub fn after_work(&self, writer: &mut Writer) {
        self.generation.store(writer.recovery.generation(), Ordering::Relaxed);
        let counters = &self.set.get().counters;
        let errors = counters.main_read_errors.value().wrapping_add(counters.main_write_errors.value());
        let now_ms = glue::now_ms();
        let trend = writer.trend.get_mut();
        trend.sample(now_ms, errors);
        let (last, before) = trend.hours(now_ms, errors);
        self.errors_last_hour.store(last, Ordering::Relaxed);
        self.errors_hour_before.store(before, Ordering::Relaxed);
    }

    /// Makes everything durable and marks the set as closed cleanly. Nothing may be under way, nor come.
    pub fn close(&self, writer: &mut Writer) -> Result<(), DiskError> {
        let Writer { recovery, port, arena, .. } = writer;
        let closed = self.bench().run(arena, port, || recovery.close(port));
        closed.map_err(|error| error.error)
    }

    /// Whether the set is read-only though nobody asked for it.
    pub fn has_become_read_only(&self) -> bool {
        self.set.get().state() == SetState::ReadOnly && !self.read_only
    }

    /// Whether a flush can concern a spare: something lives there.
    pub fn spares_are_used(&self) -> bool {
        self.set.get().gauges.mapped.value() != 0
    }

    /// The member that the glue's device number `number` is.
    pub fn member_of(&self, number: u32) -> Option<usize> {
        self.places.iter().position(|place| u32::from(*place) == number && number != 0)
    }

    fn job_of(&self, job: &abi::Job) -> Job {
        let range = SectorRange::new(Sector(job.start), job.sectors);
        let device = self.member_of(u32::from(job.device)).map_or(Device::Main, Device::Spare);
        let error = disk_error(u32::from(job.error));
        let read = |deliver| JobKind::Read { device, error: error.unwrap_or(DiskError::Medium), deliver };
        let kind = match job.kind {
            abi::JOB_WRITE => JobKind::Write { device, error, durable: false },
            abi::JOB_WRITE_DURABLE => JobKind::Write { device, error, durable: true },
            abi::JOB_READ => read(true),
            _ => read(false),
        };
        Job { kind, range }
    }
}
