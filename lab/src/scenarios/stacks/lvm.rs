//! A volume group on a set.

use std::path::Path;

use anyhow::Result;

use super::scattered;
use crate::checks::Checks;
use crate::fs::Kind;
use crate::guest;
use crate::program;
use crate::scenarios::on_ram::OnRam;
use crate::tree::Tree;

/// Only sets are looked at, nobody else knows of the group, and there is no udev.
const CONFIG: &str = "devices { use_devicesfile=0 filter=[\"a|^/dev/mapper/set$|\",\"r|.*|\"] \
                      global_filter=[\"a|^/dev/mapper/set$|\",\"r|.*|\"] obtain_device_list_from_udev=0 } \
                      activation { udev_sync=0 udev_rules=0 monitoring=0 } backup { backup=0 archive=0 }";

fn lvm(words: &[&str]) -> Result<String> {
    program::run(
        "lvm",
        words[..1].iter().copied().chain(["--config", CONFIG]).chain(words[1..].iter().copied()),
    )
}

pub fn play(checks: &Checks) -> Result<()> {
    let mut set = OnRam::new(96, "", |main| main.set_bad(&scattered(main.sectors(), 500)))?;
    lvm(&["pvcreate", "-y", "/dev/mapper/set"])?;
    lvm(&["vgcreate", "lab", "/dev/mapper/set"])?;
    checks.good(
        "lvm: a volume is made on a set",
        lvm(&["lvcreate", "-y", "-W", "n", "-l", "100%FREE", "-n", "volume", "lab"]),
    );
    let volume = Path::new("/dev/mapper/lab-volume");
    Kind::Ext4.make(volume)?;
    let mounted = Kind::Ext4.mount(volume, "volume")?;
    let copy = mounted.folder().join("copy");
    let tree = Tree::copy(Path::new("/usr/share/perl5"), &copy, 8 << 20)?;
    rustix::fs::sync();
    guest::drop_caches()?;
    checks.eq("lvm: files are there", tree.differences(&copy), Vec::new());
    mounted.unmount()?;
    lvm(&["vgchange", "-an", "lab"])?;
    set.again()?;
    checks.good("lvm: the group is found again", lvm(&["vgchange", "-ay", "lab"]));
    checks.good("lvm: the file system is sound", Kind::Ext4.check(volume));
    let mounted = Kind::Ext4.mount(volume, "volume")?;
    checks.eq("lvm: files are there again", tree.differences(&copy), Vec::new());
    mounted.unmount()?;
    checks.that("lvm: sectors were moved", set.status()?.used > 0, "none was");
    lvm(&["vgchange", "-an", "lab"])?;
    Ok(())
}
