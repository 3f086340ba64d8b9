//! Flushes of a queue: the main device and every spare with something new, all at once.

use remap_core::DiskError;
use remap_core::set::SpareState;

use crate::device::RequestError;
use crate::disk::errno::disk_error_of_raw;

use super::{Completion, Entry, Outcome, RingQueue, user_data};

/// A flush that is not given back yet.
#[derive(Debug)]
pub struct Flush {
    token: u64,
    /// Its place in the registry.
    claim: usize,
    /// Devices that have not answered.
    left: u32,
    outcome: Result<(), DiskError>,
    /// What the spares had written when it began: file number and count.
    written: Vec<(u32, u64)>,
}

impl Flush {
    pub fn claim(&self) -> usize {
        self.claim
    }
}

impl RingQueue {
    pub(super) fn begin_flush(&mut self, token: u64) {
        let claim = match self.claim() {
            Ok(claim) => claim,
            Err(error) => {
                return self.done.push(Completion { token, outcome: Outcome::Flush(Err(error)) });
            }
        };
        let shared = self.shared();
        shared.counters().flushes.add(1);
        let mut files = Vec::new();
        if !shared.read_only {
            files.push((0, 0));
            let spares = (1..).zip(&shared.spares);
            files.extend(spares.filter_map(|(file, spare)| Some((file, spare.unflushed()?))));
        }
        let flush = Flush { token, claim, left: files.len() as u32, outcome: Ok(()), written: files.clone() };
        let index = self.entries.insert(Entry::Flush(flush));
        if files.is_empty() {
            return self.flush_over(index);
        }
        for (file, _) in files {
            match self.raw.flush(file, user_data(index, file)) {
                Ok(()) => self.in_kernel += 1,
                Err(_) => self.part_flushed(index, file, -libc::EIO),
            }
        }
    }

    /// One device has answered.
    pub(super) fn part_flushed(&mut self, index: usize, file: u32, result: i32) {
        let device = std::sync::Arc::clone(&self.device);
        let shared = device.shared();
        let Some(Entry::Flush(flush)) = self.entries.get_mut(index) else { return };
        let outcome = if result < 0 { Err(disk_error_of_raw(-result)) } else { Ok(()) };
        if let Some(spare) = (file as usize).checked_sub(1) {
            let gone =
                shared.set().spares().get(spare).is_some_and(|view| view.state() == SpareState::Offline);
            let written = flush.written.iter().find(|(at, _)| *at == file).map_or(0, |(_, written)| *written);
            if let Some(spare) = shared.spares.get(spare).filter(|_| gone || outcome.is_ok()) {
                spare.note_flush(written);
            }
        }
        flush.outcome = flush.outcome.and(outcome);
        flush.left -= 1;
        if flush.left == 0 {
            self.flush_over(index);
        }
    }

    fn flush_over(&mut self, index: usize) {
        if let Some(Entry::Flush(flush)) = self.entries.remove(index) {
            self.shared().registry.release(flush.claim);
            let outcome = Outcome::Flush(flush.outcome.map_err(RequestError::Disk));
            self.done.push(Completion { token: flush.token, outcome });
        }
    }
}
