use super::*;
use crate::nbd::context::Context;
use Command::{BlockStatus, Cache, Disconnect, Flush, Read, Trim, Write, WriteZeroes};

const MIB: u64 = 1 << 20;
const EVERYTHING: TransmissionFlags = TransmissionFlags::from_bits(0b1101_0110_1100);

/// An export of 1 GiB in blocks of 512 bytes to 1 MiB.
fn rules_with(flags: TransmissionFlags, structured_replies: bool, contexts: ContextSet) -> Rules {
    let export = Export {
        name: "disk".into(),
        description: String::new(),
        bytes: 1024 * MIB,
        flags,
        blocks: BlockSizes { minimum: 512, preferred: 4096, maximum: 1 << 20 },
        contexts: ContextSet::ALL,
    };
    Rules::new(&export, &Transmission { export: 0, structured_replies, contexts })
}

/// All that can be offered.
fn all() -> Rules {
    rules_with(EVERYTHING, true, ContextSet::NONE.with(Context::Mapping))
}

/// Nothing that can be left out.
fn bare() -> Rules {
    rules_with(TransmissionFlags::NONE, false, ContextSet::NONE)
}

fn header(command: u16, flags: u16, offset: u64, length: u32) -> RequestHeader {
    RequestHeader { flags, command, cookie: Cookie(77), offset, length }
}

fn incoming(rules: &Rules, command: Command, flags: CommandFlags, offset: u64, length: u32) -> Incoming {
    rules.parse(&header(command as u16, flags.bits(), offset, length).encode()).unwrap()
}

fn refused(
    rules: &Rules,
    command: Command,
    flags: CommandFlags,
    offset: u64,
    length: u32,
) -> (Reason, Errno) {
    match incoming(rules, command, flags, offset, length) {
        Incoming::Refusal(refusal) => {
            assert_eq!(refusal.cookie, Cookie(77));
            assert_eq!(refusal.payload_to_discard, if command == Write { length } else { 0 });
            (refusal.reason, refusal.errno)
        }
        Incoming::Request(request) => panic!("accepted: {request:?}"),
    }
}

fn accepted(rules: &Rules, command: Command, flags: CommandFlags, offset: u64, length: u32) -> Request {
    match incoming(rules, command, flags, offset, length) {
        Incoming::Request(request) => request,
        Incoming::Refusal(refusal) => panic!("refused: {refusal:?}"),
    }
}

const NO_FLAGS: CommandFlags = CommandFlags::NONE;
const WITH_RANGE: [Command; 6] = [Read, Write, Trim, Cache, WriteZeroes, BlockStatus];

#[test]
fn a_valid_request_keeps_all_its_fields() {
    for command in WITH_RANGE {
        let request = accepted(&all(), command, CommandFlags::FUA, 512, 4096);
        let range = ByteRange::new(512, 4096);
        assert_eq!(request, Request { cookie: Cookie(77), command, range, flags: CommandFlags::FUA });
    }
}

#[test]
fn a_request_may_reach_the_last_byte_and_the_longest_block() {
    for command in WITH_RANGE {
        accepted(&all(), command, NO_FLAGS, 1023 * MIB, 1 << 20);
        accepted(&all(), command, NO_FLAGS, 1024 * MIB - 512, 512);
    }
}

#[test]
fn a_wrong_magic_is_fatal() {
    let mut bytes = header(0, 0, 0, 512).encode();
    bytes[0] ^= 1;
    assert_eq!(all().parse(&bytes), Err(RequestError::NotARequest));
}

#[test]
fn a_write_over_64_mib_is_fatal_and_one_of_64_mib_is_refused() {
    let bytes = header(1, 0, 0, MAX_PAYLOAD_BYTES + 1).encode();
    assert_eq!(all().parse(&bytes), Err(RequestError::PayloadTooLarge(MAX_PAYLOAD_BYTES + 1)));
    let (reason, errno) = refused(&all(), Write, NO_FLAGS, 0, MAX_PAYLOAD_BYTES);
    assert_eq!((reason, errno), (Reason::TooLong, Errno::Invalid));
}

#[test]
fn an_unknown_command_is_invalid_and_has_no_payload() {
    for code in [8, 9, 1000, u16::MAX] {
        let parsed = all().parse(&header(code, 0, 0, 512).encode()).unwrap();
        let Incoming::Refusal(refusal) = parsed else { panic!("{parsed:?}") };
        assert_eq!((refusal.reason, refusal.errno), (Reason::UnknownCommand, Errno::Invalid));
        assert_eq!(refusal.payload_to_discard, 0);
    }
}

#[test]
fn an_unknown_flag_is_invalid_on_every_command() {
    for command in WITH_RANGE {
        for bit in 5..16 {
            let flags = CommandFlags::from_bits(1 << bit);
            assert_eq!(refused(&all(), command, flags, 0, 512), (Reason::UnknownFlags, Errno::Invalid));
        }
    }
    let flags = CommandFlags::from_bits(1 << 5);
    assert_eq!(refused(&all(), Flush, flags, 0, 0), (Reason::UnknownFlags, Errno::Invalid));
}

#[test]
fn a_flag_is_invalid_on_a_command_it_is_not_for() {
    let owners = [
        (CommandFlags::NO_HOLE, WriteZeroes),
        (CommandFlags::DONT_FRAGMENT, Read),
        (CommandFlags::REQ_ONE, BlockStatus),
        (CommandFlags::FAST_ZERO, WriteZeroes),
    ];
    for (flag, owner) in owners {
        for command in WITH_RANGE {
            if command == owner {
                assert_eq!(accepted(&all(), command, flag, 0, 512).flags, flag);
            } else {
                assert_eq!(refused(&all(), command, flag, 0, 512).0, Reason::UnknownFlags);
            }
        }
    }
}

