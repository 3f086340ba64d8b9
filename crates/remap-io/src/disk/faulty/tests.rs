//! How a disk with faults behaves towards those who use it.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::*;
use crate::disk::MemoryDisk;

fn over_memory(script: &str) -> (FaultyDisk, Arc<MemoryDisk>) {
    let memory = Arc::new(MemoryDisk::new(1024));
    (FaultyDisk::new(Box::new(Arc::clone(&memory)), script.parse().unwrap()), memory)
}

fn read(disk: &dyn Disk, start: u64, sectors: usize) -> Result<Vec<u8>, DiskError> {
    let mut data = vec![0; sectors * SECTOR_BYTES];
    disk.read(Sector(start), &mut data).map(|()| data)
}

fn write(disk: &dyn Disk, start: u64, sectors: usize, byte: u8) -> Result<(), DiskError> {
    disk.write(Sector(start), &vec![byte; sectors * SECTOR_BYTES], false)
}

/// Reads until the answer changes from `from`, for at most two seconds.
fn wait_for_change(disk: &dyn Disk, start: u64, from: Result<(), DiskError>) -> Result<(), DiskError> {
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        let now = read(disk, start, 1).map(drop);
        if now != from || Instant::now() > deadline {
            return now;
        }
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_request_that_touches_a_bad_sector_fails_as_a_whole() {
    let (disk, _) = over_memory("bad 100 2");
    assert_eq!(read(&disk, 96, 8).unwrap_err(), DiskError::Medium);
    assert_eq!(read(&disk, 101, 1).unwrap_err(), DiskError::Medium);
    assert!(read(&disk, 96, 4).is_ok());
    assert!(read(&disk, 102, 1).is_ok());
}

#[test]
fn of_a_failing_write_only_what_lies_before_the_bad_sector_is_stored() {
    let (disk, memory) = over_memory("bad-write 300 1 error=io");
    assert_eq!(write(&disk, 296, 8, 7), Err(DiskError::Io));
    assert_eq!(read(&memory, 296, 4).unwrap(), vec![7; 4 * SECTOR_BYTES]);
    assert_eq!(read(&memory, 300, 4).unwrap(), vec![0; 4 * SECTOR_BYTES]);
    let native = MemoryDisk::new(1024).with_blocks(4096, 4096);
    let disk = FaultyDisk::new(Box::new(native), "bad-write 300 1".parse().unwrap());
    assert_eq!(write(&disk, 288, 16, 7), Err(DiskError::Medium));
    assert_eq!(read(&disk, 288, 8).unwrap(), vec![7; 4096]);
    assert_eq!(read(&disk, 296, 8).unwrap(), vec![0; 4096]);
}

#[test]
fn a_write_heals_what_heals_and_nothing_else() {
    let (disk, _) = over_memory("bad-read 10 2 heal-on-write\nbad-read 20 1");
    assert!(read(&disk, 10, 1).is_err());
    write(&disk, 11, 1, 3).unwrap();
    assert_eq!(read(&disk, 11, 1).unwrap()[0], 3);
    assert!(read(&disk, 10, 2).is_err());
    write(&disk, 20, 1, 3).unwrap();
    assert!(read(&disk, 20, 1).is_err());
}

#[test]
fn a_write_that_fails_heals_only_what_it_stored() {
    let (disk, _) = over_memory("bad-read 10 8 heal-on-write\nbad-write 14 1");
    assert!(write(&disk, 8, 8, 1).is_err());
    assert!(read(&disk, 8, 6).is_ok());
    assert!(read(&disk, 14, 1).is_err());
}

#[test]
fn a_slow_range_takes_its_time() {
    let (disk, _) = over_memory("slow 500 8 ms=30");
    let started = Instant::now();
    read(&disk, 507, 1).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(30));
}

#[test]
fn an_offline_disk_answers_nothing_and_comes_back() {
    let (disk, _) = over_memory("offline");
    assert_eq!(read(&disk, 0, 1).unwrap_err(), DiskError::Offline);
    assert_eq!(write(&disk, 0, 1, 1), Err(DiskError::Offline));
    assert_eq!(disk.flush(), Err(DiskError::Offline));
    assert_eq!(disk.discard(SectorRange::new(Sector(0), 1)), Err(DiskError::Offline));
    disk.set_faults(FaultScript::default());
    assert_eq!(disk.flush(), Ok(()));
    assert_eq!(read(&disk, 0, 1).unwrap(), vec![0; SECTOR_BYTES]);
}

