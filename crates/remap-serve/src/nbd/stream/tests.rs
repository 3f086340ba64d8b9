use super::*;
use crate::nbd::context::ContextSet;
use crate::nbd::export::{BlockSizes, Export, MAX_PAYLOAD_BYTES};
use crate::nbd::handshake::Transmission;
use crate::nbd::range::ByteRange;
use crate::nbd::request::Reason;
use crate::nbd::wire::command::RequestHeader;
use crate::nbd::wire::flags::TransmissionFlags;

fn intake() -> Intake {
    let export = Export {
        name: String::new(),
        description: String::new(),
        bytes: 1 << 20,
        flags: TransmissionFlags::FLUSH,
        blocks: BlockSizes { minimum: 1, preferred: 512, maximum: 4096 },
        contexts: ContextSet::NONE,
    };
    let agreed = Transmission { export: 0, structured_replies: false, contexts: ContextSet::NONE };
    Intake::new(Rules::new(&export, &agreed))
}

fn header(command: Command, cookie: u64, offset: u64, length: u32) -> Vec<u8> {
    let header = RequestHeader { flags: 0, command: command as u16, cookie: Cookie(cookie), offset, length };
    header.encode().to_vec()
}

fn take<'b>(intake: &mut Intake, bytes: &mut &'b [u8]) -> Option<Item<'b>> {
    let (consumed, item) = intake.next(bytes).unwrap();
    *bytes = &bytes[consumed..];
    item
}

#[test]
fn a_write_is_announced_then_its_data_comes_without_a_copy() {
    let stream =
        [header(Command::Write, 1, 8, 5), b"hello".to_vec(), header(Command::Flush, 2, 0, 0)].concat();
    let mut intake = intake();
    let mut bytes = &stream[..];
    let Some(Item::Request(write)) = take(&mut intake, &mut bytes) else { panic!() };
    assert_eq!((write.command, write.range), (Command::Write, ByteRange::new(8, 5)));
    assert_eq!(intake.payload_due(), 5);
    let payload = take(&mut intake, &mut bytes);
    assert_eq!(payload, Some(Item::Payload { cookie: Cookie(1), data: b"hello", left: 0 }));
    let Some(Item::Request(flush)) = take(&mut intake, &mut bytes) else { panic!() };
    assert_eq!((flush.command, flush.cookie), (Command::Flush, Cookie(2)));
    assert_eq!(take(&mut intake, &mut bytes), None);
}

#[test]
fn a_header_and_data_in_single_bytes_are_the_same() {
    let stream = [header(Command::Write, 1, 8, 2), b"hi".to_vec(), header(Command::Read, 2, 0, 1)].concat();
    let mut intake = intake();
    let mut items = Vec::new();
    for byte in stream.chunks(1) {
        let (consumed, item) = intake.next(byte).unwrap();
        assert_eq!(consumed, 1);
        items.extend(item);
    }
    let [Item::Request(write), first, second, Item::Request(read)] = items[..] else { panic!("{items:?}") };
    assert_eq!((write.command, read.command), (Command::Write, Command::Read));
    assert_eq!(first, Item::Payload { cookie: Cookie(1), data: b"h", left: 1 });
    assert_eq!(second, Item::Payload { cookie: Cookie(1), data: b"i", left: 0 });
}

#[test]
fn the_data_of_a_refused_write_is_thrown_away_and_the_stream_stays_in_step() {
    let mut refused = header(Command::Write, 1, 0, 5000);
    refused.extend_from_slice(&[0x25; 5000]);
    let stream = [refused, header(Command::Read, 2, 0, 1)].concat();
    let mut intake = intake();
    let mut bytes = &stream[..1000];
    let Some(Item::Refusal(refusal)) = take(&mut intake, &mut bytes) else { panic!() };
    assert_eq!((refusal.reason, refusal.payload_to_discard), (Reason::TooLong, 5000));
    assert_eq!(take(&mut intake, &mut bytes), None);
    assert_eq!(intake.payload_due(), 0);
    let mut bytes = &stream[1000..];
    let Some(Item::Request(read)) = take(&mut intake, &mut bytes) else { panic!() };
    assert_eq!(read.cookie, Cookie(2));
}

#[test]
fn data_can_be_taken_past_the_intake() {
    let mut intake = intake();
    intake.next(&header(Command::Write, 1, 0, 4096)).unwrap();
    intake.payload_taken(4000);
    assert_eq!(intake.payload_due(), 96);
    intake.payload_taken(96);
    assert_eq!(intake.payload_due(), 0);
    assert!(matches!(intake.next(&header(Command::Flush, 2, 0, 0)), Ok((28, Some(Item::Request(_))))));
}

#[test]
#[should_panic(expected = "513 bytes taken where 512 were due")]
fn taking_more_data_than_is_due_is_our_own_error() {
    let mut intake = intake();
    intake.next(&header(Command::Write, 1, 0, 512)).unwrap();
    intake.payload_taken(513);
}

#[test]
fn nothing_is_consumed_after_a_disconnect() {
    let mut intake = intake();
    intake.next(&header(Command::Disconnect, 1, 0, 0)).unwrap();
    assert!(intake.is_over());
    assert_eq!(intake.next(b"anything"), Ok((0, None)));
}

#[test]
fn a_stream_out_of_step_gives_the_same_error_forever() {
    let mut intake = intake();
    assert_eq!(intake.next(&[0; 28]), Err(RequestError::NotARequest));
    assert!(intake.is_over());
    assert_eq!(intake.next(&header(Command::Flush, 1, 0, 0)), Err(RequestError::NotARequest));
}

#[test]
fn a_huge_payload_ends_the_connection_before_it_is_read() {
    let header = header(Command::Write, 1, 0, u32::MAX);
    assert_eq!(intake().next(&header), Err(RequestError::PayloadTooLarge(u32::MAX)));
    assert!(u64::from(MAX_PAYLOAD_BYTES) < u64::from(u32::MAX));
}