#[test]
fn a_flag_that_was_not_offered_is_invalid() {
    assert_eq!(refused(&bare(), Write, CommandFlags::FUA, 0, 512).0, Reason::UnknownFlags);
    assert_eq!(refused(&bare(), Read, CommandFlags::DONT_FRAGMENT, 0, 512).0, Reason::UnknownFlags);
    let no_fast_zero = rules_with(TransmissionFlags::WRITE_ZEROES, false, ContextSet::NONE);
    let (reason, errno) = refused(&no_fast_zero, WriteZeroes, CommandFlags::FAST_ZERO, 0, 512);
    assert_eq!((reason, errno), (Reason::UnknownFlags, Errno::Invalid));
    accepted(&no_fast_zero, WriteZeroes, CommandFlags::NO_HOLE, 0, 512);
}

#[test]
fn a_command_that_was_not_offered_is_invalid() {
    for command in [Trim, Cache, WriteZeroes, BlockStatus] {
        let answer = refused(&bare(), command, NO_FLAGS, 0, 512);
        assert_eq!(answer, (Reason::NotOffered, Errno::Invalid));
    }
    assert_eq!(refused(&bare(), Flush, NO_FLAGS, 0, 0), (Reason::NotOffered, Errno::Invalid));
}

#[test]
fn block_status_without_a_selected_context_is_invalid() {
    let rules = rules_with(EVERYTHING, true, ContextSet::NONE);
    assert_eq!(refused(&rules, BlockStatus, NO_FLAGS, 0, 512), (Reason::NotOffered, Errno::Invalid));
}

#[test]
fn an_empty_range_is_invalid() {
    for command in WITH_RANGE {
        assert_eq!(refused(&all(), command, NO_FLAGS, 0, 0), (Reason::Empty, Errno::Invalid));
    }
}

#[test]
fn past_the_end_is_no_space_for_writes_and_invalid_for_the_rest() {
    for (offset, length) in [(1024 * MIB, 512), (1024 * MIB - 512, 1024), (1 << 63, 512)] {
        for command in [Write, WriteZeroes] {
            let answer = refused(&all(), command, NO_FLAGS, offset, length);
            assert_eq!(answer, (Reason::WritePastEnd, Errno::NoSpace));
        }
        for command in [Read, Trim, Cache, BlockStatus] {
            let answer = refused(&all(), command, NO_FLAGS, offset, length);
            assert_eq!(answer, (Reason::PastEnd, Errno::Invalid));
        }
    }
}

#[test]
fn a_range_that_overflows_the_number_space_is_past_the_end() {
    let last_block = u64::MAX - 511;
    assert_eq!(refused(&all(), Read, NO_FLAGS, last_block, 1024).0, Reason::PastEnd);
    assert_eq!(refused(&all(), Write, NO_FLAGS, last_block, 512).0, Reason::WritePastEnd);
    assert_eq!(refused(&all(), Trim, NO_FLAGS, last_block, u32::MAX - 511).0, Reason::PastEnd);
}

#[test]
fn a_misaligned_range_is_invalid() {
    for command in WITH_RANGE {
        for (offset, length) in [(1, 512), (256, 512), (0, 513), (0, 1), (511, 1), (u64::MAX, u32::MAX >> 8)]
        {
            let answer = refused(&all(), command, NO_FLAGS, offset, length);
            assert_eq!(answer, (Reason::Misaligned, Errno::Invalid));
        }
    }
}

#[test]
fn data_over_the_maximum_block_is_refused() {
    let longer = (1 << 20) + 512;
    assert_eq!(refused(&all(), Write, NO_FLAGS, 0, longer), (Reason::TooLong, Errno::Invalid));
    assert_eq!(refused(&bare(), Read, NO_FLAGS, 0, longer), (Reason::TooLong, Errno::Invalid));
    assert_eq!(refused(&all(), Read, NO_FLAGS, 0, longer), (Reason::ReadTooLong, Errno::Overflow));
}

#[test]
fn commands_without_data_may_be_longer_than_the_maximum_block() {
    for command in [Trim, Cache, WriteZeroes, BlockStatus] {
        accepted(&all(), command, NO_FLAGS, 0, 1 << 30);
    }
}

#[test]
fn a_read_only_export_permits_no_change() {
    let rules = rules_with(EVERYTHING | TransmissionFlags::READ_ONLY, true, ContextSet::ALL);
    for command in [Write, Trim, WriteZeroes] {
        let answer = refused(&rules, command, NO_FLAGS, 0, 512);
        assert_eq!(answer, (Reason::ReadOnly, Errno::NotPermitted));
    }
    for command in [Read, Cache, BlockStatus] {
        accepted(&rules, command, NO_FLAGS, 0, 512);
    }
    accepted(&rules, Flush, NO_FLAGS, 0, 0);
}

#[test]
fn a_flush_has_no_range() {
    accepted(&all(), Flush, CommandFlags::FUA, 0, 0);
    for (offset, length) in [(0, 512), (512, 0)] {
        let answer = refused(&all(), Flush, NO_FLAGS, offset, length);
        assert_eq!(answer, (Reason::FlushWithRange, Errno::Invalid));
    }
}

#[test]
fn a_client_may_leave_whatever_it_says_with_it() {
    for rules in [all(), bare()] {
        let request = accepted(&rules, Disconnect, CommandFlags::from_bits(0xffff), 3, 5);
        assert_eq!(request.range, ByteRange::new(0, 0));
        assert_eq!(request.flags, CommandFlags::NONE);
    }
}

#[test]
fn a_reason_reads_the_same_formatted_and_as_a_message() {
    assert_eq!(Reason::Misaligned.to_string(), Reason::Misaligned.message());
}
