//! `mappings`: what is moved and lost, block by block.

use anyhow::Result;
use remap_core::{Sector, SectorRange};
use serde::Serialize;

use crate::exit::Outcome;
use crate::reach::{self, Mapping};
use crate::text::map::{self, Mark};
use crate::text::range;
use crate::text::table::Table;

const MAP_LINES: u64 = 16;

/// Shows which sectors are moved and which are lost, block by block.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The name of a set, or the path of its device or control socket.
    #[arg(value_name = "NAME")]
    name: String,
    /// Only blocks that touch this range.
    #[arg(value_name = "RANGE", value_parser = range::parse, help = range::HELP)]
    range: Option<SectorRange>,
    /// Draw a map of the disk.
    #[arg(long, conflicts_with = "json")]
    map: bool,
    /// Print the mappings as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    /// Of the block, on the main disk.
    start_sector: u64,
    sectors: u64,
    moved: Vec<u64>,
    lost: Vec<u64>,
    /// From 1.
    spare: usize,
    /// Where the block's slot lies there.
    spare_sector: u64,
}

pub fn run(args: &Args) -> Result<Outcome> {
    let mut set = reach::look(&args.name)?;
    let status = set.status()?;
    let block_sectors = u64::from(status.block_bytes) / 512;
    let mut mappings = set.mappings()?;
    set.finish()?;
    if let Some(range) = args.range {
        mappings.retain(|mapping| {
            SectorRange::new(Sector(mapping.block_start_sector), block_sectors).overlaps(range)
        });
    }
    if args.json {
        let rows: Vec<Row> = mappings.iter().map(|mapping| row_of(mapping, block_sectors)).collect();
        crate::text::print_json(&rows)?;
    } else if args.map {
        let marked: Vec<_> = runs_of(&mappings).collect();
        crate::text::say(&format!(
            "{} a character: . main disk, m moved to a spare, L lost",
            map::scale(status.sectors, MAP_LINES)
        ))?;
        crate::text::print(&map::draw(status.sectors, MAP_LINES, &marked, ""))?;
    } else if mappings.is_empty() {
        crate::text::say("nothing is moved or lost")?;
    } else {
        crate::text::print(&table(&mappings, block_sectors))?;
    }
    Ok(Outcome::Done)
}

fn row_of(mapping: &Mapping, block_sectors: u64) -> Row {
    let sectors = |mask: u16| {
        let start = mapping.block_start_sector;
        (0..16).filter(move |bit| mask & (1 << bit) != 0).map(move |bit| start + bit).collect()
    };
    Row {
        start_sector: mapping.block_start_sector,
        sectors: block_sectors,
        moved: sectors(mapping.moved),
        lost: sectors(mapping.lost),
        spare: mapping.spare + 1,
        spare_sector: mapping.spare_sector,
    }
}

fn table(mappings: &[Mapping], block_sectors: u64) -> String {
    let mut table = Table::new(&["BLOCK", "MOVED", "LOST", ">SPARE", ">AT SECTOR"]);
    for mapping in mappings {
        let block = SectorRange::new(Sector(mapping.block_start_sector), block_sectors);
        table.row([
            shown(block),
            shown_mask(mapping.block_start_sector, mapping.moved),
            shown_mask(mapping.block_start_sector, mapping.lost),
            (mapping.spare + 1).to_string(),
            mapping.spare_sector.to_string(),
        ]);
    }
    table.show()
}

/// Runs of moved and of lost sectors.
pub fn runs_of(mappings: &[Mapping]) -> impl Iterator<Item = (SectorRange, Mark)> {
    mappings.iter().flat_map(|mapping| {
        let start = mapping.block_start_sector;
        let moved = runs(start, mapping.moved).map(|range| (range, Mark::Moved));
        moved.chain(runs(start, mapping.lost).map(|range| (range, Mark::Lost)))
    })
}

/// The runs of sectors that a mask names, ascending.
pub fn runs(start: u64, mask: u16) -> impl Iterator<Item = SectorRange> {
    let mut rest = u32::from(mask);
    std::iter::from_fn(move || {
        let from = (rest != 0).then(|| rest.trailing_zeros())?;
        let count = (rest >> from).trailing_ones();
        rest &= !(((1 << count) - 1) << from);
        Some(SectorRange::new(Sector(start + u64::from(from)), u64::from(count)))
    })
}

fn shown_mask(start: u64, mask: u16) -> String {
    let runs: Vec<String> = runs(start, mask).map(shown).collect();
    if runs.is_empty() { "-".into() } else { runs.join(",") }
}

fn shown(range: SectorRange) -> String {
    match range.sectors {
        1 => range.start.to_string(),
        _ => format!("{}-{}", range.start, range.end().0 - 1),
    }
}

#[cfg(test)]
mod tests;
