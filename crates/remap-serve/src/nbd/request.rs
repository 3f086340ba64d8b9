//! What a request may ask of an export: a header becomes a valid request, a refusal, or the connection's end.
//! It owns these rules and allocates nothing; it may not carry a request out.

mod reason;

use super::context::ContextSet;
use super::export::{BlockSizes, Export, MAX_PAYLOAD_BYTES};
use super::handshake::Transmission;
use super::range::ByteRange;
use super::wire::Cookie;
use super::wire::command::{Command, REQUEST_HEADER_BYTES, RequestHeader};
use super::wire::errno::Errno;
use super::wire::flags::{CommandFlags, TransmissionFlags};
pub use reason::Reason;

/// A request that the export can be given as it stands.
///
/// Its range is not empty, lies within the export and is aligned to its minimum block; a flush or a
/// disconnect has the empty range at 0. A [`Command::Write`] is followed by `range.bytes` bytes of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// To be sent back in the reply.
    pub cookie: Cookie,
    /// What to do. A [`Command::Disconnect`] gets no reply.
    pub command: Command,
    /// Where.
    pub range: ByteRange,
    /// How: only flags that apply to the command. `FUA` may come with any of them.
    pub flags: CommandFlags,
}

/// A request that is answered by an error; the connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// To be sent back in the reply.
    pub cookie: Cookie,
    /// The error to reply with.
    pub errno: Errno,
    /// Bytes of data behind the header that must be read and thrown away: at most [`MAX_PAYLOAD_BYTES`].
    pub payload_to_discard: u32,
    /// Why, in words; a structured reply can carry them.
    pub reason: Reason,
}

/// What a header turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// To be carried out.
    Request(Request),
    /// To be answered by an error.
    Refusal(Refusal),
}

/// Why a client is dropped in the transmission phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The stream is out of step, or was never NBD.
    #[error("the client sent something other than a request")]
    NotARequest,
    /// A write longer than any server would store.
    #[error("the client announced a write of {0} bytes; more than {MAX_PAYLOAD_BYTES} end the connection")]
    PayloadTooLarge(u32),
}

/// What one connection may ask, as agreed on in its handshake.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    bytes: u64,
    blocks: BlockSizes,
    flags: TransmissionFlags,
    contexts: ContextSet,
    structured_replies: bool,
}

impl Rules {
    /// The rules for `export`, which is the one that `agreed` names.
    pub fn new(export: &Export, agreed: &Transmission) -> Self {
        Self {
            bytes: export.bytes,
            blocks: export.blocks,
            flags: export.offered_flags(agreed.structured_replies),
            contexts: agreed.contexts,
            structured_replies: agreed.structured_replies,
        }
    }

    /// Judges a request header.
    pub fn parse(&self, header: &[u8; REQUEST_HEADER_BYTES]) -> Result<Incoming, RequestError> {
        let header = RequestHeader::parse(header).ok_or(RequestError::NotARequest)?;
        let command = Command::from_code(header.command);
        let payload = if command == Some(Command::Write) { header.length } else { 0 };
        if payload > MAX_PAYLOAD_BYTES {
            return Err(RequestError::PayloadTooLarge(payload));
        }
        let judged = match command {
            Some(command) => self.judge(command, &header),
            None => Err(Reason::UnknownCommand),
        };
        Ok(match judged {
            Ok(request) => Incoming::Request(request),
            Err(reason) => Incoming::Refusal(Refusal {
                cookie: header.cookie,
                errno: reason.errno(),
                payload_to_discard: payload,
                reason,
            }),
        })
    }

    fn judge(&self, command: Command, header: &RequestHeader) -> Result<Request, Reason> {
        let request = Request {
            cookie: header.cookie,
            command,
            range: ByteRange::new(header.offset, header.length),
            flags: CommandFlags::from_bits(header.flags),
        };
        if command == Command::Disconnect {
            // The client leaves whatever else it says.
            return Ok(Request { range: ByteRange::new(0, 0), flags: CommandFlags::NONE, ..request });
        }
        if command.writes() && self.flags.contains(TransmissionFlags::READ_ONLY) {
            return Err(Reason::ReadOnly);
        }
        if !self.offers(command) {
            return Err(Reason::NotOffered);
        }
        if !self.accepted_flags(command).contains(request.flags) {
            return Err(Reason::UnknownFlags);
        }
        if command == Command::Flush {
            let is_plain = request.range == ByteRange::new(0, 0);
            return if is_plain { Ok(request) } else { Err(Reason::FlushWithRange) };
        }
        self.check_range(command, request.range)?;
        Ok(request)
    }

    fn offers(&self, command: Command) -> bool {
        let needed = match command {
            Command::Read | Command::Write | Command::Disconnect => return true,
            Command::BlockStatus => return !self.contexts.is_empty(),
            Command::Flush => TransmissionFlags::FLUSH,
            Command::Trim => TransmissionFlags::TRIM,
            Command::Cache => TransmissionFlags::CACHE,
            Command::WriteZeroes => TransmissionFlags::WRITE_ZEROES,
        };
        self.flags.contains(needed)
    }

    fn accepted_flags(&self, command: Command) -> CommandFlags {
        let offered = |offer, flag| if self.flags.contains(offer) { flag } else { CommandFlags::NONE };
        let own = match command {
            Command::Read => offered(TransmissionFlags::DONT_FRAGMENT, CommandFlags::DONT_FRAGMENT),
            Command::BlockStatus => CommandFlags::REQ_ONE,
            Command::WriteZeroes => {
                CommandFlags::NO_HOLE | offered(TransmissionFlags::FAST_ZERO, CommandFlags::FAST_ZERO)
            }
            Command::Write | Command::Disconnect | Command::Flush | Command::Trim | Command::Cache => {
                CommandFlags::NONE
            }
        };
        // Some clients set it on every command, which the specification allows.
        own | offered(TransmissionFlags::FUA, CommandFlags::FUA)
    }

    fn check_range(&self, command: Command, range: ByteRange) -> Result<(), Reason> {
        if range.bytes == 0 {
            return Err(Reason::Empty);
        }
        if !range.is_aligned(self.blocks.minimum) {
            return Err(Reason::Misaligned);
        }
        if !range.fits(self.bytes) {
            let grows = matches!(command, Command::Write | Command::WriteZeroes);
            return Err(if grows { Reason::WritePastEnd } else { Reason::PastEnd });
        }
        match command {
            Command::Read if range.bytes > self.blocks.maximum => {
                Err(if self.structured_replies { Reason::ReadTooLong } else { Reason::TooLong })
            }
            Command::Write if range.bytes > self.blocks.maximum => Err(Reason::TooLong),
            // Nothing travels with the others, so their length is free.
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
