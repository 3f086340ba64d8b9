//! The request header: 28 bytes from the client.
//! It owns the layout and the command codes; whether a request is allowed is judged in `request`.

use super::{Cookie, REQUEST_MAGIC};

/// Bytes of a request header (specification, "Request message").
pub const REQUEST_HEADER_BYTES: usize = 28;

/// What a client can ask for ("Request types").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Command {
    /// `NBD_CMD_READ`.
    Read = 0,
    /// `NBD_CMD_WRITE`: the only one with a payload behind its header.
    Write = 1,
    /// `NBD_CMD_DISC`: the client leaves; no reply.
    Disconnect = 2,
    /// `NBD_CMD_FLUSH`.
    Flush = 3,
    /// `NBD_CMD_TRIM`.
    Trim = 4,
    /// `NBD_CMD_CACHE`: the range will be read soon.
    Cache = 5,
    /// `NBD_CMD_WRITE_ZEROES`.
    WriteZeroes = 6,
    /// `NBD_CMD_BLOCK_STATUS`.
    BlockStatus = 7,
}

impl Command {
    /// The command behind a code of the wire; `None` for codes the specification does not name.
    pub const fn from_code(code: u16) -> Option<Self> {
        Some(match code {
            0 => Self::Read,
            1 => Self::Write,
            2 => Self::Disconnect,
            3 => Self::Flush,
            4 => Self::Trim,
            5 => Self::Cache,
            6 => Self::WriteZeroes,
            7 => Self::BlockStatus,
            _ => return None,
        })
    }

    /// Whether it changes what the export holds.
    pub const fn writes(self) -> bool {
        matches!(self, Self::Write | Self::Trim | Self::WriteZeroes)
    }
}

/// A request header as it stands on the wire, nothing checked but its magic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// The command flags, known or not.
    pub flags: u16,
    /// The command code, known or not.
    pub command: u16,
    /// To be sent back.
    pub cookie: Cookie,
    /// Where, in bytes.
    pub offset: u64,
    /// How much, in bytes.
    pub length: u32,
}

impl RequestHeader {
    /// Reads the fields; `None` where the magic is wrong. Does not allocate.
    pub fn parse(bytes: &[u8; REQUEST_HEADER_BYTES]) -> Option<Self> {
        if u32::from_be_bytes(field(bytes, 0)) != REQUEST_MAGIC {
            return None;
        }
        Some(Self {
            flags: u16::from_be_bytes(field(bytes, 4)),
            command: u16::from_be_bytes(field(bytes, 6)),
            cookie: Cookie(u64::from_be_bytes(field(bytes, 8))),
            offset: u64::from_be_bytes(field(bytes, 16)),
            length: u32::from_be_bytes(field(bytes, 24)),
        })
    }

    /// The header as a client sends it.
    pub fn encode(&self) -> [u8; REQUEST_HEADER_BYTES] {
        let mut bytes = [0; REQUEST_HEADER_BYTES];
        bytes[0..4].copy_from_slice(&REQUEST_MAGIC.to_be_bytes());
        bytes[4..6].copy_from_slice(&self.flags.to_be_bytes());
        bytes[6..8].copy_from_slice(&self.command.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.cookie.0.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.offset.to_be_bytes());
        bytes[24..28].copy_from_slice(&self.length.to_be_bytes());
        bytes
    }
}

/// `N` bytes from `at`. Places and sizes are constants of this file, so the checks vanish.
#[inline]
fn field<const N: usize>(bytes: &[u8; REQUEST_HEADER_BYTES], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}

#[cfg(test)]
mod tests;
