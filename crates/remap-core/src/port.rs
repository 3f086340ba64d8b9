//! Effects and their outcomes: how the engine asks its driver for everything it does not do itself.
//!
//! The engine's procedures are coroutines: straight-line `async` code whose only await is a call of the
//! [`Port`]. A driver steps the procedure, performs the effect that it hands out, answers, and steps again.
//! No executor, no waker, no thread; the driver blocks, polls a ring or simulates, as it likes.

use crate::error::DiskError;
use crate::recovery::job::JobError;
use crate::set::SetState;
use crate::units::{BlockIndex, Sector, SectorRange};
use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// One of the set's devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Device {
    /// The failing one.
    Main,
    /// Spare number so-and-so of the set.
    Spare(usize),
}

/// Memory that an effect reads into or writes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The data of job `job`, from sector `offset` of the job's range.
    Job {
        /// Index in the batch.
        job: usize,
        /// In sectors.
        offset: u64,
    },
    /// The port's scratch memory, from byte `offset`.
    Scratch {
        /// In bytes, a multiple of 512.
        offset: usize,
    },
}

/// What the engine wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Read `sectors` sectors at `start`.
    Read {
        /// From where.
        device: Device,
        /// The first sector.
        start: Sector,
        /// How many.
        sectors: u64,
        /// Where to.
        into: Place,
    },
    /// Write `sectors` sectors at `start`.
    Write {
        /// To where.
        device: Device,
        /// The first sector.
        start: Sector,
        /// How many.
        sectors: u64,
        /// Where from.
        from: Place,
    },
    /// Make everything that was written to the device durable.
    Flush {
        /// Which device.
        device: Device,
    },
    /// The held ranges have been set: answer when no request that began before is under way in any of them.
    Drain,
    /// Nothing is held any more: let the waiting requests resolve anew.
    Released,
    /// Copy scratch memory from byte `from` into a job's data.
    Deliver {
        /// Index in the batch.
        job: usize,
        /// Where in the job's range, in sectors.
        offset: u64,
        /// How many sectors.
        sectors: u64,
        /// Byte offset in the scratch memory.
        from: usize,
    },
    /// A job is done: complete its request.
    Finished {
        /// Index in the batch.
        job: usize,
        /// How it went.
        result: Result<(), JobError>,
    },
    /// Something that an operator wants to know.
    Event(Event),
}

/// Something that an operator wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Sectors of a block were moved to a slot.
    Moved {
        /// The block.
        block: BlockIndex,
        /// Which of its sectors.
        mask: u16,
    },
    /// Sectors of a block were lost.
    Lost {
        /// The block.
        block: BlockIndex,
        /// Which of its sectors.
        mask: u16,
    },
    /// A slot failed and was retired.
    Retired {
        /// Which spare it is on.
        spare: usize,
    },
    /// The set changed its state.
    State(SetState),
    /// A spare stopped answering.
    SpareOffline(usize),
    /// A write needed room on a spare, and there is none.
    SpareFull {
        /// What was to be written.
        range: SectorRange,
    },
    /// A metadata copy was damaged and has been written anew.
    Repaired {
        /// Which spare.
        spare: usize,
        /// Which copy.
        copy: u32,
        /// Which map page.
        page: u32,
    },
}

/// What an effect came to, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// For reads, writes and flushes: how it went. Otherwise `Ok`.
    pub result: Result<(), DiskError>,
    /// The driver's clock, in milliseconds since any moment; never goes back.
    pub now_ms: u64,
}

/// The place where a procedure and its driver meet, and the scratch memory they share.
#[derive(Debug)]
pub struct Port<'b> {
    effect: Cell<Option<Effect>>,
    outcome: Cell<Option<Outcome>>,
    scratch: RefCell<&'b mut [u8]>,
    now_ms: Cell<u64>,
}

impl<'b> Port<'b> {
    /// A port with scratch memory of at least [`SCRATCH_BYTES`], aligned as the devices want it; opening and
    /// formatting are faster with a MiB.
    pub fn new(scratch: &'b mut [u8], now_ms: u64) -> Self {
        Self {
            effect: Cell::new(None),
            outcome: Cell::new(None),
            scratch: RefCell::new(scratch),
            now_ms: Cell::new(now_ms),
        }
    }

    /// Steps `procedure` to its next effect, or to its end. After an effect, [`answer`](Self::answer) before
    /// the next step.
    pub fn step<F: Future>(&self, procedure: Pin<&mut F>) -> Step<F::Output> {
        match procedure.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Step::Done(output),
            Poll::Pending => match self.effect.take() {
                Some(effect) => Step::Effect(effect),
                None => Step::Stuck,
            },
        }
    }

    /// Tells what the effect came to.
    pub fn answer(&self, outcome: Outcome) {
        self.now_ms.set(outcome.now_ms);
        self.outcome.set(Some(outcome));
    }

    /// Runs `procedure` to its end with a driver that performs each effect at once.
    pub fn run<F: Future>(
        &self,
        procedure: F,
        mut perform: impl FnMut(Effect, &Self) -> Outcome,
    ) -> F::Output {
        let mut procedure = core::pin::pin!(procedure);
        loop {
            match self.step(procedure.as_mut()) {
                Step::Done(output) => return output,
                Step::Effect(effect) => self.answer(perform(effect, self)),
                // Stepping again only asks again; see `Step::Stuck`.
                Step::Stuck => {}
            }
        }
    }

    /// Gives access to the scratch memory. Not to be nested.
    pub fn with_scratch<R>(&self, work: impl FnOnce(&mut [u8]) -> R) -> R {
        work(&mut self.scratch.borrow_mut())
    }

    /// The time of the last outcome.
    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }

    /// Hands out an effect and waits for what it comes to.
    pub(crate) async fn call(&self, effect: Effect) -> Result<(), DiskError> {
        Call { port: self, effect: Some(effect) }.await
    }
}

/// What a step led to.
#[derive(Debug)]
pub enum Step<T> {
    /// The procedure wants this done and answered.
    Effect(Effect),
    /// The procedure is over.
    Done(T),
    /// The last effect has not been answered yet.
    Stuck,
}

/// Bytes of scratch memory that recovery needs: two pages, and two blocks of the largest size.
pub const SCRATCH_BYTES: usize = 2 * crate::layout::PAGE_BYTES + 2 * crate::units::BlockSize::MAX_BYTES;

struct Call<'p, 'b> {
    port: &'p Port<'b>,
    effect: Option<Effect>,
}

impl Future for Call<'_, '_> {
    type Output = Result<(), DiskError>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(effect) = self.effect.take() {
            self.port.effect.set(Some(effect));
            return Poll::Pending;
        }
        match self.port.outcome.take() {
            Some(outcome) => Poll::Ready(outcome.result),
            None => Poll::Pending,
        }
    }
}
