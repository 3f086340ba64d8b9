//! Performing the engine's disk effects by blocking calls. Knows the disks and the jobs' data, nothing else.

use remap_core::DiskError;
use remap_core::port::{Device, Effect, Place, Port};
use remap_core::units::SECTOR_BYTES;

use crate::disk::{AlignedBuffer, Disk};

/// Where the disks of a set are found.
pub trait Bench {
    /// The disk in the place of `device`, if there is one.
    fn disk(&self, device: Device) -> Option<&dyn Disk>;
}

/// Performs a read, write, flush or delivery; anything else is done at once.
pub fn perform(
    bench: &impl Bench,
    jobs: &mut [AlignedBuffer],
    effect: Effect,
    port: &Port<'_>,
) -> Result<(), DiskError> {
    let disk = |device| bench.disk(device).ok_or(DiskError::Offline);
    match effect {
        Effect::Read { device, start, sectors, into } => {
            let disk = disk(device)?;
            match into {
                Place::Job { job, offset } => {
                    disk.read(start, &mut jobs[job][bytes(offset)..bytes(offset + sectors)])
                }
                Place::Scratch { offset } => port
                    .with_scratch(|scratch| disk.read(start, &mut scratch[offset..offset + bytes(sectors)])),
            }
        }
        Effect::Write { device, start, sectors, from } => {
            let disk = disk(device)?;
            match from {
                Place::Job { job, offset } => {
                    disk.write(start, &jobs[job][bytes(offset)..bytes(offset + sectors)], false)
                }
                Place::Scratch { offset } => port.with_scratch(|scratch| {
                    disk.write(start, &scratch[offset..offset + bytes(sectors)], false)
                }),
            }
        }
        Effect::Flush { device } => disk(device)?.flush(),
        Effect::Deliver { job, offset, sectors, from } => {
            port.with_scratch(|scratch| {
                jobs[job][bytes(offset)..bytes(offset + sectors)]
                    .copy_from_slice(&scratch[from..from + bytes(sectors)]);
            });
            Ok(())
        }
        Effect::Drain | Effect::Released | Effect::Finished { .. } | Effect::Event(_) => Ok(()),
    }
}

fn bytes(sectors: u64) -> usize {
    sectors as usize * SECTOR_BYTES
}
