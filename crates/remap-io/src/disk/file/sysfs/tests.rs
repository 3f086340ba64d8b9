//! What is read out of a device's directory.

use std::fs;

use super::*;

#[test]
fn a_scsi_disk_tells_serial_name_and_medium() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("device")).unwrap();
    fs::create_dir_all(dir.path().join("queue")).unwrap();
    fs::write(dir.path().join("device/vpd_pg80"), b"\0\x80\0\x08  WD-123").unwrap();
    fs::write(dir.path().join("device/wwid"), "naa.50014ee\n").unwrap();
    fs::write(dir.path().join("queue/rotational"), "1\n").unwrap();
    let nowhere = dir.path().join("no udev");
    let expected = DeviceFacts {
        serial: Some("WD-123".to_owned()),
        wwn: Some("naa.50014ee".to_owned()),
        partition_uuid: None,
        rotational: Some(true),
    };
    assert_eq!(device_facts(dir.path(), &nowhere), expected);
    let partition = dir.path().join("sda1");
    fs::create_dir(&partition).unwrap();
    fs::write(partition.join("partition"), "1\n").unwrap();
    assert_eq!(device_facts(&partition, &nowhere), expected);
}

#[test]
fn a_partition_has_the_uuid_that_the_kernel_or_udev_tells() {
    let dir = tempfile::tempdir().unwrap();
    let udev = dir.path().join("b8:1");
    let uuid = || device_facts(dir.path(), &udev).partition_uuid;
    fs::write(dir.path().join("uevent"), "MAJOR=8\nPARTN=1\n").unwrap();
    fs::write(&udev, "S:disk/by-id/x\nE:ID_PART_ENTRY_UUID=b15e1b11-01\nE:ID_FS_TYPE=ext4\n").unwrap();
    assert_eq!(uuid(), None, "it is no partition");
    fs::write(dir.path().join("partition"), "1\n").unwrap();
    assert_eq!(uuid().as_deref(), Some("b15e1b11-01"));
    fs::write(dir.path().join("uevent"), "PARTN=1\nPARTUUID=95d7baa0-4073-d24a-bf91-a093a2e378fb\n").unwrap();
    assert_eq!(uuid().as_deref(), Some("95d7baa0-4073-d24a-bf91-a093a2e378fb"));
    fs::write(dir.path().join("uevent"), "PARTUUID=00000000-01\n").unwrap();
    assert_eq!(uuid(), None, "no signature was ever given");
}

#[test]
fn garbage_and_absence_tell_nothing() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("device")).unwrap();
    for page in [&b""[..], b"\0\x80", b"\0\x80\xff\xff", b"\0\x83\0\x04abcd", b"\0\x80\0\x04a\x1b[m"] {
        fs::write(dir.path().join("device/vpd_pg80"), page).unwrap();
        assert_eq!(device_facts(dir.path(), dir.path()), DeviceFacts::default());
    }
}
