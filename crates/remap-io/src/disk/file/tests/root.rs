//! What block devices do as disks: on loop devices, which only root can make.

use std::process::Command;

use super::*;

/// A loop device over a file, taken away again when it is dropped.
struct LoopDevice {
    device: PathBuf,
    _dir: tempfile::TempDir,
}

impl LoopDevice {
    /// A device of `mib` MiB; nothing, with the reason printed, where there can be none.
    fn over_file(mib: u64, extra: &[&str]) -> Option<Self> {
        if !rustix_is_root() {
            println!("skipped: loop devices need root");
            return None;
        }
        let (dir, path) = image(mib * MIB);
        let made = Command::new("losetup").args(["--find", "--show"]).args(extra).arg(&path).output();
        match made {
            Ok(made) if made.status.success() => {
                let device = String::from_utf8(made.stdout).unwrap().trim_end().into();
                Some(Self { device, _dir: dir })
            }
            Ok(made) => {
                println!("skipped: no loop device: {}", String::from_utf8_lossy(&made.stderr).trim_end());
                None
            }
            Err(error) => {
                println!("skipped: losetup cannot be run: {error}");
                None
            }
        }
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.device).status();
    }
}

fn rustix_is_root() -> bool {
    // The owner of our own directory in `/proc` is the effective user.
    std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").unwrap()) == 0
}

#[test]
fn root_a_block_device_tells_its_geometry_and_keeps_data() {
    for (extra, block_bytes) in [(&[][..], 512), (&["--sector-size", "4096"][..], 4096)] {
        let Some(made) = LoopDevice::over_file(4, extra) else { return };
        let disk = FileDisk::open(&made.device, &OpenOptions::default()).unwrap();
        println!("{:?}", disk.facts());
        assert_eq!(disk.facts().sectors, 4 * MIB / 512);
        assert_eq!(disk.facts().logical_block_bytes, block_bytes);
        assert!(disk.facts().physical_block_bytes >= block_bytes);
        assert!(disk.facts().rotational.is_some());
        assert!(disk.is_direct());
        assert!(matches!(disk.identity(), DiskIdentity::Block { .. }));
        exercise(&disk);
    }
}

#[test]
fn root_a_block_device_is_had_once_and_its_holder_is_named() {
    let Some(made) = LoopDevice::over_file(4, &[]) else { return };
    let first = FileDisk::open(&made.device, &OpenOptions::default()).unwrap();
    assert!(refusal(&made.device, &OpenOptions::default()).contains("is in use"));
    let message = refusal(&made.device, &OpenOptions::read_only());
    assert!(message.contains(&format!("(process {})", std::process::id())), "{message}");
    drop(first);
    assert!(FileDisk::open(&made.device, &OpenOptions::default()).is_ok());
}

#[test]
fn root_a_mounted_device_is_refused_and_its_mount_is_named() {
    let Some(made) = LoopDevice::over_file(4, &[]) else { return };
    let place = tempfile::tempdir().unwrap();
    let run = |program: &str, args: &[&Path]| {
        Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
    };
    let quiet = Path::new("-q");
    if !run("mkfs.ext4", &[quiet, &made.device]) || !run("mount", &[&made.device, place.path()]) {
        println!("skipped: cannot make or mount a filesystem");
        return;
    }
    let message = refusal(&made.device, &OpenOptions::default());
    let readable = FileDisk::open(&made.device, &OpenOptions::read_only()).is_ok();
    assert!(run("umount", &[place.path()]));
    assert!(message.contains(&format!("by a mount on {}", place.path().display())), "{message}");
    assert!(readable);
}

#[test]
fn root_a_write_protected_device_can_only_be_read() {
    let Some(made) = LoopDevice::over_file(4, &["--read-only"]) else { return };
    assert!(refusal(&made.device, &OpenOptions::default()).contains("cannot be written"));
    assert!(FileDisk::open(&made.device, &OpenOptions::read_only()).unwrap().facts().read_only);
}
