//! Requests of the device's user, as any driver serves them: resolve, announce, do, recover where it failed.

use super::{Waiting, World};
use crate::model;
use crate::{Checked, check};
use remap_core::port::Device;
use remap_core::recovery::job::{Job, JobError, JobKind};
use remap_core::set::{Set, Target};
use remap_core::units::SECTOR_BYTES;
use remap_core::{DiskError, Sector, SectorRange};

/// What a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Read,
    Write { durable: bool },
    Flush,
}

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The rest has to be resolved.
    Ready,
    /// A piece is under way: the set's range, and where it lives.
    OnDisk { piece: SectorRange, device: Device, start: Sector },
    /// Waits for the release of what recovery holds.
    Waiting,
    /// Waits for its job.
    InRecovery,
    /// Flushes devices from this number on.
    Flushing(usize),
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    pub id: u64,
    pub kind: Kind,
    pub range: SectorRange,
    pub data: Vec<u8>,
    pub began: u64,
    pub phase: Phase,
    /// Sectors done.
    pub done: u64,
    /// By device: it was written, and has to be flushed for a durable write.
    pub touched: Vec<bool>,
    /// Parts whose write the main device refused.
    pub refused: Vec<SectorRange>,
}

impl World {
    pub(super) fn start_request(&mut self) {
        self.tally.operations += 1;
        let id = self.next_id;
        self.next_id += 1;
        let kind = match self.rng.u8(..20) {
            0..9 => Kind::Read,
            9..17 => Kind::Write { durable: false },
            17 => Kind::Write { durable: true },
            _ => Kind::Flush,
        };
        let range = self.random_range();
        let mut data = vec![0; range.sectors as usize * SECTOR_BYTES];
        let now = self.now;
        if let Kind::Write { .. } = kind {
            model::fill(&mut data, range.start.0, id);
            self.model.write_begins(range, id, now);
        }
        self.tell(range, || format!("request {id} {kind:?}"));
        let phase = if kind == Kind::Flush { Phase::Flushing(0) } else { Phase::Ready };
        let touched = vec![kind == Kind::Flush; self.disks.len()];
        self.requests.push(Request {
            id,
            kind,
            range,
            data,
            began: now,
            phase,
            done: 0,
            touched,
            refused: Vec::new(),
        });
    }

    pub(super) fn advance(&mut self, set: &Set<'_>, index: usize) -> Checked {
        match self.requests[index].phase {
            Phase::Ready => self.resolve(set, index),
            Phase::OnDisk { piece, device, start } => self.perform_piece(set, index, piece, device, start),
            Phase::Waiting | Phase::InRecovery => Ok(()),
            Phase::Flushing(device) => self.flush_next(set, index, device),
        }
    }

    fn resolve(&mut self, set: &Set<'_>, index: usize) -> Checked {
        let request = &mut self.requests[index];
        let at = Sector(request.range.start.0 + request.done);
        let rest = SectorRange::new(at, request.range.sectors - request.done);
        let is_read = request.kind == Kind::Read;
        let found = if is_read { Ok(set.resolve(rest)) } else { set.resolve_write(rest) };
        let Ok(found) = found else {
            return self.finish(set, index, Err(JobError::ReadOnly));
        };
        check!(found.sectors >= 1 && found.sectors <= rest.sectors, "resolve({rest}) gave {found:?}");
        let piece = SectorRange::new(at, found.sectors);
        match found.target {
            Target::Main => request.phase = Phase::OnDisk { piece, device: Device::Main, start: at },
            Target::Spare { index, start } => {
                request.phase = Phase::OnDisk { piece, device: Device::Spare(index), start };
            }
            Target::Busy => request.phase = Phase::Waiting,
            Target::Lost if is_read => {
                return self.finish(set, index, Err(JobError::Disk(DiskError::Medium)));
            }
            Target::Lost => self.recover(index, piece, Device::Main, None),
        }
        Ok(())
    }

    /// Hands a piece to recovery; from here on it is not announced any more.
    fn recover(&mut self, index: usize, piece: SectorRange, device: Device, error: Option<DiskError>) {
        let request = &mut self.requests[index];
        let kind = match (request.kind, error) {
            (Kind::Write { durable }, error) => {
                if device == Device::Main && error.is_some() {
                    request.refused.push(piece);
                }
                JobKind::Write { device, error, durable }
            }
            (_, Some(error)) => JobKind::Read { device, error, deliver: true },
            (_, None) => unreachable!("only writes find lost sectors"),
        };
        request.phase = Phase::InRecovery;
        let job = Job { kind, range: piece };
        let since = request.began;
        self.jobs.push_back(Waiting { job, request: Some(request.id), since });
    }

