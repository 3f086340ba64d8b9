//! `export`: what is moved and lost, for other programs.

mod linear;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use remap_core::SectorRange;
use remap_io::lists::{badblocks, ddrescue, merged};
use remap_serve::control::Status;

use crate::exit::{Outcome, refusal};
use crate::reach::{self, Mapping};
use crate::text::map::Mark;
use crate::text::{complain, size};

/// Writes what is moved and lost as a list for other programs, or as a table that needs no dm-remap.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The name of a set, or the path of its device or control socket.
    #[arg(value_name = "NAME")]
    name: String,
    /// What to write.
    #[arg(long, value_enum)]
    format: Format,
    /// Which sectors count as bad in a list.
    #[arg(long, value_enum, default_value = "away")]
    bad: Bad,
    /// The blocks of a badblocks list, in bytes.
    #[arg(long, value_name = "SIZE", default_value_t = badblocks::DEFAULT_BLOCK_BYTES, value_parser = block_bytes)]
    block_size: u32,
    /// Write to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A mapfile of GNU ddrescue.
    Ddrescue,
    /// A list as badblocks writes and e2fsck reads it.
    Badblocks,
    /// A table for dmsetup: the same disk without dm-remap, lost sectors as errors.
    DmLinear,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Bad {
    /// Moved and lost: what the main disk no longer has. For work on the main disk itself.
    Away,
    /// Lost only: what nobody has. For work on the set, such as finding the files that are hit.
    Lost,
}

/// A size in bytes that a list's block can have; what is wrong with one is told when the list is written.
pub fn block_bytes(text: &str) -> Result<u32, String> {
    let bytes = size::parse_bytes(text)?;
    u32::try_from(bytes).map_err(|_| format!("`{text}` is too large for a block"))
}

pub fn run(args: &Args) -> Result<Outcome> {
    let mut set = reach::look(&args.name)?;
    let status = set.status()?;
    let mappings = set.mappings()?;
    let is_open = set.is_open();
    set.finish()?;
    let mut out = Vec::new();
    match args.format {
        Format::Ddrescue => {
            let map = ddrescue::Mapfile::of_bad_sectors(&bad(&mappings, args.bad), status.sectors);
            write!(out, "{map}")?;
        }
        Format::Badblocks => badblocks::write(&bad(&mappings, args.bad), args.block_size, &mut out)
            .map_err(|error| refusal(error.to_string()))?,
        Format::DmLinear => {
            let table = linear::table(&status, &mappings)?;
            out.write_all(table.as_bytes())?;
            warn(&args.name, &status, is_open);
        }
    }
    write_out(&out, args.output.as_deref())?;
    Ok(Outcome::Done)
}

/// Moved and lost sectors, ascending and merged.
fn bad(mappings: &[Mapping], which: Bad) -> Vec<SectorRange> {
    let runs = super::mappings::runs_of(mappings);
    merged(
        runs.filter(|(_, mark)| which == Bad::Away || *mark == Mark::Lost).map(|(range, _)| range).collect(),
    )
}

/// What has to be known before a table is used.
fn warn(name: &str, status: &Status, is_open: bool) {
    if is_open {
        complain(&format!(
            "{name} is open: the table is of this moment. Close the set before it is used, and export it again"
        ));
    }
    let paths = status.spares.iter().filter_map(|spare| spare.path.as_deref()).chain(status.main.as_deref());
    for path in paths.filter(|path| Path::new(path).is_file()) {
        complain(&format!(
            "{path} is a file, and dmsetup takes block devices: losetup --find --show {path} gives one to put in its place"
        ));
    }
}

/// To a file, all of it or nothing, or to standard output.
pub fn write_out(bytes: &[u8], path: Option<&Path>) -> Result<()> {
    let Some(path) = path else {
        return Ok(crate::text::print(std::str::from_utf8(bytes).context("lists are text")?)?);
    };
    let failed = || format!("cannot write {}", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).with_context(failed)?;
    file.persist(path).with_context(failed)?;
    Ok(())
}
