//! What is found on real filesystems, and on bytes laid out by the formats' documentation.

use std::path::Path;
use std::process::Command;

use remap_core::DiskError;

use super::Contents;
use crate::disk::{Disk, FileDisk, MemoryDisk, OpenOptions};

const BYTES: usize = 1 << 20;

fn look(disk: &dyn Disk) -> Contents {
    let facts = disk.facts();
    Contents::look(facts.sectors, facts.logical_block_bytes, |start, into| disk.read(start, into))
}

/// Where which bytes stand.
type Pieces<'p> = &'p [(usize, &'p [u8])];

fn found_with(pieces: Pieces<'_>) -> Contents {
    let disk = MemoryDisk::new((BYTES / 512) as u64);
    disk.corrupt(|image| {
        for (at, bytes) in pieces {
            image[*at..at + bytes.len()].copy_from_slice(bytes);
        }
    });
    look(&disk)
}

fn run(program: &str, args: &[&str], last: &Path) -> String {
    let output = Command::new(program).args(args).arg(last).output().unwrap();
    assert!(output.status.success(), "{program}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

#[test]
fn filesystems_and_swap_have_the_uuid_that_blkid_shows() {
    let dir = tempfile::tempdir().unwrap();
    let makers: [(&str, &[&str]); 3] =
        [("mkfs.ext4", &["-q", "-F"]), ("mkfs.xfs", &["-q", "-f"]), ("mkswap", &["-q"])];
    for (program, args) in makers {
        let path = dir.path().join(program);
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(400 << 20).unwrap();
        run(program, args, &path);
        let shown = run("blkid", &["-p", "-o", "value", "-s", "UUID"], &path);
        let disk = FileDisk::open(&path, &OpenOptions::read_only()).unwrap();
        assert_eq!(look(&disk).id(), shown, "{program}");
        assert_eq!(look(&disk).difference(&shown), None);
    }
}

#[test]
fn each_format_shows_its_uuid_as_its_own_tools_do() {
    let uuid: [u8; 16] = std::array::from_fn(|at| at as u8 + 0x10);
    let plain = "10111213-1415-1617-1819-1a1b1c1d1e1f";
    let text = b"e9c94062-a497-4ead-b751-f58bc9b0ba34";
    let lvm = b"HKo2cfhfKPMS1bCEqa22oY1xqL6Guujf";
    let md: &[u8] = b"\xfc\x4e\x2b\xa9";
    let tail = BYTES - 8192;
    let old = BYTES - 65536;
    let cases: &[(Pieces<'_>, &str)] = &[
        (&[(0, b"LUKS\xba\xbe"), (168, text)], "e9c94062-a497-4ead-b751-f58bc9b0ba34"),
        (&[(16384, b"SKUL\xba\xbe"), (16552, text)], "e9c94062-a497-4ead-b751-f58bc9b0ba34"),
        (&[(512, b"LABELONE"), (544, lvm)], "HKo2cf-hfKP-MS1b-CEqa-22oY-1xqL-6Guujf"),
        (&[(0, md), (168, &uuid)], plain),
        (&[(4096, md), (4264, &uuid)], plain),
        (&[(tail, md), (tail + 168, &uuid)], plain),
        (&[(old, md), (old + 20, &uuid[..4]), (old + 52, &uuid[4..])], plain),
        (&[(0x10040, b"_BHRfS_M"), (0x1010b, &uuid)], plain),
        (&[(1024, b"\x10\x20\xf5\xf2"), (1132, &uuid)], plain),
        (&[(3, b"NTFS    "), (72, &uuid[..8])], "1716151413121110"),
        (&[(3, b"EXFAT   "), (100, &uuid[..4])], "1312-1110"),
        (&[(54, b"FAT16   "), (39, &uuid[..4])], "1312-1110"),
        (&[(82, b"FAT32   "), (67, &uuid[..4])], "1312-1110"),
        (&[(512, b"EFI PART"), (568, &uuid)], "13121110-1514-1716-1819-1a1b1c1d1e1f"),
        (&[(4096, b"EFI PART"), (4152, &uuid)], "13121110-1514-1716-1819-1a1b1c1d1e1f"),
        (&[(510, b"\x55\xaa"), (440, &uuid[..4])], "13121110"),
    ];
    for (pieces, expected) in cases {
        assert_eq!(found_with(pieces).id(), *expected, "{pieces:x?}");
    }
}

#[test]
fn nothing_known_and_uuids_that_were_never_given_tell_nothing() {
    assert_eq!(found_with(&[]).id(), "");
    assert_eq!(found_with(&[(0, b"XFSB")]).id(), "");
    assert_eq!(found_with(&[(510, b"\x55\xaa")]).id(), "");
    assert_eq!(found_with(&[(0, b"LUKS\xba\xbe"), (168, b"\x1b[2J")]).id(), "");
    for sectors in [1, 8, 15, 16, 100] {
        assert_eq!(look(&MemoryDisk::new(sectors)).id(), "");
    }
    assert_eq!(look(&MemoryDisk::new(32).with_blocks(8192, 8192)).id(), "");
}

#[test]
fn another_uuid_and_none_at_all_are_differences_and_one_of_several_is_not() {
    let both = found_with(&[(0, b"XFSB"), (32, &[7; 16]), (510, b"\x55\xaa"), (440, &[1, 2, 3, 4])]);
    assert_eq!(both.difference(""), None);
    assert_eq!(both.difference("04030201"), None);
    assert_eq!(both.difference("07070707-0707-0707-0707-070707070707"), None);
    let other = both.difference("something else").unwrap();
    assert!(other.is_certain && other.text.contains("something else") && other.text.contains("04030201"));
    assert!(found_with(&[]).difference("x").unwrap().is_certain);
}

#[test]
fn what_cannot_be_read_makes_a_difference_uncertain() {
    let blank = MemoryDisk::new(2048);
    let contents = Contents::look(2048, 512, |start, into| {
        if start.0 == 128 { Err(DiskError::Medium) } else { blank.read(start, into) }
    });
    assert_eq!(contents.id(), "");
    assert!(!contents.difference("x").unwrap().is_certain);
}
