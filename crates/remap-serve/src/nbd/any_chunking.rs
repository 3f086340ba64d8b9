//! The whole connection under arbitrary bytes in arbitrary pieces: never a panic, and always what the same
//! bytes give in one piece.

use proptest::prelude::*;

use super::context::ContextSet;
use super::export::{BlockSizes, Export, Exports};
use super::handshake::{Event, Handshake, HandshakeError, Tls, Transmission};
use super::request::{Refusal, Request, RequestError, Rules};
use super::stream::{Intake, Item};
use super::wire::command::RequestHeader;
use super::wire::flags::TransmissionFlags;
use super::wire::option::OptionHeader;
use super::wire::{Cookie, MAX_STRING_BYTES};

/// What a connection came to.
#[derive(Debug, Default, PartialEq)]
struct Transcript {
    sent: Vec<u8>,
    events: Vec<Event>,
    handshake_error: Option<HandshakeError>,
    requests: Vec<Request>,
    refusals: Vec<Refusal>,
    payload: Vec<u8>,
    request_error: Option<RequestError>,
}

fn exports() -> Exports {
    let first = Export {
        name: "a".into(),
        description: "b".into(),
        bytes: 1 << 20,
        flags: TransmissionFlags::from_bits(0xffff).without(TransmissionFlags::READ_ONLY),
        blocks: BlockSizes { minimum: 1, preferred: 512, maximum: 1024 },
        contexts: ContextSet::ALL,
    };
    let second = Export {
        name: String::new(),
        flags: TransmissionFlags::READ_ONLY,
        blocks: BlockSizes::DEFAULT,
        ..first.clone()
    };
    Exports::new(vec![first, second]).unwrap()
}

/// Runs a connection over the pieces. A new piece is joined to what the one before left over.
fn run<'b>(tls: Tls, pieces: impl IntoIterator<Item = &'b [u8]>) -> Transcript {
    let exports = exports();
    let mut transcript = Transcript::default();
    let mut handshake = Handshake::new(&exports, tls);
    let mut intake = None;
    transcript.sent.extend_from_slice(handshake.output());
    handshake.output_sent(handshake.output().len());
    let mut waiting = Vec::new();
    for piece in pieces {
        waiting.extend_from_slice(piece);
        loop {
            let used = match &mut intake {
                None => negotiate(&mut handshake, &exports, &mut intake, &waiting, &mut transcript),
                Some(intake) => transmit(intake, &waiting, &mut transcript),
            };
            match used {
                Some(used) if used > 0 => drop(waiting.drain(..used)),
                Some(_) => break,
                None => return transcript,
            }
        }
    }
    transcript
}

/// How many bytes one step used; `None` when the client is dropped.
fn negotiate(
    handshake: &mut Handshake<'_>,
    exports: &Exports,
    intake: &mut Option<Intake>,
    bytes: &[u8],
    transcript: &mut Transcript,
) -> Option<usize> {
    let result = handshake.receive(bytes);
    transcript.sent.extend_from_slice(handshake.output());
    handshake.output_sent(handshake.output().len());
    let progress = match result {
        Ok(progress) => progress,
        Err(error) => {
            transcript.handshake_error = Some(error);
            return None;
        }
    };
    transcript.events.extend(progress.event);
    match progress.event {
        Some(Event::StartTls) => handshake.tls_established(),
        Some(Event::Transmission(agreed)) => {
            *intake = Some(Intake::new(Rules::new(&exports.as_slice()[agreed.export], &agreed)));
        }
        Some(Event::Aborted) | None => {}
    }
    Some(progress.consumed)
}

fn transmit(intake: &mut Intake, bytes: &[u8], transcript: &mut Transcript) -> Option<usize> {
    let (used, item) = match intake.next(bytes) {
        Ok(next) => next,
        Err(error) => {
            transcript.request_error = Some(error);
            return None;
        }
    };
    match item {
        Some(Item::Request(request)) => transcript.requests.push(request),
        Some(Item::Refusal(refusal)) => transcript.refusals.push(refusal),
        Some(Item::Payload { data, .. }) => transcript.payload.extend_from_slice(data),
        None => {}
    }
    Some(used)
}

/// Cuts `bytes` into pieces of the given sizes, over and over.
fn pieces<'b>(mut bytes: &'b [u8], sizes: &[usize]) -> Vec<&'b [u8]> {
    let mut pieces = Vec::new();
    for size in sizes.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at(bytes.len().min(*size));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

