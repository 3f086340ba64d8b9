//! What befalls the disks, and what operators order.

use super::{Waiting, World};
use crate::disk::Fault;
use crate::profile::pick;
use crate::{Checked, check};
use remap_core::layout::{PAGE_SECTORS, SUPERBLOCK_SECTORS};
use remap_core::record::Record;
use remap_core::recovery::job::{Job, JobKind};
use remap_core::set::Set;
use remap_core::{DiskError, Sector, SectorRange, SlotIndex};

impl World {
    /// Faults that come with time.
    pub(super) fn faults(&mut self, set: &Set<'_>) -> Checked {
        let profile = &self.profile;
        let (main, slot, flip, death) =
            (profile.main_fault_every, profile.slot_fault_every, profile.flip_every, profile.death_every);
        if self.one_in(main) {
            self.break_main();
        }
        if self.one_in(slot) {
            self.break_slot(set);
        }
        if self.batch.is_none() && self.one_in(flip) {
            self.flip_metadata(set);
        }
        let spare_death_every = self.profile.spare_death_every;
        if self.one_in(spare_death_every) && self.disks[1..].iter().all(|spare| spare.dead.is_none()) {
            let spare = self.rng.usize(1..self.disks.len());
            let error = *pick(&mut self.rng, &[DiskError::Io, DiskError::Offline, DiskError::Transport]);
            self.disks[spare].dead = Some(error);
            self.tally.spare_deaths += 1;
        }
        if self.disks[0].dead.is_none() && self.now > self.dead_until + 50 && self.one_in(death) {
            let error = *pick(&mut self.rng, &[DiskError::Io, DiskError::Offline, DiskError::Timeout]);
            self.disks[0].dead = Some(error);
            self.dead_until = self.now + self.rng.u64(5..300);
            let outstanding: u64 = self
                .jobs
                .iter()
                .chain(self.batch.iter().flat_map(|batch| &batch.jobs))
                .map(|waiting| waiting.job.range.sectors + 2)
                .sum();
            self.mappings_at_death = set.gauges.mapped.value() + set.gauges.retired.value() + outstanding;
        }
        if self.disks[0].dead.is_some() && self.now >= self.dead_until {
            self.disks[0].dead = None;
            self.trouble_until = self.now;
            if self.profile.slot_fault_every == 0 && self.profile.spare_death_every == 0 {
                let mappings = set.gauges.mapped.value() + set.gauges.retired.value();
                check!(
                    mappings <= self.mappings_at_death,
                    "a dead main device used up {} slots",
                    mappings - self.mappings_at_death
                );
            }
        }
        Ok(())
    }

    /// Breaks what fails together on the main device.
    fn break_main(&mut self) {
        let unit = self.profile.physical;
        let at = self.rng.u64(..self.profile.hot_sectors) / unit * unit;
        let kinds = [Fault::Dead, Fault::Dead, Fault::Unreadable, Fault::Unwritable, Fault::Flaky(2)];
        let fault = *pick(&mut self.rng, &kinds);
        let sectors = unit.min(self.profile.main_sectors - at);
        if fault != Fault::Unwritable {
            let now = self.now;
            self.model.may_fail(SectorRange::new(Sector(at), sectors), now);
        }
        self.tell(SectorRange::new(Sector(at), sectors), || format!("main breaks: {fault:?}"));
        for sector in at..at + sectors {
            // A sector that is dead stays so.
            if self.disks[0].fault(sector) != Some(Fault::Dead) {
                let healed_reading = matches!(
                    (self.disks[0].fault(sector), fault),
                    (Some(Fault::Unreadable), Fault::Unwritable | Fault::Flaky(_))
                );
                self.disks[0].break_sector(sector, if healed_reading { Fault::Dead } else { fault });
            }
        }
    }

    /// Breaks a sector of a slot.
    fn break_slot(&mut self, set: &Set<'_>) {
        let spare = self.rng.usize(..set.spares().len());
        let view = &set.spares()[spare];
        let slot = SlotIndex(view.first_slot + self.rng.u32(..view.slots));
        let Some((_, address)) = set.slot_address(slot) else { return };
        let bit = self.rng.u32(..set.block_size().sectors());
        let fault = *pick(&mut self.rng, &[Fault::Dead, Fault::Unreadable, Fault::Unwritable]);
        let now = self.now;
        if fault != Fault::Unwritable {
            if let Record::Used { block, .. } = set.table().record(slot) {
                let sector = set.block_size().first_sector(block).0 + u64::from(bit);
                if sector < self.profile.main_sectors {
                    self.model.may_fail(SectorRange::new(Sector(sector), 1), now);
                }
            }
            // The slot may be about to hold something of the batch at work.
            let whole = SectorRange::new(Sector(0), self.profile.main_sectors);
            let mut held = Vec::new();
            set.held.for_each(|range| held.extend(range.intersection(whole)));
            for range in held {
                self.model.may_fail(range, now);
            }
        }
        self.disks[1 + spare].break_sector(address.0 + u64::from(bit), fault);
    }

    /// Flips a bit of one metadata copy; of each page only one copy until the next opening.
    fn flip_metadata(&mut self, set: &Set<'_>) {
        let spare = self.rng.usize(..set.spares().len());
        let copies = self.profile.copies;
        let last = set.spares().iter().map(|view| view.first_slot + view.slots).max().unwrap_or(1);
        let page = self.rng.u32(..=(last - 1) / remap_core::layout::RECORDS_PER_PAGE);
        let copy = self.rng.u32(..copies);
        if self.rng.u8(..4) == 0 {
            let start = *pick(&mut self.rng, &SUPERBLOCK_SECTORS[1..]);
            self.disks[1 + spare].flip_bit(start, &mut self.rng);
        } else if self.flipped.insert((spare, page)) {
            let start = set.spares()[spare].layout.page_address(copy, page).0;
            let sector = start + self.rng.u64(..PAGE_SECTORS);
            self.disks[1 + spare].flip_bit(sector, &mut self.rng);
        }
    }

    /// Breaks one copy of some pages and some superblocks for good. For the beginning of a life.
    pub fn break_page_copies(&mut self, set: &Set<'_>) {
        for (spare, view) in set.spares().iter().enumerate() {
            let copy = self.rng.u32(..self.profile.copies);
            let start = view.layout.page_address(copy, 0).0 + self.rng.u64(..PAGE_SECTORS);
            let fault = *pick(&mut self.rng, &[Fault::Dead, Fault::Unwritable]);
            self.disks[1 + spare].break_sector(start, fault);
            let superblock = *pick(&mut self.rng, &SUPERBLOCK_SECTORS);
            self.disks[1 + spare].break_sector(superblock, fault);
        }
    }

    pub(super) fn give_order(&mut self) {
        let kind = *pick(
            &mut self.rng,
            &[
                JobKind::AcceptLoss,
                JobKind::Retry { attempts: 3 },
                JobKind::Unmap,
                JobKind::Unmap,
                JobKind::Remap,
            ],
        );
        let range = self.random_range();
        if kind == JobKind::Unmap {
            self.tally.unmapped += 1;
        }
        let since = self.now;
        self.jobs.push_back(Waiting { job: Job { kind, range }, request: None, since });
    }
}
