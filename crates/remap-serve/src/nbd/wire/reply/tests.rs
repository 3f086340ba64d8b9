use super::*;

const COOKIE: Cookie = Cookie(0x1122_3344_5566_7788);
const COOKIE_BYTES: [u8; 8] = [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88];

#[test]
fn a_simple_reply_is_magic_error_cookie() {
    let bytes = simple(COOKIE, Some(Errno::NoSpace));
    assert_eq!(bytes[..8], [0x67, 0x44, 0x66, 0x98, 0, 0, 0, 28]);
    assert_eq!(bytes[8..], COOKIE_BYTES);
    assert_eq!(simple(COOKIE, None)[4..8], [0; 4]);
}

#[test]
fn an_empty_chunk_is_always_the_last() {
    let bytes = none(COOKIE);
    assert_eq!(bytes[..8], [0x66, 0x8e, 0x33, 0xef, 0, 1, 0, 0]);
    assert_eq!(bytes[8..16], COOKIE_BYTES);
    assert_eq!(bytes[16..], [0; 4]);
}

#[test]
fn a_data_chunk_counts_its_offset_in_its_length() {
    let bytes = offset_data(COOKIE, ChunkFlags::NONE, 0x10_0000, 4096);
    assert_eq!(bytes[4..8], [0, 0, 0, 1]);
    assert_eq!(bytes[16..20], 4104u32.to_be_bytes());
    assert_eq!(bytes[20..28], 0x10_0000u64.to_be_bytes());
}

#[test]
fn a_hole_chunk_has_twelve_bytes_of_payload() {
    let bytes = offset_hole(COOKIE, ChunkFlags::DONE, 512, 1024);
    assert_eq!(bytes[4..8], [0, 1, 0, 2]);
    assert_eq!(bytes[16..20], 12u32.to_be_bytes());
    assert_eq!(bytes[20..28], 512u64.to_be_bytes());
    assert_eq!(bytes[28..32], 1024u32.to_be_bytes());
}
