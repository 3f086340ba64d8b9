//! A client of the handshake: it sends options, and takes the answers apart.

use super::super::*;
use crate::nbd::export::{BlockSizes, Export};
use crate::nbd::wire::flags::TransmissionFlags;
use crate::nbd::wire::option::{OPTION_REPLY_HEADER_BYTES, OptionReplyHeader};

pub(super) const FIXED: u32 = 1;
pub(super) const NO_ZEROES: u32 = 2;

/// Two exports: `disk`, described, with all contexts; and `other`, read-only, without any.
pub(super) fn two_exports() -> Exports {
    let disk = Export {
        name: "disk".into(),
        description: "a failing disk".into(),
        bytes: 1 << 30,
        flags: TransmissionFlags::FLUSH | TransmissionFlags::FUA,
        blocks: BlockSizes::DEFAULT,
        contexts: ContextSet::ALL,
    };
    let other = Export {
        name: "other".into(),
        description: String::new(),
        bytes: 512,
        flags: TransmissionFlags::READ_ONLY,
        contexts: ContextSet::NONE,
        ..disk.clone()
    };
    Exports::new(vec![disk, other]).unwrap()
}

pub(super) fn option(option: ClientOption, data: &[u8]) -> Vec<u8> {
    raw_option(option.code(), data)
}

pub(super) fn raw_option(option: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = OptionHeader { option, length: u32::try_from(data.len()).unwrap() }.encode().to_vec();
    bytes.extend_from_slice(data);
    bytes
}

pub(super) fn string(text: &str) -> Vec<u8> {
    let mut bytes = u32::try_from(text.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// The data of `NBD_OPT_INFO` and `NBD_OPT_GO`.
pub(super) fn info(name: &str, wanted: &[u16]) -> Vec<u8> {
    let mut bytes = string(name);
    bytes.extend_from_slice(&u16::try_from(wanted.len()).unwrap().to_be_bytes());
    for info in wanted {
        bytes.extend_from_slice(&info.to_be_bytes());
    }
    bytes
}

/// The data of the two options about contexts.
pub(super) fn queries(name: &str, queries: &[&str]) -> Vec<u8> {
    let mut bytes = string(name);
    bytes.extend_from_slice(&u32::try_from(queries.len()).unwrap().to_be_bytes());
    for query in queries {
        bytes.extend_from_slice(&string(query));
    }
    bytes
}

/// One answer: its code and its data.
pub(super) type Answer = (OptionReply, Vec<u8>);

pub(super) struct Client<'a> {
    pub(super) server: Handshake<'a>,
}

impl<'a> Client<'a> {
    /// Connected, greeted, with `flags` sent.
    pub(super) fn connect(exports: &'a Exports, tls: Tls, flags: u32) -> Self {
        let mut client = Self { server: Handshake::new(exports, tls) };
        assert_eq!(client.received(), b"NBDMAGICIHAVEOPT\0\x03");
        let progress = client.server.receive(&flags.to_be_bytes()).unwrap();
        assert_eq!(progress, Progress { consumed: 4, event: None });
        client
    }

    pub(super) fn plain(exports: &'a Exports) -> Self {
        Self::connect(exports, Tls::Off, FIXED | NO_ZEROES)
    }

    pub(super) fn received(&mut self) -> Vec<u8> {
        let bytes = self.server.output().to_vec();
        self.server.output_sent(bytes.len());
        bytes
    }

    /// Sends one option; the answers and what it came to.
    pub(super) fn ask(&mut self, asked: ClientOption, data: &[u8]) -> (Vec<Answer>, Option<Event>) {
        let event = self.send(&option(asked, data)).unwrap();
        (self.answers(asked.code()), event)
    }

    /// Sends one option and gives the only answer's code.
    pub(super) fn ask_code(&mut self, asked: ClientOption, data: &[u8]) -> OptionReply {
        let (answers, event) = self.ask(asked, data);
        assert_eq!(event, None);
        assert_eq!(answers.len(), 1, "{answers:?}");
        answers[0].0
    }

    /// Sends bytes that make up one option.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<Option<Event>, HandshakeError> {
        let progress = self.server.receive(bytes)?;
        assert_eq!(progress.consumed, bytes.len());
        Ok(progress.event)
    }

    /// The answers received, all of them to `option`.
    pub(super) fn answers(&mut self, option: u32) -> Vec<Answer> {
        let received = self.received();
        let mut rest = &received[..];
        let mut answers = Vec::new();
        while !rest.is_empty() {
            let (header, behind) = rest.split_first_chunk::<OPTION_REPLY_HEADER_BYTES>().unwrap();
            let header = OptionReplyHeader::parse(header).unwrap();
            assert_eq!(header.option, option);
            let (data, behind) = behind.split_at(header.length as usize);
            answers.push((OptionReply::from_code(header.reply).unwrap(), data.to_vec()));
            rest = behind;
        }
        answers
    }
}
