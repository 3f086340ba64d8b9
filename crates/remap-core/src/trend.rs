//! Errors over time in bounded memory: how many in the last hour, how many in the hour before. Time is an argument.

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// A sample a minute, for two hours and the minute before them.
const SAMPLES: usize = 122;

/// A count of errors, sampled about once a minute.
#[derive(Debug)]
pub struct Trend {
    /// When, and how many errors until then. A ring; ascending from `next` on.
    samples: [(u64, u64); SAMPLES],
    next: usize,
    last_ms: Option<u64>,
}

impl Trend {
    /// Without a sample.
    pub const fn new() -> Self {
        Self { samples: [(u64::MAX, 0); SAMPLES], next: 0, last_ms: None }
    }

    /// Remembers that `errors` had been counted by `now_ms`, unless the last sample is less than a minute old.
    pub fn sample(&mut self, now_ms: u64, errors: u64) {
        if self.last_ms.is_some_and(|last| now_ms < last.saturating_add(MINUTE_MS)) {
            return;
        }
        if let Some(sample) = self.samples.get_mut(self.next) {
            *sample = (now_ms, errors);
        }
        self.next = if self.next + 1 < SAMPLES { self.next + 1 } else { 0 };
        self.last_ms = Some(now_ms);
    }

    /// Errors in the hour before `now_ms`, and in the hour before that, when `errors` have been counted by
    /// now. Exact to a minute.
    pub fn hours(&self, now_ms: u64, errors: u64) -> (u64, u64) {
        let hour_ago = self.count_at(now_ms.saturating_sub(HOUR_MS));
        let two_ago = self.count_at(now_ms.saturating_sub(2 * HOUR_MS));
        (errors.saturating_sub(hour_ago), hour_ago.saturating_sub(two_ago))
    }

    /// The count at the last sample up to `at_ms`, none before the first.
    fn count_at(&self, at_ms: u64) -> u64 {
        let known = self.samples.iter().filter(|&&(at, _)| at <= at_ms);
        known.max_by_key(|&&(at, _)| at).map_or(0, |&(_, errors)| errors)
    }
}

impl Default for Trend {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
