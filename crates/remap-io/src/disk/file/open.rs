//! How a file or a block device comes to be open: what is refused, what is locked, what is asked of it.
//!
//! Nothing is written here, and nothing is opened that is not a plain file or a block device: opening some
//! character devices does things.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::thread::sleep;
use std::time::Duration;

use remap_core::units::{MAX_SECTORS, SECTOR_BYTES};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{FileType, FlockOperation, Mode, OFlags, Stat, flock, fstat, open as open_file, stat};
use rustix::io::Errno;

use super::{DiskFacts, DiskIdentity, FileDisk, direct, holder, ioctl, sysfs};

/// How long a disk that someone else holds is waited for. The device manager locks a block device for moments
/// only, whenever it has changed; and what a killed process had in an `io_uring` the kernel lets go of moments
/// after its end.
const PATIENCE: Duration = Duration::from_millis(500);
const RETRIES: u32 = 20;

/// Whether IO goes past the page cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DirectIo {
    /// Always for block devices, and for files that take it.
    #[default]
    Auto,
    /// It must.
    On,
    /// It must not: errors of writes then only appear at the next flush, and for no particular sector.
    Off,
}

/// How a [`FileDisk`] is opened. The default is for reading and writing, direct where possible, and locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenOptions {
    /// Writes are refused; the lock is shared, and block devices in use can be opened.
    pub read_only: bool,
    /// Whether IO goes past the page cache.
    pub direct: DirectIo,
    /// Whether others are kept out while it is open, and it is left alone when others have it: `flock` for both kinds,
    /// loop devices for files, and for block devices opened
    /// for writing also the kernel's exclusive claim (`O_EXCL`), which mounts and device-mapper respect.
    pub lock: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { read_only: false, direct: DirectIo::Auto, lock: true }
    }
}

impl OpenOptions {
    /// The default, for reading only.
    pub fn read_only() -> Self {
        Self { read_only: true, ..Self::default() }
    }
}

/// Why a path did not become a disk.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The path is no plain file and no block device.
    #[error("{} is {kind}: name a block device or a plain file", path.display())]
    WrongKind {
        /// What was asked for.
        path: PathBuf,
        /// What it is, with an article.
        kind: &'static str,
    },
    /// There is not one logical block in it.
    #[error("{} has no room: it holds {bytes} bytes, less than one block of {block_bytes}; \
             give a file its size first (truncate -s SIZE FILE)", path.display())]
    TooSmall {
        /// What was asked for.
        path: PathBuf,
        /// Its size in bytes.
        bytes: u64,
        /// Its logical block size in bytes.
        block_bytes: u32,
    },
    /// It is larger than 2^63 bytes, or has blocks that are no power of two.
    #[error("{} has a geometry that cannot be used: {bytes} bytes in blocks of {block_bytes}", path.display())]
    Geometry {
        /// What was asked for.
        path: PathBuf,
        /// Its size in bytes.
        bytes: u64,
        /// Its logical block size in bytes.
        block_bytes: u32,
    },
    /// Someone else holds it.
    #[error("{} is in use{holder}: stop that first", path.display())]
    InUse {
        /// What was asked for.
        path: PathBuf,
        /// Who, as ` by …`; empty when that cannot be told.
        holder: String,
    },
    /// Direct IO was demanded and is not to be had.
    #[error("{} takes no direct IO: leave the choice to dm-remap, or switch direct IO off", path.display())]
    NoDirectIo {
        /// What was asked for.
        path: PathBuf,
    },
    /// It can only be read.
    #[error("{} cannot be written: {source}; open it for reading only, or make it writable", path.display())]
    ReadOnly {
        /// What was asked for.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The path led to something else a moment later.
    #[error("{} was replaced while it was being opened: try again", path.display())]
    Replaced {
        /// What was asked for.
        path: PathBuf,
    },
    /// The kernel refused.
    #[error("cannot open {}: {source}", path.display())]
    Refused {
        /// What was asked for.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
}

struct Opening<'a> {
    path: &'a Path,
    options: &'a OpenOptions,
}

