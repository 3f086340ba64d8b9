//! What is to be known of a running set, as figures and as lines.

use core::sync::atomic::Ordering;

use remap_core::counters::IoCounts;
use remap_core::health::{Condition, health};
use remap_core::port::Device;
use remap_core::record::{Record, SlotState};
use remap_core::set::{SetState, SpareState, SpareView};
use remap_core::units::SlotIndex;

use crate::abi;
use crate::drive::state_number;
use crate::engine::Engine;
use crate::glue::number_of;
use crate::text::{Text, say};

impl Engine {
    /// The figures that everything else here is made of.
    pub fn facts(&self) -> abi::Facts {
        let set = self.set.get();
        let counts = set.counters.snapshot();
        let condition = self.condition();
        abi::Facts {
            mapped_blocks: condition.slots_used,
            moved_sectors: set.gauges.moved.value(),
            lost_sectors: condition.lost_sectors,
            slots_total: condition.slots_total,
            slots_retired: condition.slots_retired,
            remapped: counts.sectors_remapped.wrapping_add(counts.sectors_salvaged),
            errors: counts.main_read_errors.wrapping_add(counts.main_write_errors),
            errors_last_hour: condition.errors_last_hour,
            recovery_ms: counts.recovery_ms,
            jobs: counts.jobs,
            state: state_number(condition.state),
            health: u32::from(health(&condition)),
        }
    }

    fn condition(&self) -> Condition {
        let set = self.set.get();
        let away = |state| matches!(state, SpareState::Offline | SpareState::Missing);
        Condition {
            state: set.state(),
            read_only_on_request: self.read_only,
            slots_total: set.spares().iter().map(|spare| u64::from(spare.slots)).sum(),
            slots_used: set.gauges.mapped.value(),
            slots_retired: set.gauges.retired.value(),
            lost_sectors: set.gauges.lost.value(),
            errors_last_hour: self.errors_last_hour.load(Ordering::Relaxed),
            errors_hour_before: self.errors_hour_before.load(Ordering::Relaxed),
            bad_metadata_copies: self.bad_copies.load(Ordering::Relaxed),
            spares_away: set.spares().iter().filter(|spare| away(spare.state())).count() as u64,
        }
    }

