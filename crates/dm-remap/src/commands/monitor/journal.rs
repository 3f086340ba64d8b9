//! Events for the system's journal, by its native protocol (systemd, `docs/JOURNAL_NATIVE_PROTOCOL.md`): a datagram of
//! fields. Where there is no journal, they go to standard error.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use super::events::Event;
use crate::text::complain;

/// Where the journal listens.
pub const SOCKET: &str = "/run/systemd/journal/socket";

/// See the module.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
}

impl Journal {
    /// The one that listens at `path`, now or later.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Tells of an event, in one place or the other.
    pub fn tell(&self, event: &Event) {
        if self.send(event).is_err() {
            complain(&format!("dm-remap: {}", event.message));
        }
    }

    fn send(&self, event: &Event) -> io::Result<()> {
        let socket = UnixDatagram::unbound()?;
        // A journal that is stuck must not hold up the looks.
        socket.set_nonblocking(true)?;
        socket.send_to(&datagram(event), &self.path).map(drop)
    }
}

fn datagram(event: &Event) -> Vec<u8> {
    let priority = (event.priority as u8).to_string();
    let mut bytes = Vec::new();
    for (name, value) in [
        ("MESSAGE", &*event.message),
        ("MESSAGE_ID", event.kind.message_id()),
        ("PRIORITY", &priority),
        ("SYSLOG_IDENTIFIER", "dm-remap"),
        ("DM_REMAP_SET", &event.set),
        ("DM_REMAP_UUID", &event.uuid),
        ("DM_REMAP_EVENT", event.kind.name()),
        ("DM_REMAP_VALUE", &event.value),
        ("DM_REMAP_BEFORE", &event.before),
    ] {
        put(&mut bytes, name, value);
    }
    bytes
}

/// A field. A value of several lines is told with its length, so that none of them passes for a field.
fn put(bytes: &mut Vec<u8>, name: &str, value: &str) {
    bytes.extend(name.bytes());
    if value.contains('\n') {
        bytes.push(b'\n');
        bytes.extend((value.len() as u64).to_le_bytes());
    } else {
        bytes.push(b'=');
    }
    bytes.extend(value.bytes());
    bytes.push(b'\n');
}

#[cfg(test)]
mod tests;
