//! The record of one set: by which names its disks are found.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::via::Via;

/// The only version there is.
const VERSION: u32 = 1;

/// One set, as remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    version: u32,
    /// Its name, the same as in its superblocks.
    pub name: String,
    /// Its UUID, the same as in its superblocks.
    pub set: String,
    /// The main disk, as on a command line.
    pub main: String,
    /// The spares in their order, as on a command line.
    pub spares: Vec<String>,
    /// Where `open` runs it unless told otherwise.
    #[serde(default = "nbd")]
    pub via: Via,
}

/// Where sets ran whose records do not say it.
fn nbd() -> Via {
    Via::Nbd
}

impl Record {
    /// A record to be written.
    pub fn new(name: &str, set: String, main: String, spares: Vec<String>, via: Via) -> Self {
        Self { version: VERSION, name: name.to_owned(), set, main, spares, via }
    }

    /// Reads the record in `path`; `None` when there is none.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let record: Self = serde_json::from_str(&text)
            .with_context(|| format!("{} is no record of a set: move it away", path.display()))?;
        if record.version != VERSION {
            bail!("{} was written by another version of dm-remap: use that one", path.display());
        }
        Ok(Some(record))
    }

    /// Writes the record to `path`, all of it or nothing. With `replace` unset, a record that is there stays,
    /// and that is an error.
    pub fn write(&self, path: &Path, replace: bool) -> Result<()> {
        let folder = path.parent().context("a record lies in a folder")?;
        let failed = || format!("cannot write {}", path.display());
        let mut file = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).with_context(failed)?;
        if replace {
            file.persist(path).with_context(failed)?;
        } else {
            file.persist_noclobber(path).with_context(failed)?;
        }
        fs::File::open(folder).and_then(|folder| folder.sync_all()).with_context(failed)
    }
}

#[cfg(test)]
mod tests;
