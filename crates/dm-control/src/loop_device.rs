//! Files as block devices: loop devices, attached and detached.

use std::ffi::c_void;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::ioctl::{Ioctl, IoctlOutput, NoArg, Opcode, Setter, ioctl, opcode};

/// Where free numbers are had.
const CONTROL: &str = "/dev/loop-control";
/// The numbers of the requests, from the kernel's `include/uapi/linux/loop.h`.
const CTL_GET_FREE: Opcode = opcode::none(b'L', 0x82);
const CONFIGURE: Opcode = opcode::none(b'L', 0x0a);
const CLEAR: Opcode = opcode::none(b'L', 0x01);
/// Bytes of `struct loop_config`.
const CONFIG_BYTES: usize = 304;
/// Where its fields lie: the file, the logical block, the flags, the file's name.
const CONFIG_FILE: usize = 0;
const CONFIG_BLOCK: usize = 4;
const CONFIG_FLAGS: usize = 60;
const CONFIG_NAME: usize = 64;
/// Bytes of that name, the zero at its end included.
const NAME_BYTES: usize = 64;
const FLAG_READ_ONLY: u32 = 1;
const FLAG_AUTOCLEAR: u32 = 4;
const FLAG_DIRECT_IO: u32 = 16;
/// Somebody else may take a free number first; this often it is asked for another.
const ATTEMPTS: u32 = 64;

/// Why there is no loop device.
#[derive(Debug, thiserror::Error)]
pub enum LoopError {
    /// Only root may.
    #[error("only root may make loop devices: try again with sudo")]
    NotPermitted,
    /// The kernel has none.
    #[error("this kernel has no loop devices loaded: modprobe loop")]
    NoDriver,
    /// The file cannot be opened.
    #[error("{}: {source}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The kernel does not attach it.
    #[error("{} cannot be made a loop device ({source})", path.display())]
    Attach {
        /// The file's path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A loop device that detaches itself when it is open nowhere any more; this holds it open.
#[derive(Debug)]
pub struct Attached {
    node: PathBuf,
    device: File,
}

/// How a file is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttachOptions {
    /// Writes are refused.
    pub is_read_only: bool,
    /// The logical block in bytes: a power of two from 512 to a page.
    pub logical_block_bytes: u32,
}

impl Attached {
    /// Makes a block device of a file. What lies behind the last whole sector is no part of it.
    pub fn attach(path: &Path, options: AttachOptions) -> Result<Self, LoopError> {
        let file = OpenOptions::new().read(true).write(!options.is_read_only).open(path);
        let file = file.map_err(|source| LoopError::File { path: path.to_owned(), source })?;
        let control = open(Path::new(CONTROL))?;
        let failed = |errno: Errno| LoopError::Attach { path: path.to_owned(), source: errno.into() };
        let mut attempt = 0;
        loop {
            let number = free_number(control.as_fd()).map_err(failed)?;
            let node = PathBuf::from(format!("/dev/loop{number}"));
            let device = open(&node)?;
            let config = config(&file, path, options);
            // SAFETY: this opcode reads a `struct loop_config`, whose size that array has.
            let request = unsafe { Setter::<CONFIGURE, [u8; CONFIG_BYTES]>::new(config) };
            // SAFETY: the request reads only its own input and writes no memory of ours.
            match unsafe { ioctl(&device, request) } {
                Ok(()) => return Ok(Self { node, device }),
                Err(Errno::BUSY) if attempt < ATTEMPTS => attempt += 1,
                Err(errno) => return Err(failed(errno)),
            }
        }
    }

    /// Its node.
    pub fn path(&self) -> &Path {
        &self.node
    }

    /// Detaches it now, or when whoever else has it open lets go of it.
    pub fn detach(self) -> io::Result<()> {
        // SAFETY: this opcode takes no argument.
        let request = unsafe { NoArg::<CLEAR>::new() };
        // SAFETY: the request touches no memory of ours.
        Ok(unsafe { ioctl(&self.device, request) }?)
    }
}

/// The request for a free number, which the call itself returns.
struct FreeNumber;

// SAFETY: this opcode takes no argument and touches no memory of ours; the number is the call's result.
unsafe impl Ioctl for FreeNumber {
    type Output = i32;

    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        CTL_GET_FREE
    }

    fn as_ptr(&mut self) -> *mut c_void {
        std::ptr::null_mut()
    }

    unsafe fn output_from_ptr(output: IoctlOutput, _: *mut c_void) -> rustix::io::Result<i32> {
        Ok(output)
    }
}

fn free_number(control: BorrowedFd<'_>) -> rustix::io::Result<i32> {
    // SAFETY: as said of the request.
    unsafe { ioctl(control, FreeNumber) }
}

fn config(file: &File, path: &Path, options: AttachOptions) -> [u8; CONFIG_BYTES] {
    let mut bytes = [0; CONFIG_BYTES];
    let mut put = |at: usize, number: u32| bytes[at..at + 4].copy_from_slice(&number.to_ne_bytes());
    put(CONFIG_FILE, file.as_raw_fd().cast_unsigned());
    put(CONFIG_BLOCK, options.logical_block_bytes);
    // Past the page cache where the file's file system can: what is written is written once.
    let read_only = if options.is_read_only { FLAG_READ_ONLY } else { 0 };
    put(CONFIG_FLAGS, FLAG_AUTOCLEAR | FLAG_DIRECT_IO | read_only);
    // For losetup's list only; the kernel knows the file by itself.
    let name = path.as_os_str().as_bytes();
    let length = name.len().min(NAME_BYTES - 1);
    bytes[CONFIG_NAME..CONFIG_NAME + length].copy_from_slice(&name[..length]);
    bytes
}

fn open(path: &Path) -> Result<File, LoopError> {
    OpenOptions::new().read(true).write(true).open(path).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => LoopError::NotPermitted,
        _ => LoopError::NoDriver,
    })
}
