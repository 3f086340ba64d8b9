//! What files as disks do, on a filesystem with direct IO where the temporary directory has one, and on
//! one in memory.

use std::fs::{self, File};
use std::os::fd::AsRawFd;

use super::*;

mod root;

const MIB: u64 = 1 << 20;

fn image(bytes: u64) -> (tempfile::TempDir, PathBuf) {
    image_in(&std::env::temp_dir(), bytes)
}

fn image_in(place: &Path, bytes: u64) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir_in(place).unwrap();
    let path = dir.path().join("disk");
    File::create(&path).unwrap().set_len(bytes).unwrap();
    (dir, path)
}

fn with(direct: DirectIo) -> OpenOptions {
    OpenOptions { direct, ..OpenOptions::default() }
}

fn refusal(path: &Path, options: &OpenOptions) -> String {
    FileDisk::open(path, options).unwrap_err().to_string()
}

/// Writes and reads through buffers of every misalignment, durable and not.
fn exercise(disk: &FileDisk) {
    let block = disk.facts().logical_block_bytes as usize;
    let mut memory = vec![0; 8 * block + 4096];
    for (round, misalignment) in [0, 1, 4, 511, 512, 4095].into_iter().enumerate() {
        let start = Sector((round * 4 * block / SECTOR_BYTES) as u64);
        let buffer = &mut memory[misalignment..misalignment + 4 * block];
        buffer.fill(round as u8 + 1);
        disk.write(start, buffer, round % 2 == 0).unwrap();
        buffer.fill(0);
        disk.read(start, buffer).unwrap();
        assert!(buffer.iter().all(|&byte| byte == round as u8 + 1));
    }
    disk.flush().unwrap();
    let range = SectorRange::new(Sector(0), (4 * block / SECTOR_BYTES) as u64);
    match disk.discard(range) {
        Ok(()) => {
            let mut data = vec![9; 4 * block];
            disk.read(Sector(0), &mut data).unwrap();
            assert!(data.iter().all(|&byte| byte == 0));
        }
        Err(error) => assert_eq!(error, DiskError::Unsupported),
    }
    let end = Sector(disk.facts().sectors);
    assert_eq!(disk.read(end, &mut memory[..block]), Err(DiskError::Unsupported));
}

#[test]
fn data_comes_back_with_and_without_the_page_cache() {
    for place in [std::env::temp_dir(), PathBuf::from("/dev/shm")] {
        if !place.is_dir() {
            println!("skipped: there is no {}", place.display());
            continue;
        }
        let (_dir, path) = image_in(&place, MIB);
        for direct in [DirectIo::Auto, DirectIo::Off] {
            let disk = FileDisk::open(&path, &with(direct)).unwrap();
            println!("{} {direct:?}: direct {}, {:?}", path.display(), disk.is_direct(), disk.facts());
            assert!(disk.facts().buffer_alignment.is_power_of_two());
            exercise(&disk);
        }
    }
}

#[test]
fn direct_io_is_used_as_told_by_the_descriptor() {
    let (_dir, path) = image(MIB);
    for direct in [DirectIo::Auto, DirectIo::Off] {
        let disk = FileDisk::open(&path, &with(direct)).unwrap();
        let flags = rustix::fs::fcntl_getfl(disk.descriptor().unwrap()).unwrap();
        assert_eq!(flags.contains(rustix::fs::OFlags::DIRECT), disk.is_direct());
        assert!(direct == DirectIo::Auto || !disk.is_direct());
    }
}

#[test]
fn a_file_without_direct_io_is_opened_buffered_or_refused_when_it_must_be_direct() {
    // Files of the kernel take no direct IO; this one can be read by everyone and is not empty.
    let path = Path::new("/sys/kernel/mm/transparent_hugepage/enabled");
    if !path.is_file() {
        println!("skipped: there is no {}", path.display());
        return;
    }
    let options = OpenOptions { direct: DirectIo::On, lock: false, ..OpenOptions::read_only() };
    assert!(refusal(path, &options).contains("takes no direct IO"));
    let disk = FileDisk::open(path, &OpenOptions { direct: DirectIo::Auto, ..options }).unwrap();
    assert!(!disk.is_direct());
}

