//! The file that a fault script lives in, and the record of what has been healed beside it.
//!
//! Owns when the file is looked at. The record outlives the process: a sector that an acknowledged write
//! has healed must not turn bad because a server was restarted.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use remap_core::{Sector, SectorRange};

use super::{FaultScript, FaultsError, ScriptError};

/// How long a look at the file is good for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What tells one version of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

#[derive(Debug)]
pub(super) struct Watch {
    path: PathBuf,
    healed_path: PathBuf,
    started: Instant,
    /// When to look again, in milliseconds after `started`.
    look_at_ms: AtomicU64,
    seen: Mutex<Option<Version>>,
}

impl Watch {
    pub(super) fn new(path: &Path) -> Self {
        let mut healed_path = path.as_os_str().to_owned();
        healed_path.push(".healed");
        Self {
            path: path.to_owned(),
            healed_path: healed_path.into(),
            started: Instant::now(),
            look_at_ms: AtomicU64::new(LOOK_EVERY.as_millis() as u64),
            seen: Mutex::new(None),
        }
    }

    /// Whether it is time to look, and the file is another than the one loaded last. Of several threads
    /// that ask at once, one is told so. A file that is not there has not changed: it may be on its way.
    pub(super) fn has_changed(&self) -> bool {
        let now_ms = self.started.elapsed().as_millis() as u64;
        let look_at_ms = self.look_at_ms.load(Ordering::Relaxed);
        if now_ms < look_at_ms {
            return false;
        }
        let next_ms = now_ms + LOOK_EVERY.as_millis() as u64;
        let won = self.look_at_ms.compare_exchange(look_at_ms, next_ms, Ordering::Relaxed, Ordering::Relaxed);
        won.is_ok() && version(&self.path).is_ok_and(|now| *self.seen() != Some(now))
    }

    /// The script, and what has been healed.
    pub(super) fn load(&self) -> Result<(FaultScript, Vec<SectorRange>), FaultsError> {
        // Before reading: a change while it is read is then seen as one at the next look.
        *self.seen() = Some(version(&self.path).map_err(|source| unreadable(&self.path, source))?);
        let text = fs::read_to_string(&self.path).map_err(|source| unreadable(&self.path, source))?;
        let script = text.parse().map_err(|source| broken(&self.path, source))?;
        let healed = match fs::read_to_string(&self.healed_path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read.map_err(|source| unreadable(&self.healed_path, source))?,
        };
        let healed = parse_healed(&healed).map_err(|source| broken(&self.healed_path, source))?;
        Ok((script, healed))
    }

    /// Records that `ranges` were healed, for this process and the next ones.
    pub(super) fn record_healed(&self, ranges: &[SectorRange]) -> io::Result<()> {
        let mut lines = Vec::new();
        for range in ranges {
            writeln!(lines, "{} {}", range.start, range.sectors)?;
        }
        let mut file = File::options().append(true).create(true).open(&self.healed_path)?;
        file.write_all(&lines)
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Option<Version>> {
        self.seen.lock().expect("no thread panics while it holds the lock")
    }
}

fn version(path: &Path) -> io::Result<Version> {
    let facts = fs::metadata(path)?;
    Ok(Version {
        inode: facts.ino(),
        size: facts.size(),
        modified: (facts.mtime(), facts.mtime_nsec()),
        changed: (facts.ctime(), facts.ctime_nsec()),
    })
}

/// Lines of start sector and count.
fn parse_healed(text: &str) -> Result<Vec<SectorRange>, ScriptError> {
    text.lines()
        .enumerate()
        .map(|(index, line)| {
            let parsed = line.split_once(' ').and_then(|(start, count)| {
                let range = SectorRange::new(Sector(start.parse().ok()?), count.parse().ok()?);
                range.fits(u64::MAX).then_some(range)
            });
            let reason = || format!("`{line}` is not a start sector and a count");
            parsed.ok_or_else(|| ScriptError { line: index + 1, reason: reason() })
        })
        .collect()
}

fn unreadable(path: &Path, source: io::Error) -> FaultsError {
    FaultsError::Unreadable { path: path.to_owned(), source }
}

fn broken(path: &Path, source: ScriptError) -> FaultsError {
    FaultsError::Script { path: path.to_owned(), source }
}
