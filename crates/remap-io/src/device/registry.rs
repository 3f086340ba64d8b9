//! Who is doing what where: every request under way announces the range of its current piece here.
//!
//! One side of the bargain told in [`remap_core::held`]: a request announces itself before it resolves, and
//! recovery sets its holds before it looks here. Each request has a cache line of its own, so that the
//! healthy path takes no lock and shares no line.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use remap_core::SectorRange;

/// How many requests can be under way at once; more wait for their turn.
pub const MAX_IN_FLIGHT: usize = 2048;

/// The start of a place where nothing is announced. No range starts here.
const NOTHING: u64 = u64::MAX;

#[derive(Debug)]
#[repr(align(128))]
struct Place {
    taken: AtomicBool,
    start: AtomicU64,
    end: AtomicU64,
}

/// The places, and how many of them have ever been used.
#[derive(Debug)]
pub struct Registry {
    places: Box<[Place]>,
    used: AtomicUsize,
}

impl Registry {
    /// One with all places free.
    pub fn new() -> Self {
        let place = || Place {
            taken: AtomicBool::new(false),
            start: AtomicU64::new(NOTHING),
            end: AtomicU64::new(0),
        };
        Self { places: (0..MAX_IN_FLIGHT).map(|_| place()).collect(), used: AtomicUsize::new(0) }
    }

    /// Takes a place, that of number `hint` if it is free. `None` when all are taken.
    pub fn try_claim(&self, hint: usize) -> Option<usize> {
        (0..MAX_IN_FLIGHT).map(|n| (hint + n) % MAX_IN_FLIGHT).find(|&index| {
            let place = &self.places[index];
            let free = !place.taken.load(Ordering::Relaxed)
                && place.taken.compare_exchange(false, true, Ordering::SeqCst, Ordering::Relaxed).is_ok();
            if free && self.used.load(Ordering::Relaxed) <= index {
                self.used.fetch_max(index + 1, Ordering::SeqCst);
            }
            free
        })
    }

    /// Takes a place for a request of this thread; waits while all are taken.
    pub fn claim(&self) -> Claim<'_> {
        loop {
            if let Some(index) = self.try_claim(thread_number()) {
                return Claim { registry: self, index };
            }
            std::thread::sleep(Duration::from_micros(50));
        }
    }

    /// Announces that the request at `index` is about to deal with `range`.
    pub fn announce(&self, index: usize, range: SectorRange) {
        let place = &self.places[index];
        // A reader that sees the new start sees this end or a later one; see `settle`.
        place.end.store(range.end().0, Ordering::Relaxed);
        place.start.store(range.start.0, Ordering::SeqCst);
    }

    /// Takes the announcement back: the IO is over, or did not begin.
    pub fn withdraw(&self, index: usize) {
        self.places[index].start.store(NOTHING, Ordering::Release);
    }

    /// Gives the place back.
    pub fn release(&self, index: usize) {
        let place = &self.places[index];
        place.start.store(NOTHING, Ordering::Release);
        place.taken.store(false, Ordering::SeqCst);
    }

    /// Waits until nothing is announced that touches a range of `held`, which have been held before.
    ///
    /// Start and end are read one after the other. When the end is of a later announcement than the start,
    /// the earlier one is over, and the later one sees the hold by itself.
    pub fn settle(&self, held: &[SectorRange]) {
        for place in &self.places[..self.used.load(Ordering::SeqCst)] {
            let mut patience = Patience::default();
            loop {
                let start = place.start.load(Ordering::SeqCst);
                let end = place.end.load(Ordering::Acquire);
                if !held.iter().any(|range| start < range.end().0 && range.start.0 < end) {
                    break;
                }
                patience.wait();
            }
        }
    }

    /// Waits until every place is free.
    pub fn wait_until_idle(&self) {
        for place in &self.places[..self.used.load(Ordering::SeqCst)] {
            let mut patience = Patience::default();
            while place.taken.load(Ordering::SeqCst) {
                patience.wait();
            }
        }
    }

    /// How many places are taken now.
    pub fn in_flight(&self) -> usize {
        let used = &self.places[..self.used.load(Ordering::SeqCst)];
        used.iter().filter(|place| place.taken.load(Ordering::Relaxed)).count()
    }
}

/// A request's place; free again when dropped.
#[derive(Debug)]
pub struct Claim<'r> {
    registry: &'r Registry,
    index: usize,
}

impl Claim<'_> {
    /// See [`Registry::announce`].
    pub fn announce(&self, range: SectorRange) {
        self.registry.announce(self.index, range);
    }

    /// See [`Registry::withdraw`].
    pub fn withdraw(&self) {
        self.registry.withdraw(self.index);
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.registry.release(self.index);
    }
}

/// Waiting that costs little when it is short and nothing when it is long.
#[derive(Debug, Default)]
struct Patience {
    rounds: u32,
}

impl Patience {
    fn wait(&mut self) {
        self.rounds = self.rounds.saturating_add(1);
        match self.rounds {
            0..=64 => std::hint::spin_loop(),
            65..=128 => std::thread::yield_now(),
            _ => std::thread::sleep(Duration::from_micros(u64::from(self.rounds.min(1000)))),
        }
    }
}

/// A number for this thread, small and its own as long as there are few threads.
pub fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed));
    }
    NUMBER.with(Cell::get)
}

#[cfg(test)]
mod tests;
