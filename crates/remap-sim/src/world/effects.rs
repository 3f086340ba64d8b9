//! Performing the engine's effects on the simulated disks, and checking that they are allowed.

use super::requests::{Phase, disk_index};
use super::{Batch, World};
use crate::{Checked, check};
use remap_core::DiskError;
use remap_core::port::{Device, Effect, Event, Outcome, Place, Port};
use remap_core::recovery::job::{Job, JobError, JobKind};
use remap_core::set::{Set, SetState};
use remap_core::units::SECTOR_BYTES;

impl World {
    /// Takes up to `count` waiting jobs as the next batch.
    pub fn take_batch(&mut self, count: usize) -> Vec<Job> {
        let count = count.min(self.jobs.len());
        let jobs: Vec<_> = self.jobs.drain(..count).collect();
        let data = jobs
            .iter()
            .map(|waiting| {
                let bytes = waiting.job.range.sectors as usize * SECTOR_BYTES;
                let request = self.requests.iter().find(|request| Some(request.id) == waiting.request);
                match (waiting.job.kind, request) {
                    (JobKind::Write { .. }, Some(request)) => {
                        let from =
                            (waiting.job.range.start.0 - request.range.start.0) as usize * SECTOR_BYTES;
                        request.data[from..from + bytes].to_vec()
                    }
                    _ => vec![0xdd; bytes],
                }
            })
            .collect();
        for waiting in &jobs {
            if waiting.job.kind == JobKind::AcceptLoss {
                self.model.zeros_begin(waiting.job.range, self.now);
            }
            self.tell(waiting.job.range, || {
                format!("job of request {:?}: {:?}", waiting.request, waiting.job)
            });
        }
        let list = jobs.iter().map(|waiting| waiting.job).collect();
        self.batch = Some(Batch { jobs, data });
        list
    }

    /// Whether an effect can be performed now; only a drain may have to wait.
    pub fn can_perform(&self, set: &Set<'_>, effect: Effect) -> bool {
        if effect != Effect::Drain {
            return true;
        }
        let mut clear = true;
        set.held.for_each(|held| {
            clear &= !self.requests.iter().any(|request| match request.phase {
                Phase::OnDisk { piece, .. } => piece.overlaps(held),
                _ => false,
            });
        });
        clear
    }

    /// Performs an effect. `set` is none while formatting.
    pub fn perform(&mut self, set: Option<&Set<'_>>, port: &Port<'_>, effect: Effect) -> Checked<Outcome> {
        self.tick();
        let mut result = Ok(());
        match effect {
            Effect::Read { device, start, sectors, into } => {
                let mut bytes = vec![0; sectors as usize * SECTOR_BYTES];
                result = self.disks[disk_index(device)].read(start.0, &mut bytes);
                self.fill_place(port, into, &bytes);
            }
            Effect::Write { device, start, sectors, from } => {
                if device == Device::Main {
                    self.check_main_write(start.0, sectors, from)?;
                }
                let bytes = self.bytes_of(port, from, sectors);
                result = self.disks[disk_index(device)].write(start.0, &bytes, &mut self.rng);
            }
            Effect::Flush { device } => result = self.disks[disk_index(device)].flush(),
            Effect::Drain => {}
            Effect::Released => {
                for request in self.requests.iter_mut().filter(|r| r.phase == Phase::Waiting) {
                    request.phase = Phase::Ready;
                }
            }
            Effect::Deliver { job, offset, sectors, from } => {
                let bytes = self.bytes_of(port, Place::Scratch { offset: from }, sectors);
                self.fill_place(port, Place::Job { job, offset }, &bytes);
            }
            Effect::Finished { job, result } => {
                if let Some(set) = set {
                    self.finish_job(set, job, result)?;
                }
            }
            Effect::Event(event) => self.note(event),
        }
        if self.trace.is_some() {
            eprintln!("{:>8} {effect:?}: {result:?}", self.now);
        }
        Ok(Outcome { result, now_ms: self.now_ms })
    }

    fn fill_place(&mut self, port: &Port<'_>, place: Place, bytes: &[u8]) {
        match place {
            Place::Scratch { offset } => {
                port.with_scratch(|scratch| scratch[offset..offset + bytes.len()].copy_from_slice(bytes));
            }
            Place::Job { job, offset } => {
                let batch = self.batch.as_mut().expect("a job has a batch");
                let at = offset as usize * SECTOR_BYTES;
                batch.data[job][at..at + bytes.len()].copy_from_slice(bytes);
            }
        }
    }

    fn bytes_of(&self, port: &Port<'_>, place: Place, sectors: u64) -> Vec<u8> {
        let length = sectors as usize * SECTOR_BYTES;
        match place {
            Place::Scratch { offset } => {
                port.with_scratch(|scratch| scratch[offset..offset + length].to_vec())
            }
            Place::Job { job, offset } => {
                let batch = self.batch.as_ref().expect("a job has a batch");
                let at = offset as usize * SECTOR_BYTES;
                batch.data[job][at..at + length].to_vec()
            }
        }
    }

    /// The main device is only ever written by the user's writes, and where an operator has blocks moved back.
    fn check_main_write(&self, start: u64, sectors: u64, from: Place) -> Checked {
        let Some(batch) = &self.batch else {
            check!(false, "the main device is written at {start} outside of any batch");
            return Ok(());
        };
        let block = u64::from(self.profile.block_size.sectors());
        let allowed = match from {
            Place::Job { job, .. } => {
                let waiting = &batch.jobs[job];
                let range = waiting.job.range;
                matches!(waiting.job.kind, JobKind::Write { .. })
                    && range.start.0 <= start
                    && start + sectors <= range.end().0
            }
            Place::Scratch { .. } => batch.jobs.iter().any(|waiting| {
                let range = waiting.job.range;
                waiting.job.kind == JobKind::Unmap
                    && range.start.0 / block * block <= start
                    && start + sectors <= range.end().0.next_multiple_of(block)
            }),
        };
        check!(allowed, "the main device is written at {start}+{sectors}, which nobody asked for");
        Ok(())
    }

    fn finish_job(&mut self, set: &Set<'_>, job: usize, result: Result<(), JobError>) -> Checked {
        let batch = self.batch.as_mut().expect("a job has a batch");
        let waiting = batch.jobs[job];
        let data = std::mem::take(&mut batch.data[job]);
        if let Some(id) = waiting.request {
            return self.recovered(set, id, &waiting.job, &data, result);
        }
        if waiting.job.kind == JobKind::AcceptLoss {
            let now = self.now;
            self.model.zeros_ended(waiting.job.range, now);
        }
        let expected = match result {
            Ok(()) | Err(JobError::NoRoom | JobError::HoldsLost | JobError::NotVerified) => true,
            Err(JobError::Disk(error)) => matches!(error, DiskError::Medium | DiskError::Io),
            Err(_) => false,
        };
        check!(
            expected || self.in_trouble(set, waiting.since),
            "order {:?} failed with {result:?}",
            waiting.job
        );
        Ok(())
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Moved { mask, .. } => self.tally.moved += u64::from(mask.count_ones()),
            Event::Lost { mask, .. } => self.tally.lost += u64::from(mask.count_ones()),
            Event::Retired { .. } => self.tally.retired += 1,
            Event::State(SetState::Failing) => self.tally.failing += 1,
            Event::State(_) => self.trouble_until = self.now,
            Event::SpareFull { .. } => self.tally.full += 1,
            Event::Repaired { .. } => self.tally.repaired += 1,
            Event::SpareOffline(_) => {}
        }
    }
}
