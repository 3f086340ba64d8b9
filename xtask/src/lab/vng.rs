//! virtme-ng, which boots a kernel on this machine's own root file system; installed into the user's cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::setup::packages;
use crate::{process, workspace};

/// The version whose command line is used here.
const VERSION: &str = "1.42";

/// The folder of its programs, which call each other by name.
pub struct Vng {
    programs: PathBuf,
}

impl Vng {
    /// What starts a guest.
    pub fn path(&self) -> PathBuf {
        self.programs.join("vng")
    }

    /// `PATH` with its programs in reach.
    pub fn search_path(&self) -> Result<std::ffi::OsString> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
        let all = [self.programs.clone()].into_iter().chain(std::env::split_paths(&path)).chain(system);
        Ok(std::env::join_paths(all)?)
    }
}

/// Whether it is installed.
pub fn is_there() -> Result<bool> {
    Ok(home()?.join("bin/vng").is_file())
}

/// Installs it with `pip`, into a folder of its own.
pub fn install() -> Result<()> {
    let home = home()?;
    // A virtual environment cannot be moved after it was made, so it is removed if it does not become whole.
    let result = install_into(&home);
    if result.is_err() && home.is_dir() {
        fs::remove_dir_all(&home)?;
    }
    result
}

/// The installed program.
pub fn program() -> Result<Vng> {
    if !is_there()? {
        bail!("virtme-ng is not installed; run: cargo xtask setup");
    }
    Ok(Vng { programs: home()?.join("bin") })
}

fn home() -> Result<PathBuf> {
    Ok(workspace::cache()?.join("lab").join(format!("virtme-ng-{VERSION}")))
}

fn install_into(home: &Path) -> Result<()> {
    process::run(packages::system_python().args(["-m", "venv"]).arg(home))?;
    let mut pip = Command::new(home.join("bin/python3"));
    pip.args(["-m", "pip", "--quiet", "--disable-pip-version-check", "install"]);
    process::run(pip.arg(format!("virtme-ng=={VERSION}")))
}
