//! The recovery thread: the one writer of a set, from opening to closing.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use remap_core::format::superblock::Superblock;
use remap_core::open::{OpenOptions, load};
use remap_core::port::{Device, Effect, Outcome, Port};
use remap_core::recovery::{Recovery, Workspace};
use remap_core::set::MemorySizes;

use crate::disk::AlignedBuffer;
use crate::members::DeviceOptions;

use super::effects::perform;
use super::error::OpenError;
use super::queue::{Pending, Reply, Work};
use super::shared::{Shared, lock};
use super::spares::SpareDisk;

/// Scratch memory: 256 map pages at a time while opening.
pub const SCRATCH: usize = 1 << 20;

/// How often errors are sampled while nothing happens.
const IDLE: Duration = Duration::from_secs(60);

/// Opens the set, says how that went, and then does what comes until it is told to stop. An opening that went
/// well tells what makes the main device doubtful, if anything does.
pub fn run(
    shared: &Arc<Shared>,
    superblock: &Superblock,
    engine_options: OpenOptions,
    options: &DeviceOptions,
    opened: &SyncSender<Result<Option<String>, OpenError>>,
) {
    let guard = EndGuard(shared);
    let words = MemorySizes::of(superblock).allocator_words;
    let mut allocator = vec![0; usize::try_from(words).unwrap_or(0)];
    let mut workspace = Workspace::new();
    let mut scratch = AlignedBuffer::zeroed(SCRATCH);
    let port = Port::new(&mut scratch, shared.now_ms());
    let set = shared.set();
    let opening = async {
        let loading = load(&port, set, superblock, &mut allocator, &mut workspace, engine_options);
        let mut loaded = loading.await?;
        let contents = shared.contents();
        let doubt = shared.check_contents(&contents, superblock, options)?;
        loaded.note_filesystem(contents.id());
        Ok((loaded.begin(&port).await?, doubt))
    };
    let (mut recovery, doubt) = match drive(shared, &port, &mut [], opening) {
        Ok(begun) => begun,
        Err(error) => {
            let _ = opened.send(Err(error));
            return;
        }
    };
    show(shared, &recovery);
    let _ = opened.send(Ok(doubt));
    loop {
        sample_errors(shared);
        match shared.queue.next(IDLE) {
            Work::Jobs(jobs) => run_batch(shared, &port, &mut recovery, jobs),
            Work::Command(command) => command(&mut recovery, &port, shared),
            Work::Idle => continue,
            Work::Stop => break,
        }
        show(shared, &recovery);
    }
    drop(guard);
}

/// Runs a procedure that has `data` for its jobs to its end.
pub fn drive<F: Future>(
    shared: &Shared,
    port: &Port<'_>,
    data: &mut [AlignedBuffer],
    procedure: F,
) -> F::Output {
    port.run(procedure, |effect, port| answer(shared, port, data, effect))
}

/// Performs one effect of the running set, except that nobody is told of a job's end.
fn answer(shared: &Shared, port: &Port<'_>, data: &mut [AlignedBuffer], effect: Effect) -> Outcome {
    match effect {
        Effect::Drain => {
            let mut held = Vec::new();
            shared.set().held.for_each(|range| held.push(range));
            shared.registry.settle(&held);
        }
        Effect::Released => shared.gate.release(),
        Effect::Event(event) => shared.events.tell(event),
        _ => {}
    }
    let flushing = match effect {
        Effect::Flush { device: Device::Spare(index) } => shared.spares.get(index),
        _ => None,
    };
    let written = flushing.map(SpareDisk::written);
    let result = perform(shared, data, effect, port);
    if let (Some(spare), Some(written), Ok(())) = (flushing, written, result) {
        spare.note_flush(written);
    }
    if let (Effect::Write { device: Device::Spare(index), .. }, Ok(())) = (effect, result)
        && let Some(spare) = shared.spares.get(index)
    {
        spare.note_write();
    }
    Outcome { result, now_ms: shared.now_ms() }
}

fn run_batch(shared: &Shared, port: &Port<'_>, recovery: &mut Recovery<'_, '_>, pending: Vec<Pending>) {
    let mut jobs = Vec::with_capacity(pending.len());
    let mut data = Vec::with_capacity(pending.len());
    let mut done = Vec::with_capacity(pending.len());
    for Pending { job, data: bytes, done: tell } in pending {
        jobs.push(job);
        data.push(bytes);
        done.push(Some(tell));
    }
    // Dropped before `done`: the device is halted before anyone learns of it.
    let _guard = HaltOnPanic(shared);
    port.run(recovery.batch(port, &jobs), |effect, port| {
        if let Effect::Finished { job, result } = effect {
            let data = std::mem::replace(&mut data[job], AlignedBuffer::zeroed(0));
            if let Some(tell) = done[job].take() {
                tell(Reply { result, data });
            }
            return Outcome { result: Ok(()), now_ms: shared.now_ms() };
        }
        answer(shared, port, &mut data, effect)
    });
}

/// Shows to others what only the writer knows.
fn show(shared: &Shared, recovery: &Recovery<'_, '_>) {
    shared.generation.store(recovery.generation(), Ordering::Relaxed);
    let mut shown = shared.superblock();
    if *shown != *recovery.superblock() {
        *shown = recovery.superblock().clone();
    }
}

fn sample_errors(shared: &Shared) {
    let counters = &shared.set().counters;
    let errors = counters.main_read_errors.value() + counters.main_write_errors.value();
    lock(&shared.trend).sample(shared.now_ms(), errors);
}

struct HaltOnPanic<'s>(&'s Shared);

impl Drop for HaltOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.halt();
        }
    }
}

/// However this thread ends, nobody waits for it in vain.
struct EndGuard<'s>(&'s Shared);

impl Drop for EndGuard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.halt();
        } else {
            self.0.shut();
            self.0.queue.close();
        }
    }
}
