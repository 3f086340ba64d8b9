//! What happened to a set between two looks. It owns the events, their names and message ids, which do not change,
//! and their words; telling them is not its business.

use remap_core::health::{CRITICAL_BELOW, WARNING_BELOW};
use remap_serve::control::Status;

use super::forecast;
use super::look::{HALTED, UNREACHABLE};
use crate::text::count;

/// The spares are said to fill up when the forecast is nearer than this.
pub const SOON_S: u64 = 7 * 24 * 3600;

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    State,
    Lost,
    Retired,
    HealthWarning,
    HealthCritical,
    FullSoon,
}

/// How bad it is, as syslog counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    Critical = 2,
    Error = 3,
    Warning = 4,
    Notice = 5,
}

/// Something that happened to a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub set: String,
    pub uuid: String,
    pub kind: Kind,
    pub priority: Priority,
    /// The figure or word of now, and the one before.
    pub value: String,
    pub before: String,
    /// One line for people.
    pub message: String,
}

impl Kind {
    /// Its name in the environment of hooks and in the journal.
    pub fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Lost => "lost",
            Self::Retired => "retired",
            Self::HealthWarning => "health-warning",
            Self::HealthCritical => "health-critical",
            Self::FullSoon => "full-soon",
        }
    }

    /// The journal's `MESSAGE_ID`.
    pub fn message_id(self) -> &'static str {
        match self {
            Self::State => "5573aa383ed14df394edc571912a0367",
            Self::Lost => "e1a52a142c8f45e0a89b6cc4e66341ca",
            Self::Retired => "b5c48208aa0a45cda00b958c6157b3e7",
            Self::HealthWarning => "8d6509bbe11241059ada3dc2a3445274",
            Self::HealthCritical => "d893ae7a5b5c4f09ae94fbb7530067e0",
            Self::FullSoon => "dab7f84c20aa4d7ea3ef2562fb0eb8f1",
        }
    }
}

/// Which set, to tell of it.
#[derive(Clone, Copy, Debug)]
pub struct Set<'s> {
    pub name: &'s str,
    pub uuid: &'s str,
}

impl Set<'_> {
    fn event(
        self,
        kind: Kind,
        priority: Priority,
        (before, value): (String, String),
        message: &str,
    ) -> Event {
        let message = format!("{}: {message}", self.name);
        Event { set: self.name.into(), uuid: self.uuid.into(), kind, priority, value, before, message }
    }

    /// That its state has changed.
    pub fn state(self, before: &str, now: &str) -> Option<Event> {
        if before == now {
            return None;
        }
        let (priority, message) = match now {
            "active" => (Priority::Notice, "the main disk answers, errors are recovered"),
            "failing" => {
                (Priority::Critical, "the main disk answers nowhere, errors pass through until it does")
            }
            "read-only" => (Priority::Critical, "the set is read-only, its metadata cannot be written"),
            HALTED => (Priority::Critical, "the set is halted, every request fails"),
            UNREACHABLE => (Priority::Critical, "who runs the set does not answer"),
            _ => (Priority::Warning, "the set is in a state that this version does not know"),
        };
        Some(self.event(Kind::State, priority, (before.into(), now.into()), message))
    }

    /// What two answers of the set differ in.
    pub fn figures(self, before: &Status, now: &Status) -> Vec<Event> {
        let mut events = Vec::new();
        let figures = |before: u64, now: u64| (before.to_string(), now.to_string());
        if now.lost_sectors > before.lost_sectors {
            let more = count(now.lost_sectors - before.lost_sectors, "more sector");
            let message = format!("{more} lost, {} in all", now.lost_sectors);
            let values = figures(before.lost_sectors, now.lost_sectors);
            events.push(self.event(Kind::Lost, Priority::Error, values, &message));
        }
        if now.slots_retired > before.slots_retired {
            let more = count(now.slots_retired - before.slots_retired, "more slot");
            let message = format!("{more} of the spares failed, {} in all", now.slots_retired);
            let values = figures(before.slots_retired, now.slots_retired);
            events.push(self.event(Kind::Retired, Priority::Warning, values, &message));
        }
        let fell_below = |limit: u8| now.health < limit && before.health >= limit;
        let fell = if fell_below(CRITICAL_BELOW) {
            Some((Kind::HealthCritical, Priority::Critical, CRITICAL_BELOW))
        } else if fell_below(WARNING_BELOW) {
            Some((Kind::HealthWarning, Priority::Warning, WARNING_BELOW))
        } else {
            None
        };
        if let Some((kind, priority, limit)) = fell {
            let message = format!("health {} of 100, below {limit}", now.health);
            let values = figures(before.health.into(), now.health.into());
            events.push(self.event(kind, priority, values, &message));
        }
        events
    }

    /// That a forecast has come near. `None` before is none at all.
    pub fn full_soon(self, before: Option<u64>, now: u64) -> Event {
        let message = if now == 0 {
            "the spares are full, what fails now is not carried over: add one (dm-remap spare NAME add)"
                .into()
        } else {
            format!(
                "at the present rate the spares are full {}: add one (dm-remap spare NAME add)",
                forecast::words(now)
            )
        };
        let before = before.map(|seconds| seconds.to_string()).unwrap_or_default();
        self.event(Kind::FullSoon, Priority::Warning, (before, now.to_string()), &message)
    }
}

#[cfg(test)]
mod tests;
