//! Options of the handshake and the answers to them: codes, headers, and the greeting before them.
//! It owns their layout in both directions; what an option leads to is decided in `handshake`.

use super::cursor::Cursor;
use super::flags::HandshakeFlags;
use super::{GREETING_MAGIC, OPTION_MAGIC, OPTION_REPLY_MAGIC};

/// Bytes of the server's greeting (specification, "Newstyle negotiation").
pub const GREETING_BYTES: usize = 18;
/// Bytes of the client's flags after it.
pub const CLIENT_FLAGS_BYTES: usize = 4;
/// Bytes before an option's data.
pub const OPTION_HEADER_BYTES: usize = 16;
/// Bytes before an answer's data ("Fixed newstyle negotiation").
pub const OPTION_REPLY_HEADER_BYTES: usize = 20;
/// Zeroes behind the answer to `NBD_OPT_EXPORT_NAME`, unless the client wants none.
pub const EXPORT_NAME_PADDING_BYTES: usize = 124;

/// The greeting that offers `flags`.
pub fn greeting(flags: HandshakeFlags) -> [u8; GREETING_BYTES] {
    let mut bytes = [0; GREETING_BYTES];
    bytes[0..8].copy_from_slice(&GREETING_MAGIC.to_be_bytes());
    bytes[8..16].copy_from_slice(&OPTION_MAGIC.to_be_bytes());
    bytes[16..18].copy_from_slice(&flags.bits().to_be_bytes());
    bytes
}

/// Codes that a wire number may or may not name.
macro_rules! codes {
    ($(#[$doc:meta])* $name:ident: $int:ty { $($(#[$code_doc:meta])* $code:ident = $value:expr;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$code_doc])* $code,)*
        }

        impl $name {
            /// The number on the wire.
            pub const fn code(self) -> $int {
                match self {
                    $(Self::$code => $value,)*
                }
            }

            /// What a number of the wire names, if anything.
            pub fn from_code(code: $int) -> Option<Self> {
                [$(Self::$code),*].into_iter().find(|known| known.code() == code)
            }
        }
    };
}

codes! {
    /// What a client asks during the handshake ("Option types").
    ClientOption: u32 {
        /// `NBD_OPT_EXPORT_NAME`: choose an export, the old way.
        ExportName = 1;
        /// `NBD_OPT_ABORT`: leave.
        Abort = 2;
        /// `NBD_OPT_LIST`: name all exports.
        List = 3;
        /// `NBD_OPT_STARTTLS`.
        StartTls = 5;
        /// `NBD_OPT_INFO`: describe an export.
        Info = 6;
        /// `NBD_OPT_GO`: describe and choose an export.
        Go = 7;
        /// `NBD_OPT_STRUCTURED_REPLY`.
        StructuredReply = 8;
        /// `NBD_OPT_LIST_META_CONTEXT`.
        ListMetaContext = 9;
        /// `NBD_OPT_SET_META_CONTEXT`.
        SetMetaContext = 10;
    }
}

codes! {
    /// How the server answers an option ("Option reply types").
    OptionReply: u32 {
        /// `NBD_REP_ACK`: accepted, or the end of a list.
        Ack = 1;
        /// `NBD_REP_SERVER`: the name of an export.
        Server = 2;
        /// `NBD_REP_INFO`: a fact about an export.
        Info = 3;
        /// `NBD_REP_META_CONTEXT`: a context and its number.
        MetaContext = 4;
        /// `NBD_REP_ERR_UNSUP`: option not known.
        Unsupported = 0x8000_0001;
        /// `NBD_REP_ERR_POLICY`: not allowed here.
        Policy = 0x8000_0002;
        /// `NBD_REP_ERR_INVALID`: malformed, or out of order.
        Invalid = 0x8000_0003;
        /// `NBD_REP_ERR_TLS_REQD`: TLS must come first.
        TlsRequired = 0x8000_0005;
        /// `NBD_REP_ERR_UNKNOWN`: no such export.
        Unknown = 0x8000_0006;
        /// `NBD_REP_ERR_SHUTDOWN`: the server is stopping.
        Shutdown = 0x8000_0007;
        /// `NBD_REP_ERR_TOO_BIG`: more data than an option may have.
        TooBig = 0x8000_0009;
    }
}

codes! {
    /// Facts in `NBD_REP_INFO`.
    InfoType: u16 {
        /// `NBD_INFO_EXPORT`: size and transmission flags.
        Export = 0;
        /// `NBD_INFO_NAME`.
        Name = 1;
        /// `NBD_INFO_DESCRIPTION`.
        Description = 2;
        /// `NBD_INFO_BLOCK_SIZE`.
        BlockSize = 3;
    }
}

/// What stands before an option's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionHeader {
    /// The option's code, known or not.
    pub option: u32,
    /// Bytes of data behind the header.
    pub length: u32,
}

impl OptionHeader {
    /// Reads the fields; `None` where the magic is wrong.
    pub fn parse(bytes: &[u8; OPTION_HEADER_BYTES]) -> Option<Self> {
        let mut fields = Cursor(bytes);
        if fields.u64()? != OPTION_MAGIC {
            return None;
        }
        Some(Self { option: fields.u32()?, length: fields.u32()? })
    }

    /// The header as a client sends it.
    pub fn encode(self) -> [u8; OPTION_HEADER_BYTES] {
        let mut bytes = [0; OPTION_HEADER_BYTES];
        bytes[0..8].copy_from_slice(&OPTION_MAGIC.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.option.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.length.to_be_bytes());
        bytes
    }
}

/// What stands before an answer's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionReplyHeader {
    /// The option that is answered, known or not.
    pub option: u32,
    /// The answer's code: an [`OptionReply`] from this server.
    pub reply: u32,
    /// Bytes of data behind the header.
    pub length: u32,
}

impl OptionReplyHeader {
    /// Reads the fields; `None` where the magic is wrong.
    pub fn parse(bytes: &[u8; OPTION_REPLY_HEADER_BYTES]) -> Option<Self> {
        let mut fields = Cursor(bytes);
        if fields.u64()? != OPTION_REPLY_MAGIC {
            return None;
        }
        Some(Self { option: fields.u32()?, reply: fields.u32()?, length: fields.u32()? })
    }

    /// The header as the server sends it.
    pub fn encode(self) -> [u8; OPTION_REPLY_HEADER_BYTES] {
        let mut bytes = [0; OPTION_REPLY_HEADER_BYTES];
        bytes[0..8].copy_from_slice(&OPTION_REPLY_MAGIC.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.option.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.reply.to_be_bytes());
        bytes[16..20].copy_from_slice(&self.length.to_be_bytes());
        bytes
    }
}

/// Appends a whole answer, its data given in parts that follow each other.
///
/// The parts together must stay below 4 GiB; all the server sends is far shorter.
pub fn push_option_reply(out: &mut Vec<u8>, option: u32, reply: OptionReply, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let length = u32::try_from(length).expect("an option's answer is short");
    out.extend_from_slice(&OptionReplyHeader { option, reply: reply.code(), length }.encode());
    for part in parts {
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests;
