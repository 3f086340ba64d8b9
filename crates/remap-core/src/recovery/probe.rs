//! Is it a bad sector, or is the disk dead? Places that are known to answer are asked.

use super::writing::Access;
use super::{Recovery, in_compare};
use crate::error::DiskError;
use crate::layout::{PAGE_SECTORS, SUPERBLOCK_SECTORS};
use crate::port::{Device, Effect, Place, Port};
use crate::set::SetState;
use crate::units::Sector;
use arrayvec::ArrayVec;

/// How many places on the main device are known to answer, when all goes well.
const PLACES: usize = 8;

/// How many of them are asked before a disk counts as dead.
const ASKED: usize = 4;

/// While *failing*, the disk is asked again at most this often.
const PROBE_INTERVAL_MS: u64 = 1000;

/// So many medium errors within [`STORM_WINDOW_MS`] are a storm: then the disk has to show signs of life.
const STORM_ERRORS: u32 = 32;
const STORM_WINDOW_MS: u64 = 10_000;
/// In a storm, every so many errors.
const STORM_PROBE_EVERY: u32 = 8;

/// What is known of the main device's being alive.
#[derive(Debug, Default)]
pub struct Vitality {
    /// Places that answered when the set was opened.
    places: ArrayVec<Sector, PLACES>,
    /// The next of them to ask.
    next: usize,
    last_probe_ms: Option<u64>,
    storm_since_ms: u64,
    storm_errors: u32,
}

impl Vitality {
    /// Counts a medium error; `true` when a sign of life is due.
    fn is_storm(&mut self, now_ms: u64) -> bool {
        if now_ms.saturating_sub(self.storm_since_ms) > STORM_WINDOW_MS {
            self.storm_since_ms = now_ms;
            self.storm_errors = 0;
        }
        self.storm_errors = self.storm_errors.saturating_add(1);
        self.storm_errors >= STORM_ERRORS && self.storm_errors.is_multiple_of(STORM_PROBE_EVERY)
    }
}

impl Recovery<'_, '_> {
    /// Finds places that answer, spread over the main device. For opening.
    pub(crate) async fn find_places(&mut self, port: &Port<'_>) {
        let sectors = self.set.sectors();
        let unit = u64::from(self.granularity.logical.max(1));
        let last = sectors / unit * unit;
        for n in 0..PLACES as u64 {
            let at = sectors / PLACES as u64 * n / unit * unit;
            if at < last && self.answers(port, Sector(at)).await {
                let _ = self.vitality.places.try_push(Sector(at));
            }
        }
        if self.vitality.places.is_empty() && self.set.state() == SetState::Active {
            self.enter_state(port, SetState::Failing).await;
        }
    }

    async fn answers(&self, port: &Port<'_>, start: Sector) -> bool {
        self.set.counters.probes.add(1);
        let sectors = u64::from(self.granularity.logical);
        let into = Place::Scratch { offset: in_compare(0) };
        port.call(Effect::Read { device: Device::Main, start, sectors, into }).await.is_ok()
    }

    /// Whether an error of the main device is about a place on it. Changes to *failing* when it is not and
    /// the disk answers nowhere, and back when it answers again.
    pub(super) async fn main_is_alive(&mut self, port: &Port<'_>, error: DiskError, access: Access) -> bool {
        let counters = &self.set.counters;
        counters.count_kind(error);
        match access {
            Access::Read => counters.main_read_errors.add(1),
            Access::Write => counters.main_write_errors.add(1),
        }
        if !error.may_be_medium() {
            return false;
        }
        let now_ms = port.now_ms();
        let failing = self.set.state() == SetState::Failing;
        if error == DiskError::Medium && !failing && !self.vitality.is_storm(now_ms) {
            return true;
        }
        let asked_ms_ago = self.vitality.last_probe_ms.map(|last| now_ms.saturating_sub(last));
        if failing && asked_ms_ago.is_some_and(|ago| ago < PROBE_INTERVAL_MS) {
            return false;
        }
        self.probe(port).await
    }

    /// Asks for a sign of life, and changes the state by the answer.
    pub async fn probe(&mut self, port: &Port<'_>) -> bool {
        let mut alive = false;
        let places = self.vitality.places.clone();
        if places.is_empty() {
            self.find_places(port).await;
            alive = !self.vitality.places.is_empty();
        }
        for _ in 0..ASKED.min(places.len()) {
            self.vitality.next = (self.vitality.next + 1) % places.len();
            if let Some(place) = places.get(self.vitality.next)
                && self.answers(port, *place).await
            {
                alive = true;
                break;
            }
        }
        self.vitality.last_probe_ms = Some(port.now_ms());
        match (alive, self.set.state()) {
            (true, SetState::Failing) => self.enter_state(port, SetState::Active).await,
            (false, SetState::Active) => self.enter_state(port, SetState::Failing).await,
            _ => {}
        }
        alive
    }

    /// The operator's word that the main device is well again: errors are recovered from now on.
    pub async fn resume(&mut self, port: &Port<'_>) {
        if self.set.state() == SetState::Failing {
            self.enter_state(port, SetState::Active).await;
        }
    }

    /// Whether an error of a spare's slot is about a place on it. A spare that answers nowhere goes offline.
    pub(super) async fn spare_is_alive(
        &mut self,
        port: &Port<'_>,
        index: Option<usize>,
        error: DiskError,
    ) -> bool {
        self.set.counters.count_kind(error);
        self.set.counters.spare_errors.add(1);
        let Some(index) = index else { return false };
        if error == DiskError::Medium {
            return true;
        }
        if error.may_be_medium() {
            for start in SUPERBLOCK_SECTORS {
                let effect = Effect::Read {
                    device: Device::Spare(index),
                    start: Sector(start),
                    sectors: PAGE_SECTORS,
                    into: Place::Scratch { offset: in_compare(0) },
                };
                self.set.counters.probes.add(1);
                if port.call(effect).await.is_ok() {
                    return true;
                }
            }
        }
        self.spare_went_offline(port, index).await;
        false
    }
}
