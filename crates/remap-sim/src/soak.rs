//! Many lives on all cores, until enough has happened.

use crate::run::{Life, live};
use crate::world::Tally;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// About how many requests one life is at most.
pub const OPERATIONS_PER_LIFE: u64 = 20_000;

/// How much is to happen.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    /// The first seed; each life takes the next.
    pub seed: u64,
    /// At least so many requests.
    pub operations: u64,
    /// At least so many power cuts.
    pub power_cuts: u64,
    /// On so many threads.
    pub threads: usize,
}

/// A life that broke a promise.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its seed.
    pub seed: u64,
    /// Requests that all lives made until then, roughly.
    pub operations: u64,
    /// What was broken.
    pub text: String,
}

impl Tally {
    /// Adds another's counts to these.
    pub fn add(&mut self, other: &Self) {
        self.operations += other.operations;
        self.power_cuts += other.power_cuts;
        self.cuts_in_recovery += other.cuts_in_recovery;
        self.cuts_in_opening += other.cuts_in_opening;
        self.reads_failed += other.reads_failed;
        self.writes_failed += other.writes_failed;
        self.moved += other.moved;
        self.lost += other.lost;
        self.retired += other.retired;
        self.unmapped += other.unmapped;
        self.repaired += other.repaired;
        self.failing += other.failing;
        self.spare_deaths += other.spare_deaths;
        self.full += other.full;
        self.lives += other.lives;
    }
}

/// One life; a panic of the engine or of the simulator counts as a violation.
pub fn live_guarded(seed: u64, operations: u64, trace: Option<u64>) -> Result<Life, String> {
    catch_unwind(AssertUnwindSafe(|| live(seed, operations, trace))).map_err(|payload| {
        let text = payload
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_else(|| "without a message".to_owned());
        format!("panic: {text}")
    })
}

/// Lives until the goal is reached or a promise is broken. `progress` is called after every life.
pub fn soak(goal: &Goal, progress: impl Fn(&Tally) + Sync) -> (Tally, Option<Found>) {
    let next = AtomicU64::new(goal.seed);
    let stop = AtomicBool::new(false);
    let total = Mutex::new((Tally::default(), None::<Found>));
    std::thread::scope(|scope| {
        for _ in 0..goal.threads {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let life = live_guarded(seed, OPERATIONS_PER_LIFE, None);
                    let mut total = total.lock().expect("nobody panics while holding this");
                    let broken = match life {
                        Ok(life) => {
                            total.0.add(&life.tally);
                            life.outcome.err().map(|violation| violation.0)
                        }
                        Err(text) => Some(text),
                    };
                    if let Some(text) = broken {
                        let operations = total.0.operations;
                        // Of several at about the same time the first seed, so that reruns agree.
                        if total.1.as_ref().is_none_or(|found| seed < found.seed) {
                            total.1 = Some(Found { seed, operations, text });
                        }
                        stop.store(true, Ordering::Relaxed);
                    }
                    progress(&total.0);
                    if total.0.operations >= goal.operations && total.0.power_cuts >= goal.power_cuts {
                        stop.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    total.into_inner().expect("nobody panics while holding this")
}
