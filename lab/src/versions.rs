//! What sectors may hold after a power cut: of each the version that was acknowledged as durable, or one written
//! since.

use anyhow::{Result, bail, ensure};
use rustix::io::Errno;

use crate::direct::{Direct, SECTOR_BYTES, pattern};

/// The sector `sector` in its version `version`. Version 0 is what was there before anything was written.
pub fn content(sector: u64, version: u64) -> Vec<u8> {
    let mut bytes = pattern(sector, version);
    bytes[..8].copy_from_slice(&version.to_le_bytes());
    bytes
}

/// Versions of one sector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// The last that is known to be durable; 0 is none.
    pub durable: u64,
    /// The last that was written.
    pub written: u64,
}

impl Versions {
    /// Fails unless `found`, which is what reading the sector gave, may be there. Never written sectors may
    /// hold anything, or fail.
    pub fn check(self, sector: u64, found: Result<Vec<u8>, Errno>) -> Result<()> {
        let found = match found {
            Ok(found) => found,
            // A bad sector may be without a version until one is durable.
            Err(_) if self.durable == 0 => return Ok(()),
            Err(error) => bail!("sector {sector}, durable in version {}: {error}", self.durable),
        };
        if self.durable == 0 && found == vec![0; SECTOR_BYTES] {
            return Ok(());
        }
        let mut head = [0; 8];
        head.copy_from_slice(&found[..8]);
        let version = u64::from_le_bytes(head);
        ensure!(
            (self.durable.max(1)..=self.written).contains(&version) && found == content(sector, version),
            "sector {sector} holds version {version}, not {} to {}",
            self.durable,
            self.written
        );
        Ok(())
    }

    /// The same for a sector of a device.
    pub fn check_on(self, io: &Direct, sector: u64) -> Result<()> {
        self.check(sector, io.read(sector, 1))
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::{Versions, content};

    #[test]
    fn only_versions_from_the_durable_one_on_may_be_there() {
        let versions = Versions { durable: 3, written: 5 };
        assert!(versions.check(7, Ok(content(7, 2))).is_err());
        assert!((3..=5).all(|version| versions.check(7, Ok(content(7, version))).is_ok()));
        assert!(versions.check(7, Ok(content(7, 6))).is_err());
        assert!(versions.check(7, Ok(content(8, 4))).is_err());
        assert!(versions.check(7, Err(Errno::NODATA)).is_err());
        let mut torn = content(7, 4);
        torn[511] ^= 1;
        assert!(versions.check(7, Ok(torn)).is_err());
    }

    #[test]
    fn before_anything_is_durable_a_sector_may_be_empty_or_fail() {
        let versions = Versions { durable: 0, written: 1 };
        assert!(versions.check(7, Ok(vec![0; 512])).is_ok());
        assert!(versions.check(7, Ok(content(7, 1))).is_ok());
        assert!(versions.check(7, Err(Errno::NODATA)).is_ok());
        assert!(versions.check(7, Ok(vec![1; 512])).is_err());
    }
}
