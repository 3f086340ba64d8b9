//! What device-mapper answers about devices and targets.

use crate::header::{self, Header, until_zero};
use crate::name::{DeviceName, DeviceUuid};

/// A device in the list of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceEntry {
    /// Its name.
    pub name: DeviceName,
    /// Its number.
    pub number: (u32, u32),
}

/// A device by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the kernel's flags, each a fact of its own")]
pub struct DeviceInfo {
    /// Its name.
    pub name: DeviceName,
    /// Its UUID, if it was given one.
    pub uuid: Option<DeviceUuid>,
    /// Major and minor number.
    pub number: (u32, u32),
    /// How often it is open now; devices stacked on it and mounts count.
    pub open_count: u32,
    /// Events since it was made.
    pub events: u32,
    /// It is suspended.
    pub is_suspended: bool,
    /// Writes are refused.
    pub is_read_only: bool,
    /// A table is in use.
    pub has_table: bool,
    /// A table was loaded and is not in use yet.
    pub has_loaded_table: bool,
    /// It goes when nobody uses it any more.
    pub goes_when_unused: bool,
}

/// A target's version: major, minor, patch.
pub type TargetVersion = [u32; 3];

impl DeviceInfo {
    /// `None` when the answer is about no device.
    pub(crate) fn of(header: &Header) -> Option<Self> {
        let has = |flag: u32| header.flags & flag != 0;
        Some(Self {
            name: DeviceName::of_kernel(&header.name)?,
            uuid: DeviceUuid::of_kernel(&header.uuid),
            number: number_of(header.device)?,
            open_count: header.open_count,
            events: header.event_number,
            is_suspended: has(header::SUSPEND),
            is_read_only: has(header::READ_ONLY),
            has_table: has(header::ACTIVE_PRESENT),
            has_loaded_table: has(header::INACTIVE_PRESENT),
            goes_when_unused: has(header::DEFERRED_REMOVE),
        })
    }
}

/// Major and minor number as the kernel packs them for user space, in 32 bits.
fn number_of(device: u64) -> Option<(u32, u32)> {
    let packed = u32::try_from(device).ok()?;
    Some(((packed >> 8) & 0xfff, (packed & 0xff) | ((packed >> 12) & 0xf_ff00)))
}

/// The other way round.
pub(crate) fn packed((major, minor): (u32, u32)) -> u64 {
    u64::from((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xf_ff00) << 12))
}

/// The devices of a list (`struct dm_name_list`); `None` when it is none. Devices whose names are no text, which
/// nobody could ask for by name here, are left out.
pub(crate) fn devices(data: &[u8]) -> Option<Vec<DeviceEntry>> {
    let mut devices = Vec::new();
    let mut at = 0_usize;
    loop {
        // Without any device there is nothing, or an entry of zeros.
        let Some(entry) = data.get(at..).filter(|entry| !entry.is_empty()) else {
            return (at == 0).then_some(devices);
        };
        let device = u64::from_ne_bytes(*entry.first_chunk()?);
        let next = u32::from_ne_bytes(*entry.get(8..)?.first_chunk()?) as usize;
        if device == 0 {
            return Some(devices);
        }
        let name = DeviceName::of_kernel(until_zero(entry.get(12..)?)?);
        devices.extend(name.zip(number_of(device)).map(|(name, number)| DeviceEntry { name, number }));
        if next == 0 {
            return Some(devices);
        }
        at = at.checked_add(next)?;
        if next < 12 {
            return None;
        }
    }
}

/// The version of the target `wanted` in a list (`struct dm_target_versions`).
pub(crate) fn target_version(data: &[u8], wanted: &str) -> Option<TargetVersion> {
    let mut at = 0_usize;
    loop {
        let entry = data.get(at..)?;
        let number = |at: usize| entry.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
        let next = number(0)? as usize;
        if until_zero(entry.get(16..)?)? == wanted.as_bytes() {
            return Some([number(4)?, number(8)?, number(12)?]);
        }
        if next < 16 {
            return None;
        }
        at = at.checked_add(next)?;
    }
}

#[cfg(test)]
mod tests;
