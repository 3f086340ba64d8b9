//! Many threads at once, while sectors go bad, slots fail and the power goes: every read is compared with
//! what was acknowledged.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use remap_core::{DiskError, Sector};

use crate::device::{RemapDevice, RequestError};
use crate::testbed::{Bed, Random, sector_of, stamp_of};

const SECTORS: u64 = 8192;
const THREADS: u64 = 8;

/// What one thread knows of its sectors. Every block has sectors of two threads.
struct Owner {
    number: u64,
    random: Random,
    next_stamp: u64,
    /// By sector: what it may hold after a power cut; the last is what it holds now.
    may_hold: Vec<Vec<u64>>,
    /// Whether reads may fail with a medium error.
    may_be_lost: bool,
    lost_reads: u64,
}

impl Owner {
    fn new(number: u64, may_be_lost: bool) -> Self {
        Self {
            number,
            random: Random::new(number + 1),
            next_stamp: 0,
            may_hold: vec![vec![0]; SECTORS as usize],
            may_be_lost,
            lost_reads: 0,
        }
    }

    /// A run of this thread's sectors: up to 4, which is half a block.
    fn choose(&mut self) -> (u64, u64) {
        let group = self.random.below(SECTORS / 4 / THREADS) * THREADS + self.number;
        let from = self.random.below(4);
        (group * 4 + from, 1 + self.random.below(4 - from))
    }

    fn live(&mut self, device: &RemapDevice, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            match self.random.below(100) {
                0..=44 => self.write(device),
                45..=96 => {
                    let (start, sectors) = self.choose();
                    self.read(device, start, sectors);
                }
                _ => {
                    device.flush().unwrap();
                    for versions in &mut self.may_hold {
                        versions.drain(..versions.len() - 1);
                    }
                }
            }
        }
    }

    fn write(&mut self, device: &RemapDevice) {
        let (start, sectors) = self.choose();
        let durable = self.random.below(8) == 0;
        let mut data = Vec::new();
        for sector in start..start + sectors {
            self.next_stamp += 1;
            let stamp = self.next_stamp << 8 | self.number;
            data.extend(sector_of(stamp));
            let versions = &mut self.may_hold[sector as usize];
            versions.push(stamp);
        }
        device.write(Sector(start), &data, durable).unwrap();
        if durable {
            for versions in &mut self.may_hold[start as usize..(start + sectors) as usize] {
                versions.drain(..versions.len() - 1);
            }
        }
    }

    fn read(&mut self, device: &RemapDevice, start: u64, sectors: u64) {
        let mut data = vec![0xaa; sectors as usize * 512];
        match device.read(Sector(start), &mut data) {
            Ok(()) => {
                for (sector, bytes) in (start..).zip(data.chunks(512)) {
                    let want = self.may_hold[sector as usize].last().copied();
                    assert_eq!(stamp_of(bytes), want, "sector {sector}");
                }
            }
            Err(RequestError::Disk(DiskError::Medium)) if self.may_be_lost => self.lost_reads += 1,
            Err(error) => panic!("sectors {start}+{sectors}: {error}"),
        }
    }

    /// After a power cut: every sector holds something it may hold, or is lost.
    fn take_stock(&mut self, device: &RemapDevice) {
        for sector in (0..SECTORS).filter(|sector| sector / 4 % THREADS == self.number) {
            let mut data = [0; 512];
            match device.read(Sector(sector), &mut data) {
                Ok(()) => {
                    let stamp = stamp_of(&data).expect("no sector is torn");
                    let versions = &mut self.may_hold[sector as usize];
                    assert!(versions.contains(&stamp), "sector {sector}: {stamp:x} is none of {versions:x?}");
                    *versions = vec![stamp];
                }
                Err(RequestError::Disk(DiskError::Medium)) if self.may_be_lost => self.lost_reads += 1,
                Err(error) => panic!("sector {sector}: {error}"),
            }
        }
    }
}

/// Lets all owners live for a while; `upset` is called again and again meanwhile.
fn live_together(device: &RemapDevice, owners: &mut [Owner], time: Duration, mut upset: impl FnMut()) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for owner in owners {
            scope.spawn(|| {
                owner.live(device, &stop);
            });
        }
        let started = Instant::now();
        while started.elapsed() < time {
            std::thread::sleep(Duration::from_millis(10));
            upset();
        }
        stop.store(true, Ordering::Relaxed);
    });
}

fn run(seed: u64, may_be_lost: bool, kinds: &[&str], spare_kinds: &[&str]) -> Vec<Owner> {
    let bed = Bed::plain(SECTORS, 2);
    let mut random = Random::new(seed);
    let mut owners: Vec<_> = (0..THREADS).map(|number| Owner::new(number, may_be_lost)).collect();
    let mut script = String::new();
    let mut spare_script = String::new();
    for _ in 0..4 {
        let device = bed.open();
        live_together(&device, &mut owners, Duration::from_millis(300), || {
            let kind = kinds[random.below(kinds.len() as u64) as usize];
            let (sector, count) = (random.below(SECTORS - 8), 1 + random.below(8));
            script += &kind.replace('@', &format!("{sector} {count}"));
            script.push('\n');
            bed.main.fail(&script);
            if !spare_kinds.is_empty() && random.below(4) == 0 {
                // Among the first slots, which are the ones in use.
                let kind = spare_kinds[random.below(spare_kinds.len() as u64) as usize];
                spare_script += &kind.replace('@', &format!("{} 1", 8500 + random.below(3000)));
                spare_script.push('\n');
                bed.spares[0].fail(&spare_script);
            }
        });
        assert!(device.status().in_flight == 0);
        drop(device);
        bed.power_cut(&mut random);
        let device = bed.open();
        for owner in &mut owners {
            owner.take_stock(&device);
        }
        let report = device.verify_metadata().unwrap();
        assert!(spare_kinds.is_empty() == (report.bad == 0) || report.bad == 0, "{report:?}");
        device.close().unwrap();
    }
    owners
}

#[test]
fn eight_threads_lose_nothing_while_writes_fail_and_the_power_goes() {
    let owners = run(1, false, &["bad-write @"], &[]);
    assert!(owners.iter().all(|owner| owner.lost_reads == 0));
}

#[test]
fn eight_threads_never_read_what_was_not_written_while_sectors_go_bad_and_the_power_goes() {
    run(
        2,
        true,
        &["bad-write @", "bad @", "bad-read @ heal-on-write", "bad-read @ once", "slow @ ms=3 times=30"],
        &[],
    );
}

#[test]
fn eight_threads_survive_failing_slots() {
    run(3, false, &["bad-write @"], &["bad-write @"]);
}

#[test]
fn eight_threads_survive_slots_that_can_no_longer_be_read() {
    run(4, true, &["bad-write @", "bad @"], &["bad-write @", "bad @"]);
}
