//! Progress of long work, for a person at a terminal: one line on standard error that is written over.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use crate::text::grouped;

/// The line is written over this often.
const EVERY: Duration = Duration::from_millis(200);
/// Nothing is shown of work that is over sooner.
const PATIENCE: Duration = Duration::from_millis(500);

/// The line. It is gone when this is dropped.
pub struct Progress {
    what: &'static str,
    unit: &'static str,
    shows: bool,
    started: Instant,
    shown: Option<Instant>,
}

impl Progress {
    /// Of `what`, counted in `unit`s, such as `moving` and `block`.
    pub fn new(what: &'static str, unit: &'static str) -> Self {
        Self { what, unit, shows: io::stderr().is_terminal(), started: Instant::now(), shown: None }
    }

    /// `done` of `total` is done.
    pub fn tell(&mut self, done: u64, total: u64) {
        let now = Instant::now();
        let elapsed = now - self.started;
        let is_due = self.shown.map_or(elapsed >= PATIENCE, |shown| now - shown >= EVERY);
        if !self.shows || !is_due || total == 0 {
            return;
        }
        self.shown = Some(now);
        let Self { what, unit, .. } = self;
        let percent = u128::from(done) * 100 / u128::from(total);
        let (done_shown, total_shown) = (grouped(done), grouped(total));
        let left = left(done, total, elapsed);
        let mut err = io::stderr().lock();
        let _ = write!(err, "\r\x1b[K{what}: {percent} %, {done_shown} of {total_shown} {unit}s{left}");
        let _ = err.flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }
}

/// How long the rest will take if it goes on like this.
fn left(done: u64, total: u64, elapsed: Duration) -> String {
    if done == 0 {
        return String::new();
    }
    let rest = elapsed.as_millis() * u128::from(total.saturating_sub(done)) / u128::from(done);
    let seconds = rest / 1000;
    match seconds {
        0..=119 => format!(", {seconds} s left"),
        120..=7199 => format!(", {} min left", seconds / 60),
        _ => format!(", {} h left", seconds / 3600),
    }
}

#[cfg(test)]
mod tests;
