//! Announcing and settling.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use remap_core::{Sector, SectorRange};

use super::{MAX_IN_FLIGHT, Registry};

fn range(start: u64, sectors: u64) -> SectorRange {
    SectorRange::new(Sector(start), sectors)
}

#[test]
fn settling_waits_for_what_touches_and_for_nothing_else() {
    let registry = Registry::new();
    let (one, other) = (registry.claim(), registry.claim());
    one.announce(range(0, 8));
    other.announce(range(100, 8));
    registry.settle(&[range(8, 92)]);
    let settled = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            registry.settle(&[range(7, 1)]);
            settled.store(true, Ordering::SeqCst);
        });
        std::thread::sleep(Duration::from_millis(20));
        assert!(!settled.load(Ordering::SeqCst));
        one.withdraw();
    });
    assert!(settled.load(Ordering::SeqCst));
}

#[test]
fn a_claim_that_is_dropped_is_free_and_withdrawn() {
    let registry = Registry::new();
    let claim = registry.claim();
    claim.announce(range(0, 8));
    assert_eq!(registry.in_flight(), 1);
    drop(claim);
    assert_eq!(registry.in_flight(), 0);
    registry.settle(&[range(0, 8)]);
    registry.wait_until_idle();
}

#[test]
fn there_are_so_many_places_and_no_more() {
    let registry = Registry::new();
    for n in 0..MAX_IN_FLIGHT {
        assert!(registry.try_claim(n * 7).is_some());
    }
    assert_eq!(registry.try_claim(3), None);
    registry.release(3);
    assert_eq!(registry.try_claim(0), Some(3));
}
