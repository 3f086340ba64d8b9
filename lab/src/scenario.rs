//! What a scenario is: its steps, and what it needs of the guest it runs in.

use anyhow::Result;
use serde::Serialize;

use crate::checks::Checks;

/// A story that is played under a real kernel.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct Scenario {
    /// One word, as it is written on the command line.
    pub name: &'static str,
    /// What it establishes, in a line.
    pub about: &'static str,
    /// What it does. Each step is played in a boot of its own, one after the other; a step behind one that
    /// failed is not played.
    #[serde(serialize_with = "names")]
    pub steps: &'static [Step],
    /// Whether it may bring the kernel down or leave it unfit for others: then it shares no boot.
    pub own_boot: bool,
    /// Whether it is played only when it is named: it measures, or what it needs takes long to build.
    pub only_if_named: bool,
    /// Whether the kernel module of this project is loaded for it.
    pub needs_target: bool,
    /// Whether the module must not be unloaded after it, since a thread sleeps in its middle for ever.
    #[serde(skip)]
    pub keeps_module: bool,
    /// Whether ZFS is loaded for it. Building that takes a while, so it is played under one kernel only.
    pub needs_zfs: bool,
    /// Modules of the kernel without which it is skipped. Others are loaded where they are used.
    #[serde(skip)]
    pub needs_modules: &'static [&'static str],
    /// Disks that keep what is on them from step to step.
    pub disks: &'static [Disk],
    /// Parts of lines of the kernel's log that would fail every other scenario and are harmless in this one.
    pub expected_in_log: &'static [&'static str],
    /// Memory of its guest in MiB; all RAM disks are in it.
    pub memory_mib: u32,
    /// Processors of its guest.
    pub cpus: u32,
    /// After this long it hangs. Generous: processors are emulated, and shared with others.
    pub limit_seconds: u64,
}

/// What is done in one boot.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// One word.
    pub name: &'static str,
    /// Does it; an error ends the step and counts as a failed check.
    pub play: Play,
}

/// What plays a step.
pub type Play = fn(&Checks) -> Result<Next>;

/// What comes after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing special.
    Done,
    /// The guest's power is cut at once: nothing is unmounted, flushed or removed.
    PowerCut,
}

/// A disk that lasts over the boots of a scenario.
#[derive(Debug, Serialize)]
pub struct Disk {
    /// Letters, at most 20: its serial number.
    pub name: &'static str,
    /// Its size in MiB.
    pub mebibytes: u64,
}

impl Scenario {
    /// A scenario of one step which shares a boot, without a name, a story or a step.
    pub const USUAL: Self = Self {
        name: "",
        about: "",
        steps: &[],
        own_boot: false,
        only_if_named: false,
        needs_target: false,
        keeps_module: false,
        needs_zfs: false,
        needs_modules: &[],
        disks: &[],
        expected_in_log: &[],
        memory_mib: 2048,
        cpus: 2,
        limit_seconds: 600,
    };
}

fn names<S: serde::Serializer>(steps: &&[Step], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(steps.iter().map(|step| step.name))
}
