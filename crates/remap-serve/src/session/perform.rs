//! Carrying out one request by blocking calls on the device, and wording its reply.
//! It owns which errors of the device become which errors of the wire.

use std::sync::Arc;

use remap_core::{Sector, SectorRange};
use remap_io::device::{ExtentKind, RemapDevice, RequestError};

use super::Agreed;
use super::admission::Weight;
use super::batch::Batch;
use super::pace::Pace;
use super::pool::Buffer;
use crate::nbd::context::{Context, ContextSet, MAPPING_LOST, MAPPING_MAIN, MAPPING_MOVED};
use crate::nbd::reply::{BlockStatusChunk, Part, ReplyMode};
use crate::nbd::request::{Refusal, Request};
use crate::nbd::wire::Cookie;
use crate::nbd::wire::command::Command;
use crate::nbd::wire::errno::Errno;
use crate::nbd::wire::flags::CommandFlags;
use crate::server::Shared;

/// Extents in one answer: the specification lets a server tell less than was asked.
const MAX_EXTENTS_TOLD: usize = 4096;

/// Sectors looked at in one go for block status: 64 MiB.
const LOOK_SECTORS: u64 = 1 << 17;

/// What one connection's requests are carried out on.
#[derive(Clone, Debug)]
pub(super) struct Performer {
    pub(super) device: Arc<RemapDevice>,
    pub(super) mode: ReplyMode,
    pub(super) contexts: ContextSet,
    /// How long reads and writes take.
    pub(super) pace: Arc<Pace>,
}

/// A request with memory for its data: what is to be written, or room for what is read; empty for others.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) request: Request,
    pub(super) data: Option<Buffer>,
}

impl Task {
    /// What it takes up until its reply is sent.
    pub(super) fn weight(&self) -> Weight {
        Weight::of(self.data.as_deref().map_or(0, <[u8]>::len))
    }
}

impl Performer {
    /// For the device of `shared`, as agreed with the client.
    pub(super) fn new(shared: &Shared, agreed: &Agreed) -> Self {
        Self {
            device: Arc::clone(&shared.device),
            mode: agreed.mode,
            contexts: agreed.contexts,
            pace: Arc::new(Pace::new()),
        }
    }

    /// Carries `task` out and adds the reply.
    pub(super) fn perform(&self, task: Task, replies: &mut Batch) {
        let weight = task.weight();
        let Request { cookie, command, range, flags } = task.request;
        let mut data = task.data;
        let durable = flags.contains(CommandFlags::FUA);
        let sectors = range.sectors().expect("the minimum block is a sector at least");
        let buffer = data.as_deref_mut().unwrap_or(&mut []);
        let result = match command {
            Command::Read => self.pace.measure(|| self.device.read(sectors.start, buffer)),
            Command::Write if durable => self.device.write(sectors.start, buffer, true),
            Command::Write => self.pace.measure(|| self.device.write(sectors.start, buffer, false)),
            Command::Flush => self.device.flush(),
            Command::WriteZeroes => self.device.write_zeroes(sectors, durable),
            // Where nothing is kept there is nothing to make durable.
            Command::Trim => self.device.discard(sectors),
            Command::BlockStatus => {
                replies.push(weight, |out| self.block_status(&task.request, sectors, out), None);
                return;
            }
            Command::Cache | Command::Disconnect => unreachable!("never offered, or never a task"),
        };
        match result {
            Err(error) => replies.push(weight, |out| self.failure(cookie, error, out), None),
            Ok(()) if command == Command::Read => {
                replies.push(weight, |out| self.mode.read(cookie, range, out), data);
            }
            Ok(()) => replies.push(weight, |out| self.mode.success(cookie, out), None),
        }
    }

    /// The answer to a request that is not even tried.
    pub(super) fn refusal(&self, refusal: &Refusal, out: &mut Vec<u8>) {
        self.mode.error(refusal.cookie, refusal.errno, refusal.reason.message(), out);
    }

    /// The answer to a request that comes when the server is stopping.
    pub(super) fn too_late(&self, cookie: Cookie, out: &mut Vec<u8>) {
        self.mode.error(cookie, Errno::Shutdown, "the server is stopping", out);
    }

    /// The answer to a request that failed.
    pub(super) fn failure(&self, cookie: Cookie, error: RequestError, out: &mut Vec<u8>) {
        self.mode.error(cookie, errno_of(error), &error.to_string(), out);
    }

    fn block_status(&self, request: &Request, range: SectorRange, out: &mut Vec<u8>) {
        let mut left = self.contexts.iter().count();
        for context in self.contexts.iter() {
            left -= 1;
            let mut chunk = BlockStatusChunk::new(request, context, out);
            match context {
                // Every sector is there to be written and keeps what is written: none is a hole. A lost one too,
                // for else clients would take it for zeros and not ask.
                Context::Allocation => drop(chunk.push(u64::from(request.range.bytes), 0)),
                Context::Mapping => self.mapping_status(range, &mut chunk),
            }
            chunk.finish(if left == 0 { Part::Last } else { Part::More });
        }
    }

    fn mapping_status(&self, range: SectorRange, chunk: &mut BlockStatusChunk<'_>) {
        let (mut start, end) = (range.start.0, range.end().0);
        let mut told = 0;
        let mut wanted = true;
        while wanted && start < end && told < MAX_EXTENTS_TOLD {
            let sectors = LOOK_SECTORS.min(end - start);
            self.device.extents(SectorRange::new(Sector(start), sectors), &mut |extent| {
                if !wanted || told >= MAX_EXTENTS_TOLD {
                    return;
                }
                told += 1;
                let status = match extent.kind {
                    ExtentKind::Main => MAPPING_MAIN,
                    ExtentKind::Moved => MAPPING_MOVED,
                    ExtentKind::Lost => MAPPING_LOST,
                };
                wanted = chunk.push(extent.range.sectors << 9, status);
            });
            start += sectors;
        }
    }
}

/// What the client is told of an error of the device.
fn errno_of(error: RequestError) -> Errno {
    match error {
        RequestError::Disk(error) => error.into(),
        RequestError::NoRoom => Errno::NoSpace,
        RequestError::ReadOnly => Errno::NotPermitted,
        RequestError::Closed => Errno::Shutdown,
        RequestError::OutOfRange
        | RequestError::Misaligned
        | RequestError::HoldsLost
        | RequestError::NoSuchSpare
        | RequestError::Busy => Errno::Invalid,
        RequestError::Metadata | RequestError::NotVerified | RequestError::Halted => Errno::Io,
    }
}

#[cfg(test)]
mod tests;
