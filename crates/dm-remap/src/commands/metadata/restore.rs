//! From a backup to a spare. Pages and superblock are taken from whichever is newer, spare or backup, so that
//! restoring never goes back in time where the spare itself still knows better.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context as _, Result};
use remap_core::Sector;
use remap_core::format::superblock::Superblock;
use remap_core::layout::{PAGE_BYTES, SUPERBLOCK_SECTORS};
use remap_io::disk::{AlignedBuffer, DiskSpec};
use remap_io::members::{Finding, find_signature};

use crate::exit::{Outcome, refusal};
use crate::spare::backup::Backup;
use crate::spare::{SpareDisk, pages, repair};
use crate::text::{count, when};
use crate::{confirm, disks};

pub fn run(file: &Path, spec: &DiskSpec, yes: bool, force: bool) -> Result<Outcome> {
    let source = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    let backup = Backup::read(&mut BufReader::new(source), &file.display().to_string())?;
    let spare = disks::open_spare(spec, false)?;
    check_fit(&backup.superblock, &spare, force)?;
    let newest = newest_superblock(&backup.superblock, &spare);
    let layout = newest.members.get(newest.member as usize).and_then(|member| newest.layout_of(member));
    let layout = layout.context("a superblock that was checked has a layout")?;
    let plan = plan(&backup, &newest, &spare)?;
    let name = &newest.name;
    let pages = count(plan.len() as u64, "map page");
    let from = format!("the backup of {}", when::show(backup.made_unix_s));
    let loss = if plan.is_empty() {
        format!(
            "{spec}: the superblock of the set {name} will be written from {from}; the map there is whole."
        )
    } else {
        format!(
            "{spec}: the superblock and {pages} of the set {name} will be written from {from}. What was moved since then \
             and is told by these pages alone will be read from the main disk again."
        )
    };
    confirm::demand(yes, &loss, "restore")?;
    let disk = &*spare.disk;
    for (index, bytes) in &plan {
        let data = AlignedBuffer::copy_of(&**bytes);
        for copy in 0..newest.copies {
            let start = layout.page_address(copy, *index);
            disk.write(start, &data, false)
                .with_context(|| format!("{spec} cannot be written at sector {start}"))?;
        }
    }
    disk.flush()?;
    let mut bytes = AlignedBuffer::zeroed(PAGE_BYTES);
    newest.encode(bytes.first_chunk_mut().context("a page holds a superblock")?);
    for start in SUPERBLOCK_SECTORS {
        disk.write(Sector(start), &bytes, false)
            .with_context(|| format!("{spec} cannot be written at sector {start}"))?;
    }
    disk.flush()?;
    repair_copies(spare)?;
    crate::text::say(&format!(
        "restored the superblock and {pages} of the set {name}\nNext: dm-remap check {spec}"
    ))?;
    Ok(Outcome::Done)
}

/// Once the superblock is back, copies that are still bad follow from those that are good.
fn repair_copies(spare: SpareDisk) -> Result<()> {
    let spare = SpareDisk::read(spare.name, spare.disk);
    pages::examine(&[&spare], |page| {
        repair::page(&[&spare], &page);
        Ok(())
    })?;
    Ok(spare.disk.flush()?)
}

/// Refuses a disk that the backup was not made of.
fn check_fit(backup: &Superblock, spare: &SpareDisk, force: bool) -> Result<()> {
    let member = backup.members.get(backup.member as usize).context("a member of its own set")?;
    let sectors = spare.disk.facts().sectors;
    if sectors < member.sectors || (sectors != member.sectors && !force) {
        return Err(refusal(format!(
            "{} has {sectors} sectors, and the backup is of a spare of {}: nothing was written",
            spare.name, member.sectors
        )));
    }
    let found = match &spare.scan.newest {
        Some(own)
            if own.set == backup.set
                && own.members.get(own.member as usize).is_some_and(|m| m.uuid == member.uuid) =>
        {
            return Ok(());
        }
        Some(own) if own.set == backup.set => {
            return Err(refusal(format!(
                "{} is spare {} of the set, and the backup is of spare {}: nothing was written",
                spare.name,
                own.member + 1,
                backup.member + 1
            )));
        }
        Some(own) => Some(format!("a spare of the set {} ({})", own.name, own.set)),
        None => match find_signature(&*spare.disk) {
            Ok(Some(found @ Finding::Signature(_))) => Some(found.to_string()),
            // Whatever else is there: all superblocks are gone, which is what a backup is for.
            _ => None,
        },
    };
    match found {
        Some(found) if !force => Err(refusal(format!(
            "{} holds {found}, and everything that the backup's pages cover would be overwritten: nothing was written; pass \
             --force if that is the disk you mean",
            spare.name
        ))),
        _ => Ok(()),
    }
}

/// The newer of both.
fn newest_superblock(backup: &Superblock, spare: &SpareDisk) -> Superblock {
    match &spare.scan.newest {
        Some(own) if own.set == backup.set && own.generation > backup.generation => own.clone(),
        _ => {
            let mut superblock = backup.clone();
            // What was on the set at the time of the backup need not be there any more.
            superblock.main.filesystem_uuid.clear();
            superblock
        }
    }
}

type Page = (u32, Box<[u8; PAGE_BYTES]>);

/// The pages of the backup that are to be written: where the spare has no valid copy that is as new.
fn plan(backup: &Backup, newest: &Superblock, spare: &SpareDisk) -> Result<Vec<Page>> {
    let mut wanted = Vec::new();
    let mut add = |index: u32, on_spare: Option<&[u8; PAGE_BYTES]>| {
        if let Some(Some(page)) = backup.pages.get(index as usize) {
            let is_newer = on_spare.is_none_or(|own| generation(own) < generation(page));
            if is_newer {
                wanted.push((index, page.clone()));
            }
        }
    };
    if spare.scan.newest.as_ref().is_some_and(|own| own.set == newest.set) {
        pages::examine(&[spare], |page| {
            add(page.index, page.newest);
            Ok(())
        })?;
    } else {
        let view = pages::newest_by(&*spare.disk, newest)?;
        for (index, page) in (0..).zip(view) {
            add(index, page.as_deref());
        }
    }
    Ok(wanted)
}

fn generation(page: &[u8; PAGE_BYTES]) -> u64 {
    remap_core::format::page::Page::parse_any(page).map_or(0, |page| page.header.generation)
}