#[test]
fn requests_and_errors_are_counted() {
    let (disk, _) = over_memory("bad 5 1");
    let _ = read(&disk, 5, 1);
    let _ = read(&disk, 6, 1);
    let _ = write(&disk, 5, 1, 0);
    disk.flush().unwrap();
    assert_eq!(disk.counts(), FaultyCounts { reads: 2, writes: 1, flushes: 1, errors: 2 });
}

#[test]
fn a_faulty_disk_is_the_disk_behind_it_but_lends_no_descriptor() {
    let (disk, memory) = over_memory("");
    assert_eq!(disk.identity(), memory.identity());
    assert_eq!(disk.facts(), memory.facts());
    assert!(disk.descriptor().is_none());
}

#[test]
fn faults_appear_and_go_as_the_script_file_changes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("faults");
    fs::write(&path, "bad 1 1\n").unwrap();
    let disk = FaultyDisk::watching(Box::new(MemoryDisk::new(64)), &path).unwrap();
    assert!(read(&disk, 1, 1).is_err());
    fs::write(&path, "bad 1 1\nbad 2 1 error=io\n").unwrap();
    assert_eq!(wait_for_change(&disk, 2, Ok(())), Err(DiskError::Io));
    fs::write(dir.path().join("new"), "# healthy\n").unwrap();
    fs::rename(dir.path().join("new"), &path).unwrap();
    assert_eq!(wait_for_change(&disk, 1, Err(DiskError::Medium)), Ok(()));
}

#[test]
fn a_broken_or_missing_script_keeps_the_faults_and_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("faults");
    fs::write(&path, "bad 1 1\n").unwrap();
    let disk = FaultyDisk::watching(Box::new(MemoryDisk::new(64)), &path).unwrap();
    fs::write(&path, "bad 1 1\nbda 2 1\n").unwrap();
    let deadline = Instant::now() + Duration::from_secs(2);
    while disk.trouble().is_none() && Instant::now() < deadline {
        assert!(read(&disk, 1, 1).is_err());
        sleep(Duration::from_millis(10));
    }
    assert!(disk.trouble().unwrap().contains("line 2: `bda`"));
    fs::remove_file(&path).unwrap();
    sleep(Duration::from_millis(60));
    assert!(read(&disk, 1, 1).is_err());
    fs::write(&path, "").unwrap();
    assert_eq!(wait_for_change(&disk, 1, Err(DiskError::Medium)), Ok(()));
    assert_eq!(disk.trouble(), None);
}

#[test]
fn what_was_healed_stays_so_for_the_next_process_and_other_faults_return() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("faults");
    fs::write(&path, "bad-read 10 2 heal-on-write\nbad 20 1\n").unwrap();
    let memory = Arc::new(MemoryDisk::new(64));
    let again = || FaultyDisk::watching(Box::new(Arc::clone(&memory)), &path).unwrap();
    write(&again(), 8, 3, 5).unwrap();
    let disk = again();
    assert_eq!(read(&disk, 10, 1).unwrap()[0], 5);
    assert!(read(&disk, 11, 1).is_err());
    assert!(read(&disk, 20, 1).is_err());
    fs::remove_file(dir.path().join("faults.healed")).unwrap();
    assert!(read(&again(), 10, 1).is_err());
}

#[test]
fn a_script_that_is_missing_or_wrong_at_the_start_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("faults");
    let open = || FaultyDisk::watching(Box::new(MemoryDisk::new(64)), &path).unwrap_err().to_string();
    assert!(open().starts_with(&format!("cannot read the fault script {}", path.display())));
    fs::write(&path, "bad 1\n").unwrap();
    assert_eq!(open(), format!("fault script {}: line 1: count of sectors is missing", path.display()));
    fs::write(&path, "bad 1 1\n").unwrap();
    fs::write(dir.path().join("faults.healed"), "x\n").unwrap();
    assert!(open().ends_with("line 1: `x` is not a start sector and a count"));
}
