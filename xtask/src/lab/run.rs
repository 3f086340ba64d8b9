//! Runs boots and judges them: by what their programs print, by how they end, and by their kernels' logs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};

use super::boot::{Ended, Guest, PORT};
use super::console;
use super::folder::Folder;
use super::plan::Boot;
use super::report::{self, Tally};
use super::vng::Vng;
use crate::kernels::Kernel;

/// How many of a boot's troubles are shown in full.
const TROUBLES_SHOWN: usize = 3;
/// Memory and processors of a guest for a shell.
const SHELL: (u32, u32) = (2048, 2);

/// What all boots of a run have in common.
pub struct Lab {
    pub vng: Vng,
    /// The program that runs in guests.
    pub program: PathBuf,
    pub use_kvm: bool,
    pub keep: bool,
    /// Instead of what scenarios ask for.
    pub memory_mib: Option<u32>,
    /// The same.
    pub cpus: Option<u32>,
}

impl Lab {
    /// Runs the guests of `boot`, with `module` loaded where one is needed, and counts what came of it.
    pub fn run(
        &self,
        kernel: &Kernel,
        boot: &Boot,
        module: Option<&Path>,
        zfs: Option<&Path>,
    ) -> Result<Tally> {
        let folder = Folder::new(&kernel.version, &boot.name)?;
        let disk =
            |disk: &super::plan::Disk| Ok((disk.name.clone(), folder.new_disk(&disk.name, disk.mebibytes)?));
        let disks = boot.disks().map(disk).collect::<Result<Vec<_>>>()?;
        let mut tally = Tally::default();
        for (index, steps) in boot.guests().iter().enumerate() {
            println!("\n-- {}: {}", kernel.version, steps.join(" "));
            let guest = Guest {
                vng: &self.vng,
                kernel,
                memory_mib: self.memory_mib.unwrap_or(kernel.memory_mib(boot.memory_mib())),
                cpus: self.cpus.unwrap_or(boot.cpus()),
                disks: &disks,
                console: &folder.file(&format!("console-{}.log", index + 1)),
                output: &folder.file(&format!("output-{}.log", index + 1)),
            };
            let module = module.filter(|_| boot.needs_target());
            let module = module.map(|file| format!("--module {} ", file.display())).unwrap_or_default();
            let zfs = zfs.filter(|_| boot.needs_zfs());
            let zfs = zfs.map(|folder| format!("--zfs {} ", folder.display())).unwrap_or_default();
            let slowness = kernel.slowness();
            let command = format!(
                "{} run --port {PORT} --slowness {slowness} {module}{zfs}{}",
                self.program.display(),
                steps.join(" ")
            );
            let limit = Duration::from_secs(boot.limit_seconds()) * slowness;
            let ended = self.boot(&guest, &command, limit)?;
            let of_guest = judge(boot, &guest, &ended);
            tally += of_guest;
            let up = ended.boot_time.unwrap_or(ended.whole_time);
            println!(
                "-- {of_guest}; up after {:.0} s, {:.0} s in all",
                up.as_secs_f64(),
                ended.whole_time.as_secs_f64()
            );
            if of_guest.has_failed() {
                // What the next steps look for may not be there.
                break;
            }
        }
        if tally.has_failed() || self.keep {
            println!("-- kept: {}", folder.file("").display());
        } else {
            folder.remove()?;
        }
        Ok(tally)
    }

    /// A guest that dies before any program of ours runs has nothing to do with what is tested. It happens
    /// with emulated processors, and with virtualization that is there and does not work.
    fn boot(&self, guest: &Guest, command: &str, limit: Duration) -> Result<Ended> {
        let ended = guest.run(command, limit, self.use_kvm)?;
        if ended.boot_time.is_some() {
            return Ok(ended);
        }
        println!("-- the guest died before its program ran; it is started once more, without virtualization");
        guest.run(command, limit, false)
    }

    /// An interactive shell in a guest.
    pub fn shell(&self, kernel: &Kernel) -> Result<()> {
        let folder = Folder::new(&kernel.version, "shell")?;
        let guest = Guest {
            vng: &self.vng,
            kernel,
            memory_mib: self.memory_mib.unwrap_or(kernel.memory_mib(SHELL.0)),
            cpus: self.cpus.unwrap_or(SHELL.1),
            disks: &[],
            console: &folder.file("console.log"),
            output: &folder.file("output.log"),
        };
        println!("in the guest: {} list, {0} run SCENARIO; exit ends it", self.program.display());
        let status = guest.shell(self.use_kvm)?;
        folder.remove()?;
        if !status.success() {
            bail!("the guest ended with {status}");
        }
        Ok(())
    }
}

/// Counts the checks, and as a failure each whatever else went wrong.
fn judge(boot: &Boot, guest: &Guest, ended: &Ended) -> Tally {
    let mut tally = report::tally(&ended.output);
    if let Some(what) = bad_end(ended) {
        println!("FAILED {}: {what}; its last words:", boot.name);
        for line in last_lines(&ended.console) {
            println!("    {line}");
        }
        tally.fail();
    }
    let expected = |name: &str| {
        let scenario = boot.scenarios.iter().find(|scenario| scenario.name == name);
        scenario.map_or(&[][..], |scenario| &scenario.expected_in_log)
    };
    let troubles = console::troubles(&ended.console, expected);
    for (index, trouble) in troubles.iter().enumerate() {
        let during = trouble.scenario.as_deref().unwrap_or("the boot");
        println!("FAILED {during}: the kernel reports trouble, {}:{}", guest.console.display(), trouble.line);
        let shown = if index < TROUBLES_SHOWN { trouble.text.len() } else { 1 };
        for line in &trouble.text[..shown] {
            println!("    {line}");
        }
        tally.fail();
    }
    tally
}

/// Why a guest's end is not the one that its program meant.
fn bad_end(ended: &Ended) -> Option<String> {
    if let Some(limit) = ended.cut_off {
        let state = if ended.boot_time.is_some() { "hung" } else { "did not come up" };
        return Some(format!("the guest {state} and was stopped after {:.0} s", limit.as_secs_f64()));
    }
    if ended.boot_time.is_none() {
        return Some("the guest died before its program ran, twice".to_owned());
    }
    (!report::came_to_its_end(&ended.output)).then(|| "the guest died before its program ended".to_owned())
}

/// The end of a log, for a guest that says no more.
fn last_lines(log: &str) -> Vec<&str> {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].to_vec()
}
