//! The world around the engine: disks, requests under way, faults, time. Advances by one random event a step.

mod effects;
mod faults;
mod requests;

use crate::Checked;
use crate::disk::SimDisk;
use crate::model::{self, FIRST_STAMP, Model};
use crate::profile::Profile;
use fastrand::Rng;
use remap_core::SectorRange;
use remap_core::recovery::job::Job;
use remap_core::set::Set;
pub use requests::Request;
use std::collections::{BTreeSet, VecDeque};

/// Counts of what happened, to see that a run was worth its time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub operations: u64,
    pub power_cuts: u64,
    pub cuts_in_recovery: u64,
    pub cuts_in_opening: u64,
    pub reads_failed: u64,
    pub writes_failed: u64,
    pub moved: u64,
    pub lost: u64,
    pub retired: u64,
    pub unmapped: u64,
    pub repaired: u64,
    pub failing: u64,
    pub spare_deaths: u64,
    pub full: u64,
    pub lives: u64,
}

/// A job that waits for recovery, and whose it is.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    pub job: Job,
    /// The request, by number; `None` is an operator's order.
    pub request: Option<u64>,
    /// When it was handed in.
    pub since: u64,
}

/// The batch that recovery works on.
#[derive(Debug, Default)]
pub struct Batch {
    pub jobs: Vec<Waiting>,
    pub data: Vec<Vec<u8>>,
}

/// Everything but the engine.
#[derive(Debug)]
pub struct World {
    pub rng: Rng,
    pub profile: Profile,
    /// The main device, then the spares.
    pub disks: Vec<SimDisk>,
    pub model: Model,
    pub tally: Tally,
    /// Grows with every event.
    pub now: u64,
    pub now_ms: u64,
    /// When the power will be cut, as a value of `now`.
    pub cut_at: u64,
    pub requests: Vec<Request>,
    pub jobs: VecDeque<Waiting>,
    pub batch: Option<Batch>,
    next_id: u64,
    /// Until when the main device, or its state, was in trouble.
    trouble_until: u64,
    dead_until: u64,
    /// Mappings, and what could still become one, when the main device died.
    mappings_at_death: u64,
    flipped: BTreeSet<(usize, u32)>,
    /// Tell on standard error what happens to this sector.
    pub trace: Option<u64>,
}

impl World {
    /// Fresh disks: a main device full of [`FIRST_STAMP`], blank spares.
    pub fn new(profile: Profile, rng: Rng) -> Self {
        let mut main = SimDisk::new(profile.main_sectors);
        let mut bytes = vec![0; profile.main_sectors as usize * 512];
        model::fill(&mut bytes, 0, FIRST_STAMP);
        main.prepare(0, &bytes);
        if profile.vague_errors {
            main.error = remap_core::DiskError::Io;
        }
        let mut disks = vec![main];
        disks.extend(profile.spares.iter().map(|sectors| SimDisk::new(*sectors)));
        Self {
            rng,
            model: Model::new(profile.main_sectors),
            profile,
            disks,
            tally: Tally::default(),
            now: 1,
            now_ms: 1,
            cut_at: u64::MAX,
            requests: Vec::new(),
            jobs: VecDeque::new(),
            batch: None,
            next_id: FIRST_STAMP + 1,
            trouble_until: 0,
            dead_until: 0,
            mappings_at_death: 0,
            flipped: BTreeSet::new(),
            trace: None,
        }
    }

    /// Whether the power is to be cut now.
    pub fn cut_is_due(&self) -> bool {
        self.now >= self.cut_at
    }

    /// Tells of something that happens to a range, if the traced sector is in it.
    pub fn tell(&self, range: SectorRange, what: impl FnOnce() -> String) {
        if self.trace.is_some_and(|sector| range.start.0 <= sector && sector < range.end().0) {
            eprintln!("{:>8} {range}: {}", self.now, what());
        }
    }

    /// Time passes.
    pub fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now_ms += u64::from(self.rng.u8(..30));
        self.now
    }

    /// One event: a fault, a new request, or a step of one that is under way.
    pub fn step(&mut self, set: &Set<'_>) -> Checked {
        self.tick();
        self.faults(set)?;
        if self.now.is_multiple_of(512) {
            let oldest = self.requests.iter().map(|request| request.began).min().unwrap_or(self.now);
            self.model.forget_before(oldest);
        }
        let order_every = self.profile.order_every;
        if self.one_in(order_every) {
            self.give_order();
        }
        if self.requests.len() < self.profile.depth && self.rng.u8(..3) == 0 {
            self.start_request();
            return Ok(());
        }
        if self.requests.is_empty() {
            return Ok(());
        }
        let index = self.rng.usize(..self.requests.len());
        self.advance(set, index)
    }

    /// One in `n`; never for 0.
    fn one_in(&mut self, n: u32) -> bool {
        n != 0 && self.rng.u32(..n) == 0
    }

    /// The power goes: requests and jobs are forgotten, unflushed sectors decided.
    pub fn power_cut(&mut self) {
        let now = self.tick();
        for disk in &mut self.disks {
            disk.power_cut(&mut self.rng);
            disk.dead = None;
        }
        self.model.power_cut(now);
        self.tell(SectorRange::new(remap_core::Sector(0), u64::MAX), || "power cut".into());
        self.end_of_boot();
    }

    /// Nothing is under way any more.
    pub fn end_of_boot(&mut self) {
        self.requests.clear();
        self.jobs.clear();
        self.batch = None;
        self.flipped.clear();
        self.dead_until = 0;
        self.trouble_until = 0;
    }

    /// Whether the main device or the set was in trouble since `began`.
    fn in_trouble(&self, set: &Set<'_>, began: u64) -> bool {
        self.disks.iter().any(|disk| disk.dead.is_some())
            || set.state() != remap_core::set::SetState::Active
            || self.trouble_until >= began
    }

    /// A range within the hot part of the device.
    fn random_range(&mut self) -> SectorRange {
        let longest = *crate::profile::pick(&mut self.rng, &[1, 1, 8, 8, 16, 70]);
        let start = self.rng.u64(..self.profile.hot_sectors);
        let aligned = if self.rng.bool() { start / 8 * 8 } else { start };
        let room = self.profile.main_sectors - aligned;
        let sectors = if self.rng.bool() { longest } else { self.rng.u64(1..=longest) };
        SectorRange::new(remap_core::Sector(aligned), sectors.min(room))
    }
}
