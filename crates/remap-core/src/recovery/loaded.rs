//! What opening needs of the writer: taking slots, and freeing the older of two records of one block.

use super::Recovery;
use super::changes::Step;
use crate::format::superblock::Superblock;
use crate::port::Port;
use crate::record::Record;
use crate::set::SetState;
use crate::units::SlotIndex;
use arrayvec::ArrayString;

impl Recovery<'_, '_> {
    pub(crate) fn take_slot(&mut self, slot: SlotIndex) {
        self.allocator.take(slot);
    }

    pub(crate) fn replace_superblock(&mut self, superblock: Superblock) {
        *self.superblock = superblock;
    }

    pub(crate) fn note_filesystem(&mut self, uuid: &str) {
        // A text that no superblock can hold would make one that cannot be read.
        let is_plain = !uuid.chars().any(char::is_control);
        let uuid = ArrayString::from(uuid).ok().filter(|_| is_plain);
        self.superblock.main.filesystem_uuid = uuid.unwrap_or_default();
    }

    /// Frees a slot whose block lives elsewhere since a power cut. In the order of a commit: its page's copies
    /// are all good, and must not all be torn.
    pub(crate) async fn free_duplicate(&mut self, port: &Port<'_>, slot: SlotIndex) {
        if self.set.state() == SetState::ReadOnly {
            self.set.table.store_record(slot, Record::Free);
            return;
        }
        if !self.changes.has_room() {
            self.settle_duplicates(port).await;
        }
        self.changes.set(slot, Record::Free, Step::Second);
    }

    /// Makes freed duplicates durable. When that fails the set is read-only, as after any failed commit.
    pub(crate) async fn settle_duplicates(&mut self, port: &Port<'_>) {
        let _ = self.commit(port).await;
    }
}
