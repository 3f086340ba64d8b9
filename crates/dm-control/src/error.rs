//! Why device-mapper did not do what it was asked: what was tried, on what, what is in the way, and what to do.

use std::fmt;
use std::io;

use rustix::io::Errno;

use crate::name::NameError;

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Listing devices.
    List,
    /// Making a device.
    Create,
    /// Loading a table.
    Load,
    /// Suspending.
    Suspend,
    /// Going on, perhaps with another table.
    Resume,
    /// Removing a device.
    Remove,
    /// Renaming a device.
    Rename,
    /// A message to a target.
    Message,
    /// Asking for status or table.
    Status,
    /// Waiting for an event.
    Wait,
    /// Asking for a target, which loads its module.
    Target,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "mapped devices cannot be listed",
            Self::Create => "the mapped device cannot be made",
            Self::Load => "the table was refused",
            Self::Suspend => "the mapped device cannot be suspended",
            Self::Resume => "the mapped device does not go on",
            Self::Remove => "the mapped device cannot be removed",
            Self::Rename => "the mapped device cannot be renamed",
            Self::Message => "the message was refused",
            Self::Status => "the mapped device does not tell its status",
            Self::Wait => "events of the mapped device cannot be waited for",
            Self::Target => "the target cannot be asked for",
        })
    }
}

/// See the module. Devices are given by name.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel has no device-mapper, or not loaded.
    #[error("this kernel has no device-mapper loaded: modprobe dm_mod")]
    NoDeviceMapper,
    /// Only root may.
    #[error("only root may use device-mapper: try again with sudo")]
    NotPermitted,
    /// It speaks another major version.
    #[error("device-mapper of this kernel cannot be talked to ({0}): it is not version 4")]
    Version(io::Error),
    /// No module has the target, or it could not be loaded.
    #[error("the kernel has no target `{0}`")]
    NoTarget(String),
    /// There is such a device already.
    #[error(
        "{0}: a mapped device of this name or UUID is there already; choose another name, or remove that one"
    )]
    Taken(String),
    /// There is none.
    #[error("{0}: there is no such mapped device")]
    NoDevice(String),
    /// Somebody has it open.
    #[error("{0} is in use: unmount it, or stop what uses it, first")]
    Busy(String),
    /// The target did not want it, and said why in the kernel's log.
    #[error("{device}: {action}: {why}")]
    Refused {
        /// Which device.
        device: String,
        /// What was tried.
        action: Action,
        /// In the target's words.
        why: String,
    },
    /// A table or a message cannot be written as the kernel wants it: a zero in it, or a target's name of more than
    /// 15 bytes.
    #[error("{0}: a table or message has a zero in it, or a target's name is too long")]
    Unwritable(String),
    /// An answer does not fit into any buffer, or is no answer.
    #[error("{device}: the kernel's answer cannot be understood ({what})")]
    Foreign {
        /// Of which device, or which request.
        device: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The name cannot be one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The node in `/dev/mapper` cannot be made or removed.
    #[error("{node}: {source}")]
    Node {
        /// Its path.
        node: String,
        /// Why.
        source: io::Error,
    },
    /// Something else.
    #[error("{device}: {action} ({source})")]
    Os {
        /// Which.
        device: String,
        /// What was tried.
        action: Action,
        /// Why not.
        source: io::Error,
    },
}

impl Error {
    /// The error of a call about `device`.
    pub(crate) fn of(errno: Errno, action: Action, device: &str) -> Self {
        let device = device.to_owned();
        match (errno, action) {
            (Errno::ACCESS | Errno::PERM, _) => Self::NotPermitted,
            (Errno::MSGSIZE, _) => Self::Foreign { device, what: "it is too long" },
            (Errno::PROTO, _) => Self::Foreign { device, what: "it is no answer" },
            (Errno::BUSY, Action::Create | Action::Rename) => Self::Taken(device),
            (Errno::BUSY, Action::Remove) => Self::Busy(device),
            (Errno::NXIO, _) => Self::NoDevice(device),
            (_, _) => Self::Os { device, action, source: errno.into() },
        }
    }

    /// Whether there is nothing to be asked: no device-mapper, or no device of the name.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::NoDeviceMapper | Self::NoDevice(_))
    }
}
