//! The ring itself: the only place where the kernel is handed pointers.
//!
//! Every function that does so is unsafe and wants the same: the memory stays where it is, and nobody else
//! touches it, until the completion with the same user data has been taken.

use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;

use io_uring::squeue::Entry;
use io_uring::types::{Fd, Fixed, FsyncFlags};
use io_uring::{IoUring, opcode};

/// See the module.
pub struct Raw {
    ring: IoUring,
    /// What has finished and was not asked for yet: user data and result.
    finished: VecDeque<(u64, i32)>,
}

impl Raw {
    /// A ring for `depth` operations at once with `files` registered, and room for `places` files in all.
    /// `None` when the kernel refuses.
    pub fn new(depth: u32, files: &[RawFd], places: u32) -> io::Result<Option<Self>> {
        let entries = depth.clamp(8, 4096).next_power_of_two();
        // Completions are handled when this thread asks for them, and by nobody else (Linux 6.1).
        let tuned = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_cqsize(entries * 4)
            .build(entries);
        let Ok(ring) = tuned.or_else(|_| IoUring::builder().setup_cqsize(entries * 4).build(entries)) else {
            return Ok(None);
        };
        let submitter = ring.submitter();
        if submitter.register_files_sparse(places).is_err() {
            return Ok(None);
        }
        submitter.register_files_update(0, files)?;
        Ok(Some(Self { ring, finished: VecDeque::new() }))
    }

    /// Makes `descriptor`, which the caller keeps open, file number `file`.
    pub fn register(&self, file: u32, descriptor: RawFd) -> io::Result<()> {
        self.ring.submitter().register_files_update(file, &[descriptor]).map(drop)
    }

    /// Submits what was pushed; with `wait`, until something has finished.
    pub fn enter(&mut self, wait: bool) -> io::Result<()> {
        let wait = wait && self.finished.is_empty();
        match self.ring.submit_and_wait(usize::from(wait)) {
            Ok(_) => {}
            // Interrupted, or completions have to be taken first: the caller comes again.
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::EINTR | libc::EBUSY | libc::EAGAIN | libc::ETIME)
                ) => {}
            Err(error) => return Err(error),
        }
        self.collect();
        Ok(())
    }

    fn collect(&mut self) {
        let finished = self.ring.completion().map(|entry| (entry.user_data(), entry.result()));
        self.finished.extend(finished);
    }

    /// What has finished, oldest first: user data, and a count of bytes or a negated error number.
    pub fn next_completion(&mut self) -> Option<(u64, i32)> {
        self.finished.pop_front()
    }

    /// Pushes an operation; submits what is there when there is no room.
    ///
    /// # Safety
    /// See the module.
    unsafe fn push(&mut self, entry: &Entry, user: u64) -> io::Result<()> {
        let entry = entry.clone().user_data(user);
        loop {
            // SAFETY: the caller keeps the memory that the entry points to.
            if unsafe { self.ring.submission().push(&entry) }.is_ok() {
                return Ok(());
            }
            match self.ring.submit() {
                Ok(_) => {}
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
                Err(error) => return Err(error),
            }
            self.collect();
        }
    }

    /// # Safety
    /// `into` is valid for writes of `len` bytes. See the module.
    pub unsafe fn read(
        &mut self,
        file: u32,
        offset: u64,
        into: *mut u8,
        len: u32,
        user: u64,
    ) -> io::Result<()> {
        let entry = opcode::Read::new(Fixed(file), into, len).offset(offset).build();
        // SAFETY: as the caller promises.
        unsafe { self.push(&entry, user) }
    }

    /// With `durable`, the data is on the medium when the operation has finished.
    ///
    /// # Safety
    /// `from` is valid for reads of `len` bytes. See the module.
    pub unsafe fn write(
        &mut self,
        file: u32,
        offset: u64,
        from: *const u8,
        len: u32,
        durable: bool,
        user: u64,
    ) -> io::Result<()> {
        let flags = if durable { libc::RWF_DSYNC } else { 0 };
        let entry = opcode::Write::new(Fixed(file), from, len).offset(offset).rw_flags(flags).build();
        // SAFETY: as the caller promises.
        unsafe { self.push(&entry, user) }
    }

    /// `fdatasync`.
    pub fn flush(&mut self, file: u32, user: u64) -> io::Result<()> {
        let entry = opcode::Fsync::new(Fixed(file)).flags(FsyncFlags::DATASYNC).build();
        // SAFETY: the operation has no memory.
        unsafe { self.push(&entry, user) }
    }

    /// # Safety
    /// `into` is valid for writes of 8 bytes. See the module.
    pub unsafe fn read_event(&mut self, event: RawFd, into: *mut u8, user: u64) -> io::Result<()> {
        let entry = opcode::Read::new(Fd(event), into, 8).build();
        // SAFETY: as the caller promises.
        unsafe { self.push(&entry, user) }
    }

    /// # Safety
    /// `into` is valid for writes of `len` bytes. See the module.
    pub unsafe fn receive(&mut self, file: u32, into: *mut u8, len: u32, user: u64) -> io::Result<()> {
        let entry = opcode::Recv::new(Fixed(file), into, len).build();
        // SAFETY: as the caller promises.
        unsafe { self.push(&entry, user) }
    }

    /// # Safety
    /// `message` and everything that it points to are valid for reads. See the module.
    pub unsafe fn send(&mut self, file: u32, message: *const libc::msghdr, user: u64) -> io::Result<()> {
        let flags = (libc::MSG_NOSIGNAL | libc::MSG_WAITALL).cast_unsigned();
        let entry = opcode::SendMsg::new(Fixed(file), message).flags(flags).build();
        // SAFETY: as the caller promises.
        unsafe { self.push(&entry, user) }
    }
}

impl std::fmt::Debug for Raw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Raw").finish_non_exhaustive()
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // The kernel lets go of what is left in a ring some time after the ring is gone, and until then a disk
        // counts as in use. Where this fails it is only later.
        let _ = self.ring.submitter().unregister_files();
    }
}
