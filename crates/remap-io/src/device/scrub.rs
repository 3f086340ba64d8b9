//! The scrub's thread: does what the engine's plan of a surface scan says, at its rate.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use remap_core::port::Device;
use remap_core::recovery::JOB_SECTORS;
use remap_core::recovery::job::JobKind;
use remap_core::scrub::{Scrub, ScrubStep};
use remap_core::set::{SetState, Target};
use remap_core::units::SECTOR_BYTES;
use remap_core::{DiskError, SectorRange};
use serde::Serialize;

use crate::disk::{AlignedBuffer, Disk};

use super::error::RequestError;
use super::serve::{jobs_of, split};
use super::shared::{Shared, lock};

/// What a scrub is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScrubState {
    /// There has been none since opening.
    #[default]
    Never,
    /// At work.
    Running,
    /// Came to the end.
    Done,
    /// Stopped on request.
    Stopped,
    /// Ended early: the main device does not answer, or the device was closed.
    Failed,
}

/// How far a scrub is, or was when it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ScrubStatus {
    /// What it is doing.
    pub state: ScrubState,
    /// Sectors of the main device that have been read.
    pub sectors_done: u64,
    /// Sectors of the main device.
    pub sectors_total: u64,
    /// Places that could not be read in one go.
    pub failures: u64,
    /// Map pages verified.
    pub pages_done: u64,
    /// Metadata copies that were repaired.
    pub repaired: u64,
    /// Metadata copies that are bad and stay so.
    pub bad: u64,
}

#[derive(Debug, Default)]
struct Control {
    stop: AtomicBool,
    status: Mutex<ScrubStatus>,
    lock: Mutex<()>,
    stopped: Condvar,
}

/// At most one scrub of a device.
#[derive(Debug, Default)]
pub struct Scrubber {
    thread: Mutex<Option<JoinHandle<()>>>,
    control: Arc<Control>,
}

impl Scrubber {
    pub fn start(&self, shared: &Arc<Shared>, rate_bytes_per_s: u64) -> Result<(), RequestError> {
        let mut thread = lock(&self.thread);
        shared.check_open()?;
        if let Some(running) = thread.take_if(|running| running.is_finished()) {
            let _ = running.join();
        }
        if thread.is_some() {
            return Err(RequestError::Busy);
        }
        self.control.stop.store(false, Ordering::Relaxed);
        *lock(&self.control.status) = ScrubStatus {
            state: ScrubState::Running,
            sectors_total: shared.sectors,
            ..ScrubStatus::default()
        };
        let (shared, control) = (Arc::clone(shared), Arc::clone(&self.control));
        let spawned = std::thread::Builder::new()
            .name("remap-scrub".into())
            .spawn(move || run(&shared, &control, rate_bytes_per_s));
        *thread = Some(spawned.map_err(|_| RequestError::Disk(DiskError::Transport))?);
        Ok(())
    }

    pub fn stop(&self) {
        let mut thread = lock(&self.thread);
        self.control.stop.store(true, Ordering::Relaxed);
        drop(lock(&self.control.lock));
        self.control.stopped.notify_all();
        if let Some(running) = thread.take() {
            let _ = running.join();
        }
    }

    pub fn status(&self) -> ScrubStatus {
        *lock(&self.control.status)
    }
}

impl Control {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn sleep(&self, ms: u64) {
        let guard = lock(&self.lock);
        let wait = self.stopped.wait_timeout_while(guard, Duration::from_millis(ms), |()| !self.is_stopped());
        drop(wait.unwrap_or_else(PoisonError::into_inner));
    }
}

fn run(shared: &Shared, control: &Control, rate_bytes_per_s: u64) {
    let pages = shared.superblock().pages();
    let mut scrub = Scrub::new(shared.sectors, pages, rate_bytes_per_s, shared.now_ms());
    let mut buffer = AlignedBuffer::zeroed(1 << 20);
    let end = loop {
        if control.is_stopped() {
            break ScrubState::Stopped;
        }
        let result = match scrub.next(shared.now_ms()) {
            ScrubStep::Done => break ScrubState::Done,
            ScrubStep::Wait(until_ms) => {
                control.sleep(until_ms.saturating_sub(shared.now_ms()).max(1));
                continue;
            }
            ScrubStep::Read(range) => read(shared, &mut scrub, range, &mut buffer),
            ScrubStep::VerifyPage(page) => shared.verify_page(page).map(|seen| {
                let mut status = lock(&control.status);
                status.pages_done += seen.pages;
                status.repaired += seen.repaired;
                status.bad += seen.bad;
            }),
        };
        let (done, _, failures) = scrub.progress();
        {
            let mut status = lock(&control.status);
            (status.sectors_done, status.failures) = (done, failures);
        }
        if result.is_err() {
            break ScrubState::Failed;
        }
    };
    lock(&control.status).state = end;
}

/// Reads what lives on the main device of `range`. What fails in a large range is read again in small steps,
/// as the plan says; what fails in a small one is recovery's. An error ends the scrub.
fn read(
    shared: &Shared,
    scrub: &mut Scrub,
    range: SectorRange,
    buffer: &mut [u8],
) -> Result<(), RequestError> {
    let claim = shared.enter()?;
    let mut failed = None;
    let mut rest = range;
    while rest.sectors > 0 {
        let Some(piece) = shared.resolve(&claim, rest)? else { continue };
        let (here, behind) = split(rest, piece.sectors);
        rest = behind;
        let bytes = &mut buffer[..here.sectors as usize * SECTOR_BYTES];
        let result = if piece.target == Target::Main { shared.main.read(here.start, bytes) } else { Ok(()) };
        claim.withdraw();
        let Err(error) = result else { continue };
        if !error.may_be_medium() || shared.set().state() == SetState::Failing {
            return Err(RequestError::Disk(error));
        }
        failed = Some(error);
        if range.sectors > JOB_SECTORS {
            break;
        }
        for part in jobs_of(here) {
            let kind = JobKind::Read { device: Device::Main, error, deliver: false };
            let reply = shared.submit(kind, part, AlignedBuffer::zeroed(0))?;
            // That sectors are lost is what the scrub is to find out.
            let _ = shared.wait(&reply)?;
        }
    }
    if failed.is_some() {
        scrub.failed(range);
    }
    Ok(())
}
