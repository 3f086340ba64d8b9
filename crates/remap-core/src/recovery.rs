//! Recovery: what happens to requests that a disk refused. The one writer of a set.
//!
//! [`Recovery::batch`] takes the jobs that came together, holds their blocks, works through them, commits
//! their mappings in one go, publishes, releases and finishes. It asks its driver for every disk operation
//! through a [`Port`]. Everything in it is idempotent: a second run over the same request after a crash
//! gives the same state.

pub mod job;

mod changes;
mod commit;
mod loaded;
mod orders;
mod probe;
mod reading;
mod slots;
mod verify;
mod writing;

use crate::allocator::SlotAllocator;
use crate::error::DiskError;
use crate::format::superblock::{MAX_SPARES, Superblock};
use crate::held::MAX_HELD;
use crate::layout::PAGE_BYTES;
use crate::map::Mapping;
use crate::open::load::LoadingLists;
use crate::port::{Effect, Event, Port};
use crate::set::{Set, SetState, SpareState};
use crate::units::{BlockIndex, BlockSize, SECTOR_BYTES, Sector, SectorRange};
use arrayvec::ArrayVec;
use changes::Changes;
use commit::{BadCopies, CommitError};
use job::{Job, JobError, JobKind};
use probe::Vitality;

/// How many jobs one batch takes.
pub const MAX_BATCH: usize = MAX_HELD;

/// How many sectors a job should cover at most (128 KiB): its blocks are held until the whole batch is done.
pub const JOB_SECTORS: u64 = 256;

/// Scratch memory: the page being written, then the block being assembled, then one to compare it with.
const PAGE_AT: usize = 0;
const BLOCK_AT: usize = 2 * PAGE_BYTES;
const COMPARE_AT: usize = BLOCK_AT + BlockSize::MAX_BYTES;

/// The writer of a set: allocator, uncommitted changes, knowledge of the disks.
#[derive(Debug)]
pub struct Recovery<'s, 'm> {
    set: &'s Set<'m>,
    superblock: &'m mut Superblock,
    allocator: SlotAllocator<'m>,
    changes: &'m mut Changes,
    bad_copies: &'m mut BadCopies,
    /// Of the last map pages written.
    generation: u64,
    /// By spare: slot data was written and not flushed.
    unflushed: [bool; MAX_SPARES],
    vitality: Vitality,
    granularity: Granularity,
    /// Why a commit in the middle of the batch failed.
    spoiled: Option<CommitError>,
}

/// What the writer of a set keeps in mind between its steps; too large for a small stack, hence memory of the
/// caller.
#[derive(Debug)]
pub struct Workspace {
    pub(crate) changes: Changes,
    pub(crate) bad_copies: BadCopies,
    pub(crate) superblock: Option<Superblock>,
    pub(crate) loading: LoadingLists,
}

impl Default for Workspace {
    fn default() -> Self {
        Self::new()
    }
}

impl Workspace {
    /// An empty one.
    pub const fn new() -> Self {
        Self {
            changes: Changes::new(),
            bad_copies: BadCopies::new(),
            superblock: None,
            loading: LoadingLists::new(),
        }
    }
}

/// In what pieces the disks are asked. In sectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granularity {
    /// The largest logical block of all members: every request and every mask is a multiple of it.
    pub logical: u32,
    /// The main device's physical block: what fails together.
    pub physical: u32,
}

/// The sectors of a block that a job is about.
#[derive(Clone, Copy, Debug)]
struct Segment {
    block: BlockIndex,
    mask: u16,
}

/// Where the data of a slot write comes from.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// The job's data.
    Job {
        /// Index in the batch.
        job: usize,
        /// Where the job's range starts.
        start: Sector,
    },
    /// The block assembled in scratch memory.
    Scratch,
}

impl<'s, 'm> Recovery<'s, 'm> {
    pub(crate) fn new(
        set: &'s Set<'m>,
        superblock: &'m mut Superblock,
        allocator: SlotAllocator<'m>,
        (changes, bad_copies): (&'m mut Changes, &'m mut BadCopies),
        generation: u64,
        granularity: Granularity,
    ) -> Self {
        Self {
            set,
            superblock,
            allocator,
            changes,
            bad_copies,
            generation,
            unflushed: [false; MAX_SPARES],
            vitality: Vitality::default(),
            granularity,
            spoiled: None,
        }
    }

