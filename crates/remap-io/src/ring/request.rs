//! Reads and writes of a queue: the same path as that of blocking requests, cut where it would wait.

use remap_core::port::Device;
use remap_core::recovery::job::{Job, JobError, JobKind};
use remap_core::set::Target;
use remap_core::{DiskError, Sector, SectorRange};

use crate::device::{Pending, Reply, RequestError, jobs_of, split};
use crate::disk::AlignedBuffer;
use crate::disk::aligned::is_aligned;
use crate::disk::errno::disk_error_of_raw;

use super::inbox::ReturnAddress;
use super::{Completion, Entry, MAX_BYTES, Outcome, RingQueue, bytes_of, user_data};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Read,
    Write { durable: bool },
}

/// A part of a request that failed and is recovery's.
#[derive(Clone, Copy, Debug)]
struct Failed {
    device: Device,
    error: Option<DiskError>,
    end: Sector,
}

/// A request that is not given back yet.
#[derive(Debug)]
pub struct Request {
    token: u64,
    kind: Kind,
    range: SectorRange,
    buffer: AlignedBuffer,
    /// Its place in the registry.
    claim: usize,
    /// Everything before this is done.
    at: Sector,
    /// What is being done: a piece at a disk, or a job.
    doing: SectorRange,
    device: Device,
    /// Where `doing` begins on that device.
    device_start: Sector,
    /// Bytes of the piece that have been moved.
    moved: usize,
    failed: Option<Failed>,
    /// Up to here sectors are read once more, since recovery has found some of them lost and lost sectors
    /// are served as zeros.
    again_until: Sector,
}

impl Request {
    pub fn read(token: u64, start: Sector, buffer: AlignedBuffer) -> Self {
        Self::new(token, Kind::Read, start, buffer)
    }

    pub fn write(token: u64, start: Sector, buffer: AlignedBuffer, durable: bool) -> Self {
        Self::new(token, Kind::Write { durable }, start, buffer)
    }

    fn new(token: u64, kind: Kind, start: Sector, buffer: AlignedBuffer) -> Self {
        let range = SectorRange::new(start, (buffer.len() / 512) as u64);
        Self {
            token,
            kind,
            range,
            buffer,
            claim: 0,
            at: start,
            doing: SectorRange::new(start, 0),
            device: Device::Main,
            device_start: start,
            moved: 0,
            failed: None,
            again_until: start,
        }
    }

    pub fn claim(&self) -> usize {
        self.claim
    }

    fn rest(&self) -> SectorRange {
        SectorRange::new(self.at, self.range.end().0 - self.at.0)
    }

    fn completion(self, result: Result<(), RequestError>) -> Completion {
        let outcome = match self.kind {
            Kind::Read => Outcome::Read(result, self.buffer),
            Kind::Write { .. } => Outcome::Write(result, self.buffer),
        };
        Completion { token: self.token, outcome }
    }
}

impl RingQueue {
    /// Takes a place in the registry, if the device is open.
    pub(super) fn claim(&mut self) -> Result<usize, RequestError> {
        self.hint = self.hint.wrapping_add(1);
        let shared = self.shared();
        let claim = loop {
            match shared.registry.try_claim(self.hint) {
                Some(claim) => break claim,
                None => std::thread::yield_now(),
            }
        };
        shared.check_open().inspect_err(|_| shared.registry.release(claim))?;
        Ok(claim)
    }

    fn check(&self, request: &Request) -> Result<(), RequestError> {
        let bytes = request.buffer.len();
        if !bytes.is_multiple_of(512) || bytes > MAX_BYTES {
            return Err(RequestError::Misaligned);
        }
        self.shared().check(request.range)?;
        match request.kind {
            Kind::Read => Ok(()),
            Kind::Write { .. } => self.shared().check_writable(),
        }
    }

    pub(super) fn begin(&mut self, mut request: Request) {
        let claimed = self.check(&request).and_then(|()| self.claim());
        match claimed {
            Ok(claim) => request.claim = claim,
            Err(error) => {
                self.done.push(request.completion(Err(error)));
                return;
            }
        }
        let counters = self.shared().counters();
        match request.kind {
            Kind::Read => {
                counters.reads.add(1);
                counters.sectors_read.add(request.range.sectors);
            }
            Kind::Write { .. } => {
                counters.writes.add(1);
                counters.sectors_written.add(request.range.sectors);
            }
        }
        let index = self.entries.insert(Entry::Request(request));
        self.advance(index);
    }

    fn request(&mut self, index: usize) -> Option<&mut Request> {
        match self.entries.get_mut(index) {
            Some(Entry::Request(request)) => Some(request),
            _ => None,
        }
    }

