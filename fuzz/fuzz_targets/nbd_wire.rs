//! A whole NBD connection from arbitrary bytes, cut into pieces as the input says: handshake, requests, replies.
//! It must not panic, whatever it accepts must be valid, and the pieces must not matter.
//!
//! Input: one byte for TLS (0 off, 1 offered, 2 required, modulo 3), one for the number of piece sizes, those
//! sizes (0 stands for 256), then the client's bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use remap_serve::nbd::context::ContextSet;
use remap_serve::nbd::export::{BlockSizes, Export, Exports, MAX_PAYLOAD_BYTES};
use remap_serve::nbd::handshake::{Event, Handshake, HandshakeError, Tls, Transmission};
use remap_serve::nbd::reply::{BlockStatusChunk, Part, ReplyMode};
use remap_serve::nbd::request::{Request, RequestError, Rules};
use remap_serve::nbd::stream::{Intake, Item};
use remap_serve::nbd::wire::command::Command;
use remap_serve::nbd::wire::flags::TransmissionFlags;

/// What a connection came to.
#[derive(Debug, Default, PartialEq)]
struct Transcript {
    sent: Vec<u8>,
    payload: Vec<u8>,
    aborted: bool,
    handshake_error: Option<HandshakeError>,
    request_error: Option<RequestError>,
}

/// The phase a connection is in.
enum Phase<'a> {
    Handshake(Handshake<'a>),
    Transmission(Intake, Transmission),
    Over,
}

fn exports() -> Exports {
    let first = Export {
        name: "disk".into(),
        description: "a failing disk".into(),
        bytes: 1 << 30,
        flags: TransmissionFlags::from_bits(u16::MAX).without(TransmissionFlags::READ_ONLY),
        blocks: BlockSizes { minimum: 1, preferred: 512, maximum: 4096 },
        contexts: ContextSet::ALL,
    };
    let second = Export {
        name: "read-only".into(),
        flags: TransmissionFlags::from_bits(u16::MAX),
        blocks: BlockSizes::DEFAULT,
        ..first.clone()
    };
    Exports::new(vec![first, second]).expect("both exports are valid")
}

fn run<'b>(exports: &Exports, tls: Tls, pieces: impl Iterator<Item = &'b [u8]>) -> Transcript {
    let mut transcript = Transcript::default();
    let mut handshake = Handshake::new(exports, tls);
    transcript.sent.extend_from_slice(handshake.output());
    handshake.output_sent(handshake.output().len());
    let mut phase = Phase::Handshake(handshake);
    let mut waiting = Vec::new();
    for piece in pieces {
        waiting.extend_from_slice(piece);
        loop {
            let used = match &mut phase {
                Phase::Handshake(handshake) => {
                    let (used, next) = negotiate(handshake, exports, &waiting, &mut transcript);
                    if let Some(next) = next {
                        phase = next;
                    }
                    used
                }
                Phase::Transmission(intake, agreed) => {
                    let export = &exports.as_slice()[agreed.export];
                    match transmit(intake, agreed, export, &waiting, &mut transcript) {
                        Ok(used) => used,
                        Err(error) => {
                            transcript.request_error = Some(error);
                            phase = Phase::Over;
                            0
                        }
                    }
                }
                Phase::Over => 0,
            };
            if used == 0 {
                break;
            }
            waiting.drain(..used);
        }
    }
    transcript
}

fn negotiate<'a>(
    handshake: &mut Handshake<'a>,
    exports: &Exports,
    bytes: &[u8],
    transcript: &mut Transcript,
) -> (usize, Option<Phase<'a>>) {
    let result = handshake.receive(bytes);
    transcript.sent.extend_from_slice(handshake.output());
    handshake.output_sent(handshake.output().len());
    let progress = match result {
        Ok(progress) => progress,
        Err(error) => {
            transcript.handshake_error = Some(error);
            return (0, Some(Phase::Over));
        }
    };
    let next = match progress.event {
        None => None,
        Some(Event::StartTls) => {
            handshake.tls_established();
            None
        }
        Some(Event::Aborted) => {
            transcript.aborted = true;
            Some(Phase::Over)
        }
        Some(Event::Transmission(agreed)) => {
            let rules = Rules::new(&exports.as_slice()[agreed.export], &agreed);
            Some(Phase::Transmission(Intake::new(rules), agreed))
        }
    };
    (progress.consumed, next)
}

fn transmit(
    intake: &mut Intake,
    agreed: &Transmission,
    export: &Export,
    bytes: &[u8],
    transcript: &mut Transcript,
) -> Result<usize, RequestError> {
    let (used, item) = intake.next(bytes)?;
    let mode = ReplyMode::new(agreed.structured_replies);
    match item {
        None => {}
        Some(Item::Payload { data, .. }) => transcript.payload.extend_from_slice(data),
        Some(Item::Refusal(refusal)) => {
            assert!(refusal.payload_to_discard <= MAX_PAYLOAD_BYTES);
            mode.error(refusal.cookie, refusal.errno, refusal.reason.message(), &mut transcript.sent);
        }
        Some(Item::Request(request)) => answer(&request, mode, agreed, export, &mut transcript.sent),
    }
    Ok(used)
}

fn answer(request: &Request, mode: ReplyMode, agreed: &Transmission, export: &Export, sent: &mut Vec<u8>) {
    assert!(request.range.fits(export.bytes));
    assert!(request.range.is_aligned(export.blocks.minimum));
    assert!(!(export.flags.contains(TransmissionFlags::READ_ONLY) && request.command.writes()));
    match request.command {
        Command::Disconnect => {}
        Command::Read => mode.read(request.cookie, request.range, sent),
        Command::BlockStatus => {
            assert!(!agreed.contexts.is_empty());
            for context in agreed.contexts.iter() {
                let mut chunk = BlockStatusChunk::new(request, context, sent);
                let mut status = 0;
                while chunk.push(1 << 20, status % 3) && status < 100 {
                    status += 1;
                }
                chunk.finish(Part::More);
            }
        }
        _ => mode.success(request.cookie, sent),
    }
}

fuzz_target!(|input: &[u8]| {
    let [tls, size_count, rest @ ..] = input else { return };
    let tls = [Tls::Off, Tls::Offered, Tls::Required][usize::from(tls % 3)];
    let Some((sizes, stream)) = rest.split_at_checked(usize::from(*size_count)) else { return };
    let exports = exports();

    let whole = run(&exports, tls, std::iter::once(stream));
    let mut left = stream;
    let mut sizes = sizes.iter().cycle();
    let pieces = std::iter::from_fn(|| {
        let size = match sizes.next() {
            None => left.len(),
            Some(0) => 256,
            Some(size) => usize::from(*size),
        };
        let (piece, rest) = left.split_at(size.min(left.len()));
        left = rest;
        (!piece.is_empty()).then_some(piece)
    });
    assert_eq!(run(&exports, tls, pieces), whole);
});