    /// One word: `ok`, `degraded`, `failing` or `read-only`.
    fn state_word(&self) -> &'static str {
        let condition = self.condition();
        match condition.state {
            SetState::Failing => "failing",
            SetState::ReadOnly => "read-only",
            SetState::Active if health(&condition) < remap_core::health::WARNING_BELOW => "degraded",
            SetState::Active => "ok",
        }
    }

    /// The line of `dmsetup status`; its fields are in `docs/kernel-target.md`.
    pub fn say_status(&self, text: &mut Text<'_>) {
        let facts = self.facts();
        let counts = self.set.get().counters.snapshot();
        say!(
            text,
            "{} {} {} {}/{} {} {} {} {} {} {}",
            self.state_word(),
            facts.mapped_blocks,
            facts.lost_sectors,
            facts.mapped_blocks,
            facts.slots_total,
            facts.slots_retired,
            facts.health,
            counts.main_read_errors,
            counts.main_write_errors,
            counts.metadata_errors,
            self.generation.load(Ordering::Relaxed)
        );
        for (index, spare) in self.set.get().spares().iter().enumerate() {
            let number = number_of(Device::Spare(index), &self.places).unwrap_or_default();
            say!(text, " {number}:{}", spare_word(spare.state()));
        }
    }

    /// The spares in the order of the set, a line each: number in the table line (0 when it is missing), UUID,
    /// state, size in sectors, slots, those in use and those that failed.
    pub fn say_spares(&self, text: &mut Text<'_>) {
        let set = self.set.get();
        for (index, (spare, (uuid, sectors))) in set.spares().iter().zip(&self.members).enumerate() {
            let number = number_of(Device::Spare(index), &self.places).unwrap_or_default();
            let (used, retired) = if self.members.len() == 1 {
                (set.gauges.mapped.value(), set.gauges.retired.value())
            } else {
                self.count_slots(spare)
            };
            let (state, slots) = (spare_word(spare.state()), spare.slots);
            say!(text, "{number} {uuid} {state} {sectors} {slots} {used} {retired}\n");
        }
    }

    /// How many slots of a spare are used, and how many failed.
    fn count_slots(&self, spare: &SpareView) -> (u64, u64) {
        let slots = spare.first_slot..spare.first_slot.saturating_add(spare.slots);
        let states = slots.map(|slot| self.set.get().table().record(SlotIndex(slot)).state());
        states.fold((0, 0), |(used, retired), state| match state {
            SlotState::Used => (used + 1, retired),
            SlotState::Retired => (used, retired + 1),
            SlotState::Free => (used, retired),
        })
    }

    /// Every count, a line each.
    pub fn say_stats(&self, io: &abi::IoCounts, text: &mut Text<'_>) {
        let facts = self.facts();
        say!(text, "uuid {}\n", self.uuid);
        if !self.name.is_empty() {
            say!(text, "name {}\n", self.name);
        }
        say!(text, "state {}\nhealth {}\n", self.state_word(), facts.health);
        say!(text, "mapped_blocks {}\nmoved_sectors {}\n", facts.mapped_blocks, facts.moved_sectors);
        say!(text, "lost_sectors {}\nslots_total {}\n", facts.lost_sectors, facts.slots_total);
        say!(text, "slots_retired {}\n", facts.slots_retired);
        let (set, read_only) = (self.set.get(), u32::from(self.read_only));
        say!(text, "sectors {}\nblock_sectors {}\n", set.sectors(), set.block_size().sectors());
        say!(text, "generation {}\n", self.generation.load(Ordering::Relaxed));
        say!(text, "read_only {read_only}\nerrors_last_hour {}\n", facts.errors_last_hour);
        say!(text, "errors_hour_before {}\n", self.errors_hour_before.load(Ordering::Relaxed));
        io_counts(io).for_each(|name, value| say!(text, "{name} {value}\n"));
        self.set.get().counters.snapshot().for_each(|name, value| say!(text, "{name} {value}\n"));
    }

    /// The health and why it is what it is.
    pub fn say_health(&self, text: &mut Text<'_>) {
        let condition = self.condition();
        let value = health(&condition);
        let word = match value {
            0..remap_core::health::CRITICAL_BELOW => "critical",
            remap_core::health::CRITICAL_BELOW..remap_core::health::WARNING_BELOW => "warning",
            _ => "good",
        };
        say!(
            text,
            "{value} {word}: {} of {} slots used, {} retired, {} sectors lost, {} errors in the last hour",
            condition.slots_used,
            condition.slots_total,
            condition.slots_retired,
            condition.lost_sectors,
            condition.errors_last_hour
        );
    }

    /// How often the region filter told, and how often the map table was asked.
    pub fn say_cache(io: &abi::IoCounts, text: &mut Text<'_>) {
        let asked = io.filter_passes.saturating_add(io.table_lookups);
        let share = io.filter_passes.saturating_mul(100).checked_div(asked).unwrap_or(100);
        say!(
            text,
            "filter_passes {} table_lookups {} filter_share {share}%",
            io.filter_passes,
            io.table_lookups
        );
    }

    /// Mappings in the order of their slots, from slot `from` on: as many as fit, and where to go on.
    pub fn say_mappings(&self, from: u32, text: &mut Text<'_>) {
        let set = self.set.get();
        for number in from..set.table().slots() {
            let slot = SlotIndex(number);
            let Record::Used { block, masks, .. } = set.table().record(slot) else { continue };
            let before = text.length();
            let start = set.block_size().first_sector(block);
            let (spare, sector) = set.slot_address(slot).unwrap_or_default();
            let device = number_of(Device::Spare(spare), &self.places).unwrap_or_default();
            let (moved, lost) = (masks.moved, masks.lost);
            say!(text, "{start} {device} {sector} {moved:04x} {lost:04x}\n");
            // Room for the line that tells where to go on.
            let length = text.length();
            say!(text, "next 4294967295\n");
            if text.is_cut() {
                text.truncate(before);
                say!(text, "next {number}\n");
                return;
            }
            text.truncate(length);
        }
    }
}

fn spare_word(state: SpareState) -> &'static str {
    match state {
        SpareState::Present => "present",
        SpareState::Missing => "missing",
        SpareState::Offline => "offline",
        SpareState::Draining => "draining",
    }
}

fn io_counts(io: &abi::IoCounts) -> IoCounts {
    IoCounts {
        reads: io.reads,
        writes: io.writes,
        flushes: io.flushes,
        discards: io.discards,
        sectors_read: io.sectors_read,
        sectors_written: io.sectors_written,
        pieces_to_main: io.pieces_to_main,
        pieces_to_spare: io.pieces_to_spare,
        pieces_lost: io.pieces_lost,
        filter_passes: io.filter_passes,
        table_lookups: io.table_lookups,
        waits: io.waits,
    }
}
