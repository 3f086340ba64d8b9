//! Orders are carried out by the kernel within one call each, so a long one is sent in pieces: progress can be shown
//! then, it can be ended between them, and a failure is known to be in one of them.

use remap_core::{Sector, SectorRange};

/// About so many calls for an order.
const PIECES: u64 = 256;
/// Blocks of a piece at most, where every block means reading and writing.
const LONGEST: u64 = 1024;

/// A part of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub range: SectorRange,
    /// Blocks that will be worked on.
    pub blocks: u64,
}

/// All of a range, cut at blocks.
pub fn of_range(range: SectorRange, block_sectors: u64) -> Vec<Piece> {
    let first = range.start.0 / block_sectors;
    let end = range.end().0.div_ceil(block_sectors);
    let length = ((end - first) / PIECES).clamp(1, LONGEST);
    let starts = (first..end).step_by(length as usize);
    let piece = |start: u64| {
        let blocks = length.min(end - start);
        cut(start, blocks, blocks, block_sectors, range)
    };
    starts.filter_map(piece).collect()
}

/// Those blocks of a range that have a mapping. `starts` are the first sectors of all mapped blocks, ascending.
pub fn of_mapped(range: SectorRange, block_sectors: u64, starts: &[u64]) -> Vec<Piece> {
    let inside = |start: &&u64| **start < range.end().0 && **start + block_sectors > range.start.0;
    let blocks: Vec<u64> = starts.iter().filter(inside).map(|start| start / block_sectors).collect();
    let length = (blocks.len() as u64).div_ceil(PIECES).max(1) as usize;
    let piece = |group: &[u64]| {
        let (first, last) = (*group.first()?, *group.last()?);
        cut(first, last - first + 1, group.len() as u64, block_sectors, range)
    };
    blocks.chunks(length).filter_map(piece).collect()
}

fn cut(first: u64, span: u64, blocks: u64, block_sectors: u64, range: SectorRange) -> Option<Piece> {
    let whole = SectorRange::new(Sector(first * block_sectors), span * block_sectors);
    Some(Piece { range: whole.intersection(range)?, blocks })
}

#[cfg(test)]
mod tests {
    use remap_core::{Sector, SectorRange};

    use super::{LONGEST, of_mapped, of_range};

    fn range(start: u64, sectors: u64) -> SectorRange {
        SectorRange::new(Sector(start), sectors)
    }

    #[test]
    fn a_short_range_is_cut_into_blocks() {
        let pieces = of_range(range(5, 20), 8);
        let ranges: Vec<_> = pieces.iter().map(|piece| piece.range).collect();
        assert_eq!(ranges, [range(5, 3), range(8, 8), range(16, 8), range(24, 1)]);
        assert!(pieces.iter().all(|piece| piece.blocks == 1));
    }

    #[test]
    fn pieces_of_a_long_range_are_all_of_it() {
        for sectors in [1, 8 * 256, 8 * 300 + 3, 8 * 1024 * 1024] {
            let pieces = of_range(range(16, sectors), 8);
            let mut at = 16;
            for piece in &pieces {
                assert_eq!(piece.range.start.0, at);
                assert!(piece.blocks <= LONGEST);
                at = piece.range.end().0;
            }
            assert_eq!(at, 16 + sectors);
        }
    }

    #[test]
    fn only_mapped_blocks_are_worked_on_and_all_of_them() {
        let starts = [0, 8, 64, 800];
        let found: Vec<_> = of_mapped(range(4, 100), 8, &starts).iter().map(|piece| piece.range).collect();
        assert_eq!(found, [range(4, 4), range(8, 8), range(64, 8)]);
        assert_eq!(of_mapped(range(100, 8), 8, &starts), []);
        let many: Vec<u64> = (0..10_000).map(|block| block * 80).collect();
        let pieces = of_mapped(range(0, 800_000), 8, &many);
        assert!(pieces.len() <= 256);
        assert_eq!(pieces.iter().map(|piece| piece.blocks).sum::<u64>(), 10_000);
    }
}
