//! What is remembered between commands: which sets there are, and where their servers listen.
//!
//! Owns two folders and nothing of what lies on disks. A set's mappings are on its spares; a record here only
//! says by which names the disks are found, so that losing it loses no data.

pub mod folders;
pub mod name;
pub mod record;

pub use folders::Folders;
pub use name::SetName;
pub use record::Record;
