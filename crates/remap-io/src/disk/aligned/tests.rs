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

#[test]
fn a_buffer_can_be_shortened_and_lengthened_again_within_its_memory() {
    let mut buffer = AlignedBuffer::zeroed(8192);
    buffer[8191] = 7;
    buffer.set_len(512);
    assert_eq!((buffer.len(), buffer.capacity()), (512, 8192));
    buffer.set_len(8192);
    assert_eq!(buffer[8191], 7);
    assert!(is_aligned(&buffer, PAGE_BYTES));
}
