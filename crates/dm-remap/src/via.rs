//! Where a set runs: in the kernel, or in a process that serves it to NBD clients. It owns the choice, and the words that
//! say why it was made.

use std::fmt;

use remap_io::disk::DiskSpec;
use serde::{Deserialize, Serialize};

use crate::exit;
use crate::kernel::Target;

/// Says where new sets are to run, where the command line does not.
pub const VIA_VARIABLE: &str = "DM_REMAP_VIA";

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// A block device of the kernel's target `remap`.
    Kernel,
    /// A server in the background, for NBD clients.
    Nbd,
}

/// A choice that nobody made by hand, and why it was made.
#[derive(Debug)]
pub struct Choice {
    pub via: Via,
    pub why: String,
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kernel => "in the kernel",
            Self::Nbd => "in user space, over NBD",
        })
    }
}

impl Choice {
    /// What this machine allows for these disks.
    pub fn of_machine<'s>(disks: impl IntoIterator<Item = &'s DiskSpec>) -> Self {
        let nbd = |why| Self { via: Via::Nbd, why };
        if let Some(faulty) = disks.into_iter().find(|spec| matches!(spec, DiskSpec::Faulty { .. })) {
            return nbd(format!("{faulty} fails by a script, which the kernel knows nothing of"));
        }
        match Target::load() {
            Ok(target) => Self {
                via: Via::Kernel,
                why: format!(
                    "the kernel has the target {} {}",
                    crate::kernel::TARGET,
                    target.shown_version()
                ),
            },
            Err(error) => nbd(exit::chain(&error)),
        }
    }
}