    /// The set that this is the writer of.
    pub fn set(&self) -> &'s Set<'m> {
        self.set
    }

    /// What the set is made of, as last written or read.
    pub fn superblock(&self) -> &Superblock {
        self.superblock
    }

    /// The generation of the last map pages written.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Works through `jobs`, at most [`MAX_BATCH`]: finishes each exactly once. Jobs behind the last that
    /// fits fail as busy devices do, with a time-out.
    pub async fn batch(&mut self, port: &Port<'_>, jobs: &[Job]) {
        let started_ms = port.now_ms();
        let counters = &self.set.counters;
        counters.jobs.add(jobs.len() as u64);
        for (index, _) in jobs.iter().enumerate().skip(MAX_BATCH) {
            let result = Err(JobError::Disk(DiskError::Timeout));
            let _ = port.call(Effect::Finished { job: index, result }).await;
        }
        let jobs = jobs.get(..MAX_BATCH).unwrap_or(jobs);
        for job in jobs.iter().filter(|job| job.range.fits(self.set.sectors())) {
            self.set.held.hold(self.whole_blocks(job.range));
        }
        let _ = port.call(Effect::Drain).await;
        let results = self.work_and_commit(port, jobs).await;
        self.set.held.release_all();
        let _ = port.call(Effect::Released).await;
        // Counted before anybody is told, so that who has been told finds it counted.
        counters.count_batch(port.now_ms().saturating_sub(started_ms));
        for (job, result) in results.into_iter().enumerate() {
            let _ = port.call(Effect::Finished { job, result }).await;
        }
    }

    /// Works and commits; all over again without a spare that failed between the two.
    async fn work_and_commit(
        &mut self,
        port: &Port<'_>,
        jobs: &[Job],
    ) -> ArrayVec<Result<(), JobError>, MAX_BATCH> {
        let mut results = ArrayVec::new();
        for _ in 0..=MAX_SPARES {
            results.clear();
            let mut durable = false;
            for (index, job) in jobs.iter().enumerate() {
                let result = self.work(port, index, job).await;
                durable |= matches!(job.kind, JobKind::Write { durable: true, .. });
                let _ = results.try_push(result);
            }
            let mut outcome = match self.spoiled.take() {
                Some(error) => Err(error),
                None => self.commit(port).await,
            };
            if outcome.is_ok() && durable {
                outcome = self.flush_main(port).await.map_err(|_| CommitError::Main);
            }
            match outcome {
                Ok(()) => return results,
                Err(CommitError::SpareFailed) => {}
                Err(CommitError::Metadata) => {
                    replace_ok(&mut results, JobError::Metadata);
                    return results;
                }
                Err(CommitError::Main) => {
                    replace_ok(&mut results, JobError::Disk(DiskError::Io));
                    return results;
                }
            }
        }
        replace_ok(&mut results, JobError::Disk(DiskError::Io));
        results
    }

    async fn work(&mut self, port: &Port<'_>, index: usize, job: &Job) -> Result<(), JobError> {
        if !job.range.fits(self.set.sectors()) {
            return Err(JobError::Disk(DiskError::Unsupported));
        }
        let outcome = match job.kind {
            JobKind::Write { device, error, .. } => self.write(port, index, job, device, error).await,
            JobKind::Read { device, error, deliver } => {
                self.read(port, index, job, device, error, deliver).await
            }
            _ if self.set.state() == SetState::ReadOnly => Err(JobError::ReadOnly),
            JobKind::AcceptLoss => self.accept_loss(port, job).await,
            JobKind::Retry { attempts } => self.retry(port, job, attempts).await,
            JobKind::Unmap => self.unmap(port, job).await,
            JobKind::Remap => self.remap(port, job).await,
            JobKind::Evacuate => self.evacuate(port, job).await,
        };
        if outcome == Err(JobError::NoRoom) {
            self.event(port, Event::SpareFull { range: job.range }).await;
        }
        outcome
    }

    /// To be called before the work on a block. Commits when the work might not fit into the list of changes,
    /// or when this batch has freed the block's slot: of its next record and the freed one a power cut must
    /// not bring back the wrong.
    async fn prepare(&mut self, port: &Port<'_>, block: BlockIndex) -> Result<(), JobError> {
        if self.spoiled.is_some() {
            return Err(JobError::Disk(DiskError::Io));
        }
        let freed = self.changes.mapping_of(block).is_none()
            && self.set.table.lookup(block).is_some_and(|mapping| self.changes.frees(mapping.slot));
        if freed || !self.changes.has_room() {
            return self.commit_now(port).await;
        }
        Ok(())
    }

