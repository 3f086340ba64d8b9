//! What the unit tests of several modules share: plans of sets, and memory that lives as long as they do.

use crate::format::superblock::{MainIdentity, Superblock};
use crate::plan::NewSet;
use crate::set::{MemorySizes, Set, SetMemory};
use crate::sync::{AtomicU32, AtomicU64};
use crate::units::BlockSize;
use arrayvec::ArrayString;
use std::boxed::Box;
use std::vec::Vec;
use uuid::Uuid;

/// Spares of these sizes in sectors, with UUIDs 1, 2, 3 and so on.
pub fn spares(sizes: &[u64]) -> Vec<(Uuid, u64)> {
    sizes.iter().zip(1..).map(|(&sectors, n)| (Uuid::from_u128(n), sectors)).collect()
}

/// A plan in which nothing is wrong: blocks of 4 KiB, three copies.
pub fn new_set(main_sectors: u64, spares: &[(Uuid, u64)]) -> NewSet<'_> {
    NewSet {
        set: Uuid::from_u128(0xd5),
        name: ArrayString::from("data").unwrap(),
        main: MainIdentity {
            sectors: main_sectors,
            logical_bytes: 512,
            physical_bytes: 4096,
            serial: ArrayString::from("S3RIAL").unwrap(),
            wwn: ArrayString::from("0x5000c500a1b2c3d4").unwrap(),
            partition_uuid: ArrayString::from("11c0f2a4-01").unwrap(),
            filesystem_uuid: ArrayString::from("7d5f-20aa").unwrap(),
            path: ArrayString::from("/dev/disk/by-id/ata-füllig").unwrap(),
        },
        spares,
        block_size: BlockSize::DEFAULT,
        copies: 3,
        lost_reads_zero: false,
        creator: 0x0001_0203,
        created_unix_s: 1_700_000_000,
    }
}

/// Memory for a set of `superblock`. Lives for ever.
pub fn memory(superblock: &Superblock) -> SetMemory<'static> {
    let sizes = MemorySizes::of(superblock);
    let words = |count: u64| -> &'static [AtomicU64] {
        Box::leak((0..count).map(|_| AtomicU64::new(0)).collect::<Box<_>>())
    };
    SetMemory {
        filter: words(sizes.filter_words),
        records: words(sizes.record_words),
        index: Box::leak((0..sizes.index_cells).map(|_| AtomicU32::new(0)).collect::<Box<_>>()),
    }
}

/// An empty set of `superblock` with all of its spares.
pub fn set(superblock: &Superblock) -> Set<'static> {
    Set::new(superblock, &[true; 16], memory(superblock)).unwrap()
}
