//! What a spare, or a backup of one, says.

use std::fs::File;
use std::io::BufReader;

use anyhow::Result;
use remap_core::Sector;
use remap_core::format::page::Page;
use remap_core::format::superblock::Superblock;
use remap_core::layout::{PAGE_BYTES, RECORDS_PER_PAGE};
use remap_core::record::Record;
use remap_io::disk::DiskSpec;
use serde::Serialize;

use crate::disks;
use crate::exit::Outcome;
use crate::spare::backup::Backup;
use crate::spare::pages::examine;
use crate::text::{grouped, size, table, when};

#[derive(Debug, Serialize)]
struct Shown {
    name: String,
    set: String,
    generation: u64,
    closed_cleanly: bool,
    block_bytes: usize,
    copies: u32,
    lost_reads_zero: bool,
    created_unix_s: u64,
    created_by: String,
    main: Main,
    /// From 1: which of the members this is.
    member: u32,
    members: Vec<Member>,
    pages: u32,
    pages_without_valid_copy: u64,
    moved_sectors: u64,
    lost_sectors: u64,
    slots_used: u64,
    slots_failed: u64,
    mappings: Vec<Mapping>,
}

#[derive(Debug, Serialize)]
struct Main {
    path: String,
    sectors: u64,
    serial: String,
    wwn: String,
    partition_uuid: String,
    filesystem_uuid: String,
}

#[derive(Debug, Serialize)]
struct Member {
    uuid: String,
    sectors: u64,
    slots: u32,
}

#[derive(Debug, Serialize)]
struct Mapping {
    slot: u64,
    start_sector: u64,
    moved: u16,
    lost: u16,
}

pub fn run(source: &DiskSpec, json: bool) -> Result<Outcome> {
    let shown = if let Some(backup) = backup_at(source) {
        let mut shown = Shown::new(&backup.superblock);
        for (index, page) in (0..).zip(&backup.pages) {
            shown.add(&backup.superblock, index, page.as_deref());
        }
        shown
    } else {
        let spare = disks::open_spare(source, true)?;
        let (superblock, _, _) = spare.place()?;
        let mut shown = Shown::new(superblock);
        examine(&[&spare], |page| {
            shown.add(superblock, page.index, page.newest);
            Ok(())
        })?;
        shown
    };
    if json {
        crate::text::print_json(&shown)?;
    } else {
        crate::text::print(&shown.tell())?;
    }
    Ok(if shown.pages_without_valid_copy > 0 { Outcome::Findings } else { Outcome::Done })
}

/// A backup, if that is what is there.
fn backup_at(source: &DiskSpec) -> Option<Backup> {
    let path = source.path();
    if !path.is_file() {
        return None;
    }
    Backup::read(&mut BufReader::new(File::open(path).ok()?), "").ok()
}

impl Shown {
    fn new(superblock: &Superblock) -> Self {
        let creator = superblock.creator;
        let members = superblock.members.iter().map(|member| Member {
            uuid: member.uuid.to_string(),
            sectors: member.sectors,
            slots: member.slots,
        });
        Self {
            name: superblock.name.to_string(),
            set: superblock.set.to_string(),
            generation: superblock.generation,
            closed_cleanly: superblock.clean,
            block_bytes: superblock.block_size.bytes(),
            copies: superblock.copies,
            lost_reads_zero: superblock.lost_reads_zero,
            created_unix_s: superblock.created_unix_s,
            created_by: format!("{}.{}.{}", creator >> 16, creator >> 8 & 0xff, creator & 0xff),
            main: Main {
                path: superblock.main.path.to_string(),
                sectors: superblock.main.sectors,
                serial: superblock.main.serial.to_string(),
                wwn: superblock.main.wwn.to_string(),
                partition_uuid: superblock.main.partition_uuid.to_string(),
                filesystem_uuid: superblock.main.filesystem_uuid.to_string(),
            },
            member: superblock.member + 1,
            members: members.collect(),
            pages: superblock.pages(),
            pages_without_valid_copy: 0,
            moved_sectors: 0,
            lost_sectors: 0,
            slots_used: 0,
            slots_failed: 0,
            mappings: Vec::new(),
        }
    }

    fn add(&mut self, superblock: &Superblock, index: u32, bytes: Option<&[u8; PAGE_BYTES]>) {
        let page = bytes.and_then(|bytes| {
            Page::parse(bytes, superblock.set, index, superblock.block_size, superblock.main.sectors).ok()
        });
        let Some(page) = page else {
            self.pages_without_valid_copy += 1;
            return;
        };
        for at in 0..RECORDS_PER_PAGE {
            match page.record(at) {
                Record::Free => {}
                Record::Retired => self.slots_failed += 1,
                Record::Used { block, masks, .. } => {
                    let Sector(start_sector) = superblock.block_size.first_sector(block);
                    self.slots_used += 1;
                    self.moved_sectors += u64::from(masks.moved.count_ones());
                    self.lost_sectors += u64::from(masks.lost.count_ones());
                    self.mappings.push(Mapping {
                        slot: u64::from(index) * u64::from(RECORDS_PER_PAGE) + u64::from(at),
                        start_sector,
                        moved: masks.moved,
                        lost: masks.lost,
                    });
                }
            }
        }
    }

    fn tell(&self) -> String {
        let known = |text: &str| if text.is_empty() { "not known".into() } else { text.to_owned() };
        let end = if self.closed_cleanly { "closed cleanly" } else { "in use, or not closed cleanly" };
        let slots: u64 = self.members.iter().map(|member| u64::from(member.slots)).sum();
        let mut lines = vec![
            ("set", format!("{} ({})", self.name, self.set)),
            ("made", format!("{} by dm-remap {}", when::show(self.created_unix_s), self.created_by)),
            ("state", format!("{end}; generation {}", self.generation)),
            ("main", format!("{}, {}", known(&self.main.path), size::show_sectors(self.main.sectors))),
            ("serial", format!("{}; WWN {}", known(&self.main.serial), known(&self.main.wwn))),
            ("partition", known(&self.main.partition_uuid)),
            ("holds", known(&self.main.filesystem_uuid)),
            (
                "blocks",
                format!(
                    "{}, {} copies of the map on each spare",
                    size::show(self.block_bytes as u64),
                    self.copies
                ),
            ),
            ("lost", format!("sectors read as {}", if self.lost_reads_zero { "zeros" } else { "errors" })),
        ];
        for (number, member) in (1_u32..).zip(&self.members) {
            let this = if number == self.member { ", this one" } else { "" };
            lines.push((
                "spare",
                format!(
                    "{number}: {}, {}, {} slots{this}",
                    member.uuid,
                    size::show_sectors(member.sectors),
                    grouped(u64::from(member.slots))
                ),
            ));
        }
        lines.push((
            "map",
            format!(
                "{} sectors moved and {} lost in {} of {} slots; {} slots failed",
                grouped(self.moved_sectors),
                grouped(self.lost_sectors),
                grouped(self.slots_used),
                grouped(slots),
                grouped(self.slots_failed)
            ),
        ));
        if self.pages_without_valid_copy > 0 {
            let lost = grouped(self.pages_without_valid_copy);
            lines.push(("damage", format!("{lost} of {} map pages without a valid copy", self.pages)));
        }
        table::pairs(&lines)
    }
}
