//! One file a command.

pub mod check;
pub mod close;
pub mod completions;
pub mod create;
pub mod demo;
pub mod export;
pub mod health;
pub mod import;
pub mod list;
pub mod mappings;
pub mod metadata;
pub mod monitor;
pub mod open;
pub mod order;
pub mod probe;
pub mod remember;
pub mod scan;
pub mod scrub;
pub mod serve;
pub mod spare;
pub mod status;
