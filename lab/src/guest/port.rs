//! The virtual serial port on which the guest's program speaks to whoever started the guest.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::eventually;

/// Where the kernel lists the ports.
const PORTS: &str = "/sys/class/virtio-ports";

/// Makes the port of the name `name` the standard output and standard error of this program and of all that
/// it starts.
pub fn write_to(name: &str) -> Result<()> {
    let node = eventually(&format!("a port {name}"), || find(name).context("there is none"))?;
    let port = OpenOptions::new().write(true).open(&node);
    let port = port.with_context(|| format!("cannot open {}", node.display()))?;
    rustix::stdio::dup2_stdout(&port)?;
    rustix::stdio::dup2_stderr(&port)?;
    Ok(())
}

fn find(name: &str) -> Option<PathBuf> {
    let ports = fs::read_dir(PORTS).ok()?.flatten();
    let is_it = |port: &fs::DirEntry| {
        fs::read_to_string(port.path().join("name")).is_ok_and(|found| found.trim() == name)
    };
    let port = ports.into_iter().find(is_it)?;
    let node = Path::new("/dev").join(port.file_name());
    node.exists().then_some(node)
}
