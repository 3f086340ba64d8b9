//! The machine's disks: a root file system on a set, another set for data, and which sectors have gone bad.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::root::Root;
use crate::{process, workspace};

/// Sizes in MiB.
const ROOT_MIB: u64 = 2560;
const DATA_MIB: u64 = 256;
const SPARE_MIB: u64 = 128;
/// The names of sets.
pub const ROOT_SET: &str = "rootset";
pub const DATA_SET: &str = "dataset";

/// See the module.
pub struct Disks {
    folder: PathBuf,
}

impl Disks {
    /// Makes them: the root file system is what is in `root`.
    pub fn make(folder: &Path, root: &Root) -> Result<Self> {
        if folder.is_dir() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        let disks = Self { folder: folder.to_owned() };
        prepare(root)?;
        disks.format("root-main", ROOT_MIB, Some(root.folder()))?;
        disks.format("data-main", DATA_MIB, None)?;
        disks.make_set(ROOT_SET, "root")?;
        disks.make_set(DATA_SET, "data")?;
        Ok(disks)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn format(&self, name: &str, mebibytes: u64, from: Option<&Path>) -> Result<()> {
        let file = self.file(name);
        File::create(&file)?.set_len(mebibytes << 20)?;
        let mut mkfs = Command::new("mkfs.ext4");
        mkfs.args(["-q", "-F"]);
        if let Some(folder) = from {
            mkfs.arg("-d").arg(folder);
        }
        process::run(mkfs.arg(file))
    }

    /// Made and opened once in user space: the kernel finds the set by what it was told then.
    fn make_set(&self, name: &str, disks: &str) -> Result<()> {
        let spare = self.file(&format!("{disks}-spare"));
        File::create(&spare)?.set_len(SPARE_MIB << 20)?;
        let main = self.file(&format!("{disks}-main"));
        let (main, spare) = (main.to_string_lossy(), spare.to_string_lossy());
        for words in [
            &["create", name, "--main", &*main, "--spare", &*spare, "--via", "nbd"][..],
            &["open", name],
            &["close", name],
            &["forget", name],
        ] {
            let mut command = Command::new(workspace::target().join("release/dm-remap"));
            command
                .env("DM_REMAP_STATE_DIR", self.file("state"))
                .env("DM_REMAP_RUNTIME_DIR", self.file("run"));
            process::output(command.args(words)).context("making a set")?;
        }
        Ok(())
    }

    /// The rules for QEMU's `blkdebug` that fail writes to sectors of a main disk of so many MiB. All that were bad at
    /// the boots before are bad still. What lies on them already can be read, so that nothing is lost by chance.
    pub fn bad_sectors(&self, mebibytes: u64, boot: u32) -> Result<PathBuf> {
        use std::fmt::Write;
        let mut rules = String::new();
        for before in 0..u64::from(boot) {
            // One in five MiB of all that is not at the very beginning.
            for number in 2..mebibytes / 5 {
                let sector = number * 10240 + before * 2048 + number % 1021;
                writeln!(rules, "[inject-error]\nevent = \"none\"\niotype = \"write\"")?;
                writeln!(rules, "sector = \"{sector}\"\nerrno = \"5\"\nonce = \"off\"\n")?;
            }
        }
        let file = self.file(&format!("bad-{mebibytes}-{boot}.conf"));
        fs::write(&file, rules)?;
        Ok(file)
    }

    pub const MAINS: [(&str, u64); 2] = [("root", ROOT_MIB), ("data", DATA_MIB)];
}

/// What the machine does when it is up.
fn prepare(root: &Root) -> Result<()> {
    let place = |path: &str| root.folder().join(path);
    fs::write(place("usr/local/sbin/machine-check"), include_str!("machine-check.sh"))?;
    fs::write(place("etc/systemd/system/machine-check.service"), include_str!("machine-check.service"))?;
    let wants = place("etc/systemd/system/multi-user.target.wants");
    fs::create_dir_all(&wants)?;
    std::os::unix::fs::symlink("../machine-check.service", wants.join("machine-check.service"))?;
    fs::create_dir_all(place("data"))?;
    let table = format!(
        "/dev/mapper/{ROOT_SET} / ext4 defaults 0 1\n/dev/mapper/{DATA_SET} /data ext4 defaults 0 2\n"
    );
    Ok(fs::write(place("etc/fstab"), table)?)
}
