//! The header of every device-mapper ioctl, `struct dm_ioctl` of the kernel's `include/uapi/linux/dm-ioctl.h`.
//! It owns where the fields lie; what they mean, the callers know.

/// Bytes of the header; data follows it.
pub const BYTES: usize = 312;
/// Bytes of a name, the zero at its end included.
pub const NAME_BYTES: usize = 128;
/// Bytes of a UUID, the zero at its end included.
pub const UUID_BYTES: usize = 129;

/// The version of the interface that is spoken here. The kernel refuses another major number, and knows what a
/// lower minor number does not expect.
const VERSION: [u32; 3] = [4, 0, 0];

const DATA_SIZE: usize = 12;
const DATA_START: usize = 16;
const TARGET_COUNT: usize = 20;
const OPEN_COUNT: usize = 24;
const FLAGS: usize = 28;
const EVENT_NUMBER: usize = 32;
const DEVICE: usize = 40;
const NAME: usize = 48;
const UUID: usize = NAME + NAME_BYTES;

/// The device, or the table to be loaded, is read-only.
pub const READ_ONLY: u32 = 1 << 0;
/// To be suspended; of an answer: is suspended.
pub const SUSPEND: u32 = 1 << 1;
/// Of [`Command::TableStatus`](crate::call::Command): the table instead of the status.
pub const STATUS_TABLE: u32 = 1 << 4;
/// There is a table in use.
pub const ACTIVE_PRESENT: u32 = 1 << 5;
/// There is a table that was loaded and is not in use yet.
pub const INACTIVE_PRESENT: u32 = 1 << 6;
/// The answer did not fit.
pub const BUFFER_FULL: u32 = 1 << 8;
/// Suspends without asking a file system to be still.
pub const SKIP_LOCKFS: u32 = 1 << 10;
/// Suspends without waiting for requests that are queued.
pub const NO_FLUSH: u32 = 1 << 11;
/// A uevent was sent, with the cookie.
pub const UEVENT_GENERATED: u32 = 1 << 13;
/// A message has an answer.
pub const DATA_OUT: u32 = 1 << 16;
/// To be removed when nobody uses it any more; of an answer: will be.
pub const DEFERRED_REMOVE: u32 = 1 << 17;

/// The fields that are used here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    pub target_count: u32,
    pub open_count: u32,
    pub flags: u32,
    pub event_number: u32,
    /// As the kernel packs it: `minor & 0xff | major << 8 | (minor & !0xff) << 12`.
    pub device: u64,
    pub name: Vec<u8>,
    pub uuid: Vec<u8>,
}

impl Header {
    /// The header followed by `data`, with `room` bytes in all for both and the answer, or more if they need it.
    ///
    /// # Panics
    /// If the name or the UUID is too long, which their types rule out.
    pub fn with_data(&self, data: &[u8], room: usize) -> Vec<u8> {
        assert!(self.name.len() < NAME_BYTES && self.uuid.len() < UUID_BYTES, "types keep names short");
        let length = room.max(BYTES + data.len());
        let mut bytes = vec![0; length];
        for (index, number) in VERSION.into_iter().enumerate() {
            put(&mut bytes, index * 4, &number.to_ne_bytes());
        }
        put(&mut bytes, DATA_SIZE, &(length as u32).to_ne_bytes());
        put(&mut bytes, DATA_START, &(BYTES as u32).to_ne_bytes());
        put(&mut bytes, TARGET_COUNT, &self.target_count.to_ne_bytes());
        put(&mut bytes, OPEN_COUNT, &self.open_count.to_ne_bytes());
        put(&mut bytes, FLAGS, &self.flags.to_ne_bytes());
        put(&mut bytes, EVENT_NUMBER, &self.event_number.to_ne_bytes());
        put(&mut bytes, DEVICE, &self.device.to_ne_bytes());
        put(&mut bytes, NAME, &self.name);
        put(&mut bytes, UUID, &self.uuid);
        put(&mut bytes, BYTES, data);
        bytes
    }

    /// The header and the data of an answer; `None` when it is no answer: too short, or with its data elsewhere.
    /// Data ends where the kernel says or where the buffer does, whichever comes first.
    pub fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let number = |at: usize| bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
        let header = Self {
            target_count: number(TARGET_COUNT)?,
            open_count: number(OPEN_COUNT)?,
            flags: number(FLAGS)?,
            event_number: number(EVENT_NUMBER)?,
            device: u64::from_ne_bytes(*bytes.get(DEVICE..)?.first_chunk()?),
            name: until_zero(bytes.get(NAME..NAME + NAME_BYTES)?)?.to_vec(),
            uuid: until_zero(bytes.get(UUID..UUID + UUID_BYTES)?)?.to_vec(),
        };
        let start = number(DATA_START)? as usize;
        let end = (number(DATA_SIZE)? as usize).min(bytes.len());
        if start < BYTES {
            return None;
        }
        // An answer without data may well say that it ends before it begins.
        Some((header, bytes.get(start..end).unwrap_or_default()))
    }
}

fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    bytes[at..at + field.len()].copy_from_slice(field);
}

/// What is before the first zero; `None` when there is none.
pub fn until_zero(bytes: &[u8]) -> Option<&[u8]> {
    bytes.iter().position(|&byte| byte == 0).map(|end| &bytes[..end])
}

#[cfg(test)]
mod tests;
