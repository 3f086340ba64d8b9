//! Serving: the path of every request, from its range to the disks and, where they fail, to recovery.

use std::sync::OnceLock;

use remap_core::port::Device;
use remap_core::recovery::JOB_SECTORS;
use remap_core::recovery::job::{JobError, JobKind};
use remap_core::set::{Piece, SetState, SpareState, Target};
use remap_core::units::SECTOR_BYTES;
use remap_core::{DiskError, Sector, SectorRange};

use crate::disk::{AlignedBuffer, Disk};

use super::error::RequestError;
use super::registry::Claim;
use super::shared::Shared;

/// Zeros are written this many bytes at a time.
const ZEROES: usize = 1 << 20;

impl Shared {
    /// `range`, if it is whole logical blocks within the device and not empty.
    pub fn check(&self, range: SectorRange) -> Result<SectorRange, RequestError> {
        let whole = range.start.0.is_multiple_of(self.logical_sectors)
            && range.sectors.is_multiple_of(self.logical_sectors)
            && range.sectors != 0;
        if !whole {
            Err(RequestError::Misaligned)
        } else if range.fits(self.sectors) {
            Ok(range)
        } else {
            Err(RequestError::OutOfRange)
        }
    }

    fn check_bytes(&self, start: Sector, bytes: usize) -> Result<SectorRange, RequestError> {
        if !bytes.is_multiple_of(SECTOR_BYTES) {
            return Err(RequestError::Misaligned);
        }
        self.check(SectorRange::new(start, (bytes / SECTOR_BYTES) as u64))
    }

    pub fn check_writable(&self) -> Result<(), RequestError> {
        if self.read_only || self.set().state() == SetState::ReadOnly {
            Err(RequestError::ReadOnly)
        } else {
            Ok(())
        }
    }

    pub fn read(&self, start: Sector, into: &mut [u8]) -> Result<(), RequestError> {
        let range = self.check_bytes(start, into.len())?;
        let claim = self.enter()?;
        let counters = self.counters();
        counters.reads.add(1);
        counters.sectors_read.add(range.sectors);
        let mut rest = range;
        while rest.sectors > 0 {
            let Some(piece) = self.resolve(&claim, rest)? else { continue };
            let (here, behind) = split(rest, piece.sectors);
            let buffer = part(into, range, here);
            let read = self.read_piece(piece.target, here, buffer);
            claim.withdraw();
            if let Err((device, error)) = read {
                self.recover_read(&claim, device, error, here, part(into, range, here))?;
            }
            rest = behind;
        }
        Ok(())
    }

    /// Announces `rest` and asks where it begins to live; `None` after having waited for recovery.
    pub fn resolve(&self, claim: &Claim<'_>, rest: SectorRange) -> Result<Option<Piece>, RequestError> {
        claim.announce(rest);
        self.settle(claim, rest, self.set().resolve(rest))
    }

    /// The same for a request that changes something.
    pub fn resolve_write(&self, claim: &Claim<'_>, rest: SectorRange) -> Result<Option<Piece>, RequestError> {
        claim.announce(rest);
        let Ok(piece) = self.set().resolve_write(rest) else {
            claim.withdraw();
            return Err(RequestError::ReadOnly);
        };
        self.settle(claim, rest, piece)
    }

    fn settle(
        &self,
        claim: &Claim<'_>,
        rest: SectorRange,
        piece: Piece,
    ) -> Result<Option<Piece>, RequestError> {
        self.count_piece(piece, rest.start);
        if piece.target != Target::Busy {
            return Ok(Some(piece));
        }
        claim.withdraw();
        let first = SectorRange::new(rest.start, 1);
        self.gate.wait_while(|| self.is_held(first));
        if self.is_halted() { Err(RequestError::Halted) } else { Ok(None) }
    }

    /// Counts what a request was told by the engine.
    pub fn count_piece(&self, piece: Piece, start: Sector) {
        let counters = self.counters();
        match piece.target {
            Target::Busy => return counters.waits.add(1),
            Target::Main => counters.pieces_to_main.add(1),
            Target::Spare { .. } => counters.pieces_to_spare.add(1),
            Target::Lost => counters.pieces_lost.add(1),
        }
        let passes = self.set().passes_filter(SectorRange::new(start, piece.sectors));
        if passes { &counters.filter_passes } else { &counters.table_lookups }.add(1);
    }

