//! A set on disks in memory, and the smallest driver that serves it: one request at a time.
#![allow(dead_code, unused_imports, reason = "each program that includes the rig uses a part of it")]

pub mod disk;
pub mod golden;

use arrayvec::ArrayString;
pub use disk::{Disk, On};
use remap_core::format::superblock::{MainIdentity, Superblock};
use remap_core::open::{OpenError, OpenOptions, format, open, read_superblocks};
use remap_core::plan::NewSet;
use remap_core::port::{Device, Effect, Event, Outcome, Place, Port, SCRATCH_BYTES, Step};
use remap_core::recovery::Recovery;
use remap_core::recovery::job::{Job, JobError, JobKind};
use remap_core::set::{MemorySizes, Set, SetMemory, Target};
use remap_core::units::SECTOR_BYTES;
use remap_core::{BlockSize, DiskError, Sector, SectorRange};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// What a job came to.
pub type JobResult = Result<(), JobError>;

/// The shape of a set.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a> {
    pub main_sectors: u64,
    pub spares: &'a [u64],
    pub block_size: BlockSize,
    pub copies: u32,
    pub logical_bytes: u32,
    pub physical_bytes: u32,
    pub lost_reads_zero: bool,
}

impl Default for Shape<'_> {
    /// 10 MiB and 3 sectors on a spare with some hundred slots of 4 KiB.
    fn default() -> Self {
        Self {
            main_sectors: 20_483,
            spares: &[14_000],
            block_size: BlockSize::DEFAULT,
            copies: 3,
            logical_bytes: 512,
            physical_bytes: 512,
            lost_reads_zero: false,
        }
    }
}

/// An open set. Its memory is never given back.
pub struct Engine {
    pub set: &'static Set<'static>,
    pub recovery: Recovery<'static, 'static>,
}

/// The disks of a set, the clock, and a record of what was asked for.
pub struct Rig {
    /// The main device, then the spares.
    pub disks: Vec<Disk>,
    /// Goes on by one with every effect.
    pub now_ms: u64,
    /// Every effect performed, in order.
    pub log: Vec<Effect>,
    /// How long the disks took so far.
    pub disk_time: Duration,
    /// So many more writes and flushes are performed; then the power is gone.
    pub power: Option<u32>,
    /// Called before each effect.
    pub watch: Option<Box<dyn FnMut(Effect)>>,
    options: OpenOptions,
    jobs: Vec<Vec<u8>>,
    results: Vec<JobResult>,
}

impl Rig {
    /// Formatted disks; the main device is full of [`pattern`] 1.
    pub fn new(shape: &Shape) -> Self {
        let mut rig = Self::blank(shape);
        rig.disks[0] = Disk::filled(shape.main_sectors, |sector| pattern(sector, 1));
        rig
    }

    /// Formatted disks; the main device holds zeros.
    pub fn blank(shape: &Shape) -> Self {
        let spares: Vec<_> = shape.spares.iter().zip(1..).map(|(&n, id)| (Uuid::from_u128(id), n)).collect();
        let superblock = Superblock::plan(&NewSet {
            set: Uuid::from_u128(0x5e7),
            name: ArrayString::from("rig").unwrap(),
            main: MainIdentity {
                sectors: shape.main_sectors,
                logical_bytes: shape.logical_bytes,
                physical_bytes: shape.physical_bytes,
                ..MainIdentity::default()
            },
            spares: &spares,
            block_size: shape.block_size,
            copies: shape.copies,
            lost_reads_zero: shape.lost_reads_zero,
            creator: 0x0001_0000,
            created_unix_s: 1_700_000_000,
        })
        .unwrap();
        let sizes = [shape.main_sectors].into_iter().chain(shape.spares.iter().copied());
        let mut rig = Self::over(sizes.map(Disk::new).collect());
        rig.options.logical_bytes = shape.logical_bytes;
        rig.options.physical_bytes = shape.physical_bytes;
        rig.run(async |port| format(port, &superblock).await).unwrap();
        rig.log.clear();
        rig
    }