    fn finish(&mut self, index: usize, result: Result<(), RequestError>) {
        if let Some(Entry::Request(request)) = self.entries.remove(index) {
            self.shared().registry.release(request.claim);
            self.done.push(request.completion(result));
        }
    }

    /// Does what can be done of a request without waiting.
    fn advance(&mut self, index: usize) {
        let device = std::sync::Arc::clone(&self.device);
        let shared = device.shared();
        loop {
            let Some(request) = self.request(index) else { return };
            let mut rest = request.rest();
            if rest.sectors == 0 {
                return self.finish(index, Ok(()));
            }
            let reads_again = request.at < request.again_until;
            if let Some(failed) = request.failed.filter(|failed| request.at < failed.end && !reads_again) {
                return self.recover(index, failed);
            }
            if reads_again {
                rest.sectors = request.again_until.0 - request.at.0;
            }
            shared.registry.announce(request.claim, rest);
            let piece = match request.kind {
                Kind::Read => Ok(shared.set().resolve(rest)),
                Kind::Write { .. } => shared.set().resolve_write(rest),
            };
            let Ok(piece) = piece else {
                shared.registry.withdraw(request.claim);
                return self.finish(index, Err(RequestError::ReadOnly));
            };
            shared.count_piece(piece, rest.start);
            let (here, _) = split(rest, piece.sectors);
            request.doing = here;
            request.moved = 0;
            match piece.target {
                Target::Main => {
                    (request.device, request.device_start) = (Device::Main, here.start);
                    return self.push_io(index);
                }
                Target::Spare { index: spare, start } => {
                    (request.device, request.device_start) = (Device::Spare(spare), start);
                    return self.push_io(index);
                }
                Target::Lost => {
                    shared.registry.withdraw(request.claim);
                    match request.kind {
                        Kind::Write { .. } => {
                            let failed = Failed { device: Device::Main, error: None, end: here.end() };
                            request.failed = Some(failed);
                        }
                        Kind::Read if shared.reads_as_zero() => {
                            let bytes = bytes_of(here, request.range.start);
                            request.buffer[bytes].fill(0);
                            request.at = here.end();
                        }
                        Kind::Read => return self.finish(index, Err(RequestError::Disk(DiskError::Medium))),
                    }
                }
                Target::Busy => {
                    shared.registry.withdraw(request.claim);
                    self.parked.push(index);
                    return;
                }
            }
        }
    }

    /// Looks again at the requests that found their range held.
    pub(super) fn retry_parked(&mut self) {
        if self.parked.is_empty() {
            return;
        }
        // First asked to be woken, then looked again: no release is missed.
        self.inbox.wait_for_release();
        for index in std::mem::take(&mut self.parked) {
            if self.shared().is_halted() {
                self.finish(index, Err(RequestError::Halted));
            } else {
                self.advance(index);
            }
        }
    }

    /// Hands the rest of the piece at work to the kernel.
    fn push_io(&mut self, index: usize) {
        let device = std::sync::Arc::clone(&self.device);
        let shared = device.shared();
        let Some(request) = self.request(index) else { return };
        let (file, disk) = match request.device {
            Device::Main => (0, Some(&*shared.main)),
            Device::Spare(spare) => {
                (spare as u32 + 1, shared.spares.get(spare).and_then(|spare| spare.disk()))
            }
        };
        let Some(disk) = disk else {
            let error = DiskError::Offline;
            return self.piece_failed(index, error);
        };
        let mut bytes = bytes_of(request.doing, request.range.start);
        bytes.start += request.moved;
        let offset = request.device_start.bytes() + request.moved as u64;
        let memory = &mut request.buffer[bytes];
        if !is_aligned(memory, disk.facts().buffer_alignment) {
            return self.do_blocking(index);
        }
        let (pointer, len) = (memory.as_mut_ptr(), memory.len() as u32);
        let kind = request.kind;
        let user = user_data(index, 0);
        let pushed = match kind {
            // SAFETY: the buffer stays in its entry, and is not touched, until the completion.
            Kind::Read => unsafe { self.raw.read(file, offset, pointer, len, user) },
            // SAFETY: as above.
            Kind::Write { durable } => unsafe { self.raw.write(file, offset, pointer, len, durable, user) },
        };
        match pushed {
            Ok(()) => self.in_kernel += 1,
            Err(_) => self.do_blocking(index),
        }
    }

