use super::*;
use crate::nbd::context::{ALLOCATION_ZERO, Context, MAPPING_LOST, MAPPING_MAIN, MAPPING_MOVED};
use crate::nbd::request::Request;
use crate::nbd::wire::command::Command;
use crate::nbd::wire::flags::CommandFlags;

const COOKIE: Cookie = Cookie(0x0807_0605_0403_0201);
const RANGE: ByteRange = ByteRange::new(0x2000, 4096);

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = b"before".to_vec();
    write(&mut out);
    assert_eq!(&out[..6], b"before", "a reply is appended");
    out.split_off(6)
}

/// The flags, the type and the payload of a chunk.
fn chunk_parts(bytes: &[u8]) -> (u16, u16, &[u8]) {
    assert_eq!(bytes[..4], [0x66, 0x8e, 0x33, 0xef]);
    assert_eq!(bytes[8..16], COOKIE.0.to_be_bytes());
    let length = u32::from_be_bytes(bytes[16..20].try_into().unwrap());
    assert_eq!(bytes.len(), 20 + length as usize);
    (u16::from_be_bytes([bytes[4], bytes[5]]), u16::from_be_bytes([bytes[6], bytes[7]]), &bytes[20..])
}

fn status_request(bytes: u32, flags: CommandFlags) -> Request {
    Request { cookie: COOKIE, command: Command::BlockStatus, range: ByteRange::new(512, bytes), flags }
}

/// Pushes extents until no more is wanted; the extents as they stand in the chunk.
fn extents(request: &Request, pushed: &[(u64, u32)]) -> Vec<(u32, u32)> {
    let bytes = written(|out| {
        let mut chunk = BlockStatusChunk::new(request, Context::Mapping, out);
        let _ = pushed.iter().all(|&(bytes, status)| chunk.push(bytes, status));
        chunk.finish(Part::Last);
    });
    let (flags, kind, payload) = chunk_parts(&bytes);
    assert_eq!((flags, kind), (1, 5));
    assert_eq!(payload[..4], Context::Mapping.id().to_be_bytes());
    let word = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
    payload[4..].chunks(8).map(|extent| (word(&extent[..4]), word(&extent[4..]))).collect()
}

#[test]
fn success_without_data_is_one_simple_reply_in_both_modes() {
    for mode in [ReplyMode::Simple, ReplyMode::Structured] {
        let bytes = written(|out| mode.success(COOKIE, out));
        assert_eq!(bytes[..8], [0x67, 0x44, 0x66, 0x98, 0, 0, 0, 0]);
        assert_eq!(bytes[8..], COOKIE.0.to_be_bytes());
    }
}

#[test]
fn a_read_is_never_answered_by_a_simple_reply_once_structured_ones_are_agreed() {
    let simple = written(|out| ReplyMode::new(false).read(COOKIE, RANGE, out));
    assert_eq!(simple.len(), 16);
    let structured = written(|out| ReplyMode::new(true).read(COOKIE, RANGE, out));
    assert_eq!(structured[..8], [0x66, 0x8e, 0x33, 0xef, 0, 1, 0, 1]);
    assert_eq!(structured[16..20], 4104u32.to_be_bytes());
    assert_eq!(structured[20..], 0x2000u64.to_be_bytes());
}

#[test]
fn a_simple_error_has_a_number_and_no_text() {
    for bytes in [
        written(|out| ReplyMode::Simple.error(COOKIE, Errno::Io, "gone", out)),
        written(|out| ReplyMode::Simple.error_at(COOKIE, Errno::Io, 0x2200, "gone", out)),
    ] {
        assert_eq!(bytes.len(), 16);
        assert_eq!(bytes[4..8], [0, 0, 0, 5]);
    }
}

#[test]
fn a_structured_error_carries_its_text() {
    let bytes = written(|out| ReplyMode::Structured.error(COOKIE, Errno::Io, "gone", out));
    assert_eq!(chunk_parts(&bytes), (1, 0x8001, &b"\0\0\0\x05\0\x04gone"[..]));
}

#[test]
fn a_structured_error_at_a_place_carries_the_place_behind_the_text() {
    let bytes = written(|out| ReplyMode::Structured.error_at(COOKIE, Errno::Io, 0x2200, "gone", out));
    assert_eq!(chunk_parts(&bytes), (1, 0x8002, &b"\0\0\0\x05\0\x04gone\0\0\0\0\0\0\x22\0"[..]));
    let bytes = written(|out| error_within(COOKIE, Errno::Io, 0x2200, "", out));
    assert_eq!(chunk_parts(&bytes), (0, 0x8002, &b"\0\0\0\x05\0\0\0\0\0\0\0\0\x22\0"[..]));
}

