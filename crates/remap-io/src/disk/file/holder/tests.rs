//! How holders are found in the kernel's texts.

use super::*;

const LOCKS: &str = "\
1: POSIX  ADVISORY  WRITE 11 fe:00:77 0 EOF
2: FLOCK  ADVISORY  WRITE 22 fe:00:78 0 EOF
2: -> FLOCK  ADVISORY  WRITE 23 fe:00:77 0 EOF
3: FLOCK  ADVISORY  READ 33 fe:00:77 0 EOF
garbage
4:
";

#[test]
fn the_process_that_locks_is_named_and_one_that_waits_is_not() {
    assert_eq!(locking_process(LOCKS, 0xfe, 0, 77), Some(33));
    assert_eq!(locking_process(LOCKS, 0xfe, 0, 79), None);
    assert_eq!(locking_process("", 0, 0, 0), None);
}

#[test]
fn holders_and_mounts_of_a_disk_and_its_partitions_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let partition = dir.path().join("sda1");
    fs::create_dir_all(dir.path().join("holders/dm-0")).unwrap();
    fs::create_dir_all(&partition).unwrap();
    fs::write(dir.path().join("dev"), "8:0\n").unwrap();
    fs::write(partition.join("dev"), "8:1\n").unwrap();
    fs::write(partition.join("partition"), "1\n").unwrap();
    let mounts = "36 1 8:1 / /data rw - ext4 /dev/sda1 rw\n37 1 8:10 / /other rw - ext4 /dev/sda10 rw\n";
    assert_eq!(claims(dir.path(), mounts), ["dm-0", "a mount on /data"]);
    fs::create_dir_all(dir.path().join("holders/dm-0/dm")).unwrap();
    fs::write(dir.path().join("holders/dm-0/dm/name"), "archive\n").unwrap();
    assert_eq!(claims(dir.path(), mounts), ["the mapped device archive", "a mount on /data"]);
}

#[test]
fn the_loop_device_of_a_file_is_found_by_the_file_whatever_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let (file, other) = (dir.path().join("file"), dir.path().join("other"));
    for path in [&file, &other] {
        fs::write(path, "x").unwrap();
    }
    let link = dir.path().join("link");
    fs::hard_link(&file, &link).unwrap();
    let devices = dir.path().join("block");
    fs::create_dir_all(devices.join("loop3/loop")).unwrap();
    fs::create_dir_all(devices.join("loop4")).unwrap();
    fs::write(devices.join("loop3/loop/backing_file"), format!("{}\n", link.display())).unwrap();
    let of = |path: &Path| loop_device_in(&devices, &rustix::fs::stat(path).unwrap());
    assert_eq!((of(&file).as_deref(), of(&other)), (Some("/dev/loop3"), None));
}

#[test]
fn a_device_that_tells_nothing_is_held_by_nobody_known() {
    assert_eq!(of_device(Path::new("/nonexistent")), "");
    assert_eq!(of_lock(0, 0), "");
}
