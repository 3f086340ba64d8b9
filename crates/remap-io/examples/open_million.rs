//! Measures how long a set with a million mappings takes to open: `open_million [DIRECTORY]`, for two sparse
//! files there. Prints milliseconds.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use remap_core::BlockIndex;
use remap_core::format::page::{PageHeader, begin, put_record, seal};
use remap_core::layout::{PAGE_BYTES, RECORDS_PER_PAGE};
use remap_core::record::{Masks, Record};
use remap_io::device::RemapDevice;
use remap_io::disk::{Disk, FileDisk, OpenOptions};
use remap_io::members::{CreateOptions, DeviceOptions, Members, create};

const MAPPINGS: u64 = 1_000_000;
const SIZES: [(&str, u64); 2] = [("main", 16 << 30), ("spare", 5 << 30)];

fn main() -> Result<(), Box<dyn Error>> {
    let parent = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = tempfile::tempdir_in(parent)?;
    for (name, bytes) in SIZES {
        std::fs::File::create(dir.path().join(name))?.set_len(bytes)?;
    }
    let disk = |name: &str| -> Result<Box<dyn Disk>, Box<dyn Error>> {
        Ok(Box::new(FileDisk::open(&dir.path().join(name), &OpenOptions::default())?))
    };
    let members =
        || -> Result<_, Box<dyn Error>> { Ok(Members { main: disk("main")?, spares: vec![disk("spare")?] }) };
    let superblock = create(&members()?, &CreateOptions::default())?;
    let layout = superblock.layout_of(&superblock.members[0]).ok_or("no layout")?;
    let spare = disk("spare")?;
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
            spare.write(layout.page_address(copy, index), &bytes, false)?;
        }
    }
    drop(spare);
    let members = members()?;
    let started = Instant::now();
    let device = RemapDevice::open(members, &DeviceOptions::default())?;
    let took = started.elapsed();
    if device.status().slots_used != MAPPINGS {
        return Err("not all mappings were found".into());
    }
    println!("{}", took.as_millis());
    Ok(())
}
