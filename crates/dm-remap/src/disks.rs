//! Disks as command lines and records name them: opening them, alone or as the members of a set.

use std::ffi::OsStr;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use dm_control::block::BlockDevice;
use remap_io::device::{OpenError, RemapDevice};
use remap_io::disk::{Disk, DiskIdentity, DiskSpec, OpenOptions};
use remap_io::members::{DeviceOptions, Finding, Members, find_signature, scan};

use crate::exit::refusal;
use crate::spare::SpareDisk;
use crate::state::Record;

/// Reads a disk's name, for clap.
pub fn parse(text: &str) -> Result<DiskSpec, String> {
    DiskSpec::parse(OsStr::new(text)).map_err(|error| error.to_string())
}

/// The same name wherever it is used from.
pub fn absolute(spec: &DiskSpec) -> Result<DiskSpec> {
    let absolute = |path: &Path| -> Result<PathBuf> {
        std::path::absolute(path).with_context(|| format!("{} is no path", path.display()))
    };
    Ok(match spec {
        DiskSpec::Plain(path) => DiskSpec::Plain(absolute(path)?),
        DiskSpec::Faulty { path, faults } => {
            DiskSpec::Faulty { path: absolute(path)?, faults: absolute(faults)? }
        }
    })
}

/// A name as text for a record.
pub fn as_text(spec: &DiskSpec) -> Result<String> {
    let is_text = match spec {
        DiskSpec::Plain(path) => path.to_str().is_some(),
        DiskSpec::Faulty { path, faults } => path.to_str().is_some() && faults.to_str().is_some(),
    };
    if is_text {
        Ok(spec.to_string())
    } else {
        anyhow::bail!("the path {spec} is not UTF-8 and cannot be remembered: link to it by another name")
    }
}

/// Opens a disk to look at it, without locks, however it is used by others.
pub fn peek(path: &Path) -> Result<Box<dyn Disk>> {
    let options = OpenOptions { lock: false, ..OpenOptions::read_only() };
    Ok(DiskSpec::Plain(path.to_owned()).open(&options)?)
}

/// Opens a disk as a spare off-line, and reads its superblocks.
pub fn open_spare(spec: &DiskSpec, read_only: bool) -> Result<SpareDisk> {
    // The kernel claims its disks, which keeps writers out, not readers; what they would read is half of the truth.
    if let Some(users) = users_of(spec) {
        return Err(refusal(format!(
            "{spec} is in use by {users}; this is for spares of closed sets: dm-remap close NAME first, or have the open \
             set verify its metadata (dm-remap scrub NAME start)"
        )));
    }
    let disk = spec.open(&OpenOptions { read_only, ..OpenOptions::default() });
    let disk = disk.with_context(|| format!("{spec} cannot be had; this is for spares of closed sets"))?;
    Ok(SpareDisk::read(spec.to_string(), disk))
}

/// The disks of a set, by name.
#[derive(Clone, Debug)]
pub struct SetDisks {
    pub main: DiskSpec,
    pub spares: Vec<DiskSpec>,
}

impl SetDisks {
    /// Those that a record names.
    pub fn of_record(record: &Record) -> Result<Self> {
        let parse = |text: &String| {
            parse(text)
                .map_err(anyhow::Error::msg)
                .with_context(|| format!("the record of `{}`", record.name))
        };
        let spares = record.spares.iter().map(parse).collect::<Result<_>>()?;
        Ok(Self { main: parse(&record.main)?, spares })
    }

    /// Opens the set that they are; with a record, only if it is the set of that record.
    pub fn open_device(&self, options: &DeviceOptions, record: Option<&Record>) -> Result<Arc<RemapDevice>> {
        let members = self.open(options.read_only)?;
        if let Some(record) = record {
            check_set(&members, record)?;
        }
        RemapDevice::open(members, options).map_err(|error| {
            let found = match &error {
                OpenError::NotASpare { path, .. } => {
                    what_is_at(path).map(|found| (path.display().to_string(), found))
                }
                _ => None,
            };
            match found {
                Some((path, found)) => anyhow::Error::new(error).context(format!("{path} holds {found}")),
                None if matches!(error, OpenError::NotASpare { .. }) => refusal(format!(
                    "{error}; where there was one, a backup brings it back (dm-remap metadata restore)"
                )),
                None => error.into(),
            }
        })
    }

