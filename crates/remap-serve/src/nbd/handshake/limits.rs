//! How much a client may send before it has chosen an export.
//! It owns the bounds and the count against them; it may not look at what is sent.

use super::HandshakeError;
use crate::nbd::wire::option::OPTION_HEADER_BYTES;

/// The longest data of an option that is kept: 64 KiB. A choice of this server; an option whose every string
/// is as long as the specification allows stays far below.
pub const MAX_OPTION_BYTES: u32 = 64 << 10;

/// How many options a client may send: enough to ask for the details of some hundred exports.
pub const MAX_OPTIONS: u32 = 1024;

/// How many bytes of options a client may send or announce: 16 MiB.
pub const MAX_HANDSHAKE_BYTES: u64 = 16 << 20;

/// What is left of the bounds.
#[derive(Debug)]
pub(super) struct Budget {
    options: u32,
    bytes: u64,
}

impl Budget {
    pub(super) const fn new() -> Self {
        Self { options: MAX_OPTIONS, bytes: MAX_HANDSHAKE_BYTES }
    }

    /// Counts one option as soon as it is announced: a client is not left to send what will be too much.
    pub(super) fn spend(&mut self, data_bytes: u32) -> Result<(), HandshakeError> {
        self.options = self.options.checked_sub(1).ok_or(HandshakeError::TooManyOptions)?;
        let bytes = OPTION_HEADER_BYTES as u64 + u64::from(data_bytes);
        self.bytes = self.bytes.checked_sub(bytes).ok_or(HandshakeError::TooManyBytes)?;
        Ok(())
    }
}
