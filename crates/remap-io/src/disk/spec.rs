//! How a command line names a disk.
//!
//! Owns the syntax only: a path is a path, and everything else starts with a word and a colon.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::faulty::FaultsError;
use super::{Disk, FaultyDisk, FileDisk, OpenError, OpenOptions};

const FAULTY: &[u8] = b"faulty:";
const FAULTS: &[u8] = b",faults=";

/// A disk as named on a command line: `PATH`, or `faulty:PATH,faults=SCRIPT`.
///
/// A path that starts with `faulty:` is written as `./faulty:…`. The script begins behind the last
/// `,faults=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskSpec {
    /// A block device or a plain file.
    Plain(PathBuf),
    /// The same, with faults by a script in front; see [`FaultyDisk::watching`].
    Faulty {
        /// The block device or plain file.
        path: PathBuf,
        /// The fault script.
        faults: PathBuf,
    },
}

/// Why a disk could not be had by its name.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// The name is empty.
    #[error("a disk has an empty name: give a path, or faulty:PATH,faults=SCRIPT")]
    Empty,
    /// Part of a faulty disk's name is missing.
    #[error(
        "`{given}` lacks {missing}: a faulty disk is named faulty:PATH,faults=SCRIPT \
             (a path that begins that way is named ./{given})"
    )]
    Incomplete {
        /// What was given.
        given: String,
        /// What it lacks.
        missing: &'static str,
    },
    /// The disk cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its fault script cannot be used.
    #[error(transparent)]
    Faults(#[from] FaultsError),
}

impl DiskSpec {
    /// Reads a name.
    pub fn parse(spec: &OsStr) -> Result<Self, SpecError> {
        let bytes = spec.as_bytes();
        if bytes.is_empty() {
            return Err(SpecError::Empty);
        }
        let Some(rest) = bytes.strip_prefix(FAULTY) else {
            return Ok(Self::Plain(spec.into()));
        };
        let incomplete =
            |missing| SpecError::Incomplete { given: spec.to_string_lossy().into_owned(), missing };
        let at = rest.windows(FAULTS.len()).rposition(|window| window == FAULTS);
        let at = at.ok_or_else(|| incomplete("`,faults=`"))?;
        let (path, faults) = (&rest[..at], &rest[at + FAULTS.len()..]);
        if path.is_empty() {
            return Err(incomplete("the path of the disk"));
        }
        if faults.is_empty() {
            return Err(incomplete("the path of the fault script"));
        }
        Ok(Self::Faulty { path: path_of(path), faults: path_of(faults) })
    }

    /// The file or device behind it.
    pub fn path(&self) -> &Path {
        match self {
            Self::Plain(path) | Self::Faulty { path, .. } => path,
        }
    }

    /// Opens it.
    pub fn open(&self, options: &OpenOptions) -> Result<Box<dyn Disk>, SpecError> {
        let disk = Box::new(FileDisk::open(self.path(), options)?);
        match self {
            Self::Plain(_) => Ok(disk),
            Self::Faulty { faults, .. } => Ok(Box::new(FaultyDisk::watching(disk, faults)?)),
        }
    }
}

impl fmt::Display for DiskSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(path) => write!(f, "{}", path.display()),
            Self::Faulty { path, faults } => {
                write!(f, "faulty:{},faults={}", path.display(), faults.display())
            }
        }
    }
}

/// Opens the disk that a command line names; see [`DiskSpec`] for the syntax.
pub fn open_spec(spec: impl AsRef<OsStr>, options: &OpenOptions) -> Result<Box<dyn Disk>, SpecError> {
    DiskSpec::parse(spec.as_ref())?.open(options)
}

fn path_of(bytes: &[u8]) -> PathBuf {
    OsString::from_vec(bytes.to_vec()).into()
}

#[cfg(test)]
mod tests;
