//! How fast a queue is, against blocking requests and against nothing between.

use std::time::{Duration, Instant};

use remap_core::Sector;

use super::{Files, queue_of};
use crate::device::RemapDevice;
use crate::disk::{AlignedBuffer, DirectIo, Disk, FileDisk, OpenOptions};
use crate::members::CreateOptions;
use crate::testbed::Random;

const TIME: Duration = Duration::from_secs(1);

fn per_second(what: &str, mut round: impl FnMut() -> u64) {
    let started = Instant::now();
    let mut done = 0;
    while started.elapsed() < TIME {
        done += round();
    }
    let ms = started.elapsed().as_millis() as u64;
    println!("{what:40} {:9} requests/s", done * 1000 / ms);
}

fn measure(device: &std::sync::Arc<RemapDevice>, disk: &dyn Disk, blocks: u64) {
    let mut random = Random::new(1);
    let mut buffer = AlignedBuffer::zeroed(4096);
    per_second("disk, blocking", || {
        disk.read(Sector(random.below(blocks) * 8), &mut buffer).unwrap();
        1
    });
    per_second("device, blocking", || {
        device.read(Sector(random.below(blocks) * 8), &mut buffer).unwrap();
        1
    });
    let Some(mut queue) = queue_of(device) else { return };
    let mut buffers: Vec<_> = (0..16).map(|_| AlignedBuffer::zeroed(4096)).collect();
    per_second("device, queue of 16", || {
        for buffer in buffers.drain(..) {
            queue.read(0, Sector(random.below(blocks) * 8), buffer);
        }
        queue.turn(true).unwrap();
        let mut done = 0;
        for completion in queue.completions() {
            let super::Outcome::Read(Ok(()), buffer) = completion.outcome else { panic!() };
            buffers.push(buffer);
            done += 1;
        }
        done
    });
}

#[test]
#[ignore = "measures: to be run in a release build"]
fn a_queue_is_faster_than_blocking_requests() {
    for direct in [DirectIo::Off, DirectIo::Auto] {
        println!("{direct:?}");
        let files = Files::new(&CreateOptions::default());
        let path = files.dir.path().join("main");
        std::fs::write(&path, vec![1; super::SECTORS as usize * 512]).unwrap();
        let options = OpenOptions { direct, lock: false, ..OpenOptions::default() };
        let open = || -> Box<dyn Disk> { Box::new(FileDisk::open(&path, &options).unwrap()) };
        let device = files.open(open());
        measure(&device, &*open(), super::SECTORS / 8);
    }
}
