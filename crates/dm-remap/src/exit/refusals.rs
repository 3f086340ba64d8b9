//! Which errors of the libraries mean that nothing was tried.

use remap_io::device::OpenError;
use remap_io::disk;
use remap_io::members::{ChangeError, CreateError};

/// Whether an error is a refusal: the disks are not what they must be, and nothing has been written.
pub fn is_refusal(cause: &(dyn std::error::Error + 'static)) -> bool {
    if let Some(error) = cause.downcast_ref::<CreateError>() {
        return !matches!(error, CreateError::Format { .. } | CreateError::Random(_));
    }
    if let Some(error) = cause.downcast_ref::<ChangeError>() {
        return matches!(error, ChangeError::Set(_) | ChangeError::Spare(_) | ChangeError::Plan(_));
    }
    if let Some(error) = cause.downcast_ref::<OpenError>() {
        return !matches!(error, OpenError::Thread(_) | OpenError::Halted);
    }
    if let Some(disk::SpecError::Open(error)) = cause.downcast_ref() {
        return matches!(error, disk::OpenError::InUse { .. });
    }
    false
}
