//! Measures random reads of 4 KiB: `queue_speed [DIRECTORY]`, of a file of 64 MiB there, through the page
//! cache and past it; the disk by itself, a device by blocking requests, a device by a queue of 16. Prints
//! requests per second.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use remap_core::Sector;
use remap_io::device::RemapDevice;
use remap_io::disk::{AlignedBuffer, DirectIo, Disk, FileDisk, OpenOptions};
use remap_io::members::{CreateOptions, DeviceOptions, Members, create};
use remap_io::ring::{Outcome, RingQueue};

const BYTES: usize = 64 << 20;
const BLOCKS: u64 = BYTES as u64 / 4096;
const TIME: Duration = Duration::from_secs(2);

fn per_second(what: &str, mut round: impl FnMut(&mut dyn FnMut() -> Sector) -> u64) {
    let mut state = 1u64;
    let mut anywhere = || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        Sector((state >> 33) % BLOCKS * 8)
    };
    let started = Instant::now();
    let mut done = 0;
    while started.elapsed() < TIME {
        done += round(&mut anywhere);
    }
    println!("{what:20} {:9}", done * 1000 / started.elapsed().as_millis() as u64);
}

fn measure(device: &Arc<RemapDevice>, disk: &dyn Disk) -> Result<(), Box<dyn Error>> {
    let mut buffer = AlignedBuffer::zeroed(4096);
    per_second("disk, blocking", |anywhere| u64::from(disk.read(anywhere(), &mut buffer).is_ok()));
    per_second("device, blocking", |anywhere| u64::from(device.read(anywhere(), &mut buffer).is_ok()));
    let Some(mut queue) = RingQueue::new(device, 16)? else {
        println!("the kernel gives no io_uring");
        return Ok(());
    };
    let mut buffers: Vec<_> = (0..16).map(|_| AlignedBuffer::zeroed(4096)).collect();
    per_second("device, queue", |anywhere| {
        for buffer in buffers.drain(..) {
            queue.read(0, anywhere(), buffer);
        }
        if queue.turn(true).is_err() {
            return 0;
        }
        for completion in queue.completions() {
            if let Outcome::Read(Ok(()), buffer) = completion.outcome {
                buffers.push(buffer);
            }
        }
        buffers.len() as u64
    });
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let parent = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = tempfile::tempdir_in(parent)?;
    let (main, spare) = (dir.path().join("main"), dir.path().join("spare"));
    std::fs::write(&main, vec![1; BYTES])?;
    std::fs::File::create(&spare)?.set_len(16 << 20)?;
    let mut is_new = true;
    for (what, direct) in [("through the page cache", DirectIo::Off), ("past it", DirectIo::Auto)] {
        println!("{what}:");
        let options = OpenOptions { direct, lock: false, ..OpenOptions::default() };
        let disk =
            |path| -> Result<Box<dyn Disk>, Box<dyn Error>> { Ok(Box::new(FileDisk::open(path, &options)?)) };
        let members = Members { main: disk(&main)?, spares: vec![disk(&spare)?] };
        if std::mem::take(&mut is_new) {
            create(&members, &CreateOptions::default())?;
        }
        let device = RemapDevice::open(members, &DeviceOptions::default())?;
        measure(&device, &*disk(&main)?)?;
    }
    Ok(())
}
