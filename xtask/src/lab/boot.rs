//! Starts one guest and waits for its end, under a time limit, passing on what its program prints.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::vng::Vng;
use super::{report, tree};
use crate::kernels::Kernel;
use crate::process;

/// How long a guest may take until its program runs: some ten times what it takes on two idle cores.
const BOOT_LIMIT: Duration = Duration::from_secs(120);
/// What is added to the scenarios' own limits, which the guest itself watches: this one is for a guest that
/// cannot any more.
const GRACE: Duration = Duration::from_secs(60);

/// A guest to start.
pub struct Guest<'a> {
    pub vng: &'a Vng,
    pub kernel: &'a Kernel,
    pub memory_mib: u32,
    pub cpus: u32,
    /// Names, which are the disks' serial numbers in the guest, and files.
    pub disks: &'a [(String, PathBuf)],
    /// Where to put its kernel's log.
    pub console: &'a Path,
    /// Where to put what its program prints.
    pub output: &'a Path,
}

/// How a guest ended.
pub struct Ended {
    pub output: String,
    pub console: String,
    /// What limit it was killed at, if it was.
    pub cut_off: Option<Duration>,
    /// From starting it until its program ran.
    pub boot_time: Option<Duration>,
    pub whole_time: Duration,
}

/// The name of the port that the guest's program writes to.
pub const PORT: &str = "lab.output";

/// What the kernel is told. A kernel that has oopsed ends at once: what follows would be worth nothing. An
/// emulated processor stalls for longer than a real one does.
const KERNEL_OPTIONS: &str = "printk.devkmsg=on log_buf_len=4M oops=panic watchdog_thresh=30 \
                              rcupdate.rcu_cpu_stall_timeout=60";

impl Guest<'_> {
    /// Runs `command` in the guest, at most `limit` from when it is up.
    pub fn run(&self, command: &str, limit: Duration, use_kvm: bool) -> Result<Ended> {
        // Whatever is there is of an earlier try.
        File::create(self.output).with_context(|| format!("cannot create {}", self.output.display()))?;
        File::create(self.console)?;
        let log = File::create(self.console.with_extension("vng.log"))?;
        let mut vng = self.command(use_kvm, &self.recording()?)?;
        // All of the log, which nobody wants between the lines of a shell.
        vng.args(["--append=ignore_loglevel", "--", command]);
        let mut child = vng
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", self.vng.path().display()))?;
        let watched = self.watch(&mut child, limit);
        if watched.is_err() {
            tree::kill(child.id());
            child.wait()?;
        }
        watched
    }

    /// A shell in the guest, on this terminal.
    pub fn shell(&self, use_kvm: bool) -> Result<ExitStatus> {
        Ok(self.command(use_kvm, "")?.status()?)
    }

    fn watch(&self, child: &mut Child, limit: Duration) -> Result<Ended> {
        let start = Instant::now();
        let mut output = Followed::open(self.output)?;
        let mut up_at = None;
        loop {
            let status = child.try_wait()?;
            output.pass_on()?;
            if up_at.is_none() && report::came_up(&output.text) {
                up_at = Some(start.elapsed());
            }
            let allowed = up_at.map_or(BOOT_LIMIT * self.kernel.slowness(), |up_at| up_at + limit + GRACE);
            let cut_off = (status.is_none() && start.elapsed() > allowed).then_some(allowed);
            if cut_off.is_some() {
                tree::kill(child.id());
                child.wait()?;
                output.pass_on()?;
            } else if status.is_none() {
                std::thread::sleep(Duration::from_millis(50));
                continue;
            }
            return Ok(Ended {
                output: output.text,
                console: String::from_utf8_lossy(&fs::read(self.console)?).into_owned(),
                cut_off,
                boot_time: up_at,
                whole_time: start.elapsed(),
            });
        }
    }

    fn command(&self, use_kvm: bool, qemu_options: &str) -> Result<Command> {
        let mut command = without_udev().unwrap_or_else(|| Command::new("env"));
        command.arg(self.vng.path()).env("PATH", self.vng.search_path()?);
        if !use_kvm {
            command.arg("--disable-kvm");
        }
        // The other way to share the root has a limit of open files that depends on the machine.
        command.args(["--force-9p", "--disable-monitor", "--user", "root", "--run"]).arg(&self.kernel.image);
        command.args(["--memory", &format!("{}M", self.memory_mib), "--cpus", &self.cpus.to_string()]);
        command.arg(format!("--append={KERNEL_OPTIONS}"));
        let disks = self.disks.iter().map(|(name, file)| {
            Ok(format!(
                "-drive file={},format=raw,if=none,id={name},discard=unmap \
                 -device virtio-blk-pci,drive={name},serial={name}",
                plain(file)?
            ))
        });
        let options = [Ok(qemu_options.to_owned())].into_iter().chain(disks).collect::<Result<Vec<_>>>()?;
        command.arg(format!("--qemu-opts={}", options.join(" ")));
        Ok(command)
    }

    /// Puts the kernel's log, which `vng` throws away, and what the guest's program prints into files. The
    /// program gets a port of its own, so that nothing is lost or mixed up when the guest dies.
    fn recording(&self) -> Result<String> {
        Ok(format!(
            "-set chardev.console.path={} -chardev file,id=lab,path={} \
             -device virtio-serial-pci -device virtserialport,name={PORT},chardev=lab",
            plain(self.console)?,
            plain(self.output)?
        ))
    }
}