    fn perform_piece(
        &mut self,
        set: &Set<'_>,
        index: usize,
        piece: SectorRange,
        device: Device,
        start: Sector,
    ) -> Checked {
        let disk = disk_index(device);
        let request = &mut self.requests[index];
        let from = (piece.start.0 - request.range.start.0) as usize * SECTOR_BYTES;
        let bytes = from..from + piece.sectors as usize * SECTOR_BYTES;
        let outcome = if request.kind == Kind::Read {
            self.disks[disk].read(start.0, &mut request.data[bytes])
        } else {
            request.touched[disk] = true;
            self.disks[disk].write(start.0, &request.data[bytes], &mut self.rng)
        };
        self.tell(piece, || format!("piece of a request on {device:?} {start}: {outcome:?}"));
        match outcome {
            Ok(()) => self.piece_done(set, index, piece.sectors),
            Err(error) => {
                self.recover(index, piece, device, Some(error));
                Ok(())
            }
        }
    }

    fn piece_done(&mut self, set: &Set<'_>, index: usize, sectors: u64) -> Checked {
        let request = &mut self.requests[index];
        request.done += sectors;
        request.phase = Phase::Ready;
        if request.done < request.range.sectors {
            return Ok(());
        }
        if request.kind == (Kind::Write { durable: true }) {
            request.phase = Phase::Flushing(0);
            return Ok(());
        }
        self.finish(set, index, Ok(()))
    }

    fn flush_next(&mut self, set: &Set<'_>, index: usize, device: usize) -> Checked {
        if device == self.disks.len() {
            return self.finish(set, index, Ok(()));
        }
        self.requests[index].phase = Phase::Flushing(device + 1);
        if self.requests[index].touched[device]
            && let Err(error) = self.disks[device].flush()
        {
            return self.finish(set, index, Err(JobError::Disk(error)));
        }
        Ok(())
    }

    /// A job of a request is done.
    pub(super) fn recovered(
        &mut self,
        set: &Set<'_>,
        id: u64,
        job: &Job,
        data: &[u8],
        result: Result<(), JobError>,
    ) -> Checked {
        let Some(index) = self.requests.iter().position(|request| request.id == id) else {
            check!(false, "a job of request {id} was finished twice");
            return Ok(());
        };
        if let Err(error) = result {
            return self.finish(set, index, Err(error));
        }
        let request = &mut self.requests[index];
        if request.kind == Kind::Read {
            let from = (job.range.start.0 - request.range.start.0) as usize * SECTOR_BYTES;
            request.data[from..from + data.len()].copy_from_slice(data);
        }
        self.piece_done(set, index, job.range.sectors)
    }

    fn finish(&mut self, set: &Set<'_>, index: usize, result: Result<(), JobError>) -> Checked {
        let now = self.tick();
        let request = self.requests.swap_remove(index);
        let Request { id, range, began, .. } = request;
        self.tell(range, || format!("request {id} finished: {result:?}"));
        match (request.kind, result) {
            (Kind::Read, Ok(())) => self.model.check_read(range, &request.data, began, now),
            (Kind::Read, Err(error)) => {
                self.tally.reads_failed += 1;
                check!(
                    self.model.failure_is_allowed(range, began) || self.in_trouble(set, began),
                    "reading {range} failed with \"{error}\", though every sector of it is well somewhere"
                );
                Ok(())
            }
            (Kind::Write { durable }, Ok(())) => {
                self.model.write_ended(range, id, now, true);
                if durable {
                    self.model.durable(range, id);
                }
                for refused in request.refused {
                    self.moved_is_durable(set, refused, id);
                }
                Ok(())
            }
            (Kind::Write { .. }, Err(error)) => {
                self.tally.writes_failed += 1;
                self.model.write_ended(range, id, now, false);
                let full = error == JobError::NoRoom && is_nearly_full(set);
                check!(
                    full || self.in_trouble(set, began),
                    "writing {range} failed with \"{error}\", though there is room and the disks answer"
                );
                Ok(())
            }
            (Kind::Flush, Ok(())) => {
                self.model.flushed(began);
                Ok(())
            }
            (Kind::Flush, Err(error)) => {
                check!(self.in_trouble(set, began), "a flush failed with \"{error}\" for no reason");
                Ok(())
            }
        }
    }

    /// A write that the main device refused is durable when it completes, where it went to a slot.
    fn moved_is_durable(&mut self, set: &Set<'_>, refused: SectorRange, id: u64) {
        for sector in refused.start.0..refused.end().0 {
            let one = SectorRange::new(Sector(sector), 1);
            if matches!(set.resolve(one).target, Target::Spare { .. }) {
                self.model.durable(one, id);
            }
        }
    }
}

/// Whether all slots are taken, but for those that failed in the batch at work.
fn is_nearly_full(set: &Set<'_>) -> bool {
    let total: u64 = set.spares().iter().map(|spare| u64::from(spare.slots)).sum();
    let taken = set.gauges.mapped.value() + set.gauges.retired.value();
    taken + 80 >= total
}

/// Which disk a device is.
pub fn disk_index(device: Device) -> usize {
    match device {
        Device::Main => 0,
        Device::Spare(index) => index + 1,
    }
}
