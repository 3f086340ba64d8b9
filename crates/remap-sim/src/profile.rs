//! What kind of life a simulated set has: its shape and what befalls it. Drawn from the seed.

use fastrand::Rng;
use remap_core::BlockSize;
use remap_core::layout::HEAD_SECTORS;

/// The shape of a set and the odds of its faults.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Size of the main device in sectors; often no multiple of the block.
    pub main_sectors: u64,
    /// The unit of remapping.
    pub block_size: BlockSize,
    /// Sectors of the main device that fail together.
    pub physical: u64,
    /// Sizes of the spares in sectors.
    pub spares: Vec<u64>,
    /// Copies of each map page.
    pub copies: u32,
    /// Requests under way at once, at most.
    pub depth: usize,
    /// One in so many events breaks a sector of the main device; 0 is never.
    pub main_fault_every: u32,
    /// One in so many events breaks a sector of a slot.
    pub slot_fault_every: u32,
    /// One in so many events kills the main device for a while.
    pub death_every: u32,
    /// One in so many events kills a spare until the power goes.
    pub spare_death_every: u32,
    /// One in so many events flips a metadata bit.
    pub flip_every: u32,
    /// Whether one copy of some pages cannot be written.
    pub bad_page_copies: bool,
    /// Whether bad sectors of the main device answer with an error of unknown cause.
    pub vague_errors: bool,
    /// One in so many events is an operator's order.
    pub order_every: u32,
    /// Requests go to this many sectors at the front of the device.
    pub hot_sectors: u64,
    /// Power cuts per life.
    pub boots: u32,
    /// The most events between power-on and power cut.
    pub events_per_boot: u32,
}

impl Profile {
    /// Draws a life.
    pub fn draw(rng: &mut Rng) -> Self {
        let block_size = *pick(rng, &[8, 8, 8, 8, 1, 2, 4, 16]);
        let main_sectors = rng.u64(300..2500);
        let slots = if rng.u8(..6) == 0 { rng.u64(300..600) } else { rng.u64(4..80) };
        let spares = 1 + rng.usize(..6).saturating_sub(3);
        let spare = |rng: &mut Rng| {
            let slots = (slots / spares as u64).max(2) + rng.u64(..8);
            let metadata = if block_size < 4 { 3500 } else { 1400 };
            HEAD_SECTORS + metadata + (slots + 8) * u64::from(block_size)
        };
        let flips = rng.u8(..3) == 0;
        // Small blocks make many slots, and their page areas large.
        let most = if block_size < 4 { 3 } else { 5 };
        let copies = rng.u32(if flips { 3 } else { 2 }..=most);
        let sometimes = |rng: &mut Rng, one_in: u8, odds: u32| if rng.u8(..one_in) == 0 { odds } else { 0 };
        Self {
            main_sectors,
            block_size: BlockSize::from_sectors(block_size).expect("a power of two up to 16"),
            physical: *pick(rng, &[1, 8]),
            spares: (0..spares).map(|_| spare(rng)).collect(),
            copies,
            depth: rng.usize(1..=12),
            main_fault_every: *pick(rng, &[20, 60, 200]),
            slot_fault_every: sometimes(rng, 3, 400),
            death_every: sometimes(rng, 4, 1500),
            spare_death_every: sometimes(rng, 5, 2500),
            flip_every: if flips { 150 } else { 0 },
            bad_page_copies: !flips && copies > 2 && rng.u8(..3) == 0,
            vague_errors: rng.u8(..3) == 0,
            order_every: sometimes(rng, 2, 25),
            hot_sectors: if rng.bool() { main_sectors } else { main_sectors.min(160) },
            boots: rng.u32(4..30),
            events_per_boot: *pick(rng, &[200, 1000, 3000]),
        }
    }
}

/// One of several.
pub fn pick<'a, T>(rng: &mut Rng, of: &'a [T]) -> &'a T {
    &of[rng.usize(..of.len())]
}
