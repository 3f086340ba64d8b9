//! The ioctl itself. It owns the only unsafe code about device-mapper, the buffer, and its growing when an answer
//! does not fit.

use std::ffi::c_void;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};

use crate::header::{self, Header};

/// What device-mapper is asked, by the number of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    Version = 0,
    ListDevices = 2,
    DeviceCreate = 3,
    DeviceRemove = 4,
    DeviceRename = 5,
    DeviceSuspend = 6,
    DeviceStatus = 7,
    DeviceWait = 8,
    TableLoad = 9,
    TableClear = 10,
    TableStatus = 12,
    TargetMessage = 14,
    TargetVersion = 17,
}

impl Command {
    /// Whether it can be asked again when the answer did not fit: it changes nothing.
    fn can_be_repeated(self) -> bool {
        matches!(
            self,
            Self::Version
                | Self::ListDevices
                | Self::DeviceStatus
                | Self::DeviceWait
                | Self::TableStatus
                | Self::TargetVersion
        )
    }
}

/// Room for an answer, to begin with: more than any message of the target remap says at once.
const ROOM: usize = 64 << 10;
/// No answer may need more: some 50,000 devices or lines of a table.
const MAX_ROOM: usize = 16 << 20;

/// The group of device-mapper's ioctls (`DM_IOCTL`).
const GROUP: u8 = 0xfd;

/// One call: a buffer of a header and data, which the kernel reads and writes.
struct Call<'b> {
    command: Command,
    buffer: &'b mut [u8],
}

// SAFETY: every command of device-mapper reads and writes the buffer that the pointer leads to, and no byte
// beyond the size that its header states; `perform` states that of the buffer. The opcode is built as the
// kernel's header does.
unsafe impl Ioctl for Call<'_> {
    type Output = ();

    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        opcode::read_write::<[u8; header::BYTES]>(GROUP, self.command as u8)
    }

    fn as_ptr(&mut self) -> *mut c_void {
        self.buffer.as_mut_ptr().cast()
    }

    unsafe fn output_from_ptr(_: IoctlOutput, _: *mut c_void) -> rustix::io::Result<()> {
        Ok(())
    }
}

/// Asks, and gives the answer's header and data. `EMSGSIZE` means that the answer did not fit, and that it was
/// not asked again since that would have done it twice; `EPROTO` that the answer is none.
pub fn perform(
    control: BorrowedFd<'_>,
    command: Command,
    header: &Header,
    data: &[u8],
) -> Result<(Header, Vec<u8>), Errno> {
    let mut room = ROOM;
    loop {
        let mut buffer = header.with_data(data, room);
        // SAFETY: the file is device-mapper's, and the buffer's header states the buffer's size.
        unsafe { ioctl(control.as_fd(), Call { command, buffer: &mut buffer }) }?;
        let (answer, found) = Header::parse(&buffer).ok_or(Errno::PROTO)?;
        if answer.flags & header::BUFFER_FULL == 0 {
            return Ok((answer, found.to_vec()));
        }
        if !command.can_be_repeated() || room >= MAX_ROOM {
            return Err(Errno::MSGSIZE);
        }
        room *= 4;
    }
}
