//! Names and UUIDs of mapped devices. A name becomes a file in `/dev/mapper`, so what is unusual in it is written
//! as `\xNN`, as dmsetup and udev's rules do.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use crate::header::{NAME_BYTES, UUID_BYTES};

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing.
    #[error("a device needs a name")]
    Empty,
    /// More than the kernel has room for: 127 bytes of a name, 128 of a UUID, once what is unusual is written as
    /// `\xNN`.
    #[error("this is too long for a name of a mapped device")]
    TooLong,
    /// A zero, or a slash: neither can be in a file's name.
    #[error("a name of a mapped device has no slash and no zero")]
    Character,
}

/// The name of a mapped device, as the kernel has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceName(String);

/// The UUID of a mapped device: any text, by custom a word for who made it, a dash, and what it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeviceUuid(String);

impl DeviceName {
    /// The name that stands for `text`.
    pub fn of(text: &str) -> Result<Self, NameError> {
        if text.is_empty() || text == "." || text == ".." {
            return Err(NameError::Empty);
        }
        if text.contains(['/', '\0']) {
            return Err(NameError::Character);
        }
        let mut name = String::new();
        for byte in text.bytes() {
            if byte.is_ascii_alphanumeric() || b"#+-.:=@_".contains(&byte) {
                name.push(char::from(byte));
            } else {
                let _ = write!(name, "\\x{byte:02x}");
            }
        }
        if name.len() < NAME_BYTES { Ok(Self(name)) } else { Err(NameError::TooLong) }
    }

    /// As the kernel tells it; `None` when it is no text.
    pub(crate) fn of_kernel(bytes: &[u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok()?;
        (!text.is_empty() && text.len() < NAME_BYTES && !text.contains('/')).then(|| Self(text.to_owned()))
    }

    /// As the kernel has it: `\xNN` for what is unusual.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it stands for; as the kernel has it where that is no text.
    pub fn text(&self) -> String {
        let mut bytes = Vec::new();
        let mut rest = self.0.as_bytes();
        while let Some((&first, behind)) = rest.split_first() {
            let escaped = behind.first_chunk::<3>().filter(|chunk| first == b'\\' && chunk[0] == b'x');
            let byte = escaped
                .and_then(|chunk| str::from_utf8(&chunk[1..]).ok())
                .and_then(|digits| u8::from_str_radix(digits, 16).ok());
            bytes.push(byte.unwrap_or(first));
            rest = if byte.is_some() { &behind[3..] } else { behind };
        }
        String::from_utf8(bytes).unwrap_or_else(|_| self.0.clone())
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl DeviceUuid {
    /// As it is.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn of_kernel(bytes: &[u8]) -> Option<Self> {
        str::from_utf8(bytes).ok()?.parse().ok()
    }
}

impl FromStr for DeviceUuid {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text {
            "" => Err(NameError::Empty),
            _ if text.len() >= UUID_BYTES => Err(NameError::TooLong),
            _ if text.contains(['/', '\0']) => Err(NameError::Character),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for DeviceUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
