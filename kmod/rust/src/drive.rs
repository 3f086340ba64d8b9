//! Running the engine's procedures with the glue's blocking calls.

use remap_core::DiskError;
use remap_core::port::{Device, Effect, Event, Outcome, Place, Port, Step};
use remap_core::recovery::job::JobError;
use remap_core::set::{Set, SetState};
use remap_core::units::BlockSize;

use crate::abi;
use crate::glue::{self, Glue, number_of};
use crate::memory::Arena;

/// The devices that effects go to.
#[derive(Clone, Copy)]
pub struct Bench<'b> {
    /// The glue's own.
    pub glue: Glue,
    /// By member: its number in the glue, or [`glue::ABSENT`].
    pub places: &'b [u8],
    /// The unit of remapping, for events.
    pub block_size: BlockSize,
}

impl<'b> Bench<'b> {
    /// The bench of a running set.
    pub fn of(glue: Glue, places: &'b [u8], set: &Set<'_>) -> Self {
        Self { glue, places, block_size: set.block_size() }
    }

    /// Runs a procedure to its end. The glue is told of finished jobs.
    pub fn run<F: Future>(self, arena: &mut Arena, port: &Port<'_>, make: impl FnOnce() -> F) -> F::Output {
        self.run_own(arena, port, make, |job, result| self.glue.finished(job, result))
    }

    /// Runs a procedure to its end. `finished` is told of finished jobs, which are none of the glue's.
    pub fn run_own<F: Future>(
        self,
        arena: &mut Arena,
        port: &Port<'_>,
        make: impl FnOnce() -> F,
        mut finished: impl FnMut(usize, Result<(), JobError>),
    ) -> F::Output {
        arena.with(make, |mut procedure| {
            loop {
                let effect = match port.step(procedure.as_mut()) {
                    Step::Done(output) => return output,
                    Step::Effect(effect) => effect,
                    // Stepping again only asks again; see `Step::Stuck`.
                    Step::Stuck => continue,
                };
                let result = match effect {
                    Effect::Finished { job, result } => {
                        finished(job, result);
                        Ok(())
                    }
                    _ => self.perform(effect, port),
                };
                port.answer(Outcome { result, now_ms: glue::now_ms() });
            }
        })
    }

    fn number(self, device: Device) -> Result<u32, DiskError> {
        number_of(device, self.places).ok_or(DiskError::Offline)
    }

    fn perform(self, effect: Effect, port: &Port<'_>) -> Result<(), DiskError> {
        let glue = self.glue;
        match effect {
            Effect::Read { device, start, sectors, into } => {
                let device = self.number(device)?;
                match into {
                    Place::Job { job, offset } => glue.job(device, false, start.0, sectors, (job, offset)),
                    Place::Scratch { offset } => port.with_scratch(|scratch| {
                        let into = bytes(offset, sectors).and_then(|(from, to)| scratch.get_mut(from..to));
                        glue.read(device, start.0, into.ok_or(DiskError::Unsupported)?)
                    }),
                }
            }
            Effect::Write { device, start, sectors, from } => {
                let device = self.number(device)?;
                match from {
                    Place::Job { job, offset } => glue.job(device, true, start.0, sectors, (job, offset)),
                    Place::Scratch { offset } => port.with_scratch(|scratch| {
                        let from = bytes(offset, sectors).and_then(|(from, to)| scratch.get(from..to));
                        glue.write(device, start.0, from.ok_or(DiskError::Unsupported)?)
                    }),
                }
            }
            Effect::Flush { device } => glue.flush(self.number(device)?),
            Effect::Drain => {
                glue.drain();
                Ok(())
            }
            Effect::Released => {
                glue.released();
                Ok(())
            }
            Effect::Deliver { job, offset, sectors, from } => port.with_scratch(|scratch| {
                let from = bytes(from, sectors).and_then(|(from, to)| scratch.get(from..to));
                glue.deliver(job, offset, from.ok_or(DiskError::Unsupported)?);
                Ok(())
            }),
            Effect::Finished { .. } => Ok(()),
            Effect::Event(event) => {
                glue.event(&self.told(event));
                Ok(())
            }
        }
    }

    /// An event as the glue is told of it.
    fn told(self, event: Event) -> abi::Event {
        let block_sectors = u64::from(self.block_size.sectors());
        let spare = |index: usize| number_of(Device::Spare(index), self.places).unwrap_or_default();
        let plain = |kind, what| abi::Event { kind, what, ..abi::Event::default() };
        match event {
            Event::Moved { block, mask } | Event::Lost { block, mask } => abi::Event {
                kind: if matches!(event, Event::Moved { .. }) { abi::EVENT_MOVED } else { abi::EVENT_LOST },
                what: u32::from(mask),
                start: self.block_size.first_sector(block).0,
                sectors: block_sectors,
            },
            Event::Retired { spare: index } => plain(abi::EVENT_RETIRED, spare(index)),
            Event::State(state) => plain(abi::EVENT_STATE, state_number(state)),
            Event::SpareOffline(index) => plain(abi::EVENT_SPARE_OFFLINE, spare(index)),
            Event::SpareFull { range } => abi::Event {
                kind: abi::EVENT_SPARE_FULL,
                what: 0,
                start: range.start.0,
                sectors: range.sectors,
            },
            Event::Repaired { spare: index, copy, page } => abi::Event {
                kind: abi::EVENT_REPAIRED,
                what: spare(index),
                start: u64::from(page),
                sectors: u64::from(copy),
            },
        }
    }
}

/// The number of a state, as in `kmod/remap_core.h`.
pub fn state_number(state: SetState) -> u32 {
    match state {
        SetState::Active => 0,
        SetState::Failing => 1,
        SetState::ReadOnly => 2,
    }
}

fn bytes(offset: usize, sectors: u64) -> Option<(usize, usize)> {
    let length = usize::try_from(sectors).ok()?.checked_mul(512)?;
    Some((offset, offset.checked_add(length)?))
}
