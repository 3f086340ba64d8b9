//! The words of the NBD wire: magic numbers, codes, flags, and the layout of each fixed-size message.
//! It owns how a value looks as bytes; it may not judge whether a message is allowed. All integers on the
//! wire are big-endian.

pub mod command;
pub(crate) mod cursor;
pub mod errno;
pub mod flags;
pub mod option;
pub mod reply;

/// First word of the greeting: the ASCII letters `NBDMAGIC` (specification, "Newstyle negotiation").
pub const GREETING_MAGIC: u64 = u64::from_be_bytes(*b"NBDMAGIC");
/// Second word of the greeting, and the first of every option: `IHAVEOPT`.
pub const OPTION_MAGIC: u64 = u64::from_be_bytes(*b"IHAVEOPT");
/// First word of every answer to an option ("Fixed newstyle negotiation").
pub const OPTION_REPLY_MAGIC: u64 = 0x0003_e889_0455_65a9;
/// First word of every request ("Request message").
pub const REQUEST_MAGIC: u32 = 0x2560_9513;
/// First word of a simple reply ("Simple reply message").
pub const SIMPLE_REPLY_MAGIC: u32 = 0x6744_6698;
/// First word of a structured reply chunk ("Structured reply chunk message").
pub const CHUNK_MAGIC: u32 = 0x668e_33ef;

/// The longest string either side may send, in bytes ("Protocol phases", strings).
pub const MAX_STRING_BYTES: usize = 4096;

/// What the client sent to tell its requests apart. Opaque: a reply carries it back unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cookie(pub u64);
