//! Which of the two ways of serving suits a device. It owns the question to the kernel that decides it.

use std::io::IoSliceMut;

use super::Engine;
use remap_io::device::RemapDevice;
use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, ReadWriteFlags};

/// Whether connections to `device` should use a ring.
pub(super) fn uses_ring(engine: Engine, device: &RemapDevice) -> bool {
    match engine {
        Engine::Measured => suits_ring(device),
        Engine::Blocking => false,
        Engine::Ring => true,
    }
}

/// Whether requests to the main device of `device` go well through an `io_uring`.
///
/// They do not where the file cannot be asked without waiting (tmpfs, for one): the ring would hand each request
/// to a kernel thread, which takes longer than the request. A disk that has no file has no ring either.
fn suits_ring(device: &RemapDevice) -> bool {
    let Some(path) = device.status().main else { return false };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let Ok(file) = rustix::fs::open(path, flags, Mode::empty()) else { return false };
    let mut byte = [0];
    let read = rustix::io::preadv2(&file, &mut [IoSliceMut::new(&mut byte)], 0, ReadWriteFlags::NOWAIT);
    !matches!(read, Err(Errno::OPNOTSUPP))
}
