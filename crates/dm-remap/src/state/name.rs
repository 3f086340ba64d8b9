//! Names of sets: they become file names, and stand in superblocks.

use std::fmt;
use std::str::FromStr;

/// The longest name in bytes: what a superblock has room for, less one.
const MAX_BYTES: usize = 63;

/// A name that can be a set's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SetName(String);

impl SetName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SetName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = |why: &str| Err(format!("{why}: a name is 1 to {MAX_BYTES} bytes such as `backup`"));
        if text.is_empty() {
            return refused("the name is empty");
        }
        if text.len() > MAX_BYTES {
            return refused("the name is too long");
        }
        if text.contains('/') {
            return refused("the name contains a slash");
        }
        if text.starts_with(['.', '-']) {
            return refused("the name starts with a dot or a dash");
        }
        if text.chars().any(char::is_control) {
            return refused("the name contains control characters");
        }
        if text.trim() != text {
            return refused("the name starts or ends with a blank");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for SetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
