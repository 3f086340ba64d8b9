//! When the spares of a set will be full, at the rate of the last days. It owns what is remembered for that, and its
//! words. Time is an argument.

use std::collections::VecDeque;

const HOUR_S: u64 = 3600;
const DAY_S: u64 = 24 * HOUR_S;
/// From one sample to the next.
const STEP_S: u64 = 600;
/// The present rate is that of so long.
const WINDOW_S: u64 = 7 * DAY_S;
/// Less than this says nothing about a rate.
const MIN_WINDOW_S: u64 = HOUR_S;
/// So do fewer slots: one bad place takes a few at once.
const MIN_SLOTS: u64 = 8;
/// A forecast of longer is no forecast.
const MAX_AHEAD_S: u64 = 10 * 365 * DAY_S;

/// How many slots were taken, and when. At most some thousand samples.
#[derive(Debug, Default)]
pub struct Forecast {
    /// Seconds since 1970 and slots taken; both ascend.
    samples: VecDeque<(u64, u64)>,
}

impl Forecast {
    /// Remembers that `taken` slots were used or retired at `now_s`. Fewer than before, or a clock that was set
    /// back, begin it anew: what is freed by hand says nothing about the rate at which disks fail.
    pub fn sample(&mut self, now_s: u64, taken: u64) {
        if self.samples.back().is_some_and(|&(at, before)| now_s < at || taken < before) {
            self.samples.clear();
        }
        if self.samples.back().is_none_or(|&(at, _)| now_s >= at.saturating_add(STEP_S)) {
            self.samples.push_back((now_s, taken));
        }
        // The oldest one stays that is as old as the window.
        let horizon = now_s.saturating_sub(WINDOW_S);
        while self.samples.get(1).is_some_and(|&(at, _)| at <= horizon) {
            self.samples.pop_front();
        }
    }

    /// In how many seconds from `now_s`, at most ten years, no slot of `total` will be free, `taken` of them being
    /// used or retired now. `None` where too little is known, or where nothing is taken any more.
    pub fn full_in_s(&self, now_s: u64, taken: u64, total: u64) -> Option<u64> {
        let free = total.saturating_sub(taken);
        if free == 0 {
            return (total > 0).then_some(0);
        }
        let &(since, before) = self.samples.front()?;
        let (seconds, slots) = (now_s.checked_sub(since)?, taken.checked_sub(before)?);
        if seconds < MIN_WINDOW_S || slots < MIN_SLOTS {
            return None;
        }
        let ahead = u128::from(free) * u128::from(seconds) / u128::from(slots);
        u64::try_from(ahead).ok().filter(|&ahead| ahead <= MAX_AHEAD_S)
    }
}

/// `in about 12 days`; `now` when it is no time at all.
pub fn words(seconds: u64) -> String {
    if seconds == 0 {
        return "now".into();
    }
    let (unit_s, unit) = match seconds {
        ..7_200 => (60, "minute"),
        7_200..172_800 => (HOUR_S, "hour"),
        172_800..5_184_000 => (DAY_S, "day"),
        5_184_000..63_072_000 => (30 * DAY_S, "month"),
        _ => (365 * DAY_S, "year"),
    };
    let rounded = (seconds + unit_s / 2) / unit_s;
    format!("in about {}", crate::text::count(rounded.max(1), unit))
}

#[cfg(test)]
mod tests;
