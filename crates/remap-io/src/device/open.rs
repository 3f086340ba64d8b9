//! From the members to a running device: who they are, whether they belong together, and the thread.

use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};

use remap_core::format::superblock::Superblock;
use remap_core::open::OpenOptions;
use remap_core::units::SECTOR_BYTES;

use crate::disk::Disk;
use crate::members::{DeviceOptions, Members, assemble, check_main, identity, path_of};

use super::RemapDevice;
use super::error::OpenError;
use super::memory::OwnedSet;
use super::recoverer;
use super::scrub::Scrubber;
use super::shared::Shared;
use super::spares::SpareDisk;

pub fn open(members: Members, options: &DeviceOptions) -> Result<RemapDevice, OpenError> {
    let assembly = assemble(members)?;
    let main = assembly.main;
    let is_other = check_main(&*main, &assembly.superblock, options)?;
    let missing: Vec<_> =
        assembly.spares.iter().zip(&assembly.superblock.members).filter(|(disk, _)| disk.is_none()).collect();
    if let Some((_, first)) = missing.first()
        && !(options.read_only && options.accept_missing_spares)
    {
        return Err(OpenError::SpareMissing {
            name: assembly.superblock.name.to_string(),
            members: assembly.spares.len(),
            missing: missing.len(),
            uuid: first.uuid.to_string(),
        });
    }
    let disks = assembly.spares.iter().flatten().map(|disk| &**disk).chain([&*main]);
    let mut logical_bytes = assembly.superblock.main.logical_bytes;
    for disk in disks {
        logical_bytes = logical_bytes.max(disk.facts().logical_block_bytes);
        if disk.facts().read_only && !options.read_only {
            return Err(OpenError::ReadOnlyDisk { path: path_of(disk) });
        }
    }
    let mut superblock = assembly.superblock;
    superblock.main = identity::renewed(&superblock.main, main.facts(), main.path(), is_other);
    let present: Vec<_> = assembly.spares.iter().map(Option::is_some).collect();
    let set =
        OwnedSet::new(&superblock, &present).ok_or(OpenError::Engine(remap_core::open::OpenError::Memory))?;
    let engine_options = OpenOptions {
        read_only: options.read_only,
        accept_lost_pages: options.accept_lost_pages,
        logical_bytes,
        physical_bytes: main.facts().physical_block_bytes,
    };
    let name = superblock.name.to_string();
    let spares = assembly.spares.into_iter().map(SpareDisk::new).collect();
    let logical_sectors = u64::from(logical_bytes) / SECTOR_BYTES as u64;
    let shared =
        Arc::new(Shared::new(main, spares, set, superblock.clone(), logical_sectors, options.read_only));
    start(shared, superblock, engine_options, options.clone(), name)
}

fn start(
    shared: Arc<Shared>,
    superblock: Superblock,
    engine_options: OpenOptions,
    options: DeviceOptions,
    name: String,
) -> Result<RemapDevice, OpenError> {
    let (sender, opened) = sync_channel(1);
    let theirs = Arc::clone(&shared);
    let thread = std::thread::Builder::new()
        .name("remap-recovery".into())
        .spawn(move || recoverer::run(&theirs, &superblock, engine_options, &options, &sender))?;
    let error = match opened.recv() {
        Ok(Ok(doubt)) => {
            return Ok(RemapDevice {
                shared,
                doubt,
                recovery: Mutex::new(Some(thread)),
                scrubber: Scrubber::default(),
                closing: Mutex::default(),
                name,
            });
        }
        Ok(Err(error)) => error,
        Err(_) => OpenError::Halted,
    };
    let _ = thread.join();
    Err(error)
}