    /// Commits in the middle of the batch.
    async fn commit_now(&mut self, port: &Port<'_>) -> Result<(), JobError> {
        self.commit(port).await.map_err(|error| {
            self.spoiled = Some(error);
            JobError::Disk(DiskError::Io)
        })
    }

    /// Makes the main device's writes of this batch durable.
    async fn flush_main(&self, port: &Port<'_>) -> Result<(), DiskError> {
        self.set.counters.flushes.add(1);
        port.call(Effect::Flush { device: crate::port::Device::Main }).await
    }

    async fn event(&self, port: &Port<'_>, event: Event) {
        let _ = port.call(Effect::Event(event)).await;
    }

    async fn enter_state(&self, port: &Port<'_>, state: SetState) {
        if self.set.state() != state {
            self.set.change_state(state);
            self.event(port, Event::State(state)).await;
        }
    }

    async fn spare_went_offline(&self, port: &Port<'_>, index: usize) {
        if let Some(spare) = self.set.spares().get(index)
            && spare.is_writable()
        {
            spare.change_state(SpareState::Offline);
            self.event(port, Event::SpareOffline(index)).await;
        }
    }

    /// `range` grown to whole blocks.
    fn whole_blocks(&self, range: SectorRange) -> SectorRange {
        let block = u64::from(self.set.block_size().sectors());
        let start = range.start.0 / block * block;
        SectorRange::new(Sector(start), range.end().0.next_multiple_of(block) - start)
    }

    /// The blocks of `range`, each with the sectors that the range covers.
    fn segments(&self, range: SectorRange) -> impl Iterator<Item = Segment> + use<> {
        let block_size = self.set.block_size();
        let first = block_size.block_of(range.start).0;
        let behind = range.end().0.div_ceil(u64::from(block_size.sectors()));
        (first..behind).filter_map(move |number| {
            let block = BlockIndex(number);
            let start = block_size.first_sector(block);
            let whole = SectorRange::new(start, u64::from(block_size.sectors()));
            let shared = whole.intersection(range)?;
            let offset = block_size.offset_of(shared.start);
            Some(Segment { block, mask: crate::units::mask_of(offset, shared.sectors as u32) })
        })
    }

    /// The sectors of `block` that the main device has: all, but in the last block of an odd size.
    fn existing(&self, block: BlockIndex) -> u16 {
        let block_size = self.set.block_size();
        let behind = self.set.sectors().saturating_sub(block_size.first_sector(block).0);
        crate::units::mask_of(0, behind.min(u64::from(block_size.sectors())) as u32)
    }

    /// Where `block` is mapped, uncommitted changes included.
    fn current(&self, block: BlockIndex) -> Option<Mapping> {
        self.changes.mapping_of(block).or_else(|| self.set.table.lookup(block))
    }
}

fn replace_ok(results: &mut ArrayVec<Result<(), JobError>, MAX_BATCH>, error: JobError) {
    for result in results.iter_mut().filter(|result| result.is_ok()) {
        *result = Err(error);
    }
}

/// The runs of set bits: first bit and length.
fn runs(mask: u16) -> impl Iterator<Item = (u32, u32)> {
    let mut rest = u32::from(mask);
    core::iter::from_fn(move || {
        if rest == 0 {
            return None;
        }
        let from = rest.trailing_zeros();
        let count = (rest >> from).trailing_ones();
        rest &= !(((1u32 << count) - 1) << from);
        Some((from, count))
    })
}

/// Cuts runs into pieces of `unit` sectors, aligned to it.
fn units(mask: u16, unit: u32) -> impl Iterator<Item = (u32, u32)> {
    let step = unit.clamp(1, 16);
    (0..16u32.div_ceil(step)).flat_map(move |n| runs(mask & crate::units::mask_of(n * step, step)))
}

/// Where sector `bit` of the block being assembled lies in scratch memory, in bytes.
const fn in_block(bit: u32) -> usize {
    BLOCK_AT + bit as usize * SECTOR_BYTES
}

/// Where sector `bit` of the block to compare with lies in scratch memory, in bytes.
const fn in_compare(bit: u32) -> usize {
    COMPARE_AT + bit as usize * SECTOR_BYTES
}

const _: () = assert!(in_compare(16) <= crate::port::SCRATCH_BYTES);
