//! Where the parts of a range live, for front ends that tell their clients.

use remap_core::set::{Piece, Target};
use remap_core::units::mask_of;
use remap_core::{Sector, SectorRange};

use super::serve::split;
use super::shared::Shared;

/// What the engine's region filter knows as one: 1 MiB.
const REGION_SECTORS: u64 = 2048;

/// The kind of place where sectors live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtentKind {
    /// On the main device.
    Main,
    /// On a spare.
    Moved,
    /// Nowhere: reading them fails.
    Lost,
}

/// A run of sectors that live in one kind of place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Which sectors.
    pub range: SectorRange,
    /// Where they live.
    pub kind: ExtentKind,
}

impl Shared {
    pub fn extents(&self, range: SectorRange, visit: &mut dyn FnMut(Extent)) {
        let Some(mut rest) = range.intersection(SectorRange::new(Sector(0), self.sectors)) else {
            return;
        };
        let mut run: Option<Extent> = None;
        while rest.sectors > 0 {
            let piece = self.look(rest);
            let (here, behind) = split(rest, piece.sectors);
            let kind = match piece.target {
                Target::Main | Target::Busy => ExtentKind::Main,
                Target::Spare { .. } => ExtentKind::Moved,
                Target::Lost => ExtentKind::Lost,
            };
            match &mut run {
                Some(extent) if extent.kind == kind => extent.range.sectors += here.sectors,
                _ => {
                    if let Some(extent) = run.replace(Extent { range: here, kind }) {
                        visit(extent);
                    }
                }
            }
            rest = behind;
        }
        run.into_iter().for_each(visit);
    }

    /// Where `range` begins to live, whether or not it is held: what is told is a snapshot anyway.
    fn look(&self, range: SectorRange) -> Piece {
        let set = self.set();
        // A region at a time: one without mappings is passed over in one step.
        let room = REGION_SECTORS - range.start.0 % REGION_SECTORS;
        let range = SectorRange::new(range.start, range.sectors.min(room));
        let piece = set.resolve(range);
        if piece.target != Target::Busy {
            return piece;
        }
        let block = set.block_size();
        let offset = block.offset_of(range.start);
        let room = u64::from(block.sectors() - offset).min(range.sectors);
        let Some(mapping) = set.table().lookup(block.block_of(range.start)) else {
            return Piece { target: Target::Main, sectors: room };
        };
        let run = |mask: u16| u64::from((mask >> offset).trailing_ones()).min(room);
        let away = mapping.masks.away();
        if run(mapping.masks.lost) > 0 {
            Piece { target: Target::Lost, sectors: run(mapping.masks.lost) }
        } else if run(mapping.masks.moved) > 0 {
            let (index, start) = set.slot_address(mapping.slot).unwrap_or_default();
            Piece { target: Target::Spare { index, start }, sectors: run(mapping.masks.moved) }
        } else {
            Piece { target: Target::Main, sectors: run(!away & mask_of(0, 16)) }
        }
    }
}
