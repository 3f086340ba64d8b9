//! By what a main device is known again, as a superblock holds it.

use std::path::Path;

use remap_core::format::superblock::MainIdentity;

use crate::disk::DiskFacts;

/// All that is known of a disk before it is looked at.
pub fn of(facts: &DiskFacts, path: Option<&Path>) -> MainIdentity {
    MainIdentity {
        sectors: facts.sectors,
        logical_bytes: facts.logical_block_bytes,
        physical_bytes: facts.physical_block_bytes,
        serial: stored::<64, _>(facts.serial.as_deref()),
        wwn: stored::<64, _>(facts.wwn.as_deref()),
        partition_uuid: stored::<40, _>(facts.partition_uuid.as_deref()),
        path: stored::<256, _>(path.and_then(Path::to_str)),
        ..MainIdentity::default()
    }
}

/// What a set is to know of its main device from now on. Size, blocks and what is on it stay as they are
/// known; of another device than before nothing else does.
pub fn renewed(known: &MainIdentity, facts: &DiskFacts, path: Option<&Path>, is_other: bool) -> MainIdentity {
    let mut now = MainIdentity {
        sectors: known.sectors,
        logical_bytes: known.logical_bytes,
        physical_bytes: known.physical_bytes,
        filesystem_uuid: known.filesystem_uuid,
        ..of(facts, path)
    };
    if !is_other {
        // The same disk tells less in some places than in others.
        for (text, known) in [(&mut now.serial, known.serial), (&mut now.wwn, known.wwn)] {
            if text.is_empty() {
                *text = known;
            }
        }
        if now.partition_uuid.is_empty() {
            now.partition_uuid = known.partition_uuid;
        }
    }
    if now.path.is_empty() {
        now.path = known.path;
    }
    now
}

/// A text as a superblock can hold it, in a field of `N` bytes; empty when there is none.
pub fn stored<const N: usize, T: for<'t> TryFrom<&'t str> + Default>(from: Option<&str>) -> T {
    let text = from.and_then(text::<N>).unwrap_or_default();
    T::try_from(&text).unwrap_or_default()
}

/// No control characters, cut to `N` bytes.
pub fn text<const N: usize>(from: &str) -> Option<String> {
    let mut text: String = from.chars().filter(|c| !c.is_control()).collect();
    while text.len() > N {
        text.pop();
    }
    (!text.is_empty()).then_some(text)
}
