//! What is served: a device's name, size, abilities and block sizes, checked once before any client comes.
//! It owns the checks and the lookup by name; it may not know what stands behind an export.

use super::context::ContextSet;
use super::wire::MAX_STRING_BYTES;
use super::wire::flags::TransmissionFlags;

/// A payload longer than this ends the connection: 64 MiB. The specification asks servers to bear with at
/// least 32 MiB ("Size constraints").
pub const MAX_PAYLOAD_BYTES: u32 = 64 << 20;

/// The largest export: what clients that keep sizes in a signed 64-bit number can address.
pub const MAX_EXPORT_BYTES: u64 = i64::MAX as u64;

/// The block sizes of an export, in bytes (specification, "Size constraints").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockSizes {
    /// Alignment of every request: a power of two, 1 to 65,536.
    pub minimum: u32,
    /// Alignment of efficient requests: a power of two, at least 512 and at least `minimum`.
    pub preferred: u32,
    /// The longest read or write: a multiple of `minimum`, at least `preferred`, at most
    /// [`MAX_PAYLOAD_BYTES`].
    pub maximum: u32,
}

impl BlockSizes {
    /// Sectors, best used in pages, up to 32 MiB at once.
    pub const DEFAULT: Self = Self { minimum: 512, preferred: 4096, maximum: 32 << 20 };

    const fn are_valid(self) -> bool {
        self.minimum.is_power_of_two()
            && self.minimum <= 1 << 16
            && self.preferred.is_power_of_two()
            && self.preferred >= 512
            && self.preferred >= self.minimum
            && self.maximum >= self.preferred
            && self.maximum <= MAX_PAYLOAD_BYTES
            && self.maximum.is_multiple_of(self.minimum)
    }
}

/// One served device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// What clients ask for: at most 4096 bytes. The first export also answers to the empty name.
    pub name: String,
    /// Shown to people by `nbdinfo` and the like; may be empty, at most 4096 bytes.
    pub description: String,
    /// Its size in bytes: a multiple of the minimum block, at most [`MAX_EXPORT_BYTES`].
    pub bytes: u64,
    /// What can be done with it. [`HAS_FLAGS`](TransmissionFlags::HAS_FLAGS) and
    /// [`DONT_FRAGMENT`](TransmissionFlags::DONT_FRAGMENT) are added where they belong, and a read-only
    /// export never offers to trim or to write zeroes.
    pub flags: TransmissionFlags,
    /// Its block sizes.
    pub blocks: BlockSizes,
    /// The contexts that can be asked about.
    pub contexts: ContextSet,
}

impl Export {
    /// The flags a client is told.
    pub fn offered_flags(&self, structured_replies: bool) -> TransmissionFlags {
        let mut flags = self.flags.without(TransmissionFlags::DONT_FRAGMENT) | TransmissionFlags::HAS_FLAGS;
        if structured_replies {
            flags = flags | TransmissionFlags::DONT_FRAGMENT;
        }
        if flags.contains(TransmissionFlags::READ_ONLY) {
            flags = flags.without(TransmissionFlags::TRIM | TransmissionFlags::WRITE_ZEROES);
        }
        if !flags.contains(TransmissionFlags::WRITE_ZEROES) {
            flags = flags.without(TransmissionFlags::FAST_ZERO);
        }
        flags
    }
}

/// Why a list of exports cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// Two exports share a name.
    #[error("two exports are named \"{0}\"; give each its own name")]
    DuplicateName(String),
    /// A name or description that cannot be sent.
    #[error("export \"{0:.64}\": name and description may have {MAX_STRING_BYTES} bytes each, and no NUL")]
    BadString(String),
    /// Block sizes that the protocol does not allow.
    #[error(
        "export \"{0}\": block sizes must be powers of two with minimum (at most 65536) <= preferred (at least \
         512) <= maximum (a multiple of the minimum, at most {MAX_PAYLOAD_BYTES})"
    )]
    BadBlockSizes(String),
    /// A size that is not whole blocks, or more than clients can address.
    #[error("export \"{name}\": {bytes} bytes are not a multiple of the minimum block, or over 2^63 - 1")]
    BadSize {
        /// Which export.
        name: String,
        /// Its size.
        bytes: u64,
    },
}

/// The exports of a server, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exports(Vec<Export>);

impl Exports {
    /// Checks and keeps the list; the first is the default export.
    pub fn new(exports: Vec<Export>) -> Result<Self, ExportError> {
        for (index, export) in exports.iter().enumerate() {
            let name = || export.name.clone();
            let is_sendable = |text: &str| text.len() <= MAX_STRING_BYTES && !text.contains('\0');
            if !is_sendable(&export.name) || !is_sendable(&export.description) {
                return Err(ExportError::BadString(name()));
            }
            if exports[..index].iter().any(|other| other.name == export.name) {
                return Err(ExportError::DuplicateName(name()));
            }
            if !export.blocks.are_valid() {
                return Err(ExportError::BadBlockSizes(name()));
            }
            if export.bytes > MAX_EXPORT_BYTES || !export.bytes.is_multiple_of(export.blocks.minimum.into()) {
                return Err(ExportError::BadSize { name: name(), bytes: export.bytes });
            }
        }
        Ok(Self(exports))
    }

    /// In the order given.
    pub fn as_slice(&self) -> &[Export] {
        &self.0
    }

    /// The export that a client means by `name`, and its place in the list; empty means the default.
    pub fn find(&self, name: &str) -> Option<(usize, &Export)> {
        let exact = self.0.iter().enumerate().find(|(_, export)| export.name == name);
        exact.or_else(|| self.0.first().filter(|_| name.is_empty()).map(|first| (0, first)))
    }
}

#[cfg(test)]
mod tests;
