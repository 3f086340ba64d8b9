//! The kernel's log: writing to it, and reading what came since a moment.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::fs::OFlags;

/// The log as records.
const KMSG: &str = "/dev/kmsg";

/// Writes a line into the kernel's log.
pub fn say(text: &str) -> Result<()> {
    fs::write(KMSG, format!("lab: {text}\n")).context("writing to /dev/kmsg")
}

/// What the kernel logs from a moment on.
#[derive(Debug)]
pub struct Klog {
    records: File,
    seen: Vec<String>,
}

impl Klog {
    /// From now on.
    pub fn from_now() -> Result<Self> {
        let mut options = OpenOptions::new();
        let flags = i32::try_from(OFlags::NONBLOCK.bits())?;
        let mut records = options.read(true).custom_flags(flags).open(KMSG).context("opening /dev/kmsg")?;
        records.seek(SeekFrom::End(0)).context("going to the end of /dev/kmsg")?;
        Ok(Self { records, seen: Vec::new() })
    }

    /// The messages since then, without levels and time stamps.
    pub fn lines(&mut self) -> Result<&[String]> {
        // A read gives one record, and fails if that does not fit.
        let mut record = [0; 8192];
        loop {
            match self.records.read(&mut record) {
                Ok(length) => self.seen.push(message(&String::from_utf8_lossy(&record[..length]))),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(&self.seen),
                // Records were overwritten before they were read; the next read goes on behind them.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
                Err(error) => return Err(error).context("reading /dev/kmsg"),
            }
        }
    }

    /// Whether a message since then contains `text`, or one does within `limit`.
    pub fn says(&mut self, text: &str, limit: Duration) -> Result<bool> {
        let start = Instant::now();
        loop {
            if self.lines()?.iter().any(|line| line.contains(text)) {
                return Ok(true);
            }
            if start.elapsed() > limit {
                return Ok(false);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The message of a record `level,number,time,flags;message`, which lines with details may follow.
fn message(record: &str) -> String {
    let text = record.split_once(';').map_or(record, |(_, text)| text);
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::message;

    #[test]
    fn a_record_is_its_message_without_the_head_and_the_details() {
        assert_eq!(message("6,339,5140900,-;sda: a; b\n SUBSYSTEM=scsi\n"), "sda: a; b");
        assert_eq!(message("nothing"), "nothing");
    }
}