    /// Does the piece at work by a blocking call: the buffer is not as the disk wants it, or the ring does
    /// not do what the disk can.
    fn do_blocking(&mut self, index: usize) {
        let device = std::sync::Arc::clone(&self.device);
        let shared = device.shared();
        let Some(request) = self.request(index) else { return };
        let disk = match request.device {
            Device::Main => Some(&*shared.main),
            Device::Spare(spare) => shared.spares.get(spare).and_then(|spare| spare.disk()),
        };
        let bytes = bytes_of(request.doing, request.range.start);
        let (start, memory) = (request.device_start, &mut request.buffer[bytes]);
        let result = match (disk, request.kind) {
            (None, _) => Err(DiskError::Offline),
            (Some(disk), Kind::Read) => disk.read(start, memory),
            (Some(disk), Kind::Write { durable }) => disk.write(start, memory, durable),
        };
        match result {
            Ok(()) => self.piece_done(index),
            Err(error) => self.piece_failed(index, error),
        }
    }

    /// The kernel has answered for the piece at work.
    pub(super) fn io_done(&mut self, index: usize, result: i32) {
        let Some(request) = self.request(index) else { return };
        match result {
            error if error == -libc::EINTR || error == -libc::EAGAIN => self.push_io(index),
            error if error == -libc::EOPNOTSUPP && request.kind == (Kind::Write { durable: true }) => {
                self.do_blocking(index);
            }
            error if error < 0 => self.piece_failed(index, disk_error_of_raw(-error)),
            bytes => {
                let bytes = bytes.unsigned_abs() as usize;
                request.moved += bytes;
                let left = request.doing.sectors as usize * 512 - request.moved;
                if bytes == 0 || !bytes.is_multiple_of(512) {
                    // The end of a file that was cut short behind our back.
                    self.piece_failed(index, DiskError::Io);
                } else if left > 0 {
                    self.push_io(index);
                } else {
                    self.piece_done(index);
                }
            }
        }
    }

    fn piece_done(&mut self, index: usize) {
        let device = std::sync::Arc::clone(&self.device);
        let shared = device.shared();
        let Some(request) = self.request(index) else { return };
        if let (Device::Spare(spare), Kind::Write { durable: false }) = (request.device, request.kind)
            && let Some(spare) = shared.spares.get(spare)
        {
            spare.note_write();
        }
        shared.registry.withdraw(request.claim);
        request.at = request.doing.end();
        self.advance(index);
    }

    fn piece_failed(&mut self, index: usize, error: DiskError) {
        let device = std::sync::Arc::clone(&self.device);
        let shared = device.shared();
        let Some(request) = self.request(index) else { return };
        shared.registry.withdraw(request.claim);
        let is_lost = request.kind == Kind::Read && shared.is_lost(request.doing) && !shared.reads_as_zero();
        if request.at < request.again_until || is_lost {
            return self.finish(index, Err(RequestError::Disk(error)));
        }
        let failed = Failed { device: request.device, error: Some(error), end: request.doing.end() };
        request.failed = Some(failed);
        self.recover(index, failed);
    }

    /// Hands the first part of what failed to recovery.
    fn recover(&mut self, index: usize, failed: Failed) {
        let inbox = std::sync::Arc::clone(&self.inbox);
        let Some(request) = self.request(index) else { return };
        let left = SectorRange::new(request.at, failed.end.0 - request.at.0);
        let Some(range) = jobs_of(left).next() else { return };
        request.doing = range;
        let bytes = bytes_of(range, request.range.start);
        let Failed { device, error, .. } = failed;
        let (kind, data) = match request.kind {
            Kind::Read => {
                let error = error.unwrap_or(DiskError::Medium);
                (JobKind::Read { device, error, deliver: true }, AlignedBuffer::zeroed(bytes.len()))
            }
            Kind::Write { durable } => {
                (JobKind::Write { device, error, durable }, AlignedBuffer::copy_of(&request.buffer[bytes]))
            }
        };
        let address = ReturnAddress::new(&inbox, index);
        let done = Box::new(move |reply| address.send(reply));
        // What nobody takes is dropped, and so answered.
        let _ = self.shared().queue.submit(Pending { job: Job { kind, range }, data, done });
    }

    /// Recovery has answered; without a reply it has halted.
    pub(super) fn recovered(&mut self, index: usize, reply: Option<Reply>) {
        let reads_as_zero = self.shared().reads_as_zero();
        let halted = self.shared().check_open().err().unwrap_or(RequestError::Halted);
        let Some(request) = self.request(index) else { return };
        let Some(Reply { result, data }) = reply else { return self.finish(index, Err(halted)) };
        match (result, request.kind) {
            (Ok(()), kind) => {
                if kind == Kind::Read {
                    let bytes = bytes_of(request.doing, request.range.start);
                    request.buffer[bytes].copy_from_slice(&data);
                }
                request.at = request.doing.end();
                self.advance(index);
            }
            (Err(JobError::Disk(DiskError::Medium)), Kind::Read) if reads_as_zero => {
                request.again_until = request.doing.end();
                self.advance(index);
            }
            (Err(error), _) => self.finish(index, Err(error.into())),
        }
    }
}
