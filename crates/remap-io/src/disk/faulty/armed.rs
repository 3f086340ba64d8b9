//! The rules of a script at work: which of them a request hits, and what is left of them.
//!
//! Owns the counts and what has been healed. It sleeps for slow ranges; it does no IO.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::sleep;
use std::time::Duration;

use remap_core::{DiskError, Sector, SectorRange};

use super::script::{Fault, FaultScript, Rule};

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
    /// A flush or a discard: only a disk that is offline fails it.
    Other,
}

/// How a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Struck {
    pub(super) first_bad: Sector,
    pub(super) error: DiskError,
}

/// The rules of a script, ready to be asked.
#[derive(Debug)]
pub(super) struct Armed {
    /// Ascending by start.
    rules: Vec<ArmedRule>,
    /// For each rule, the largest end of it and all before: where a search backwards may stop.
    ends: Vec<Sector>,
}

#[derive(Debug)]
struct ArmedRule {
    rule: Rule,
    /// Shared with the same rule of a later version of the script.
    left: Arc<Left>,
}

/// What is left of a rule.
#[derive(Debug)]
struct Left {
    /// How many more requests it hits; without meaning for a rule that has no limit.
    times: AtomicU32,
    healed: Mutex<BTreeSet<Sector>>,
}

impl Armed {
    /// Arms `script`. A rule that was there before, the nth of its like, goes on where it was; what is
    /// listed in `healed` is so from the start.
    pub(super) fn new(script: FaultScript, before: Option<&Self>, healed: &[SectorRange]) -> Self {
        let mut known: HashMap<&Rule, Vec<&Arc<Left>>> = HashMap::new();
        for old in before.iter().flat_map(|armed| armed.rules.iter().rev()) {
            known.entry(&old.rule).or_default().push(&old.left);
        }
        let mut rules: Vec<_> = script
            .rules
            .into_iter()
            .map(|rule| {
                let old = known.get_mut(&rule).and_then(Vec::pop);
                let left = old.map_or_else(|| Arc::new(Left::of(&rule)), Arc::clone);
                ArmedRule { rule, left }
            })
            .collect();
        rules.sort_by_key(|armed| armed.rule.range.start);
        let ends = rules
            .iter()
            .scan(Sector(0), |end, armed| {
                *end = armed.rule.range.end().max(*end);
                Some(*end)
            })
            .collect();
        let armed = Self { rules, ends };
        for &range in healed {
            armed.heal(range);
        }
        armed
    }

    /// Lets a request run into the rules: waits where it is slow, and tells how it fails, if it does. Of several that
    /// would fail it, the one with the lowest bad sector does, and only that one is used up.
    pub(super) fn strike(&self, access: Access, range: SectorRange) -> Option<Struck> {
        for armed in self.touching(range) {
            if let Fault::Slow { ms } = armed.rule.fault
                && access != Access::Other
                && armed.spend()
            {
                sleep(Duration::from_millis(ms));
            }
        }
        let mut candidates: Vec<_> = self
            .touching(range)
            .filter_map(|armed| armed.failure(access, range).map(|struck| (struck, armed)))
            .collect();
        candidates.sort_by_key(|(struck, _)| struck.first_bad);
        candidates.into_iter().find_map(|(struck, armed)| armed.spend().then_some(struck))
    }

    /// Heals what heals by being written; the sectors that were bad to read until now, each as a range.
    pub(super) fn heal(&self, written: SectorRange) -> Vec<SectorRange> {
        let mut fresh = Vec::new();
        for armed in self.touching(written) {
            if let Fault::BadRead { heal_on_write: true, .. } = armed.rule.fault
                && let Some(shared) = armed.rule.range.intersection(written)
            {
                let mut healed = armed.left.healed();
                let news = sectors_of(shared).filter(|&sector| healed.insert(sector));
                fresh.extend(news.map(|sector| SectorRange::new(sector, 1)));
            }
        }
        fresh
    }

    /// The rules that share a sector with `range`; one that is offline touches an empty range too.
    fn touching(&self, range: SectorRange) -> impl Iterator<Item = &ArmedRule> {
        let end = range.end().max(Sector(1));
        let behind = self.rules.partition_point(|armed| armed.rule.range.start < end);
        let reaching = (0..behind).rev().take_while(move |&index| self.ends[index] > range.start);
        reaching
            .map(|index| &self.rules[index])
            .filter(move |armed| armed.rule.fault == Fault::Offline || armed.rule.range.overlaps(range))
    }
}

impl ArmedRule {
    /// How this rule would fail a request that touches its range.
    fn failure(&self, access: Access, range: SectorRange) -> Option<Struck> {
        let error = match (self.rule.fault, access) {
            (Fault::Offline, _) => {
                return Some(Struck { first_bad: range.start, error: DiskError::Offline });
            }
            (Fault::Bad(error), Access::Read | Access::Write)
            | (Fault::BadRead { error, .. }, Access::Read)
            | (Fault::BadWrite(error), Access::Write) => error,
            _ => return None,
        };
        let shared = self.rule.range.intersection(range)?;
        let healed = self.left.healed();
        let first_bad = sectors_of(shared).find(|sector| !healed.contains(sector))?;
        Some(Struck { first_bad, error })
    }

    /// Uses the rule once; whether there was a use left.
    fn spend(&self) -> bool {
        let take = |times: u32| times.checked_sub(1);
        self.rule.times.is_none()
            || self.left.times.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

impl Left {
    fn of(rule: &Rule) -> Self {
        Self { times: AtomicU32::new(rule.times.unwrap_or(0)), healed: Mutex::default() }
    }

    fn healed(&self) -> MutexGuard<'_, BTreeSet<Sector>> {
        self.healed.lock().expect("no thread panics while it holds the lock")
    }
}

fn sectors_of(range: SectorRange) -> impl Iterator<Item = Sector> {
    (range.start.0..range.end().0).map(Sector)
}

#[cfg(test)]
mod tests;