    pub fn read_piece(
        &self,
        target: Target,
        here: SectorRange,
        into: &mut [u8],
    ) -> Result<(), (Device, DiskError)> {
        match target {
            Target::Main => self.main.read(here.start, into).map_err(|error| (Device::Main, error)),
            Target::Spare { index, start } => self
                .spare(index)
                .and_then(|disk| disk.read(start, into))
                .map_err(|error| (Device::Spare(index), error)),
            Target::Lost | Target::Busy => {
                if self.reads_as_zero() {
                    into.fill(0);
                    Ok(())
                } else {
                    Err((Device::Main, DiskError::Medium))
                }
            }
        }
    }

    fn spare(&self, index: usize) -> Result<&dyn Disk, DiskError> {
        self.spares.get(index).and_then(|spare| spare.disk()).ok_or(DiskError::Offline)
    }

    /// Whether lost sectors are served as zeros. What lies on a missing spare is not: it is
    /// somewhere.
    pub fn reads_as_zero(&self) -> bool {
        let set = self.set();
        set.lost_reads_zero() && set.spares().iter().all(|spare| spare.state() != SpareState::Missing)
    }

    /// Has a failed read recovered, a job at a time: it ends at the first that fails.
    fn recover_read(
        &self,
        claim: &Claim<'_>,
        device: Device,
        error: DiskError,
        failed: SectorRange,
        into: &mut [u8],
    ) -> Result<(), RequestError> {
        if self.is_lost(failed) && !self.reads_as_zero() {
            return Err(RequestError::Disk(DiskError::Medium));
        }
        for range in jobs_of(failed) {
            let buffer = part(into, failed, range);
            let data = AlignedBuffer::zeroed(buffer.len());
            let reply = self.submit(JobKind::Read { device, error, deliver: true }, range, data)?;
            let reply = self.wait(&reply)?;
            match reply.result {
                Ok(()) => buffer.copy_from_slice(&reply.data),
                Err(JobError::Disk(DiskError::Medium)) if self.reads_as_zero() => {
                    self.read_after_loss(claim, range, buffer)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Whether all of `range` is known to be lost: nothing is to be tried again.
    pub fn is_lost(&self, range: SectorRange) -> bool {
        let piece = self.set().resolve(range);
        piece.target == Target::Lost && piece.sectors == range.sectors
    }

    /// Reads again what recovery has just found lost in part, where lost sectors are served as zeros.
    fn read_after_loss(
        &self,
        claim: &Claim<'_>,
        range: SectorRange,
        into: &mut [u8],
    ) -> Result<(), RequestError> {
        let mut rest = range;
        while rest.sectors > 0 {
            let Some(piece) = self.resolve(claim, rest)? else { continue };
            let (here, behind) = split(rest, piece.sectors);
            let read = self.read_piece(piece.target, here, part(into, range, here));
            claim.withdraw();
            read.map_err(|(_, error)| RequestError::Disk(error))?;
            rest = behind;
        }
        Ok(())
    }

    pub fn write(&self, start: Sector, from: &[u8], durable: bool) -> Result<(), RequestError> {
        let range = self.check_bytes(start, from.len())?;
        let claim = self.enter()?;
        self.check_writable()?;
        let counters = self.counters();
        counters.writes.add(1);
        counters.sectors_written.add(range.sectors);
        self.write_claimed(&claim, range, from, durable)
    }

    fn write_claimed(
        &self,
        claim: &Claim<'_>,
        range: SectorRange,
        from: &[u8],
        durable: bool,
    ) -> Result<(), RequestError> {
        let mut rest = range;
        while rest.sectors > 0 {
            let Some(piece) = self.resolve_write(claim, rest)? else { continue };
            let (here, behind) = split(rest, piece.sectors);
            let bytes = part_of(from, range, here);
            let failed = self.write_piece(piece.target, here, bytes, durable);
            claim.withdraw();
            if let Err((device, error)) = failed {
                self.recover_write(device, error, here, bytes, durable)?;
            }
            rest = behind;
        }
        Ok(())
    }

    /// `Err` holds no error when nothing was tried, since the sectors are lost.
    fn write_piece(
        &self,
        target: Target,
        here: SectorRange,
        from: &[u8],
        durable: bool,
    ) -> Result<(), (Device, Option<DiskError>)> {
        match target {
            Target::Main => {
                self.main.write(here.start, from, durable).map_err(|error| (Device::Main, Some(error)))
            }
            Target::Spare { index, start } => {
                let written = self.spare(index).and_then(|disk| disk.write(start, from, durable));
                if written.is_ok() && !durable {
                    self.spares[index].note_write();
                }
                written.map_err(|error| (Device::Spare(index), Some(error)))
            }
            Target::Lost | Target::Busy => Err((Device::Main, None)),
        }
    }

    /// Has a failed write recovered: all its jobs at once, so that one commit serves them.
    fn recover_write(
        &self,
        device: Device,
        error: Option<DiskError>,
        failed: SectorRange,
        from: &[u8],
        durable: bool,
    ) -> Result<(), RequestError> {
        let mut replies = Vec::new();
        for range in jobs_of(failed) {
            let data = AlignedBuffer::copy_of(part_of(from, failed, range));
            replies.push(self.submit(JobKind::Write { device, error, durable }, range, data)?);
        }
        let mut outcome = Ok(());
        for reply in replies {
            let result = self.wait(&reply).and_then(|reply| reply.result.map_err(RequestError::from));
            outcome = outcome.and(result);
        }
        outcome
    }

    pub fn write_zeroes(&self, range: SectorRange, durable: bool) -> Result<(), RequestError> {
        static ZERO: OnceLock<AlignedBuffer> = OnceLock::new();
        let range = self.check(range)?;
        let claim = self.enter()?;
        self.check_writable()?;
        self.counters().writes.add(1);
        self.counters().sectors_written.add(range.sectors);
        let zeroes = ZERO.get_or_init(|| AlignedBuffer::zeroed(ZEROES));
        for here in cut(range, (ZEROES / SECTOR_BYTES) as u64) {
            self.write_claimed(&claim, here, &zeroes[..here.sectors as usize * SECTOR_BYTES], durable)?;
        }
        Ok(())
    }

    pub fn discard(&self, range: SectorRange) -> Result<(), RequestError> {
        let mut rest = self.check(range)?;
        let claim = self.enter()?;
        self.check_writable()?;
        self.counters().discards.add(1);
        while rest.sectors > 0 {
            let Some(piece) = self.resolve_write(&claim, rest)? else { continue };
            let (here, behind) = split(rest, piece.sectors);
            let result = match piece.target {
                Target::Main => self.main.discard(here),
                _ => Ok(()),
            };
            claim.withdraw();
            match result {
                Ok(()) | Err(DiskError::Unsupported) => {}
                Err(error) => return Err(RequestError::Disk(error)),
            }
            rest = behind;
        }
        Ok(())
    }

    pub fn flush(&self) -> Result<(), RequestError> {
        let _claim = self.enter()?;
        self.counters().flushes.add(1);
        if self.read_only {
            return Ok(());
        }
        let mut outcome = self.main.flush();
        for (index, spare) in self.spares.iter().enumerate() {
            let gone = self.set().spares().get(index).is_some_and(|view| view.state() == SpareState::Offline);
            outcome = outcome.and(spare.flush(gone));
        }
        outcome.map_err(RequestError::Disk)
    }
}

/// The first `sectors` sectors of a range, and what is behind them.
pub fn split(range: SectorRange, sectors: u64) -> (SectorRange, SectorRange) {
    let here = SectorRange::new(range.start, sectors);
    (here, SectorRange::new(here.end(), range.sectors - sectors))
}

/// `range` in pieces that end at multiples of `step` sectors.
pub fn cut(range: SectorRange, step: u64) -> impl Iterator<Item = SectorRange> {
    let mut rest = range;
    std::iter::from_fn(move || {
        let room = step - rest.start.0 % step;
        let (here, behind) = split(rest, room.min(rest.sectors));
        rest = behind;
        (here.sectors > 0).then_some(here)
    })
}

/// `range` in pieces that one job may cover.
pub fn jobs_of(range: SectorRange) -> impl Iterator<Item = SectorRange> {
    cut(range, JOB_SECTORS)
}

/// The bytes of `here` in a buffer that holds `whole`.
fn part(buffer: &mut [u8], whole: SectorRange, here: SectorRange) -> &mut [u8] {
    let from = (here.start.0 - whole.start.0) as usize * SECTOR_BYTES;
    &mut buffer[from..from + here.sectors as usize * SECTOR_BYTES]
}

fn part_of(buffer: &[u8], whole: SectorRange, here: SectorRange) -> &[u8] {
    let from = (here.start.0 - whole.start.0) as usize * SECTOR_BYTES;
    &buffer[from..from + here.sectors as usize * SECTOR_BYTES]
}
