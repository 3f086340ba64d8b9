//! Health: one figure from 0 to 100, a pure function of what is known.
//!
//! Below 90 is a warning, below 70 critical, as users of dm-remap know it. The formula, from 100:
//!
//! | what | takes off |
//! | --- | --- |
//! | share of slots that are used or retired | 40 × share |
//! | lost sectors | 11 for the first, 1 more for each doubling, at most 25 |
//! | retired slots | 2 each, at most 15 |
//! | errors of the main device in the last hour | 1 per 10, at most 10 |
//! | more of them than in the hour before, and at least 10 | 5 |
//! | metadata copies that cannot be repaired | 10 each, at most 30 |
//!
//! and then at most: 60 with a spare that is offline or missing, 40 with no slot free, 20 when read-only
//! because the metadata cannot be written, 10 when *failing*.

use crate::set::SetState;

/// Below this, something should be done soon.
pub const WARNING_BELOW: u8 = 90;
/// Below this, something should be done now.
pub const CRITICAL_BELOW: u8 = 70;

/// What health is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The set's state.
    pub state: SetState,
    /// Whether the set was opened read-only on request, which is no fault.
    pub read_only_on_request: bool,
    /// Slots on all spares.
    pub slots_total: u64,
    /// Slots that are used.
    pub slots_used: u64,
    /// Slots that failed.
    pub slots_retired: u64,
    /// Sectors that nobody holds.
    pub lost_sectors: u64,
    /// Errors of the main device in the last hour.
    pub errors_last_hour: u64,
    /// The same in the hour before.
    pub errors_hour_before: u64,
    /// Metadata copies that are bad and stay so.
    pub bad_metadata_copies: u64,
    /// Spares that are offline or missing.
    pub spares_away: u64,
}

/// The health: 0 to 100. See the module for the formula.
pub fn health(condition: &Condition) -> u8 {
    let taken = condition.slots_used.saturating_add(condition.slots_retired).min(condition.slots_total);
    let share = match (condition.slots_total, taken.checked_mul(40)) {
        (0, _) => 40,
        (total, Some(product)) => product / total,
        (total, None) => taken / (total / 40),
    };
    let lost = match condition.lost_sectors {
        0 => 0,
        n => (11 + u64::from(n.ilog2())).min(25),
    };
    let errors = (condition.errors_last_hour / 10).min(10);
    let rising =
        condition.errors_last_hour >= 10 && condition.errors_last_hour > condition.errors_hour_before;
    let off = share
        + lost
        + condition.slots_retired.saturating_mul(2).min(15)
        + errors
        + if rising { 5 } else { 0 }
        + condition.bad_metadata_copies.saturating_mul(10).min(30);
    let mut limit = 100;
    if condition.spares_away > 0 {
        limit = 60;
    }
    if taken == condition.slots_total {
        limit = limit.min(40);
    }
    if condition.state == SetState::ReadOnly && !condition.read_only_on_request {
        limit = limit.min(20);
    }
    if condition.state == SetState::Failing {
        limit = limit.min(10);
    }
    100u64.saturating_sub(off).min(limit) as u8
}

#[cfg(all(test, not(loom)))]
mod tests;