#[test]
fn a_long_text_is_cut_between_characters() {
    let text = format!("x{}", "é".repeat(3000));
    let bytes = written(|out| ReplyMode::Structured.error(COOKIE, Errno::Io, &text, out));
    let (_, _, payload) = chunk_parts(&bytes);
    assert_eq!(payload[4..6], 4095u16.to_be_bytes());
    assert_eq!(core::str::from_utf8(&payload[6..]).unwrap(), &text[..4095]);
}

#[test]
fn data_holes_and_an_end_make_a_reply_in_parts() {
    let data = written(|out| super::data(COOKIE, RANGE, Part::More, out));
    assert_eq!(data[4..8], [0, 0, 0, 1]);
    let hole = written(|out| super::hole(COOKIE, RANGE, Part::Last, out));
    assert_eq!(chunk_parts(&hole), (1, 2, &b"\0\0\0\0\0\0\x20\0\0\0\x10\0"[..]));
    let end = written(|out| super::end(COOKIE, out));
    assert_eq!(chunk_parts(&end), (1, 0, &b""[..]));
}

#[test]
fn fixed_headers_never_grow_a_buffer_made_for_them() {
    let mut out = Vec::with_capacity(MAX_FIXED_BYTES);
    let buffer = out.as_ptr();
    super::hole(COOKIE, RANGE, Part::Last, &mut out);
    out.clear();
    ReplyMode::Structured.error(COOKIE, Errno::Io, "", &mut out);
    out.clear();
    ReplyMode::Structured.read(COOKIE, RANGE, &mut out);
    assert_eq!(out.as_ptr(), buffer);
}

#[test]
fn equal_neighbours_become_one_extent() {
    let request = status_request(4096, CommandFlags::NONE);
    let pushed = [(512, MAPPING_MAIN), (512, MAPPING_MAIN), (1024, MAPPING_MOVED), (2048, MAPPING_LOST)];
    assert_eq!(extents(&request, &pushed), [(1024, 0), (1024, 1), (2048, 2)]);
}

#[test]
fn extents_are_cut_off_where_the_request_ends() {
    let request = status_request(4096, CommandFlags::NONE);
    assert_eq!(extents(&request, &[(512, 0), (1 << 40, ALLOCATION_ZERO), (512, 0)]), [(512, 0), (3584, 2)]);
}

#[test]
fn a_request_for_one_extent_gets_one() {
    let request = status_request(4096, CommandFlags::REQ_ONE);
    assert_eq!(extents(&request, &[(512, 1), (512, 1), (512, 0), (512, 1)]), [(1024, 1)]);
    assert_eq!(extents(&request, &[(1 << 20, 1)]), [(4096, 1)]);
}

#[test]
fn no_more_is_wanted_once_the_request_is_covered() {
    let request = status_request(1024, CommandFlags::NONE);
    let mut out = Vec::new();
    let mut chunk = BlockStatusChunk::new(&request, Context::Allocation, &mut out);
    assert!(chunk.push(0, 7), "an empty extent is none");
    assert!(chunk.push(512, 0));
    assert!(!chunk.push(512, 1));
    assert!(!chunk.push(512, 2));
    chunk.finish(Part::More);
    assert_eq!(out.len(), 20 + 4 + 2 * 8);
    assert_eq!(out[4..6], [0, 0]);
}

#[test]
fn extents_stop_at_the_bound_of_the_specification() {
    let request = status_request(u32::MAX, CommandFlags::NONE);
    let mut out = Vec::new();
    let mut chunk = BlockStatusChunk::new(&request, Context::Mapping, &mut out);
    let pushed = (0..2 * MAX_EXTENTS).take_while(|index| chunk.push(1, index % 2)).count();
    chunk.finish(Part::Last);
    assert_eq!(pushed, MAX_EXTENTS as usize);
    assert_eq!(out.len(), 20 + 4 + 8 * MAX_EXTENTS as usize);
}

#[test]
#[should_panic(expected = "at least one extent")]
fn a_chunk_without_extents_is_our_own_error() {
    let mut out = Vec::new();
    let request = status_request(512, CommandFlags::NONE);
    BlockStatusChunk::new(&request, Context::Mapping, &mut out).finish(Part::Last);
}