#[test]
fn the_end_of_the_file_that_fills_no_block_is_no_part_of_the_disk() {
    let (_dir, path) = image(4096 * 3 + 100);
    let disk = FileDisk::open(&path, &with(DirectIo::Off)).unwrap();
    assert_eq!((disk.facts().sectors, disk.tail_bytes()), (24, 100));
}

#[test]
fn a_file_cut_short_gives_errors_not_data() {
    let (_dir, path) = image(MIB);
    let disk = FileDisk::open(&path, &OpenOptions::default()).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(8192).unwrap();
    let mut data = vec![0; 8192];
    assert_eq!(disk.read(Sector(0), &mut data), Ok(()));
    assert_eq!(disk.read(Sector(8), &mut data), Err(DiskError::Io));
    assert_eq!(disk.read(Sector(64), &mut data), Err(DiskError::Io));
}

#[test]
fn what_is_no_disk_is_refused_by_kind() {
    let dir = tempfile::tempdir().unwrap();
    let options = OpenOptions::default();
    assert!(refusal(dir.path(), &options).contains("is a directory: name a block device or a plain file"));
    assert!(refusal(Path::new("/dev/null"), &options).contains("is a character device"));
    let link = dir.path().join("link");
    std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
    assert!(refusal(&link, &options).contains("is a character device"));
    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(refusal(&fifo, &options).contains("is a pipe"));
    let socket = dir.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert!(refusal(&socket, &options).contains("is a socket"));
    let missing = dir.path().join("missing");
    assert!(refusal(&missing, &options).starts_with(&format!("cannot open {}: ", missing.display())));
}

#[test]
fn a_file_with_no_room_is_refused_with_advice() {
    for bytes in [0, 511] {
        let (_dir, path) = image(bytes);
        let message = refusal(&path, &OpenOptions::default());
        assert!(message.contains(&format!("it holds {bytes} bytes")), "{message}");
        assert!(message.contains("truncate -s SIZE"), "{message}");
    }
}

#[test]
fn a_second_opening_is_refused_and_names_the_first() {
    let (_dir, path) = image(MIB);
    let first = FileDisk::open(&path, &OpenOptions::default()).unwrap();
    let message = refusal(&path, &OpenOptions::default());
    assert!(message.contains(&format!("(process {})", std::process::id())), "{message}");
    assert!(refusal(&path, &OpenOptions::read_only()).contains("is in use"));
    let unlocked = OpenOptions { lock: false, ..OpenOptions::read_only() };
    assert_eq!(FileDisk::open(&path, &unlocked).unwrap().identity(), first.identity());
    drop(first);
    let _readers = [(); 2].map(|()| FileDisk::open(&path, &OpenOptions::read_only()).unwrap());
    assert!(refusal(&path, &OpenOptions::default()).contains("is in use"));
}

#[test]
fn hard_links_and_symbolic_links_lead_to_the_same_disk() {
    let (dir, path) = image(MIB);
    let (hard, soft) = (dir.path().join("hard"), dir.path().join("soft"));
    fs::hard_link(&path, &hard).unwrap();
    std::os::unix::fs::symlink(&path, &soft).unwrap();
    let unlocked = OpenOptions { lock: false, ..OpenOptions::default() };
    let identities = [&path, &hard, &soft].map(|path| FileDisk::open(path, &unlocked).unwrap().identity());
    assert!(identities.iter().all(|&identity| identity == identities[0]));
    let (_other_dir, other) = image(MIB);
    assert_ne!(FileDisk::open(&other, &unlocked).unwrap().identity(), identities[0]);
    assert!(FileDisk::open(&hard, &OpenOptions::default()).is_ok());
}

#[test]
fn a_disk_opened_for_reading_refuses_writes_and_discards() {
    let (_dir, path) = image(MIB);
    let disk = FileDisk::open(&path, &OpenOptions::read_only()).unwrap();
    assert!(disk.facts().read_only);
    assert_eq!(disk.write(Sector(0), &[0; 4096], false), Err(DiskError::Unsupported));
    assert_eq!(disk.discard(SectorRange::new(Sector(0), 8)), Err(DiskError::Unsupported));
}

#[test]
fn no_program_that_is_started_inherits_the_disk() {
    let (_dir, path) = image(MIB);
    let disk = FileDisk::open(&path, &OpenOptions::default()).unwrap();
    let flags = rustix::io::fcntl_getfd(disk.descriptor().unwrap()).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC), "{}", disk.descriptor.as_raw_fd());
}