    /// Disks as they are.
    pub fn over(disks: Vec<Disk>) -> Self {
        Self {
            disks,
            now_ms: 1,
            log: Vec::new(),
            disk_time: Duration::ZERO,
            power: None,
            watch: None,
            options: OpenOptions { logical_bytes: 512, physical_bytes: 512, ..OpenOptions::default() },
            jobs: Vec::new(),
            results: Vec::new(),
        }
    }

    pub fn main(&mut self) -> &mut Disk {
        &mut self.disks[0]
    }

    pub fn spare(&mut self, index: usize) -> &mut Disk {
        &mut self.disks[index + 1]
    }

    pub fn open(&mut self) -> Engine {
        self.try_open(self.options, &[true; 16]).unwrap()
    }

    pub fn open_read_only(&mut self, accept_lost_pages: bool, present: &[bool]) -> Result<Engine, OpenError> {
        self.try_open(OpenOptions { read_only: true, accept_lost_pages, ..self.options }, present)
    }

    pub fn open_writable(&mut self, present: &[bool]) -> Result<Engine, OpenError> {
        self.try_open(self.options, present)
    }

    /// Opens from now on as if a member had logical blocks of this size.
    pub fn assume_logical_bytes(&mut self, bytes: u32) {
        self.options.logical_bytes = bytes;
    }

    pub fn newest_superblock(&mut self, spare: usize) -> Option<Superblock> {
        self.run(async |port| read_superblocks(port, Device::Spare(spare)).await).newest
    }

    fn try_open(&mut self, options: OpenOptions, present: &[bool]) -> Result<Engine, OpenError> {
        let found = present.iter().position(|present| *present).unwrap();
        let superblock = self.newest_superblock(found).unwrap();
        let sizes = MemorySizes::of(&superblock);
        let words =
            |n: u64| -> &'static [AtomicU64] { (0..n).map(|_| AtomicU64::new(0)).collect::<Vec<_>>().leak() };
        let memory = SetMemory {
            filter: words(sizes.filter_words),
            records: words(sizes.record_words),
            index: (0..sizes.index_cells).map(|_| AtomicU32::new(0)).collect::<Vec<_>>().leak(),
        };
        let set: &'static Set<'static> = Box::leak(Box::new(Set::new(&superblock, present, memory).unwrap()));
        let allocator = vec![0; sizes.allocator_words as usize].leak();
        let workspace = Box::leak(Box::default());
        let recovery = self
            .run(async |port| Box::pin(open(port, set, &superblock, allocator, workspace, options)).await)?;
        Ok(Engine { set, recovery })
    }

    pub fn close(&mut self, mut engine: Engine) {
        self.run(async |port| engine.recovery.close(port).await).unwrap();
    }

