use std::fs;
use std::path::Path;

use super::{BlockDevice, Contents, Places};

fn device(folder: &Path) -> BlockDevice {
    let places = Places {
        sys: folder.to_owned(),
        udev: folder.join("udev"),
        mounts: folder.join("mounts"),
        swaps: folder.join("swaps"),
    };
    BlockDevice { number: (253, 3), places }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn a_mapped_device_has_its_node_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("dev/block/253:3");
    write(&own.join("dm/name"), "vg-lv\n");
    write(&own.join("dm/uuid"), "LVM-x\n");
    write(&own.join("size"), "2048\n");
    write(&own.join("queue/logical_block_size"), "4096\n");
    let device = device(folder.path());
    assert_eq!(device.node().unwrap(), Path::new("/dev/mapper/vg-lv"));
    assert_eq!(device.mapped_uuid().unwrap(), "LVM-x");
    assert_eq!((device.sectors(), device.logical_block_bytes()), (Some(2048), Some(4096)));
    assert_eq!((device.physical_block_bytes(), device.loop_file()), (None, None));
}

#[test]
fn other_devices_have_the_node_that_the_kernel_names() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("dev/block/253:3");
    write(&own.join("uevent"), "MAJOR=253\nMINOR=3\nDEVNAME=loop3\nDEVTYPE=disk\n");
    write(&own.join("loop/backing_file"), "/srv/disk.img\n");
    let device = device(folder.path());
    assert_eq!(device.node().unwrap(), Path::new("/dev/loop3"));
    assert_eq!(device.loop_file().unwrap(), Path::new("/srv/disk.img"));
}

#[test]
fn users_are_holders_and_mounts() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("dev/block/253:3/holders/dm-4/dm/name"), "crypt\n");
    write(&folder.path().join("dev/block/253:3/holders/md0/size"), "1\n");
    write(
        &folder.path().join("mounts"),
        "29 1 8:2 / / rw - ext4 /dev/sda2 rw\n30 29 253:3 / /srv rw,noatime - ext4 /dev/mapper/x rw\n",
    );
    assert_eq!(device(folder.path()).users(), ["the device crypt", "the device md0", "a mount on /srv"]);
}

#[test]
fn contents_are_what_udev_noted() {
    let folder = tempfile::tempdir().unwrap();
    let found = device(folder.path()).contents();
    assert_eq!(found, Contents::default());
    write(&folder.path().join("udev/b253:3"), "I:123\nE:ID_FS_TYPE=ext4\nE:ID_FS_UUID=1-2\nE:ID_FS_LABEL=\n");
    let found = device(folder.path()).contents();
    assert_eq!(
        (found.kind.as_deref(), found.uuid.as_deref(), found.label),
        (Some("ext4"), Some("1-2"), None)
    );
}
