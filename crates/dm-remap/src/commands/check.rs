//! `check`: every copy of every structure on spares that no set is using.

use std::fmt::Write as _;

use anyhow::Result;
use remap_core::layout::SUPERBLOCK_SECTORS;
use remap_io::disk::DiskSpec;
use serde::Serialize;

use crate::disks;
use crate::exit::Outcome;
use crate::spare::pages::{PageReport, PageState, examine, newest_superblock};
use crate::spare::{SpareDisk, describe, repair};
use crate::text::{count, grouped};

/// Damaged copies and lost pages that are listed one by one; all are counted.
const LISTED: usize = 1000;

/// Checks the metadata of spares off-line, and repairs it on request.
///
/// Reads all copies of superblock and map pages. The set must be closed; a running one does the same with
/// `dm-remap scrub NAME start`. Give all spares of a set together: each carries the map of the whole set, so
/// that what is damaged on one can be repaired from another.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The spares: devices or files.
    #[arg(required = true, value_name = "SPARE", value_parser = disks::parse)]
    spares: Vec<DiskSpec>,
    /// Write damaged copies anew from valid ones.
    #[arg(long)]
    repair: bool,
    /// Print the findings as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct SetReport {
    set: String,
    name: String,
    generation: u64,
    closed_cleanly: bool,
    members: usize,
    spares: Vec<SpareReport>,
    pages: u32,
    page_copies: u64,
    bad_page_copies: u64,
    /// The first of them.
    findings: Vec<Finding>,
    /// Pages of which no copy is valid.
    lost_page_count: u64,
    lost_pages: Vec<u32>,
    repaired: u64,
    /// Copies that are bad and stay so.
    left: u64,
}

#[derive(Debug, Serialize)]
struct SpareReport {
    path: String,
    /// Which spare of the set, from 1.
    number: u32,
    superblock_copies: Vec<SuperblockCopy>,
}

#[derive(Debug, Serialize)]
struct SuperblockCopy {
    sector: u64,
    good: bool,
    state: String,
}

#[derive(Debug, Serialize)]
struct Finding {
    path: String,
    page: u32,
    copy: u32,
    sector: u64,
    state: String,
}

pub fn run(args: &Args) -> Result<Outcome> {
    let spares: Vec<SpareDisk> =
        args.spares.iter().map(|spec| disks::open_spare(spec, !args.repair)).collect::<Result<_>>()?;
    let mut reports = Vec::new();
    for group in by_set(&spares)? {
        reports.push(check_set(&group, args.repair)?);
    }
    if args.json {
        crate::text::print_json(&reports)?;
    } else {
        for report in &reports {
            crate::text::print(&report.tell(args.repair))?;
        }
    }
    let care = reports.iter().any(|report| report.left > 0 || report.lost_page_count > 0);
    Ok(if care { Outcome::Findings } else { Outcome::Done })
}

/// Spares of one set together, in the order given.
fn by_set(spares: &[SpareDisk]) -> Result<Vec<Vec<&SpareDisk>>> {
    let mut groups: Vec<Vec<&SpareDisk>> = Vec::new();
    for spare in spares {
        let (superblock, _, _) = spare.place()?;
        let is_same = |group: &&mut Vec<&SpareDisk>| {
            group.first().and_then(|first| first.superblock().ok()).is_some_and(|s| s.set == superblock.set)
        };
        match groups.iter_mut().find(is_same) {
            Some(group) => group.push(spare),
            None => groups.push(vec![spare]),
        }
    }
    Ok(groups)
}

fn check_set(spares: &[&SpareDisk], may_repair: bool) -> Result<SetReport> {
    let superblock = newest_superblock(spares)?.expect("a group has a spare, and a spare has a superblock");
    let mut report = SetReport {
        set: superblock.set.to_string(),
        name: superblock.name.to_string(),
        generation: superblock.generation,
        closed_cleanly: superblock.clean,
        members: superblock.members.len(),
        spares: spares.iter().map(|spare| spare_report(spare)).collect(),
        pages: superblock.pages(),
        page_copies: 0,
        bad_page_copies: 0,
        findings: Vec::new(),
        lost_page_count: 0,
        lost_pages: Vec::new(),
        repaired: 0,
        left: 0,
    };
    let bad_superblocks: u64 =
        report.spares.iter().flat_map(|spare| &spare.superblock_copies).filter(|copy| !copy.good).count()
            as u64;
    if may_repair {
        for spare in spares {
            report.repaired += repair::superblocks(spare)? as u64;
        }
    }
    examine(spares, |page| {
        report.add(spares, &page);
        if may_repair {
            report.repaired += repair::page(spares, &page) as u64;
        }
        Ok(())
    })?;
    if may_repair && report.repaired > 0 {
        for spare in spares {
            spare.disk.flush()?;
        }
    }
    report.left = bad_superblocks + report.bad_page_copies - report.repaired;
    Ok(report)
}

