//! `metadata`: what lies on a spare, in a file, on the screen, and back.

mod restore;
mod show;

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use remap_io::disk::DiskSpec;

use crate::disks;
use crate::exit::{Outcome, refusal};
use crate::spare::backup;
use crate::spare::pages::examine;
use crate::text::{count, when};

/// Backs up, restores and shows the metadata of a spare that is not in use.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Writes superblock and map pages of a spare to a file.
    Backup {
        /// The spare.
        #[arg(value_name = "SPARE", value_parser = disks::parse)]
        spare: DiskSpec,
        /// The file to make.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Writes what is damaged on a spare anew from a backup. What is valid there and newer stays.
    Restore {
        /// The backup.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The spare.
        #[arg(value_name = "SPARE", value_parser = disks::parse)]
        spare: DiskSpec,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        /// Take a disk that holds something else.
        #[arg(long)]
        force: bool,
    },
    /// Shows what a spare, or a backup of one, says.
    Show {
        /// A spare, or a backup.
        #[arg(value_name = "SPARE|FILE", value_parser = disks::parse)]
        source: DiskSpec,
        /// Print it as JSON, mappings included.
        #[arg(long)]
        json: bool,
    },
}

pub fn run(args: &Args) -> Result<Outcome> {
    match &args.action {
        Action::Backup { spare, file } => back_up(spare, file),
        Action::Restore { file, spare, yes, force } => restore::run(file, spare, *yes, *force),
        Action::Show { source, json } => show::run(source, *json),
    }
}

fn back_up(spec: &DiskSpec, path: &Path) -> Result<Outcome> {
    let spare = disks::open_spare(spec, true)?;
    let (superblock, _, _) = spare.place()?;
    let failed = || format!("cannot write {}", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
    let mut out = BufWriter::new(file);
    let now = when::now_unix_s();
    backup::begin(&mut out, superblock, now).with_context(failed)?;
    let (mut pages, mut lost) = (0, 0);
    examine(&[&spare], |page| {
        pages += 1;
        lost += u64::from(page.newest.is_none());
        let zeros = [0; remap_core::layout::PAGE_BYTES];
        out.write_all(page.newest.unwrap_or(&zeros)).with_context(failed)
    })?;
    let file = out.into_inner().map_err(std::io::IntoInnerError::into_error).with_context(failed)?;
    file.as_file().sync_all().with_context(failed)?;
    file.persist_noclobber(path).map_err(|error| match error.error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            refusal(format!("{} is there already: name a new file", path.display()))
        }
        _ => anyhow::Error::new(error.error).context(failed()),
    })?;
    crate::text::say(&format!(
        "{} of the set {} written to {} at {}",
        count(pages, "map page"),
        superblock.name,
        path.display(),
        when::show(now)
    ))?;
    if lost > 0 {
        crate::text::complain(&format!(
            "{} had no valid copy and could not be written: dm-remap check {spec} tells more",
            count(lost, "map page")
        ));
        return Ok(Outcome::Findings);
    }
    Ok(Outcome::Done)
}