pub(super) fn open(path: &Path, options: &OpenOptions) -> Result<FileDisk, OpenError> {
    Opening { path, options }.run()
}

impl Opening<'_> {
    fn run(&self) -> Result<FileDisk, OpenError> {
        let before = stat(self.path).map_err(|errno| self.refused(errno))?;
        let is_block_device = self.kind_of(&before)?;
        let descriptor = self.descriptor(&before, is_block_device)?;
        let after = fstat(&descriptor).map_err(|errno| self.refused(errno))?;
        if identity_of(&before, is_block_device) != identity_of(&after, self.kind_of(&after)?) {
            return Err(OpenError::Replaced { path: self.path.to_owned() });
        }
        if self.options.lock {
            self.lock(&descriptor, &after)?;
            if !is_block_device && let Some(device) = holder::loop_device_of(&after) {
                return Err(self.in_use(format!(" by {device}, a loop device")));
            }
        }
        let mut facts = if is_block_device {
            self.device_facts(&descriptor, &after)?
        } else {
            DiskFacts { read_only: self.options.read_only, ..DiskFacts::plain(0) }
        };
        let direct = self.direct(&descriptor, is_block_device, &mut facts)?;
        // The lock comes first: a file may have been given its size by whoever held it.
        let bytes = if is_block_device {
            ioctl::size_bytes(descriptor.as_fd()).map_err(|errno| self.refused(errno))?
        } else {
            fstat(&descriptor).map_err(|errno| self.refused(errno))?.st_size.cast_unsigned()
        };
        let tail_bytes = self.size(bytes, &mut facts)?;
        Ok(FileDisk {
            descriptor,
            path: self.path.to_owned(),
            facts,
            identity: identity_of(&after, is_block_device),
            direct,
            tail_bytes,
            no_write_through: AtomicBool::new(false),
        })
    }

    /// Whether it is a block device; an error unless it is one or a plain file.
    fn kind_of(&self, stat: &Stat) -> Result<bool, OpenError> {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => return Ok(false),
            FileType::BlockDevice => return Ok(true),
            FileType::Directory => "a directory",
            FileType::Fifo => "a pipe",
            FileType::Socket => "a socket",
            FileType::CharacterDevice => "a character device",
            _ => "of an unknown kind",
        };
        Err(OpenError::WrongKind { path: self.path.to_owned(), kind })
    }

    fn descriptor(&self, stat: &Stat, is_block_device: bool) -> Result<OwnedFd, OpenError> {
        let mut flags = OFlags::CLOEXEC | OFlags::NOCTTY;
        flags |= if self.options.read_only { OFlags::RDONLY } else { OFlags::RDWR };
        if is_block_device && self.options.lock && !self.options.read_only {
            flags |= OFlags::EXCL;
        }
        let mut retries = RETRIES;
        let opened = loop {
            match open_file(self.path, flags, Mode::empty()) {
                Err(Errno::INTR) => {}
                Err(Errno::BUSY) if retries > 0 => wait_a_moment(&mut retries),
                opened => break opened,
            }
        };
        opened.map_err(|errno| match errno {
            Errno::BUSY => self.in_use(holder::of_device(&sysfs::directory(stat.st_rdev))),
            Errno::ROFS | Errno::ACCESS | Errno::PERM | Errno::TXTBSY if !self.options.read_only => {
                OpenError::ReadOnly { path: self.path.to_owned(), source: errno.into() }
            }
            errno => self.refused(errno),
        })
    }

    fn lock(&self, descriptor: &OwnedFd, stat: &Stat) -> Result<(), OpenError> {
        let operation = if self.options.read_only {
            FlockOperation::NonBlockingLockShared
        } else {
            FlockOperation::NonBlockingLockExclusive
        };
        let mut retries = RETRIES;
        loop {
            match flock(descriptor, operation) {
                Ok(()) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) if retries > 0 => wait_a_moment(&mut retries),
                Err(Errno::WOULDBLOCK) => return Err(self.in_use(holder::of_lock(stat.st_dev, stat.st_ino))),
                Err(errno) => return Err(self.refused(errno)),
            }
        }
    }

    /// Everything but the size.
    fn device_facts(&self, descriptor: &OwnedFd, stat: &Stat) -> Result<DiskFacts, OpenError> {
        let told = |result: rustix::io::Result<u32>| result.map_err(|errno| self.refused(errno));
        let logical_block_bytes = told(rustix::fs::ioctl_blksszget(descriptor))?;
        let physical_block_bytes = told(rustix::fs::ioctl_blkpbszget(descriptor))?;
        let protected = ioctl::is_read_only(descriptor.as_fd()).map_err(|errno| self.refused(errno))?;
        if protected && !self.options.read_only {
            return Err(OpenError::ReadOnly { path: self.path.to_owned(), source: Errno::ROFS.into() });
        }
        let directory = sysfs::directory(stat.st_rdev);
        let device = sysfs::device_facts(&directory, &sysfs::udev_record(stat.st_rdev));
        Ok(DiskFacts {
            logical_block_bytes,
            physical_block_bytes: physical_block_bytes.max(logical_block_bytes),
            rotational: device.rotational,
            serial: device.serial,
            wwn: device.wwn,
            partition_uuid: device.partition_uuid,
            read_only: self.options.read_only,
            ..DiskFacts::plain(0)
        })
    }

    /// Switches direct IO on where it is wanted and taken, and notes what it must be aligned to.
    fn direct(
        &self,
        descriptor: &OwnedFd,
        is_block_device: bool,
        facts: &mut DiskFacts,
    ) -> Result<bool, OpenError> {
        if self.options.direct == DirectIo::Off {
            return Ok(false);
        }
        let found = direct::switch_on(descriptor.as_fd(), facts.logical_block_bytes)
            .map_err(|errno| self.refused(errno))?;
        let Some(alignment) = found else {
            let optional = self.options.direct == DirectIo::Auto && !is_block_device;
            return if optional {
                Ok(false)
            } else {
                Err(OpenError::NoDirectIo { path: self.path.to_owned() })
            };
        };
        facts.buffer_alignment = alignment.buffer;
        facts.logical_block_bytes = alignment.offset;
        facts.physical_block_bytes = facts.physical_block_bytes.max(alignment.offset);
        Ok(true)
    }

    /// Notes the size in `facts`, in whole logical blocks; the bytes behind them are returned.
    fn size(&self, bytes: u64, facts: &mut DiskFacts) -> Result<u64, OpenError> {
        let (path, block_bytes) = (self.path, facts.logical_block_bytes);
        let usable = block_bytes.is_power_of_two() && block_bytes as usize >= SECTOR_BYTES;
        if !usable || bytes / SECTOR_BYTES as u64 > MAX_SECTORS {
            return Err(OpenError::Geometry { path: path.to_owned(), bytes, block_bytes });
        }
        let tail_bytes = bytes % u64::from(block_bytes);
        facts.sectors = (bytes - tail_bytes) / SECTOR_BYTES as u64;
        if facts.sectors == 0 {
            return Err(OpenError::TooSmall { path: path.to_owned(), bytes, block_bytes });
        }
        Ok(tail_bytes)
    }

    fn in_use(&self, holder: String) -> OpenError {
        OpenError::InUse { path: self.path.to_owned(), holder }
    }

    fn refused(&self, errno: Errno) -> OpenError {
        OpenError::Refused { path: self.path.to_owned(), source: errno.into() }
    }
}

fn wait_a_moment(retries: &mut u32) {
    *retries -= 1;
    sleep(PATIENCE / RETRIES);
}

fn identity_of(stat: &Stat, is_block_device: bool) -> DiskIdentity {
    if is_block_device {
        DiskIdentity::Block { device: stat.st_rdev }
    } else {
        DiskIdentity::File { device: stat.st_dev, inode: stat.st_ino }
    }
}
