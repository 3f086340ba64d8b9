use proptest::prelude::*;

use super::{BYTES, Header};

#[test]
fn a_header_comes_back_as_it_was_with_its_data() {
    let header =
        Header { flags: 3, event_number: 9, device: 0xfd00, name: b"set".to_vec(), ..Header::default() };
    let bytes = header.with_data(b"hello", 4096);
    assert_eq!(bytes.len(), 4096);
    let (found, data) = Header::parse(&bytes).unwrap();
    assert_eq!(found, header);
    assert_eq!((data.len(), &data[..6]), (4096 - BYTES, &b"hello\0"[..]));
}

#[test]
fn an_answer_that_claims_more_than_there_is_ends_with_the_buffer() {
    let mut bytes = Header::default().with_data(&[], 400);
    bytes[12..16].copy_from_slice(&u32::MAX.to_ne_bytes());
    assert_eq!(Header::parse(&bytes).unwrap().1.len(), 400 - BYTES);
    bytes[16..20].copy_from_slice(&u32::MAX.to_ne_bytes());
    assert!(Header::parse(&bytes).unwrap().1.is_empty());
    bytes[16..20].copy_from_slice(&8_u32.to_ne_bytes());
    assert!(Header::parse(&bytes).is_none(), "data within the header");
}

#[test]
fn a_name_without_an_end_is_no_answer() {
    let mut bytes = Header::default().with_data(&[], 0);
    bytes[48..176].fill(b'x');
    assert!(Header::parse(&bytes).is_none());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
        let _ = Header::parse(&bytes);
    }
}
