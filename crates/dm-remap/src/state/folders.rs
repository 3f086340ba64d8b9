//! The two folders: records of sets, which stay, and sockets of servers, which do not.

use std::env;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::{Record, SetName};

/// Overrides the folder of records.
pub const STATE_VARIABLE: &str = "DM_REMAP_STATE_DIR";
/// Overrides the folder of sockets.
pub const RUNTIME_VARIABLE: &str = "DM_REMAP_RUNTIME_DIR";

/// Where things are remembered, for this user.
#[derive(Clone, Debug)]
pub struct Folders {
    state: PathBuf,
    runtime: PathBuf,
}

impl Folders {
    /// Those of whoever runs this process.
    pub fn of_user() -> Result<Self> {
        let is_root = rustix::process::geteuid().is_root();
        Ok(Self { state: state_folder(is_root)?, runtime: runtime_folder(is_root)? })
    }

    /// Where the record of `name` is or would be.
    pub fn record(&self, name: &SetName) -> PathBuf {
        self.state.join(format!("{name}.json"))
    }

    /// The NBD socket of `name`'s server.
    pub fn nbd_socket(&self, name: &str) -> PathBuf {
        self.runtime.join(format!("{name}.nbd"))
    }

    /// The control socket of `name`'s server.
    pub fn control_socket(&self, name: &str) -> PathBuf {
        self.runtime.join(format!("{name}.control"))
    }

    /// What `name`'s server in the background has to say.
    pub fn log(&self, name: &str) -> PathBuf {
        self.runtime.join(format!("{name}.log"))
    }

    /// Makes the folder of records if it is not there.
    pub fn make_state(&self) -> Result<()> {
        make(&self.state, 0o755)
    }

    /// Makes the folder of sockets if it is not there; nobody else may look into it.
    pub fn make_runtime(&self) -> Result<()> {
        make(&self.runtime, 0o700)?;
        let facts = fs::metadata(&self.runtime)
            .with_context(|| format!("cannot look at {}", self.runtime.display()))?;
        let me = rustix::process::geteuid().as_raw();
        if facts.uid() != me || facts.mode() & 0o022 != 0 {
            bail!(
                "{} belongs to someone else or can be written by others: sockets there could be replaced; \
                 set {RUNTIME_VARIABLE} to a folder of your own",
                self.runtime.display()
            );
        }
        Ok(())
    }

    /// The record of `name`, if there is one.
    pub fn find(&self, name: &SetName) -> Result<Option<Record>> {
        let record = Record::read(&self.record(name))?;
        match record {
            Some(record) if record.name != name.as_str() => {
                bail!("{} is the record of `{}`: rename it", self.record(name).display(), record.name)
            }
            found => Ok(found),
        }
    }

    /// The names under which servers have made a control socket, whether or not they live.
    pub fn served_names(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.runtime) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.with_context(|| format!("cannot list {}", self.runtime.display()))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let file = entry.with_context(|| format!("cannot list {}", self.runtime.display()))?.file_name();
            names.extend(file.to_str().and_then(|file| file.strip_suffix(".control")).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// Every record, by name; what is wrong with those that cannot be read comes second.
    pub fn records(&self) -> Result<(Vec<Record>, Vec<anyhow::Error>)> {
        let entries = match fs::read_dir(&self.state) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok((Vec::new(), Vec::new()));
            }
            entries => entries.with_context(|| format!("cannot list {}", self.state.display()))?,
        };
        let (mut records, mut troubles) = (Vec::new(), Vec::new());
        for entry in entries {
            let path = entry.with_context(|| format!("cannot list {}", self.state.display()))?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            match Record::read(&path) {
                Ok(record) => records.extend(record),
                Err(error) => troubles.push(error),
            }
        }
        records.sort_by(|a, b| a.name.cmp(&b.name));
        Ok((records, troubles))
    }
}

fn state_folder(is_root: bool) -> Result<PathBuf> {
    if let Some(folder) = variable(STATE_VARIABLE) {
        return absolute(&folder);
    }
    if is_root {
        return Ok("/var/lib/dm-remap".into());
    }
    let base = variable("XDG_STATE_HOME").filter(|folder| folder.is_absolute());
    let base = base.or_else(|| variable("HOME").map(|home| home.join(".local/state")));
    let base = base.with_context(|| {
        format!("there is no home folder to remember sets in: set {STATE_VARIABLE} to a folder")
    })?;
    Ok(base.join("dm-remap"))
}

fn runtime_folder(is_root: bool) -> Result<PathBuf> {
    if let Some(folder) = variable(RUNTIME_VARIABLE) {
        return absolute(&folder);
    }
    if is_root {
        return Ok("/run/dm-remap".into());
    }
    if let Some(base) = variable("XDG_RUNTIME_DIR").filter(|folder| folder.is_absolute()) {
        return Ok(base.join("dm-remap"));
    }
    Ok(env::temp_dir().join(format!("dm-remap-{}", rustix::process::geteuid().as_raw())))
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("{} is no path", path.display()))
}

fn make(folder: &Path, mode: u32) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))
}
