//! Spares added to and removed from a set while the kernel runs it.

use std::path::Path;

use anyhow::{Context as _, Result};
use dm_control::block::BlockDevice;
use dm_control::loop_device::{AttachOptions, Attached};
use remap_io::disk::{DiskSpec, OpenOptions};
use remap_io::members::find_signature;

use super::remember;
use crate::disks;
use crate::exit::{Outcome, refusal};
use crate::kernel::{self, KernelSet};
use crate::state::{Folders, Record};
use crate::text::grouped;

pub fn add(set: &KernelSet, spec: &DiskSpec) -> Result<Outcome> {
    let spec = disks::absolute(spec)?;
    let path = kernel::plain(&spec)?;
    if number_of(set, path)?.is_some() {
        return Err(refusal(format!("{spec} is a spare of {} already", set.name())));
    }
    disks::refuse_in_use(None, std::slice::from_ref(&spec))?;
    refuse_used(set, &spec)?;
    // It lives for as long as the set has it open.
    let attached = if path.is_file() {
        let logical_block_bytes = set.status()?.logical_bytes;
        Some(Attached::attach(path, AttachOptions { is_read_only: false, logical_block_bytes })?)
    } else {
        None
    };
    set.add_spare(attached.as_ref().map_or(path, Attached::path))?;
    if let Some(record) = record(set)? {
        let spares = record.spares.iter().cloned().chain([disks::as_text(&spec)?]).collect();
        remember(&record, spares)?;
    }
    crate::text::say(&format!(
        "{} has {spec} as a spare now, and {} slots in all",
        set.name(),
        grouped(set.status()?.slots_total)
    ))?;
    Ok(Outcome::Done)
}

/// Refuses a disk that holds something. Nothing is overwritten while a set is in use: that takes a moment's thought.
fn refuse_used(set: &KernelSet, spec: &DiskSpec) -> Result<()> {
    let disk = spec.open(&OpenOptions::read_only()).context("the new spare")?;
    let found = find_signature(&*disk).map_err(|(sector, error)| {
        refusal(format!("{spec} cannot be read at sector {sector} ({error}): it is no good as a spare"))
    })?;
    match found {
        Some(found) => Err(refusal(format!(
            "{spec} is not blank: it holds {found}. Choose another disk, or empty this one first (wipefs --all {spec}), or \
             close the set (dm-remap close {0}) and pass --force",
            set.name()
        ))),
        None => Ok(()),
    }
}

pub fn remove(set: &KernelSet, which: &str) -> Result<Outcome> {
    let line = set.line_spares()?;
    let at = match which.parse::<usize>() {
        Ok(number) => set.line_place(number)?,
        Err(_) => number_of(set, Path::new(which))?,
    };
    let Some(device) = at.and_then(|at| line.get(at)) else {
        return Err(refusal(format!(
            "{0} has no spare {which}: dm-remap spare {0} list shows them with their numbers",
            set.name()
        )));
    };
    let last = line.last().context("a set has a spare")?;
    if device != last || line.len() == 1 {
        let name = set.name();
        let why = if line.len() == 1 {
            format!("it is the only one: add another first (dm-remap spare {name} add DISK)")
        } else {
            format!(
                "while {name} is open only the one that was added last can leave, {}: dm-remap close {name}, then this \
                 again, then dm-remap open {name}",
                KernelSet::shown(last)
            )
        };
        return Err(refusal(format!("{} stays: {why}", KernelSet::shown(device))));
    }
    // Its file cannot be told any more once it is no loop device.
    let shown = KernelSet::shown(device);
    let record = record(set)?;
    let place = record.as_ref().and_then(|record| place_in(record, device));
    set.remove_spare(device)?;
    if let Some((record, place)) = record.zip(place) {
        let mut spares = record.spares.clone();
        spares.remove(place);
        remember(&record, spares)?;
    }
    crate::text::say(&format!("{shown} is no spare of {} any more", set.name()))?;
    Ok(Outcome::Done)
}

/// The record of the set, if it is remembered by the name of its device.
fn record(set: &KernelSet) -> Result<Option<Record>> {
    match set.name().parse() {
        Ok(name) => Folders::of_user()?.find(&name),
        Err(_) => Ok(None),
    }
}

/// Which spare of the table line a path leads to, from 0.
fn number_of(set: &KernelSet, path: &Path) -> Result<Option<usize>> {
    Ok(set.line_spares()?.iter().position(|device| is_same(device, path)))
}

/// Which of a record's spares a device of the table line is.
fn place_in(record: &Record, device: &str) -> Option<usize> {
    record.spares.iter().position(|text| disks::parse(text).is_ok_and(|spec| is_same(device, spec.path())))
}

/// Whether a path leads to a device of the table line, or to the file that it is made of.
fn is_same(device: &str, path: &Path) -> bool {
    let Some(device) = BlockDevice::named(device) else { return false };
    let file = device.loop_file();
    BlockDevice::at(path).is_some_and(|other| other.number() == device.number())
        || file.is_some_and(|file| {
            let identity = disks::identity_at(&file);
            identity.is_some() && identity == disks::identity_at(path)
        })
}
