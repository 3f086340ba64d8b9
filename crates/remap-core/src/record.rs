//! What one slot holds: the record of a map page, and of the map table, which are the same two words.

use crate::units::BlockIndex;

/// What a slot is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlotState {
    /// Nothing; may be given out.
    Free,
    /// Holds sectors of a block.
    Used,
    /// Failed; never given out again.
    Retired,
}

/// The sectors of a block that a slot stands for. Bit n is sector n of the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Masks {
    /// Sectors that the slot holds.
    pub moved: u16,
    /// Sectors that nobody holds: reading them fails.
    pub lost: u16,
    /// Of the lost sectors those that a slot held when they were lost: what the main device has there is
    /// older, and must never be taken for them.
    pub stale: u16,
}

impl Masks {
    /// Sectors that do not live on the main device.
    pub const fn away(self) -> u16 {
        self.moved | self.lost
    }

    /// Whether the masks make sense together, for a used slot.
    const fn are_possible(self) -> bool {
        self.moved & self.lost == 0 && self.stale & !self.lost == 0 && self.away() != 0
    }
}

/// One slot's record.
///
/// `version` counts, modulo 256, how often the block was carried from one slot to another: of two used
/// records of one block, which a power cut can leave, the later counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Record {
    /// See [`SlotState::Free`].
    Free,
    /// See [`SlotState::Used`].
    Used {
        /// The block of the main device.
        block: BlockIndex,
        /// Its sectors that are moved or lost; at least one.
        masks: Masks,
        /// How often the block changed slots, modulo 256.
        version: u8,
    },
    /// See [`SlotState::Retired`].
    Retired,
}

const STATE_SHIFT: u32 = 32;
const VERSION_SHIFT: u32 = 40;
const STALE_SHIFT: u32 = 48;
const STATE_FREE: u64 = 0;
const STATE_USED: u64 = 1;
const STATE_RETIRED: u64 = 2;

/// The key word of a record that is not used. No block has this number.
pub(crate) const NO_BLOCK: u64 = u64::MAX;

impl Record {
    /// The two words: key (block number) and value (moved mask in bits 0–15, lost mask in 16–31, state in
    /// 32–39, version in 40–47, stale mask in 48–63).
    pub const fn to_words(self) -> (u64, u64) {
        match self {
            Self::Free => (NO_BLOCK, STATE_FREE),
            Self::Retired => (NO_BLOCK, STATE_RETIRED << STATE_SHIFT),
            Self::Used { block, masks, version } => (
                block.0,
                masks.moved as u64
                    | (masks.lost as u64) << 16
                    | STATE_USED << STATE_SHIFT
                    | (version as u64) << VERSION_SHIFT
                    | (masks.stale as u64) << STALE_SHIFT,
            ),
        }
    }

    /// The record that the two words spell; `None` for an unknown state, bits that have no meaning, masks
    /// that share a sector or hold none, and a used record without a block.
    pub const fn from_words(key: u64, value: u64) -> Option<Self> {
        let masks =
            Masks { moved: value as u16, lost: (value >> 16) as u16, stale: (value >> STALE_SHIFT) as u16 };
        let version = (value >> VERSION_SHIFT) as u8;
        match (value >> STATE_SHIFT) & 0xff {
            STATE_FREE if value == 0 => Some(Self::Free),
            STATE_RETIRED if value == STATE_RETIRED << STATE_SHIFT => Some(Self::Retired),
            STATE_USED if key != NO_BLOCK && masks.are_possible() => {
                Some(Self::Used { block: BlockIndex(key), masks, version })
            }
            _ => None,
        }
    }

    /// Masks and version of the value word of a used record that this program wrote itself; `None` when the
    /// record is not used.
    #[inline]
    pub(crate) const fn used_from_word(value: u64) -> Option<(Masks, u8)> {
        if (value >> STATE_SHIFT) & 0xff != STATE_USED {
            return None;
        }
        let masks =
            Masks { moved: value as u16, lost: (value >> 16) as u16, stale: (value >> STALE_SHIFT) as u16 };
        Some((masks, (value >> VERSION_SHIFT) as u8))
    }

    /// What the slot is used for.
    pub const fn state(self) -> SlotState {
        match self {
            Self::Free => SlotState::Free,
            Self::Used { .. } => SlotState::Used,
            Self::Retired => SlotState::Retired,
        }
    }
}

/// Whether version `a` comes after `b`. Exact as long as they are less than 128 apart; two records of one
/// block are always one apart, since opening drops the older before the block can move again.
pub const fn is_newer(a: u8, b: u8) -> bool {
    let ahead = a.wrapping_sub(b);
    ahead != 0 && ahead < 128
}

#[cfg(all(test, not(loom)))]
mod tests;
