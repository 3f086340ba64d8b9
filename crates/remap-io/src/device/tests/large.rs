//! A set with a million mappings.

use std::time::{Duration, Instant};

use remap_core::format::page::{PageHeader, begin, put_record, seal};
use remap_core::layout::{PAGE_BYTES, RECORDS_PER_PAGE};
use remap_core::record::{Masks, Record};
use remap_core::{BlockIndex, Sector};

use crate::device::RemapDevice;
use crate::disk::{Disk, FileDisk, OpenOptions};
use crate::members::{CreateOptions, DeviceOptions, Members, create};

const MAPPINGS: u64 = 1_000_000;

#[test]
#[ignore = "measures: to be run in a release build"]
fn a_million_mappings_open_within_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let disk = |name: &str| -> Box<dyn Disk> {
        Box::new(FileDisk::open(&dir.path().join(name), &OpenOptions::default()).unwrap())
    };
    for (name, gib) in [("main", 16), ("spare", 5)] {
        std::fs::File::create(dir.path().join(name)).unwrap().set_len(gib << 30).unwrap();
    }
    let members = || Members { main: disk("main"), spares: vec![disk("spare")] };
    let superblock = create(&members(), &CreateOptions::default()).unwrap();
    let layout = superblock.layout_of(&superblock.members[0]).unwrap();
    let spare = disk("spare");
    let mut bytes = [0; PAGE_BYTES];
    for index in 0..superblock.pages() {
        begin(&mut bytes, PageHeader { set: superblock.set, index, generation: 2 });
        for at in 0..RECORDS_PER_PAGE {
            let slot = u64::from(index * RECORDS_PER_PAGE + at);
            if slot < MAPPINGS {
                let masks = Masks { moved: 0xff, lost: 0, stale: 0 };
                put_record(&mut bytes, at, Record::Used { block: BlockIndex(slot * 4), masks, version: 0 });
            }
        }
        seal(&mut bytes);
        for copy in 0..superblock.copies {
            spare.write(layout.page_address(copy, index), &bytes, false).unwrap();
        }
    }
    drop(spare);
    let members = members();
    let started = Instant::now();
    let device = RemapDevice::open(members, &DeviceOptions::default()).unwrap();
    let took = started.elapsed();
    println!("{MAPPINGS} mappings opened in {} ms", took.as_millis());
    assert_eq!(device.status().slots_used, MAPPINGS);
    device.read(Sector(4 * 8), &mut [0; 4096]).unwrap();
    assert!(took < Duration::from_secs(1));
}