fn spare_report(spare: &SpareDisk) -> SpareReport {
    let copies = SUPERBLOCK_SECTORS.iter().zip(spare.scan.copies).enumerate();
    SpareReport {
        path: spare.name.clone(),
        number: spare.scan.newest.as_ref().map_or(0, |superblock| superblock.member + 1),
        superblock_copies: copies
            .map(|(index, (sector, state))| SuperblockCopy {
                sector: *sector,
                good: !repair::superblock_copy_is_bad(spare, index),
                state: describe(state),
            })
            .collect(),
    }
}

impl SetReport {
    fn add(&mut self, spares: &[&SpareDisk], page: &PageReport<'_>) {
        self.page_copies += page.copies.len() as u64;
        for copy in page.copies.iter().filter(|copy| copy.state != PageState::Good) {
            self.bad_page_copies += 1;
            if self.findings.len() < LISTED {
                self.findings.push(Finding {
                    path: spares[copy.spare].name.clone(),
                    page: page.index,
                    copy: copy.copy,
                    sector: copy.start.0,
                    state: copy.state.to_string(),
                });
            }
        }
        if page.newest.is_none() {
            self.lost_page_count += 1;
            if self.lost_pages.len() < LISTED {
                self.lost_pages.push(page.index);
            }
        }
    }

    fn tell(&self, repairing: bool) -> String {
        let mut text = String::new();
        let _ = self.write(&mut text, repairing);
        text
    }

    fn write(&self, text: &mut String, repairing: bool) -> std::fmt::Result {
        let end = if self.closed_cleanly { "closed cleanly" } else { "not closed cleanly" };
        writeln!(text, "set {} ({}), {end}", self.name, self.set)?;
        for spare in &self.spares {
            let good = spare.superblock_copies.iter().filter(|copy| copy.good).count();
            writeln!(
                text,
                "  spare {} of {}, {}: {good} of {} superblock copies good",
                spare.number,
                self.members,
                spare.path,
                spare.superblock_copies.len()
            )?;
            for copy in spare.superblock_copies.iter().filter(|copy| !copy.good) {
                writeln!(text, "    at sector {}: {}", copy.sector, copy.state)?;
            }
        }
        if self.spares.len() < self.members {
            writeln!(text, "  {} not given", count((self.members - self.spares.len()) as u64, "spare"))?;
        }
        let good = self.page_copies - self.bad_page_copies;
        writeln!(
            text,
            "  {}: {} of {} copies good",
            count(u64::from(self.pages), "map page"),
            grouped(good),
            grouped(self.page_copies)
        )?;
        for Finding { path, page, copy, sector, state } in self.findings.iter().take(20) {
            writeln!(text, "    page {page}, copy {copy}, {path} sector {sector}: {state}")?;
        }
        if self.bad_page_copies > 20 {
            writeln!(text, "    and {} more; --json lists them", grouped(self.bad_page_copies - 20))?;
        }
        if self.lost_page_count > 0 {
            writeln!(
                text,
                "  {} without any valid copy: which blocks they mapped is unknown. Restore a backup: dm-remap \
                 metadata restore",
                count(self.lost_page_count, "map page")
            )?;
        }
        if self.repaired > 0 {
            writeln!(text, "  {} written anew", count(self.repaired, "copy").replace("copys", "copies"))?;
        }
        match (self.left, repairing) {
            (0, _) => Ok(()),
            (left, true) => writeln!(text, "  {left} bad and could not be written: replace the spare"),
            (_, false) => writeln!(text, "  Next: the same with --repair"),
        }
    }
}
