//! What the engine asks of the C glue, with types.

use core::ffi::c_void;

use remap_core::DiskError;
use remap_core::port::Device;
use remap_core::recovery::job::JobError;

use crate::abi;

unsafe extern "C" {
    fn dmr_glue_alloc(bytes: u64) -> *mut c_void;
    fn dmr_glue_free(memory: *mut c_void);
    fn dmr_glue_now_ms() -> u64;
    fn dmr_glue_rw(
        context: *mut c_void,
        device: u32,
        write: u32,
        sector: u64,
        sectors: u32,
        data: *mut c_void,
    ) -> u32;
    fn dmr_glue_job_rw(
        context: *mut c_void,
        device: u32,
        write: u32,
        sector: u64,
        sectors: u32,
        job: u32,
        offset: u32,
    ) -> u32;
    fn dmr_glue_flush(context: *mut c_void, device: u32) -> u32;
    fn dmr_glue_drain(context: *mut c_void);
    fn dmr_glue_released(context: *mut c_void);
    fn dmr_glue_deliver(context: *mut c_void, job: u32, offset: u32, sectors: u32, from: *const c_void);
    fn dmr_glue_finished(context: *mut c_void, job: u32, error: u32);
    fn dmr_glue_event(context: *mut c_void, event: *const abi::Event);
}

/// Zeroed memory of `bytes` bytes, page by page where it is large; null when there is none.
pub fn alloc(bytes: usize) -> *mut c_void {
    // SAFETY: takes any size; may sleep, as may all who call this.
    unsafe { dmr_glue_alloc(bytes as u64) }
}

/// Gives back what [`alloc`] gave.
///
/// # Safety
/// `memory` is from [`alloc`], and nobody uses it any more.
pub unsafe fn free(memory: *mut c_void) {
    // SAFETY: by the caller's promise.
    unsafe { dmr_glue_free(memory) }
}

/// Milliseconds of a clock that never goes back.
pub fn now_ms() -> u64 {
    // SAFETY: reads a clock.
    unsafe { dmr_glue_now_ms() }
}

/// The glue's own context of a set, or of an opening.
#[derive(Clone, Copy, Debug)]
pub struct Glue(*mut c_void);

/// A device as the glue numbers it: 0 is the main device, then come the spares of the table line.
pub type DeviceNumber = u32;

impl Glue {
    /// # Safety
    /// `context` is what the glue's functions take, for as long as this is used.
    pub unsafe fn new(context: *mut c_void) -> Self {
        Self(context)
    }

    /// Reads whole sectors.
    pub fn read(self, device: DeviceNumber, sector: u64, into: &mut [u8]) -> Result<(), DiskError> {
        let sectors = (into.len() / 512) as u32;
        // SAFETY: writes no further than `sectors` sectors.
        result(unsafe { dmr_glue_rw(self.0, device, 0, sector, sectors, into.as_mut_ptr().cast()) })
    }

    /// Writes whole sectors.
    pub fn write(self, device: DeviceNumber, sector: u64, from: &[u8]) -> Result<(), DiskError> {
        let sectors = (from.len() / 512) as u32;
        let data = from.as_ptr().cast_mut().cast();
        // SAFETY: reads no further than `sectors` sectors, and writes nothing to memory.
        result(unsafe { dmr_glue_rw(self.0, device, 1, sector, sectors, data) })
    }

    /// Reads into, or writes from, the memory of a job.
    pub fn job(
        self,
        device: DeviceNumber,
        write: bool,
        sector: u64,
        sectors: u64,
        (job, offset): (usize, u64),
    ) -> Result<(), DiskError> {
        let (sectors, job, offset) = (sectors as u32, job as u32, offset as u32);
        // SAFETY: the glue knows how large its jobs are, and refuses what does not fit.
        result(unsafe { dmr_glue_job_rw(self.0, device, u32::from(write), sector, sectors, job, offset) })
    }

    /// Makes durable what was written.
    pub fn flush(self, device: DeviceNumber) -> Result<(), DiskError> {
        // SAFETY: takes any number.
        result(unsafe { dmr_glue_flush(self.0, device) })
    }

    /// Waits for the requests that began before.
    pub fn drain(self) {
        // SAFETY: may sleep, as may all who call this.
        unsafe { dmr_glue_drain(self.0) }
    }

    /// Lets the waiting requests go on.
    pub fn released(self) {
        // SAFETY: takes nothing but the context.
        unsafe { dmr_glue_released(self.0) }
    }

    /// Copies whole sectors into a job's memory.
    pub fn deliver(self, job: usize, offset: u64, from: &[u8]) {
        let sectors = (from.len() / 512) as u32;
        // SAFETY: the glue reads no further than `sectors` sectors, and knows how large its jobs are.
        unsafe { dmr_glue_deliver(self.0, job as u32, offset as u32, sectors, from.as_ptr().cast()) }
    }

    /// Tells of the end of a job.
    pub fn finished(self, job: usize, result: Result<(), JobError>) {
        // SAFETY: the glue knows how many jobs it has.
        unsafe { dmr_glue_finished(self.0, job as u32, result.map_or_else(job_code, |()| 0)) }
    }

    /// Tells of an event.
    pub fn event(self, event: &abi::Event) {
        // SAFETY: read during the call only.
        unsafe { dmr_glue_event(self.0, event) }
    }
}

/// The number of a disk's error, as in `kmod/remap_core.h`.
pub fn disk_code(error: DiskError) -> u32 {
    match error {
        DiskError::Medium => 1,
        DiskError::Io => 2,
        DiskError::Timeout => 3,
        DiskError::Offline => 4,
        DiskError::Transport => 5,
        DiskError::NoSpace => 6,
        DiskError::Reservation => 7,
        DiskError::Unsupported => 8,
    }
}

/// The error of a number; 0 is none, and what is not known is taken for an I/O error.
pub fn disk_error(code: u32) -> Option<DiskError> {
    Some(match code {
        0 => return None,
        1 => DiskError::Medium,
        3 => DiskError::Timeout,
        4 => DiskError::Offline,
        5 => DiskError::Transport,
        6 => DiskError::NoSpace,
        7 => DiskError::Reservation,
        8 => DiskError::Unsupported,
        _ => DiskError::Io,
    })
}

/// The number of a job's error, as in `kmod/remap_core.h`.
pub fn job_code(error: JobError) -> u32 {
    match error {
        JobError::Disk(error) => disk_code(error),
        JobError::NoRoom => 9,
        JobError::ReadOnly => 10,
        JobError::Metadata => 11,
        JobError::HoldsLost => 12,
        JobError::NotVerified => 13,
    }
}

/// The number of a device of a set whose members lie in the table line as `places` says.
pub fn number_of(device: Device, places: &[u8]) -> Option<DeviceNumber> {
    match device {
        Device::Main => Some(0),
        Device::Spare(index) => places.get(index).copied().filter(|place| *place != ABSENT).map(u32::from),
    }
}

/// The place of a member that was not given.
pub const ABSENT: u8 = 0;

fn result(code: u32) -> Result<(), DiskError> {
    disk_error(code).map_or(Ok(()), Err)
}
