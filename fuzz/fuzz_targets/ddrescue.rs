//! A mapfile may hold anything. What parses is written, and what is written parses to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use remap_core::units::MAX_SECTORS;
use remap_io::lists::ddrescue::{BadMeans, Mapfile};

fuzz_target!(|text: &[u8]| {
    let Ok(mapfile) = Mapfile::parse(text) else { return };
    let again = Mapfile::parse(mapfile.to_string().as_bytes());
    assert_eq!(again.as_ref(), Ok(&mapfile));
    for means in [BadMeans::BadSector, BadMeans::Failed] {
        let bad = mapfile.bad_sectors(means);
        assert!(bad.iter().all(|range| range.sectors > 0 && range.fits(MAX_SECTORS)));
        assert!(bad.windows(2).all(|pair| pair[0].end() < pair[1].start));
    }
});
