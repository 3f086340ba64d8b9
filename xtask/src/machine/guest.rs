//! One boot of the machine, by its own initramfs and init, until it powers itself off.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::disks::{Disks, ROOT_SET};
use super::root::Root;
use crate::lab::can_use_kvm;
use crate::process;

/// Some ten times what it takes on two idle cores whose work is emulation.
const LONGEST: Duration = Duration::from_secs(600);

/// Boots, and returns what came over the second serial port.
pub fn boot(disks: &Disks, root: &Root, number: u32) -> Result<String> {
    let serial = disks.file(&format!("serial-{number}.log"));
    let [kernel, initramfs] = root.boot_files();
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args(["-m", "1G", "-smp", "2", "-display", "none", "-no-reboot"]);
    let processor =
        if can_use_kvm() { ["-accel", "kvm", "-cpu", "host"] } else { ["-accel", "tcg", "-cpu", "max"] };
    qemu.args(processor);
    qemu.arg("-kernel").arg(kernel).arg("-initrd").arg(initramfs);
    qemu.args([
        "-append",
        &format!("root=/dev/mapper/{ROOT_SET} ro console=ttyS0 quiet systemd.show_status=0"),
    ]);
    let console = disks.file(&format!("console-{number}.log"));
    for port in [&console, &serial] {
        qemu.arg("-serial").arg(format!("file:{}", port.display()));
    }
    for (name, mebibytes) in Disks::MAINS {
        let rules = disks.bad_sectors(mebibytes, number)?;
        let main = disks.file(&format!("{name}-main"));
        qemu.arg("-drive").arg(format!(
            "driver=raw,if=virtio,file.driver=blkdebug,file.config={},file.image.driver=file,file.image.filename={}",
            rules.display(),
            main.display()
        ));
        let spare = disks.file(&format!("{name}-spare"));
        qemu.arg("-drive").arg(format!("file={},format=raw,if=virtio", spare.display()));
    }
    let log = disks.file(&format!("qemu-{number}.log"));
    let status = process::logged(&mut qemu, &log, LONGEST)?;
    let said = String::from_utf8_lossy(&fs::read(&serial)?).into_owned();
    let status =
        status.with_context(|| format!("the machine did not end in time; see {}", console.display()))?;
    anyhow::ensure!(status.success(), "qemu ended with {status}; see {}", log.display());
    Ok(said)
}
