//! What the load runs on: the failing disk as it is, or the same disk under dm-remap.

use remap_core::{DiskError, Sector};
use remap_io::device::RemapDevice;
use remap_io::disk::Disk;

/// A block device, as far as the load is concerned. Any error is one.
pub trait Target {
    fn read(&self, start: Sector, into: &mut [u8]) -> Result<(), ()>;
    fn write(&self, start: Sector, from: &[u8]) -> Result<(), ()>;
    fn flush(&self) -> Result<(), ()>;
}

/// The disk as it is.
pub struct Plain<'d>(pub &'d dyn Disk);

impl Target for Plain<'_> {
    fn read(&self, start: Sector, into: &mut [u8]) -> Result<(), ()> {
        self.0.read(start, into).map_err(|_: DiskError| ())
    }

    fn write(&self, start: Sector, from: &[u8]) -> Result<(), ()> {
        self.0.write(start, from, false).map_err(|_| ())
    }

    fn flush(&self) -> Result<(), ()> {
        self.0.flush().map_err(|_| ())
    }
}

impl Target for RemapDevice {
    fn read(&self, start: Sector, into: &mut [u8]) -> Result<(), ()> {
        Self::read(self, start, into).map_err(|_| ())
    }

    fn write(&self, start: Sector, from: &[u8]) -> Result<(), ()> {
        Self::write(self, start, from, false).map_err(|_| ())
    }

    fn flush(&self) -> Result<(), ()> {
        Self::flush(self).map_err(|_| ())
    }
}
