//! What is remembered of each set from one look to the next, so that what happened between them can be told.

use std::collections::BTreeMap;

use remap_serve::control::Status;

use super::events::{Event, SOON_S, Set};
use super::forecast::Forecast;
use super::look::Look;

/// See the module. A set that is closed is forgotten.
#[derive(Debug, Default)]
pub struct Watch {
    /// By name and UUID.
    known: BTreeMap<(String, String), Known>,
}

#[derive(Debug)]
struct Known {
    state: String,
    /// Of its last answer.
    status: Option<Status>,
    forecast: Forecast,
    full_in_s: Option<u64>,
    /// Whether it was told that the spares fill up, or known from the start.
    is_soon: bool,
}

impl Watch {
    /// Takes in a look of `now_s`, in seconds since 1970, adds to it what only memory tells, and gives what
    /// happened since the last. Of a set that is seen for the first time, nothing has happened.
    pub fn see(&mut self, looks: &mut [Look], now_s: u64) -> Vec<Event> {
        let mut before = std::mem::take(&mut self.known);
        let mut events = Vec::new();
        for look in looks {
            if look.uuid.is_empty() {
                let known = before.keys().find(|(name, _)| *name == look.name);
                look.uuid = known.map(|(_, uuid)| uuid.clone()).unwrap_or_default();
            }
            let key = (look.name.clone(), look.uuid.clone());
            let known = match before.remove(&key) {
                None => Known::first(look, now_s),
                Some(known) => known.next(look, now_s, &mut events),
            };
            look.full_in_s = known.full_in_s;
            self.known.insert(key, known);
        }
        events
    }
}

impl Known {
    fn first(look: &Look, now_s: u64) -> Self {
        let (state, status) = (look.state.clone(), look.status.clone());
        let mut known =
            Self { state, status, forecast: Forecast::default(), full_in_s: None, is_soon: false };
        known.foresee(look, now_s);
        known.is_soon = known.full_in_s.is_some_and(|seconds| seconds <= SOON_S);
        known
    }

    fn next(mut self, look: &Look, now_s: u64, events: &mut Vec<Event>) -> Self {
        let set = Set { name: &look.name, uuid: &look.uuid };
        events.extend(set.state(&self.state, &look.state));
        self.state.clone_from(&look.state);
        let Some(now) = &look.status else { return self };
        if let Some(before) = self.status.replace(now.clone()) {
            events.extend(set.figures(&before, now));
        }
        let before = self.full_in_s;
        self.foresee(look, now_s);
        match self.full_in_s {
            Some(now) if now <= SOON_S => {
                if !self.is_soon || (now == 0 && before != Some(0)) {
                    events.push(set.full_soon(before, now));
                }
                self.is_soon = true;
            }
            // A forecast that wavers is not told again and again.
            Some(now) if now <= 2 * SOON_S => {}
            _ => self.is_soon = false,
        }
        self
    }

    fn foresee(&mut self, look: &Look, now_s: u64) {
        let Some(status) = &look.status else { return };
        let taken = status.slots_used.saturating_add(status.slots_retired);
        self.forecast.sample(now_s, taken);
        self.full_in_s = self.forecast.full_in_s(now_s, taken, status.slots_total);
    }
}

#[cfg(test)]
mod tests;
