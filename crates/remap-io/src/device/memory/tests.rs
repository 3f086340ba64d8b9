//! Sets that own their memory.

use crate::members::scan;
use crate::testbed::Bed;
use remap_core::set::Target;
use remap_core::{Sector, SectorRange};

use super::{OwnedSet, zeroed};
use std::sync::atomic::{AtomicU64, Ordering};

#[test]
fn memory_is_zeroed_and_more_than_there_is_is_refused() {
    let memory = zeroed::<AtomicU64>(1000).unwrap();
    assert!(memory.iter().all(|word| word.load(Ordering::Relaxed) == 0));
    assert!(zeroed::<AtomicU64>(0).unwrap().is_empty());
    assert!(zeroed::<AtomicU64>(u64::MAX).is_none());
    assert!(zeroed::<AtomicU64>(1 << 58).is_none());
}

#[test]
fn an_owned_set_is_a_set() {
    let superblock = scan(&*Bed::plain(4096, 1).spares[0]).newest.unwrap();
    let owned = OwnedSet::new(&superblock, &[true]).unwrap();
    let piece = owned.get().resolve(SectorRange::new(Sector(0), 4096));
    assert_eq!((piece.target, piece.sectors), (Target::Main, 4096));
}
