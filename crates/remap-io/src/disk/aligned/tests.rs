//! Where aligned memory lies and what it holds.

use super::*;

#[test]
fn every_buffer_is_page_aligned_and_zero() {
    for bytes in [0, 1, 512, 4096, 4097, 1 << 20] {
        let buffer = AlignedBuffer::zeroed(bytes);
        assert_eq!(buffer.len(), bytes);
        assert!(is_aligned(&buffer, PAGE_BYTES));
        assert!(buffer.iter().all(|&byte| byte == 0));
    }
}

#[test]
fn moving_a_buffer_keeps_its_address() {
    let buffer = AlignedBuffer::copy_of(b"stays");
    let address = buffer.as_ptr();
    let moved = Box::new(buffer);
    assert_eq!(moved.as_ptr(), address);
    assert_eq!(&moved[..], b"stays");
}