/// A path that survives being a word of a shell and a value among QEMU's.
fn plain(path: &Path) -> Result<&str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._+-".contains(c);
    let text = path.to_str().filter(|text| text.chars().all(is_plain));
    text.with_context(|| {
        format!("the lab cannot use {}: a path of letters, digits, / . _ + - is needed", path.display())
    })
}

/// Runs what follows where the machine's udev is hidden, or nothing if that is not permitted here.
///
/// `vng` would start it in the guest: its rules load drivers for everything, which takes longer than the rest
/// of the boot, and its workers open disks at moments of their own.
fn without_udev() -> Option<Command> {
    let places = ["/usr/lib/systemd", "/lib/systemd"];
    let home = places.into_iter().find(|home| Path::new(home).join("systemd-udevd").is_file())?;
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args([
            "--mount",
            "sh",
            "-c",
            "mount -t tmpfs -o size=4k,mode=755 none \"$0\" && exec \"$@\"",
            home,
        ]);
        command
    };
    process::succeeds(unshare().arg("true")).then(unshare)
}

/// Whether guests can use the processor's virtualization. `/dev/kvm` may be there and be of no use.
pub fn can_use_kvm() -> bool {
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args(["-machine", "none,accel=kvm", "-cpu", "host", "-nodefaults", "-display", "none"]);
    let Ok(mut child) = qemu
        .args(["-monitor", "stdio"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
    else {
        return false;
    };
    // A machine that could not be made is gone before it reads.
    let told = child.stdin.take().is_some_and(|mut monitor| monitor.write_all(b"quit\n").is_ok());
    child.wait().is_ok_and(|status| status.success()) && told
}

/// A file that is printed while it grows.
struct Followed {
    file: File,
    /// What was printed: whole lines, at the end the beginning of one.
    text: String,
    printed: usize,
}

impl Followed {
    fn open(path: &Path) -> Result<Self> {
        Ok(Self { file: File::open(path)?, text: String::new(), printed: 0 })
    }

    fn pass_on(&mut self) -> Result<()> {
        let mut bytes = Vec::new();
        self.file.read_to_end(&mut bytes)?;
        self.text += &String::from_utf8_lossy(&bytes).replace('\r', "");
        let unprinted = &self.text[self.printed..];
        if let Some(end) = unprinted.rfind('\n') {
            for line in unprinted[..end].lines() {
                println!("  {line}");
            }
            self.printed += end + 1;
        }
        Ok(())
    }
}
