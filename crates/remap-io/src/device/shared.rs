//! What the serving threads, the recovery thread and the scrub of one device share.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use remap_core::SectorRange;
use remap_core::counters::{IoCounters, IoCounts};
use remap_core::format::superblock::Superblock;
use remap_core::port::{Device, Port};
use remap_core::recovery::Recovery;
use remap_core::recovery::job::{Job, JobKind};
use remap_core::set::Set;
use remap_core::trend::Trend;

use crate::disk::{AlignedBuffer, Disk};

use super::effects::Bench;
use super::error::RequestError;
use super::events::Events;
use super::gate::Gate;
use super::memory::OwnedSet;
use super::queue::{Pending, Queue, Reply};
use super::registry::{Claim, Registry, thread_number};
use super::spares::SpareDisk;

const OPEN: u8 = 0;
const CLOSED: u8 = 1;
const HALTED: u8 = 2;

/// Cells that serving threads count in; threads beyond that share them.
const COUNTER_CELLS: usize = 32;

/// See the module.
#[derive(Debug)]
pub struct Shared {
    pub main: Box<dyn Disk>,
    /// In the order of the superblock's members.
    pub spares: Vec<SpareDisk>,
    set: OwnedSet,
    pub registry: Registry,
    pub gate: Gate,
    pub queue: Queue,
    pub events: Events,
    /// As last written or read.
    superblock: Mutex<Superblock>,
    /// Of the last map pages written.
    pub generation: AtomicU64,
    pub trend: Mutex<Trend>,
    /// Metadata copies that were found bad and stayed so, when all were last verified.
    pub bad_copies: AtomicU64,
    counters: Box<[IoCounters]>,
    phase: AtomicU8,
    started: Instant,
    /// What requests must be whole multiples of, in sectors.
    pub logical_sectors: u64,
    /// The size in sectors: whole logical blocks.
    pub sectors: u64,
    pub read_only: bool,
}

impl Shared {
    pub fn new(
        main: Box<dyn Disk>,
        spares: Vec<SpareDisk>,
        set: OwnedSet,
        superblock: Superblock,
        logical_sectors: u64,
        read_only: bool,
    ) -> Self {
        Self {
            sectors: superblock.main.sectors / logical_sectors * logical_sectors,
            main,
            spares,
            set,
            registry: Registry::new(),
            gate: Gate::default(),
            queue: Queue::default(),
            events: Events::default(),
            superblock: Mutex::new(superblock),
            generation: AtomicU64::new(0),
            trend: Mutex::default(),
            bad_copies: AtomicU64::new(0),
            counters: (0..COUNTER_CELLS).map(|_| IoCounters::default()).collect(),
            phase: AtomicU8::new(OPEN),
            started: Instant::now(),
            logical_sectors,
            read_only,
        }
    }

    #[inline]
    pub fn set(&self) -> &Set<'_> {
        self.set.get()
    }

    /// What the main device reads and writes as one, in bytes; at least the logical block.
    pub fn physical_bytes(&self) -> u32 {
        self.main.facts().physical_block_bytes.max(self.logical_sectors as u32 * 512)
    }

    /// Milliseconds since the device was opened.
    pub fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// The cell in which this thread counts.
    #[inline]
    pub fn counters(&self) -> &IoCounters {
        &self.counters[thread_number() % COUNTER_CELLS]
    }

    /// What all threads counted.
    pub fn io_counts(&self) -> IoCounts {
        let mut sum = IoCounts::default();
        for cell in &self.counters {
            sum.add(&cell.snapshot());
        }
        sum
    }

    pub fn superblock(&self) -> MutexGuard<'_, Superblock> {
        lock(&self.superblock)
    }

    /// Takes part in serving: the device cannot be closed as long as the claim lives.
    pub fn enter(&self) -> Result<Claim<'_>, RequestError> {
        let claim = self.registry.claim();
        self.check_open()?;
        Ok(claim)
    }

    pub fn check_open(&self) -> Result<(), RequestError> {
        match self.phase.load(Ordering::SeqCst) {
            OPEN => Ok(()),
            CLOSED => Err(RequestError::Closed),
            _ => Err(RequestError::Halted),
        }
    }

    /// Lets no further request in.
    pub fn shut(&self) {
        let _ = self.phase.compare_exchange(OPEN, CLOSED, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Recovery is gone and must not be: from now on every request fails.
    pub fn halt(&self) {
        self.phase.store(HALTED, Ordering::SeqCst);
        self.queue.close();
        self.gate.release();
    }

    pub fn is_halted(&self) -> bool {
        self.phase.load(Ordering::SeqCst) == HALTED
    }

    /// Whether `range` is held by recovery. Once recovery has halted nothing counts as held: whoever waits
    /// has to look at [`check_open`](Self::check_open).
    pub fn is_held(&self, range: SectorRange) -> bool {
        self.set().held.touches(range) && !self.is_halted()
    }

    /// Hands a job to recovery.
    pub fn submit(
        &self,
        kind: JobKind,
        range: SectorRange,
        data: AlignedBuffer,
    ) -> Result<Receiver<Reply>, RequestError> {
        let (sender, receiver) = sync_channel(1);
        let done = Box::new(move |reply| {
            let _ = sender.send(reply);
        });
        let pending = Pending { job: Job { kind, range }, data, done };
        self.queue.submit(pending).map_err(|_| self.gone())?;
        Ok(receiver)
    }

    /// Waits for a job that was handed to recovery.
    pub fn wait(&self, reply: &Receiver<Reply>) -> Result<Reply, RequestError> {
        reply.recv().map_err(|_| self.gone())
    }

    /// Has `work` done with the writer of the set, between batches.
    pub fn command<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Recovery<'_, '_>, &Port<'_>, &Self) -> R + Send + 'static,
    ) -> Result<R, RequestError> {
        let (sender, receiver) = sync_channel(1);
        let taken = self.queue.command(Box::new(move |recovery, port, shared| {
            let _ = sender.send(work(recovery, port, shared));
        }));
        if !taken {
            return Err(self.gone());
        }
        receiver.recv().map_err(|_| self.gone())
    }

    /// Why recovery does not answer.
    fn gone(&self) -> RequestError {
        self.check_open().err().unwrap_or(RequestError::Halted)
    }
}

impl Bench for Shared {
    fn disk(&self, device: Device) -> Option<&dyn Disk> {
        match device {
            Device::Main => Some(&*self.main),
            Device::Spare(index) => self.spares.get(index)?.disk(),
        }
    }
}

/// The guard of a lock, whether or not a thread panicked that held it: what it guards is always whole.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
