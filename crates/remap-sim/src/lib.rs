//! Deterministic simulation of the engine: disks that fail, tear and lose power, a naive model that knows
//! what may be read, and a driver that interleaves everything by one seed.
//!
//! What is simulated is the engine itself, the very code that runs in a kernel. What is modelled is simple
//! enough to be believed.

pub mod disk;
pub mod model;
pub mod profile;
pub mod run;
pub mod soak;
mod world;

/// A promise that was broken, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub String);

/// The outcome of everything that checks.
pub type Checked<T = ()> = Result<T, Violation>;

/// Fails with a formatted [`Violation`] unless the condition holds.
#[macro_export]
macro_rules! check {
    ($condition:expr, $($text:tt)*) => {
        if !$condition {
            return Err($crate::Violation(format!($($text)*)));
        }
    };
}
