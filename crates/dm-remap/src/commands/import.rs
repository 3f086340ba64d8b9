//! `import`: bad sectors that another program has found.
//!
//! Listed sectors are read before anything is recorded, see docs/decisions/0005-import-reads-before-it-marks.md.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use remap_core::{Sector, SectorRange};
use remap_io::lists::{badblocks, ddrescue, merged};
use remap_serve::control::Order;
use serde::Serialize;

use crate::exit::Outcome;
use crate::reach;
use crate::text::count;

use super::export::block_bytes;
use super::order::{Effect, carry_out};

/// Moves sectors that a list calls bad to a spare, before they are met in use.
///
/// Each is read first: what can still be read is carried over, and only what cannot is recorded as lost.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("list").required(true))]
pub struct Args {
    /// The name of a set, or the path of its device or control socket.
    #[arg(value_name = "NAME")]
    name: String,
    /// A mapfile of GNU ddrescue.
    #[arg(long, value_name = "FILE", group = "list")]
    ddrescue: Option<PathBuf>,
    /// Of a mapfile, take what was not trimmed or scraped for bad, too; good sectors are among it.
    #[arg(long, requires = "ddrescue")]
    untrimmed: bool,
    /// A list of bad blocks, as badblocks writes it.
    #[arg(long, value_name = "FILE", group = "list")]
    badblocks: Option<PathBuf>,
    /// The blocks of a badblocks list, in bytes: what was given to badblocks with -b.
    #[arg(long, value_name = "SIZE", default_value_t = badblocks::DEFAULT_BLOCK_BYTES, value_parser = block_bytes)]
    block_size: u32,
    /// Print what became of it as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Imported {
    listed_sectors: u64,
    /// Behind the end of the set, and left out.
    outside_sectors: u64,
    #[serde(flatten)]
    effect: Effect,
}

pub fn run(args: &Args) -> Result<Outcome> {
    let listed = args.read()?;
    let mut set = reach::change(&args.name, |_| Ok(()))?;
    let status = set.status()?;
    let whole = reach::whole(&status);
    let logical = u64::from(status.logical_bytes) / 512;
    let inside: Vec<SectorRange> = listed.iter().filter_map(|range| range.intersection(whole)).collect();
    let sum = |ranges: &[SectorRange]| ranges.iter().map(|range| range.sectors).sum::<u64>();
    let (listed_sectors, inside_sectors) = (sum(&listed), sum(&inside));
    let aligned = merged(inside.into_iter().map(|range| grown(range, logical)).collect());
    let effect = carry_out(&mut set, Order::Remap, "moving", Some(&aligned));
    let finished = set.finish();
    let effect = effect?;
    finished?;
    let imported = Imported { listed_sectors, outside_sectors: listed_sectors - inside_sectors, effect };
    if args.json {
        crate::text::print_json(&imported)?;
    } else {
        let outside = match imported.outside_sectors {
            0 => String::new(),
            n => format!(", {} of them behind the end of the set and left out", count(n, "sector")),
        };
        crate::text::say(&format!("{} listed{outside}", count(imported.listed_sectors, "sector")))?;
        crate::text::print(&imported.effect.tell())?;
    }
    Ok(if imported.effect.failed > 0 { Outcome::Findings } else { Outcome::Done })
}

impl Args {
    /// The sectors that the list calls bad.
    fn read(&self) -> Result<Vec<SectorRange>> {
        let path =
            self.ddrescue.as_ref().or(self.badblocks.as_ref()).context("clap demands one of the two")?;
        let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let named = || path.display().to_string();
        if self.ddrescue.is_none() {
            return badblocks::parse(&text, self.block_size).with_context(named);
        }
        let means = if self.untrimmed { ddrescue::BadMeans::Failed } else { ddrescue::BadMeans::BadSector };
        Ok(ddrescue::Mapfile::parse(&text).with_context(named)?.bad_sectors(means))
    }
}

/// The range grown to multiples of `unit` sectors.
fn grown(range: SectorRange, unit: u64) -> SectorRange {
    let start = range.start.0 / unit * unit;
    SectorRange::new(Sector(start), range.end().0.next_multiple_of(unit) - start)
}
