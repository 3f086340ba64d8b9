//! Facts about a running device.

use std::sync::Arc;

use remap_core::{DiskError, Sector};

use super::{RemapDevice, RequestError};
use crate::disk::faulty::FaultScript;
use crate::disk::{Disk, FaultyDisk, MemoryDisk};
use crate::members::{CreateOptions, DeviceOptions, Members, create};

/// Disks that outlive the device, so that it can be opened again.
pub struct Bed {
    pub main: Arc<FaultyDisk>,
    pub spares: Vec<Arc<FaultyDisk>>,
}

impl Bed {
    /// A main device of `sectors` sectors and spares of 16 MiB, formatted as `options` say.
    pub fn new(sectors: u64, spares: usize, options: &CreateOptions) -> Self {
        let faulty = |disk| Arc::new(FaultyDisk::new(Box::new(disk), FaultScript::default()));
        let bed = Self {
            main: faulty(MemoryDisk::new(sectors)),
            spares: (0..spares).map(|_| faulty(MemoryDisk::new(32768))).collect(),
        };
        create(&bed.members(), options).expect("blank disks make a set");
        bed
    }

    pub fn members(&self) -> Members {
        let boxed = |disk: &Arc<FaultyDisk>| -> Box<dyn Disk> { Box::new(Arc::clone(disk)) };
        Members { main: boxed(&self.main), spares: self.spares.iter().map(boxed).collect() }
    }

    pub fn open(&self) -> Arc<RemapDevice> {
        RemapDevice::open(self.members(), &DeviceOptions::default()).expect("the set opens")
    }

    pub fn fail_main(&self, script: &str) {
        self.main.set_faults(script.parse().expect("a script"));
    }
}

#[test]
fn a_write_that_the_main_device_refuses_succeeds_and_survives() {
    let bed = Bed::new(4096, 1, &CreateOptions::default());
    let device = bed.open();
    bed.fail_main("bad 100 2");
    let data: Vec<u8> = (0..8192).map(|n| n as u8).collect();
    device.write(Sector(96), &data, false).unwrap();
    let mut back = vec![0; 8192];
    device.read(Sector(96), &mut back).unwrap();
    assert!(back == data);
    assert_eq!(device.status().moved_sectors, 8);
    device.close().unwrap();
    assert_eq!(device.read(Sector(96), &mut back), Err(RequestError::Closed));
    drop(device);
    let device = bed.open();
    device.read(Sector(96), &mut back).unwrap();
    assert!(back == data);
}

#[test]
fn a_sector_that_cannot_be_read_fails_alone() {
    let bed = Bed::new(4096, 1, &CreateOptions::default());
    let device = bed.open();
    device.write(Sector(96), &[7; 4096], false).unwrap();
    bed.fail_main("bad-read 100 1");
    let mut block = vec![0; 4096];
    assert_eq!(device.read(Sector(96), &mut block), Err(RequestError::Disk(DiskError::Medium)));
    for sector in 96..104 {
        let mut one = [0; 512];
        let read = device.read(Sector(sector), &mut one);
        assert_eq!(read.is_ok(), sector != 100, "sector {sector}");
        assert!(read.is_err() || one == [7; 512]);
    }
}
