//! The guest itself: made ready for scenarios, its modules, the end of its power.

pub mod leaks;
mod port;

use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::program;

/// A folder in memory for images, mount points and the like.
pub const SCRATCH: &str = "/run/lab";

/// What a kernel is given that was booted for the lab, and no other.
const SIGN: &str = "virtme_hostname=";

/// The project's own module.
static TARGET: OnceLock<PathBuf> = OnceLock::new();

/// Makes the guest ready. Refuses if this is no guest.
///
/// Output goes to the virtual serial port of the name `port`, if one is given. `module` is loaded.
pub fn start(port: Option<&str>, module: Option<&Path>) -> Result<()> {
    let command_line = fs::read_to_string("/proc/cmdline")?;
    if !command_line.contains(SIGN) {
        bail!("this is no guest of the lab, and scenarios change the machine; run: cargo xtask lab");
    }
    if let Some(name) = port {
        load("virtio_console", &[])?;
        port::write_to(name)?;
    }
    println!("guest: up, Linux {}", fs::read_to_string("/proc/sys/kernel/osrelease")?.trim());
    end_udev()?;
    fs::create_dir_all(SCRATCH)?;
    load("dm_mod", &[])?;
    // Old kernels have it as a module, and ext4 does not wait for its loading.
    if has_module("crc32c") {
        load("crc32c", &[])?;
    }
    if leaks::are_watched() {
        leaks::forget()?;
    }
    if let Some(module) = module {
        program::run("insmod", [module]).with_context(|| format!("loading {}", module.display()))?;
        let _ = TARGET.set(module.to_path_buf());
    }
    Ok(())
}

/// Ends udev where it was started: it opens disks at moments of its own.
fn end_udev() -> Result<()> {
    for process in fs::read_dir("/proc")?.flatten() {
        let is_udev =
            fs::read_to_string(process.path().join("comm")).is_ok_and(|name| name.trim() == "systemd-udevd");
        if is_udev {
            program::run("kill", ["-KILL".as_ref(), process.file_name().as_os_str()])?;
        }
    }
    Ok(())
}

/// Where the project's own module is, if it was loaded.
pub fn target_module() -> Option<&'static Path> {
    TARGET.get().map(PathBuf::as_path)
}

/// Whether the kernel has `module`, loaded or not.
pub fn has_module(module: &str) -> bool {
    program::run("modprobe", ["--dry-run", "--quiet", module]).is_ok()
}

/// Loads `module` of the kernel. Options of one that is loaded already are not looked at.
pub fn load(module: &str, options: &[String]) -> Result<()> {
    let words = [module.to_owned()].into_iter().chain(options.iter().cloned());
    program::run("modprobe", words).map(drop)
}

/// Unloads `module`. Its devices may still be being closed, so it is tried for a while.
pub fn unload(module: &str) -> Result<()> {
    let unload = || program::run("rmmod", [module]).map(drop);
    eventually(&format!("{module} unloaded"), unload)
}

/// Tries `attempt` until it succeeds, for ten seconds; gives its last error.
pub fn eventually<T>(what: &str, attempt: impl Fn() -> Result<T>) -> Result<T> {
    for _ in 0..100 {
        if let Ok(value) = attempt() {
            return Ok(value);
        }
        thread::sleep(Duration::from_millis(100));
    }
    attempt().with_context(|| format!("not within ten seconds: {what}"))
}

/// Forgets what the kernel keeps in memory of files, so that the next read is one of the disk.
pub fn drop_caches() -> Result<()> {
    rustix::fs::sync();
    fs::write("/proc/sys/vm/drop_caches", "3").context("dropping caches")
}

/// A new empty folder in memory.
pub fn new_folder(name: &str) -> Result<PathBuf> {
    let folder = Path::new(SCRATCH).join(name);
    if folder.is_dir() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Asks the kernel for one of its functions for emergencies.
pub fn sysrq(key: char) -> Result<()> {
    fs::write("/proc/sysrq-trigger", key.to_string()).with_context(|| format!("sysrq {key}"))
}

/// Ends the guest at once, as if its plug were pulled.
pub fn cut_power() -> Result<Infallible> {
    println!("guest: power cut");
    // Reboots without a sync; the guest is started such that a reboot ends it.
    sysrq('b')?;
    thread::sleep(Duration::from_secs(60));
    bail!("the guest still has power");
}
