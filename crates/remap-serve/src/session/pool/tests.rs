//! Facts about pooled memory.

use super::*;

#[test]
fn memory_is_used_again_and_shows_the_length_asked_for() {
    let pool = Pool::default();
    let first = pool.take(5000);
    let address = first.as_ptr();
    assert_eq!(first.len(), 5000);
    drop(first);
    let second = pool.take(8192);
    assert_eq!((second.as_ptr(), second.len()), (address, 8192));
    assert_ne!(pool.take(8192).as_ptr(), address, "what is in use is not given out");
}

#[test]
fn no_more_is_kept_than_the_bound() {
    let pool = Pool::default();
    let many: Vec<_> = (0..100).map(|_| pool.take(128 << 10)).collect();
    drop(many);
    assert_eq!(pool.lock().bytes, KEPT_BYTES);
    drop(pool.take(32 << 20));
    assert_eq!(pool.lock().bytes, KEPT_BYTES, "the longest request's memory goes back to the system");
}

#[test]
fn every_length_has_memory_of_its_size_at_most_doubled() {
    let pool = Pool::default();
    for bytes in [1, 512, 4096, 4097, 65_536, 65_537, 32 << 20] {
        let memory = pool.take_memory(bytes);
        assert_eq!(memory.len(), bytes);
        assert!(memory.capacity() < (2 * bytes).max(SMALLEST + 1), "{bytes}");
    }
}