    /// Where the set's main disk was last seen, if that is another path than the one it is opened by now.
    pub fn main_last_seen(&self) -> Option<String> {
        let spare = peek(self.spares.first()?.path()).ok()?;
        let seen_at = scan(&*spare).newest?.main.path.to_string();
        let is_other = identity_at(Path::new(&seen_at)) != identity_at(self.main.path());
        (is_other && !seen_at.is_empty()).then_some(seen_at)
    }

    /// Opens them all, locked against others.
    pub fn open(&self, read_only: bool) -> Result<Members> {
        refuse_twins(&self.main, &self.spares)?;
        let options = OpenOptions { read_only, ..OpenOptions::default() };
        Ok(Members {
            main: self.main.open(&options).context("the main disk")?,
            spares: open_all(&self.spares, &options)?,
        })
    }
}

/// Opens spares, locked against others.
pub fn open_all(specs: &[DiskSpec], options: &OpenOptions) -> Result<Vec<Box<dyn Disk>>> {
    specs.iter().map(|spec| spec.open(options).context("a spare")).collect()
}

/// Refuses a main disk or spares that something else uses: mounts, swap, devices stacked on them. Programs that have one
/// open are met when it is opened.
pub fn refuse_in_use(main: Option<&DiskSpec>, spares: &[DiskSpec]) -> Result<()> {
    if let Some((main, users)) = main.and_then(|main| Some((main, users_of(main)?))) {
        return Err(refusal(format!(
            "{main} is in use by {users}: stop that first. What is on it stays, and is used through the set's device from \
             then on"
        )));
    }
    if let Some((spare, users)) = spares.iter().find_map(|spare| Some((spare, users_of(spare)?))) {
        return Err(refusal(format!(
            "{spare} is in use by {users}: choose another spare, or stop that first"
        )));
    }
    Ok(())
}

/// Who uses a block device, in words; `None` when nobody does.
fn users_of(spec: &DiskSpec) -> Option<String> {
    let users = BlockDevice::at(spec.path())?.users();
    (!users.is_empty()).then(|| users.join(", "))
}

/// Refuses a disk that is named twice. It would be its own lock's victim, and be told as in use by this very
/// process.
pub fn refuse_twins(main: &DiskSpec, spares: &[DiskSpec]) -> Result<()> {
    let mut seen = vec![main];
    for spare in spares {
        let identity = identity_at(spare.path());
        if let Some(other) =
            seen.iter().find(|other| identity.is_some() && identity_at(other.path()) == identity)
        {
            return Err(refusal(format!(
                "{other} and {spare} are the same disk: a set needs a spare that is not its main disk, and each spare \
                 once"
            )));
        }
        seen.push(spare);
    }
    Ok(())
}

/// Refuses spares of another set than the record says.
fn check_set(members: &Members, record: &Record) -> Result<()> {
    let superblocks = members.spares.iter().filter_map(|spare| scan(&**spare).newest);
    let mut others = superblocks.filter(|superblock| superblock.set.to_string() != record.set);
    others.next().map_or(Ok(()), |other| {
        Err(refusal(format!(
            "a spare of `{0}` belongs to another set (`{1}`, {2}) than the one that is remembered ({3}): if that is right, \
             dm-remap forget {0}, and dm-remap remember",
            record.name, other.name, other.set, record.set
        )))
    })
}

/// What a disk holds that is no spare.
fn what_is_at(path: &Path) -> Option<Finding> {
    find_signature(&*peek(path).ok()?).ok()?
}

/// Which disk a path leads to, if it leads to one.
pub fn identity_at(path: &Path) -> Option<DiskIdentity> {
    let facts = std::fs::metadata(path).ok()?;
    if facts.file_type().is_block_device() {
        return Some(DiskIdentity::Block { device: facts.rdev() });
    }
    facts.is_file().then(|| DiskIdentity::File { device: facts.dev(), inode: facts.ino() })
}
