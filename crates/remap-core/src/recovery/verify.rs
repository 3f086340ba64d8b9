//! Looking after the metadata: every copy of a page is read, compared with the table, and repaired.

use super::{PAGE_AT, Recovery};
use crate::format::page::Page;
use crate::layout::{PAGE_BYTES, PAGE_SECTORS, RECORDS_PER_PAGE};
use crate::port::{Device, Effect, Event, Place, Port};
use crate::set::{SetState, SpareView};
use crate::units::SlotIndex;

/// What a look at the copies of a page showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageVerdict {
    /// Copies that say what the table says.
    pub good: u32,
    /// Copies that were damaged, stale or unreadable and have been written anew.
    pub repaired: u32,
    /// Copies that are damaged, stale or unreadable, and stay so.
    pub bad: u32,
}

impl Recovery<'_, '_> {
    /// Verifies all copies of map page `page`, below the superblock's
    /// [`pages`](crate::format::superblock::Superblock::pages), and repairs those that are not good, unless
    /// the set is read-only. Good copies are not touched, so a power cut meanwhile does no harm.
    pub async fn verify_page(&mut self, port: &Port<'_>, page: u32) -> PageVerdict {
        let mut verdict = PageVerdict::default();
        if self.superblock.owner_of(page).is_none() {
            return verdict;
        }
        for spare in 0..self.set.spares().len() {
            if !self.set.spares().get(spare).is_some_and(SpareView::is_writable) {
                continue;
            }
            let mut repaired = 0;
            for copy in 0..self.superblock.copies {
                if self.copy_is_good(port, spare, copy, page).await {
                    verdict.good += 1;
                    continue;
                }
                self.set.counters.metadata_errors.add(1);
                if self.set.state() != SetState::ReadOnly && self.repair_copy(port, spare, copy, page).await {
                    repaired += 1;
                } else {
                    verdict.bad += 1;
                }
            }
            if repaired > 0 {
                self.set.counters.flushes.add(1);
                if port.call(Effect::Flush { device: Device::Spare(spare) }).await.is_err() {
                    self.spare_went_offline(port, spare).await;
                    verdict.bad += repaired;
                } else {
                    verdict.repaired += repaired;
                }
            }
        }
        verdict
    }

    async fn repair_copy(&mut self, port: &Port<'_>, spare: usize, copy: u32, page: u32) -> bool {
        self.bad_copies.remove(spare, copy, page);
        let bad_before = self.bad_copies.len();
        self.encode_page(port, page, None);
        if !self.write_copy(port, spare, copy, page).await || self.bad_copies.len() != bad_before {
            return false;
        }
        self.set.counters.metadata_repairs.add(1);
        self.event(port, Event::Repaired { spare, copy, page }).await;
        true
    }

    async fn copy_is_good(&self, port: &Port<'_>, spare: usize, copy: u32, page: u32) -> bool {
        let Some(start) = self.page_address(spare, copy, page) else { return false };
        let effect = Effect::Read {
            device: Device::Spare(spare),
            start,
            sectors: PAGE_SECTORS,
            into: Place::Scratch { offset: PAGE_AT },
        };
        if port.call(effect).await.is_err() {
            return false;
        }
        let first = page.saturating_mul(RECORDS_PER_PAGE);
        port.with_scratch(|scratch| {
            let bytes = scratch.get(PAGE_AT..PAGE_AT + PAGE_BYTES).unwrap_or_default();
            let sectors = self.set.sectors();
            Page::parse(bytes, self.superblock.set, page, self.set.block_size(), sectors).is_ok_and(|read| {
                (0..RECORDS_PER_PAGE)
                    .all(|at| read.record(at) == self.set.table.record(SlotIndex(first.saturating_add(at))))
            })
        })
    }
}
