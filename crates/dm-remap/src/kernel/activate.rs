//! Opening a set in the kernel: files become loop devices, the disks become a table line, and the line a device.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use dm_control::loop_device::{AttachOptions, Attached};
use dm_control::{DeviceName, DeviceUuid, Error, Line, Mapper, Selector, escape};
use remap_core::{Sector, SectorRange};
use remap_io::disk::DiskSpec;
use remap_io::members::DeviceOptions;

use super::set::UUID_PREFIX;
use super::target::{TARGET, Target};
use crate::disks::{self, SetDisks};
use crate::exit::refusal;
use crate::state::Record;
use crate::text::complain;

/// How a set is opened. All of it unset is for reading and writing, and accepts nothing unusual.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the table line")]
pub struct Opening {
    pub read_only: bool,
    pub accept_other_main: bool,
    pub accept_missing_spares: bool,
    pub accept_lost_pages: bool,
}

impl Opening {
    fn device_options(self) -> DeviceOptions {
        DeviceOptions {
            read_only: self.read_only,
            accept_other_main: self.accept_other_main,
            accept_lost_pages: self.accept_lost_pages,
            accept_missing_spares: self.accept_missing_spares,
        }
    }
}

/// Opens the set of a record, and gives its device. What went wrong on the way is undone.
pub fn activate(target: &Target, record: &Record, how: Opening) -> Result<PathBuf> {
    let set = SetDisks::of_record(record)?;
    let name = DeviceName::of(&record.name)?;
    let uuid: DeviceUuid = format!("{UUID_PREFIX}{}", record.set).parse()?;
    clear_unfinished(&target.mapper, &name, &uuid)?;
    disks::refuse_in_use(Some(&set.main), &set.spares)?;
    let sectors = look(&set, record, how)?;
    let main = Device::of(&set.main, how.read_only).context("the main disk")?;
    let spares = set.spares.iter().map(|spec| Device::of(spec, how.read_only).context("a spare"));
    let spares: Vec<Device> = spares.collect::<Result<_>>()?;
    let line = Line {
        range: SectorRange::new(Sector(0), sectors),
        target: TARGET.to_owned(),
        arguments: arguments(main.path(), &spares.iter().map(Device::path).collect::<Vec<_>>(), how)?,
    };
    let made = target.mapper.activate(&name, Some(&uuid), &[line], how.read_only);
    // From here on the device holds its disks, and loop devices go with it.
    made.map_err(|error| explain(error, &record.name))
}

/// The path of a disk that the kernel can have.
pub fn plain(spec: &DiskSpec) -> Result<&Path> {
    match spec {
        DiskSpec::Plain(path) => Ok(path),
        DiskSpec::Faulty { .. } => {
            Err(refusal(format!("{spec} fails by a script, which is for sets in user space only: --via nbd")))
        }
    }
}

/// A disk of a set as the kernel can have it.
enum Device {
    Block(PathBuf),
    Loop(Attached),
}

impl Device {
    fn of(spec: &DiskSpec, is_read_only: bool) -> Result<Self> {
        let path = plain(spec)?;
        let disk = disks::peek(path)?;
        if !path.is_file() {
            return Ok(Self::Block(path.to_owned()));
        }
        let logical_block_bytes = disk.facts().logical_block_bytes;
        Ok(Self::Loop(Attached::attach(path, AttachOptions { is_read_only, logical_block_bytes })?))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Block(path) => path,
            Self::Loop(attached) => attached.path(),
        }
    }
}

/// Removes what an opening of this set left that was ended in the middle: a device without a table in use.
fn clear_unfinished(mapper: &Mapper, name: &DeviceName, uuid: &DeviceUuid) -> Result<()> {
    match mapper.info(Selector::Name(name)) {
        Ok(info) if info.uuid.as_ref() == Some(uuid) && !info.has_table => {
            mapper.remove(name, false)?;
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(error) if error.is_absent() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Opens the set here to look at it, so that what is wrong with it is told as it is of sets in user space. Gives its
/// size in sectors.
fn look(set: &SetDisks, record: &Record, how: Opening) -> Result<u64> {
    let options = DeviceOptions { read_only: true, ..how.device_options() };
    let device = set.open_device(&options, Some(record))?;
    if let Some(doubt) = device.doubt() {
        complain(&format!("dm-remap: {}: warning: {doubt}", record.name));
    }
    let sectors = device.status().sectors;
    device.close()?;
    Ok(sectors)
}

fn arguments(main: &Path, spares: &[&Path], how: Opening) -> Result<String> {
    let text = |path: &Path| -> Result<String> {
        Ok(escape(path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?))
    };
    let (first, others) = spares.split_first().context("none of the spares is there")?;
    let mut options = Vec::new();
    for spare in others {
        options.extend(["spare".to_owned(), text(spare)?]);
    }
    let flags = [
        (how.read_only, "read_only"),
        (how.accept_other_main, "accept_other_main"),
        (how.accept_missing_spares, "accept_missing_spares"),
        (how.accept_lost_pages, "accept_lost_pages"),
    ];
    options.extend(flags.iter().filter(|(is_set, _)| *is_set).map(|(_, word)| (*word).to_owned()));
    let mut arguments = format!("{} {}", text(main)?, text(first)?);
    if !options.is_empty() {
        arguments = format!("{arguments} {} {}", options.len(), options.join(" "));
    }
    Ok(arguments)
}

fn explain(error: Error, name: &str) -> anyhow::Error {
    match error {
        Error::Refused { why, .. } => {
            refusal(format!("{name} is not opened: the kernel's target refused: {why}"))
        }
        Error::Taken(_) => refusal(format!(
            "a mapped device called {name}, or one of this set, is there already: `dmsetup info` lists them"
        )),
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Opening, arguments};

    #[test]
    fn a_line_names_all_disks_and_counts_its_options() {
        let (main, spares) = (Path::new("/dev/a b"), [Path::new("/dev/c"), Path::new("/dev/d")]);
        let plain = arguments(main, &spares[..1], Opening::default()).unwrap();
        assert_eq!(plain, "/dev/a\\ b /dev/c");
        let how = Opening { read_only: true, accept_missing_spares: true, ..Opening::default() };
        let full = arguments(main, &spares, how).unwrap();
        assert_eq!(full, "/dev/a\\ b /dev/c 4 spare /dev/d read_only accept_missing_spares");
        assert!(arguments(main, &[], how).is_err());
    }
}
