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
    let expected = DeviceFacts {
        serial: Some("WD-123".to_owned()),
        wwn: Some("naa.50014ee".to_owned()),
        rotational: Some(true),
    };
    assert_eq!(device_facts(dir.path()), expected);
    let partition = dir.path().join("sda1");
    fs::create_dir(&partition).unwrap();
    fs::write(partition.join("partition"), "1\n").unwrap();
    assert_eq!(device_facts(&partition), expected);
}

#[test]
fn garbage_and_absence_tell_nothing() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("device")).unwrap();
    for page in [&b""[..], b"\0\x80", b"\0\x80\xff\xff", b"\0\x83\0\x04abcd", b"\0\x80\0\x04a\x1b[m"] {
        fs::write(dir.path().join("device/vpd_pg80"), page).unwrap();
        assert_eq!(device_facts(dir.path()), DeviceFacts::default());
    }
}
