//! What happens to a running set, a line each on standard error.
//!
//! Lines are written by a thread of their own: who reads them slowly must not slow the set down. When too much
//! happens at once, lines are left out, and counted.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::Result;
use remap_core::port::Event;
use remap_core::set::SetState;
use remap_core::{BlockIndex, BlockSize, Sector, SectorRange};
use remap_serve::server::SessionEvent;

use crate::text::{range, when};

/// Lines that wait to be written.
const WAITING: usize = 1000;
/// Lines in a second.
const RATE: u32 = 100;

enum Entry {
    Line(String),
    /// Everything before has been written.
    Sync(SyncSender<()>),
}

/// Where to tell.
#[derive(Clone)]
pub struct Log {
    lines: SyncSender<Entry>,
    left_out: Arc<AtomicU64>,
}

impl Log {
    /// A log to standard error.
    pub fn start() -> Result<Self> {
        let (lines, entries) = sync_channel(WAITING);
        let left_out = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&left_out);
        std::thread::Builder::new().name("log".into()).spawn(move || write(&entries, &counter))?;
        Ok(Self { lines, left_out })
    }

    /// Tells a line.
    pub fn say(&self, line: &str) {
        if self.lines.try_send(Entry::Line(line.to_owned())).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits, not for ever, until everything told has been written.
    pub fn finish(&self) {
        let (done, written) = sync_channel(1);
        if self.lines.send(Entry::Sync(done)).is_ok() {
            let _ = written.recv_timeout(Duration::from_secs(2));
        }
    }

    /// Tells what recovery did.
    pub fn event(&self, event: &Event, block_size: BlockSize) {
        let sectors = |block: BlockIndex, mask: u16| shown(block_size.first_sector(block), mask);
        self.say(&match *event {
            Event::Moved { block, mask } => format!("moved {} to a spare", sectors(block, mask)),
            Event::Lost { block, mask } => {
                format!("lost {}: nobody holds them any more", sectors(block, mask))
            }
            Event::Retired { spare } => format!("retired a failing slot of spare {}", spare + 1),
            Event::State(SetState::Active) => "the main disk answers: errors are recovered".into(),
            Event::State(SetState::Failing) => {
                "the main disk answers nowhere: errors pass through until it does".into()
            }
            Event::State(SetState::ReadOnly) => {
                "the set is read-only now: its metadata cannot be written".into()
            }
            Event::SpareOffline(spare) => format!("spare {} does not answer any more", spare + 1),
            Event::SpareFull { range } => {
                format!("no room on the spares for {}: add one (dm-remap spare NAME add)", range::show(range))
            }
            Event::Repaired { spare, copy, page } => {
                format!("repaired copy {copy} of map page {page} on spare {}", spare + 1)
            }
        });
    }

    /// Tells who came and went.
    pub fn session(&self, event: &SessionEvent) {
        match event {
            SessionEvent::Connected { connection, at } => {
                self.say(&format!("client {connection} connected at {at}"));
            }
            SessionEvent::TurnedAway { at } => {
                self.say(&format!("too many clients: turned one away at {at}"));
            }
            SessionEvent::Closed { connection, error: None } => {
                self.say(&format!("client {connection} left"));
            }
            SessionEvent::Closed { connection, error: Some(error) } => {
                self.say(&format!("client {connection} was dropped: {error}"));
            }
        }
    }
}

/// The sectors of a block that a mask names.
fn shown(first: Sector, mask: u16) -> String {
    let from = u64::from(mask.trailing_zeros());
    let to = u64::from(16 - mask.leading_zeros());
    if mask == 0 {
        return range::show(SectorRange::new(first, 0));
    }
    let text = range::show(SectorRange::new(Sector(first.0 + from), to - from));
    let all = mask.count_ones();
    if u64::from(all) == to - from { text } else { format!("{all} of {text}") }
}

fn write(entries: &Receiver<Entry>, left_out: &AtomicU64) {
    let with_time = std::env::var_os("JOURNAL_STREAM").is_none();
    let mut second = Instant::now();
    let mut in_second = 0;
    for entry in entries {
        let line = match entry {
            Entry::Line(line) => line,
            Entry::Sync(done) => {
                let _ = done.try_send(());
                continue;
            }
        };
        if second.elapsed() >= Duration::from_secs(1) {
            second = Instant::now();
            in_second = 0;
            let missed = left_out.swap(0, Ordering::Relaxed);
            if missed > 0 {
                put(with_time, &format!("and {missed} more that are not told one by one"));
            }
        }
        if in_second == RATE {
            left_out.fetch_add(1, Ordering::Relaxed);
        } else {
            in_second += 1;
            put(with_time, &line);
        }
    }
}

fn put(with_time: bool, line: &str) {
    let mut err = std::io::stderr().lock();
    // Nobody reads it: then nobody is told.
    let _ = if with_time {
        writeln!(err, "{} {line}", when::show(when::now_unix_s()))
    } else {
        writeln!(err, "{line}")
    };
}

#[cfg(test)]
mod tests;