    /// Runs a procedure that no power cut is to hit.
    pub fn run<T>(&mut self, procedure: impl AsyncFnOnce(&Port<'_>) -> T) -> T {
        self.run_until_cut(procedure).expect("the power lasts")
    }

    /// Runs a procedure to its end, or until the power is gone.
    pub fn run_until_cut<T>(&mut self, procedure: impl AsyncFnOnce(&Port<'_>) -> T) -> Option<T> {
        let mut scratch = vec![0; SCRATCH_BYTES.max(1 << 20)];
        let port = Port::new(&mut scratch, self.now_ms);
        let mut procedure = pin!(procedure(&port));
        loop {
            match port.step(procedure.as_mut()) {
                Step::Done(output) => return Some(output),
                Step::Stuck => panic!("every effect is answered"),
                Step::Effect(effect) => {
                    if matches!(effect, Effect::Write { .. } | Effect::Flush { .. })
                        && let Some(power) = &mut self.power
                    {
                        *power = power.checked_sub(1)?;
                    }
                    let started = Instant::now();
                    let result = self.perform(&port, effect);
                    self.disk_time += started.elapsed();
                    port.answer(Outcome { result, now_ms: self.now_ms });
                }
            }
        }
    }

    fn perform(&mut self, port: &Port<'_>, effect: Effect) -> Result<(), DiskError> {
        self.now_ms += 1;
        self.log.push(effect);
        if let Some(watch) = &mut self.watch {
            watch(effect);
        }
        match effect {
            Effect::Read { device, start, sectors, into } => {
                let mut bytes = vec![0; sectors as usize * SECTOR_BYTES];
                let outcome = self.disks[disk_index(device)].read(start, &mut bytes);
                self.fill(port, into, &bytes);
                outcome
            }
            Effect::Write { device, start, sectors, from } => {
                let bytes = self.bytes(port, from, sectors);
                self.disks[disk_index(device)].write(start, &bytes)
            }
            Effect::Flush { device } => self.disks[disk_index(device)].flush(),
            Effect::Deliver { job, offset, sectors, from } => {
                let bytes = self.bytes(port, Place::Scratch { offset: from }, sectors);
                self.fill(port, Place::Job { job, offset }, &bytes);
                Ok(())
            }
            Effect::Finished { job, result } => {
                self.results[job] = result;
                Ok(())
            }
            Effect::Drain | Effect::Released | Effect::Event(_) => Ok(()),
        }
    }

    fn fill(&mut self, port: &Port<'_>, place: Place, bytes: &[u8]) {
        match place {
            Place::Scratch { offset } => {
                port.with_scratch(|scratch| scratch[offset..offset + bytes.len()].copy_from_slice(bytes));
            }
            Place::Job { job, offset } => {
                let at = offset as usize * SECTOR_BYTES;
                self.jobs[job][at..at + bytes.len()].copy_from_slice(bytes);
            }
        }
    }

    fn bytes(&self, port: &Port<'_>, place: Place, sectors: u64) -> Vec<u8> {
        let length = sectors as usize * SECTOR_BYTES;
        match place {
            Place::Scratch { offset } => {
                port.with_scratch(|scratch| scratch[offset..offset + length].to_vec())
            }
            Place::Job { job, offset } => {
                let at = offset as usize * SECTOR_BYTES;
                self.jobs[job][at..at + length].to_vec()
            }
        }
    }

    /// Runs one batch; `None` when the power went before its end.
    pub fn batch(&mut self, engine: &mut Engine, jobs: Vec<(Job, Vec<u8>)>) -> Option<Vec<JobResult>> {
        let (jobs, data): (Vec<Job>, Vec<Vec<u8>>) = jobs.into_iter().unzip();
        self.results = vec![Err(JobError::Disk(DiskError::Unsupported)); jobs.len()];
        self.jobs = data;
        self.run_until_cut(async |port| engine.recovery.batch(port, &jobs).await)?;
        Some(std::mem::take(&mut self.results))
    }

    fn one(&mut self, engine: &mut Engine, job: Job, data: Vec<u8>) -> Option<JobResult> {
        Some(self.batch(engine, vec![(job, data)])?[0])
    }

    /// An operator's order.
    pub fn order(&mut self, engine: &mut Engine, kind: JobKind, start: u64, sectors: u64) -> JobResult {
        let job = Job { kind, range: SectorRange::new(Sector(start), sectors) };
        self.one(engine, job, Vec::new()).expect("the power lasts")
    }

    /// A user's write; `None` when the power went before it completed.
    pub fn try_write(&mut self, engine: &mut Engine, start: u64, data: &[u8]) -> Option<JobResult> {
        let mut done = 0;
        while done < data.len() {
            let rest = (data.len() - done) / SECTOR_BYTES;
            let at = Sector(start + (done / SECTOR_BYTES) as u64);
            let piece = engine.set.resolve(SectorRange::new(at, rest as u64));
            let bytes = &data[done..done + piece.sectors as usize * SECTOR_BYTES];
            let (device, place) = match piece.target {
                Target::Main | Target::Lost => (Device::Main, at),
                Target::Spare { index, start } => (Device::Spare(index), start),
                Target::Busy => panic!("nothing is held between batches"),
            };
            let error = match piece.target {
                Target::Lost => None,
                _ => self.disks[disk_index(device)].write(place, bytes).err(),
            };
            if error.is_some() || piece.target == Target::Lost {
                let kind = JobKind::Write { device, error, durable: false };
                let job = Job { kind, range: SectorRange::new(at, piece.sectors) };
                let result = self.one(engine, job, bytes.to_vec())?;
                if result.is_err() {
                    return Some(result);
                }
            }
            done += bytes.len();
        }
        Some(Ok(()))
    }

    /// A user's write of [`pattern`] `stamp`.
    pub fn write(&mut self, engine: &mut Engine, start: u64, sectors: u64, stamp: u8) -> JobResult {
        self.try_write(engine, start, &patterns(start, sectors, stamp)).expect("the power lasts")
    }

    /// A user's read.
    pub fn read(&mut self, engine: &mut Engine, start: u64, sectors: u64) -> Result<Vec<u8>, JobError> {
        let mut data = Vec::new();
        while (data.len() / SECTOR_BYTES) < sectors as usize {
            let done = (data.len() / SECTOR_BYTES) as u64;
            let range = SectorRange::new(Sector(start + done), sectors - done);
            let piece = engine.set.resolve(range);
            let (device, place) = match piece.target {
                Target::Main => (Device::Main, range.start),
                Target::Spare { index, start } => (Device::Spare(index), start),
                Target::Lost => return Err(JobError::Disk(DiskError::Medium)),
                Target::Busy => panic!("nothing is held between batches"),
            };
            let mut bytes = vec![0; piece.sectors as usize * SECTOR_BYTES];
            if let Err(error) = self.disks[disk_index(device)].read(place, &mut bytes) {
                let kind = JobKind::Read { device, error, deliver: true };
                let job = Job { kind, range: SectorRange::new(range.start, piece.sectors) };
                self.one(engine, job, bytes).expect("the power lasts")?;
                bytes = std::mem::take(&mut self.jobs[0]);
            }
            data.extend(bytes);
        }
        Ok(data)
    }

    /// A user's flush: every device.
    pub fn flush(&mut self) {
        for disk in &mut self.disks {
            disk.flush().unwrap();
        }
    }

    /// Cuts the power of all disks; `keep` tells of each unflushed sector whether it is there afterwards.
    pub fn cut_power(&mut self, mut keep: impl FnMut(u64) -> bool) {
        for disk in &mut self.disks {
            disk.cut_power(&mut keep);
        }
        self.power = None;
        self.jobs.clear();
    }

    /// The events so far.
    pub fn events(&self) -> Vec<Event> {
        let event = |effect: &Effect| match effect {
            Effect::Event(event) => Some(*event),
            _ => None,
        };
        self.log.iter().filter_map(event).collect()
    }

    /// How many effects there were like this.
    pub fn count(&self, like: impl Fn(&Effect) -> bool) -> usize {
        self.log.iter().filter(|effect| like(effect)).count()
    }

    /// Whether the sectors hold [`pattern`] `stamp` for a user who reads them.
    pub fn holds(&mut self, engine: &mut Engine, start: u64, sectors: u64, stamp: u8) -> bool {
        self.read(engine, start, sectors) == Ok(patterns(start, sectors, stamp))
    }
}

fn disk_index(device: Device) -> usize {
    match device {
        Device::Main => 0,
        Device::Spare(index) => index + 1,
    }
}

/// The answer to a medium error.
pub const LOST: JobError = JobError::Disk(DiskError::Medium);

/// A sector's content by its number and a stamp: no two sectors or stamps alike.
pub fn pattern(sector: u64, stamp: u8) -> [u8; SECTOR_BYTES] {
    let mut bytes = [stamp; SECTOR_BYTES];
    bytes[..8].copy_from_slice(&sector.to_le_bytes());
    bytes
}

/// The content of a run of sectors.
pub fn patterns(start: u64, sectors: u64, stamp: u8) -> Vec<u8> {
    (start..start + sectors).flat_map(|sector| pattern(sector, stamp)).collect()
}
