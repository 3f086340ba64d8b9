//! Why the kernel refused something: device-mapper has no room for words in its answers, so targets say it in the
//! kernel's log.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;

use rustix::fs::OFlags;

/// What the kernel logs from a moment on. Where the log cannot be read, nothing is ever found.
#[derive(Debug)]
pub struct KernelLog(Option<File>);

impl KernelLog {
    /// From now on.
    pub fn from_now() -> Self {
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let log = OpenOptions::new().read(true).custom_flags(flags).open("/dev/kmsg");
        Self(log.and_then(|mut log| log.seek(SeekFrom::End(0)).map(|_| log)).ok())
    }

    /// Why a table of the device was refused, if a target said so since.
    pub fn why_table_was_refused(&mut self, number: (u32, u32)) -> Option<String> {
        why_table(&self.lines(), number)
    }

    /// Why a message to the device was refused, if a target said so since.
    pub fn why_message_was_refused(&mut self, number: (u32, u32)) -> Option<String> {
        why_message(&self.lines(), number)
    }

    fn lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let Some(log) = &mut self.0 else { return lines };
        // A read gives one record, and fails if that does not fit.
        let mut record = [0; 8192];
        loop {
            match log.read(&mut record) {
                Ok(length) => lines.extend(message(&String::from_utf8_lossy(&record[..length]))),
                // Records were overwritten before they were read; the next read goes on behind them.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
                // That was all; or no more can be had, and what is missing is missing in an error's text only.
                Err(_) => return lines,
            }
        }
    }
}

/// The message of a record `level,number,time,flags;message`, which lines with details may follow.
fn message(record: &str) -> Option<String> {
    record.split_once(';')?.1.lines().next().map(str::to_owned)
}

/// `device-mapper: table: 253:0: remap: WHY (-EINVAL)`; the last line is the one that counts.
fn why_table(lines: &[String], (major, minor): (u32, u32)) -> Option<String> {
    let start = format!("device-mapper: table: {major}:{minor}: ");
    let said = lines.iter().rev().find_map(|line| line.strip_prefix(&*start))?;
    let (_, why) = said.split_once(": ")?;
    let is_number = |text: &str| text.starts_with('-') && text.ends_with(')');
    let why = why.rsplit_once(" (").filter(|(_, number)| is_number(number)).map_or(why, |(why, _)| why);
    Some(printable(why))
}

/// `device-mapper: remap: 253:0: message refused: WHY`.
fn why_message(lines: &[String], (major, minor): (u32, u32)) -> Option<String> {
    let middle = format!(": {major}:{minor}: message refused: ");
    let said = lines.iter().rev().filter(|line| line.starts_with("device-mapper: "));
    let mut whys = said.filter_map(|line| Some(line.split_once(&*middle)?.1));
    whys.next().filter(|why| !why.is_empty()).map(printable)
}

/// The log writes what a terminal would act on as `\x1b`; whatever else may come is left out.
fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}

#[cfg(test)]
mod tests;
