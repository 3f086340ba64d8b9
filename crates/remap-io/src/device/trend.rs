//! Errors over time: how many in the last hour, how many in the hour before. Time is an argument.

use std::collections::VecDeque;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// A count of errors, sampled about once a minute for two hours.
#[derive(Debug, Default)]
pub struct Trend {
    /// When, and how many errors until then; ascending.
    samples: VecDeque<(u64, u64)>,
}

impl Trend {
    /// Remembers that `errors` had been counted by `now_ms`, unless the last sample is less than a minute old.
    pub fn sample(&mut self, now_ms: u64, errors: u64) {
        if self.samples.back().is_some_and(|&(at, _)| now_ms < at + MINUTE_MS) {
            return;
        }
        self.samples.push_back((now_ms, errors));
        while self.samples.get(1).is_some_and(|&(at, _)| at + 2 * HOUR_MS <= now_ms) {
            self.samples.pop_front();
        }
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
        self.samples.iter().rev().find(|&&(at, _)| at <= at_ms).map_or(0, |&(_, errors)| errors)
    }
}

#[cfg(test)]
mod tests;
