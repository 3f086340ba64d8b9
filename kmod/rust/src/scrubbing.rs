//! The surface scan's plan, for the glue's scrub thread.

use remap_core::Sector;
use remap_core::SectorRange;
use remap_core::scrub::{Scrub, ScrubStep};

use crate::abi;

/// What to do now.
pub fn next(scrub: &mut Scrub, now_ms: u64) -> abi::ScrubStep {
    let none = abi::ScrubStep::default();
    match scrub.next(now_ms) {
        ScrubStep::Read(range) => {
            abi::ScrubStep { kind: abi::SCRUB_READ, start: range.start.0, sectors: range.sectors, ..none }
        }
        ScrubStep::Wait(until_ms) => abi::ScrubStep { kind: abi::SCRUB_WAIT, start: until_ms, ..none },
        ScrubStep::VerifyPage(page) => abi::ScrubStep { kind: abi::SCRUB_VERIFY, page, ..none },
        ScrubStep::Done => abi::ScrubStep { kind: abi::SCRUB_DONE, ..none },
    }
}

/// What was told to be read in one go cannot be read.
pub fn failed(scrub: &mut Scrub, start: u64, sectors: u64) {
    scrub.failed(SectorRange::new(Sector(start), sectors));
}