fn any_tls() -> impl Strategy<Value = Tls> {
    prop_oneof![Just(Tls::Off), Just(Tls::Offered), Just(Tls::Required)]
}

fn any_sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1usize..40, 1..8)
}

/// The bytes of one option: often a meaningful one.
fn any_option() -> impl Strategy<Value = Vec<u8>> {
    let data = prop_oneof![
        Just(Vec::new()),
        Just(b"\0\0\0\0\0\0".to_vec()),
        Just(b"\0\0\0\x01a\0\x02\0\x01\0\x02".to_vec()),
        Just(b"\0\0\0\x01a\0\0\0\x01\0\0\0\x0fbase:allocation".to_vec()),
        Just(b"\0\0\0\0\0\0\0\x01\0\0\0\x09dm-remap:".to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
        Just(vec![0; MAX_STRING_BYTES + 1]),
        Just(vec![0; 70_000]),
    ];
    // The two that end the handshake come seldom, so that others are seen before.
    let code = prop_oneof![20 => 3u32..12, 2 => Just(1u32), 1 => Just(2u32), 1 => any::<u32>()];
    (code, data).prop_map(|(option, data)| {
        let length = u32::try_from(data.len()).unwrap();
        [&OptionHeader { option, length }.encode()[..], &data].concat()
    })
}

/// The bytes of one request: often a valid one, with its data.
fn any_request() -> impl Strategy<Value = Vec<u8>> {
    let command = prop_oneof![10 => 0u16..2, 10 => 3u16..9, 1 => any::<u16>()];
    let flags = prop_oneof![5 => Just(0u16), 4 => 0u16..32, 1 => any::<u16>()];
    let offset = prop_oneof![5 => 0u64..(1 << 20) + 10, 1 => any::<u64>()];
    let length = prop_oneof![9 => 0u32..3000, 1 => any::<u32>()];
    (command, flags, offset, length, any::<u64>()).prop_map(|(command, flags, offset, length, cookie)| {
        let header = RequestHeader { flags, command, cookie: Cookie(cookie), offset, length };
        let mut bytes = header.encode().to_vec();
        if command == 1 {
            bytes.resize(28 + length.min(4000) as usize, 0xda);
        }
        bytes
    })
}

fn any_connection() -> impl Strategy<Value = Vec<u8>> {
    (
        prop_oneof![8 => 0u32..4, 1 => any::<u32>()],
        prop::collection::vec(any_option(), 0..8),
        any::<bool>(),
        prop::collection::vec(any_request(), 0..8),
        prop::collection::vec(any::<u8>(), 0..60),
    )
        .prop_map(|(flags, options, go, requests, rubbish)| {
            let mut bytes = flags.to_be_bytes().to_vec();
            bytes.extend(options.concat());
            if go {
                bytes.extend(OptionHeader { option: 7, length: 7 }.encode());
                bytes.extend(b"\0\0\0\x01a\0\0");
            }
            bytes.extend(requests.concat());
            bytes.extend(rubbish);
            bytes
        })
}

proptest! {
    #[test]
    fn arbitrary_bytes_in_arbitrary_pieces_give_what_they_give_in_one(
        tls in any_tls(),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        sizes in any_sizes(),
    ) {
        prop_assert_eq!(run(tls, [&bytes[..]]), run(tls, pieces(&bytes, &sizes)));
    }

    #[test]
    fn plausible_connections_in_arbitrary_pieces_give_what_they_give_in_one(
        tls in any_tls(),
        bytes in any_connection(),
        sizes in any_sizes(),
    ) {
        prop_assert_eq!(run(tls, [&bytes[..]]), run(tls, pieces(&bytes, &sizes)));
    }

    #[test]
    fn arbitrary_requests_are_valid_or_refused(bytes in prop::collection::vec(any_request(), 1..20)) {
        let exports = exports();
        let agreed = Transmission { export: 0, structured_replies: true, contexts: ContextSet::ALL };
        let export = &exports.as_slice()[0];
        let mut intake = Intake::new(Rules::new(export, &agreed));
        let mut transcript = Transcript::default();
        let stream = bytes.concat();
        let mut rest = &stream[..];
        while let Some(used) = transmit(&mut intake, rest, &mut transcript) {
            if used == 0 {
                break;
            }
            rest = &rest[used..];
        }
        for request in &transcript.requests {
            prop_assert!(request.range.fits(export.bytes));
        }
        for refusal in &transcript.refusals {
            prop_assert!(refusal.payload_to_discard <= super::export::MAX_PAYLOAD_BYTES);
        }
    }
}
