//! The end of a device: nothing new comes in, what is under way finishes, the set is marked as closed.

use remap_core::set::SetState;

use crate::members::Contents;

use super::error::{CloseError, RequestError};
use super::recoverer::drive;
use super::shared::Shared;

impl Shared {
    pub fn close(&self) -> Result<(), CloseError> {
        self.shut();
        self.registry.wait_until_idle();
        let closed = self.command(|recovery, port, shared| {
            // A main device that answers nowhere is not waited for once more.
            let answers = shared.set().state() == SetState::Active;
            let contents = if answers { shared.contents() } else { Contents::default() };
            let closed = drive(shared, port, &mut [], recovery.close_knowing(port, contents.id()));
            *shared.superblock() = recovery.superblock().clone();
            closed
        });
        self.queue.close();
        match closed {
            Ok(_) if self.set().state() == SetState::ReadOnly && !self.read_only => Err(CloseError::Metadata),
            Ok(result) => result.map_err(CloseError::Spare),
            Err(RequestError::Halted | _) => Err(CloseError::Halted),
        }
    }
}
