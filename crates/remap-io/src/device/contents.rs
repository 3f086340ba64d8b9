//! What is on the set, as whoever uses it sees it: a sector that was moved tells what its slot holds.

use remap_core::format::superblock::Superblock;
use remap_core::units::SECTOR_BYTES;
use remap_core::{DiskError, Sector, SectorRange};

use crate::members::{Contents, DeviceOptions, path_of};

use super::error::OpenError;
use super::serve::split;
use super::shared::Shared;

impl Shared {
    /// Looks at what is on the set. For the recovery thread, while nothing is held. What cannot be read stays
    /// as it is: nobody asked for it.
    pub fn contents(&self) -> Contents {
        let sectors = self.set().sectors();
        Contents::look(sectors, self.logical_sectors as u32 * 512, |start, into| {
            self.read_for_nobody(start, into)
        })
    }

    fn read_for_nobody(&self, start: Sector, into: &mut [u8]) -> Result<(), DiskError> {
        let range = SectorRange::new(start, (into.len() / SECTOR_BYTES) as u64);
        // Sectors behind the last whole block of the set are nobody's.
        self.check(range).map_err(|_| DiskError::Unsupported)?;
        let (mut rest, mut into) = (range, into);
        while rest.sectors > 0 {
            let piece = self.set().resolve(rest);
            let (here, behind) = split(rest, piece.sectors);
            let (buffer, further) = into.split_at_mut(here.sectors as usize * SECTOR_BYTES);
            self.read_piece(piece.target, here, buffer).map_err(|(_, error)| error)?;
            (rest, into) = (behind, further);
        }
        Ok(())
    }

    /// Refuses a main device with other contents than it had when the set was closed; returns what makes it
    /// doubtful where that cannot be told for certain.
    pub fn check_contents(
        &self,
        contents: &Contents,
        superblock: &Superblock,
        options: &DeviceOptions,
    ) -> Result<Option<String>, OpenError> {
        let Some(differ) = contents.difference(&superblock.main.filesystem_uuid) else { return Ok(None) };
        if options.accept_other_main {
            return Ok(None);
        }
        // Without a close, what was recorded may have been overwritten since; with parts of the map lost, what
        // was moved is read as of old.
        if superblock.clean && differ.is_certain && !options.accept_lost_pages {
            return Err(OpenError::OtherMain {
                path: path_of(&*self.main),
                name: superblock.name.to_string(),
                difference: differ.text,
                can_be_accepted: true,
            });
        }
        Ok(Some(format!(
            "{} may not be the main device of this set: {}",
            path_of(&*self.main).display(),
            differ.text
        )))
    }
}
