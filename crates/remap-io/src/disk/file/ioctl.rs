//! What only an ioctl tells of a block device, or does to it.
//!
//! All unsafe code of the disks is here: the numbers and the types of the kernel's `include/uapi/linux/fs.h`.

use std::os::fd::BorrowedFd;

use rustix::io::Result;
use rustix::ioctl::{Getter, Opcode, Setter, ioctl, opcode};

/// The group that the block layer's ioctls share (`_IO(0x12, …)`).
const GROUP: u8 = 0x12;
const BLKROGET: Opcode = opcode::none(GROUP, 94);
const BLKGETSIZE64: Opcode = opcode::read::<usize>(GROUP, 114);
const BLKDISCARD: Opcode = opcode::none(GROUP, 119);

/// The size of a block device in bytes.
pub(super) fn size_bytes(device: BorrowedFd<'_>) -> Result<u64> {
    // SAFETY: this opcode writes one 64-bit number, whatever the type in its own number says.
    let request = unsafe { Getter::<BLKGETSIZE64, u64>::new() };
    // SAFETY: the request reads no memory and writes only its own output.
    unsafe { ioctl(device, request) }
}

/// Whether the kernel refuses writes to a block device.
pub(super) fn is_read_only(device: BorrowedFd<'_>) -> Result<bool> {
    // SAFETY: this opcode writes one C int.
    let request = unsafe { Getter::<BLKROGET, i32>::new() };
    // SAFETY: the request reads no memory and writes only its own output.
    unsafe { ioctl(device, request) }.map(|value| value != 0)
}

/// Discards `bytes` bytes from `offset` on.
pub(super) fn discard(device: BorrowedFd<'_>, offset: u64, bytes: u64) -> Result<()> {
    // SAFETY: this opcode reads two 64-bit numbers, start and length.
    let request = unsafe { Setter::<BLKDISCARD, [u64; 2]>::new([offset, bytes]) };
    // SAFETY: the request reads only its own input and writes no memory of ours.
    unsafe { ioctl(device, request) }
}
