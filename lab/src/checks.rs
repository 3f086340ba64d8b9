//! Checks: one line each while they happen, and their count at the end.

use std::fmt::{Debug, Display};
use std::sync::atomic::{AtomicUsize, Ordering};

/// What has been checked so far. Shared with whoever watches the time.
#[derive(Debug, Default)]
pub struct Checks {
    passed: AtomicUsize,
    failed: AtomicUsize,
    skipped: AtomicUsize,
}

impl Checks {
    /// None yet.
    pub const fn new() -> Self {
        Self { passed: AtomicUsize::new(0), failed: AtomicUsize::new(0), skipped: AtomicUsize::new(0) }
    }

    /// A check that passed.
    pub fn ok(&self, name: impl Display) {
        self.passed.fetch_add(1, Ordering::Relaxed);
        println!("ok {}", one_line(name));
    }

    /// A check that failed, and why.
    pub fn failed(&self, name: impl Display, why: impl Display) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        println!("FAILED {}: {}", one_line(name), one_line(why));
    }

    /// Something that cannot be checked under this kernel, and why.
    pub fn skipped(&self, name: impl Display, why: impl Display) {
        self.skipped.fetch_add(1, Ordering::Relaxed);
        println!("skipped {}: {}", one_line(name), one_line(why));
    }

    /// Whether `is_so`; `why` is printed if it is not.
    pub fn that(&self, name: impl Display, is_so: bool, why: impl Display) {
        if is_so {
            self.ok(name);
        } else {
            self.failed(name, why);
        }
    }

    /// Whether `found` is `wanted`.
    #[allow(clippy::needless_pass_by_value)] // both are made where they are compared
    pub fn eq<T: PartialEq + Debug>(&self, name: impl Display, found: T, wanted: T) {
        let why = if found == wanted { String::new() } else { format!("{found:?}, not {wanted:?}") };
        self.that(name, why.is_empty(), why);
    }

    /// Whether `result` is good; gives what it holds.
    pub fn good<T>(&self, name: impl Display, result: anyhow::Result<T>) -> Option<T> {
        match result {
            Ok(value) => {
                self.ok(name);
                Some(value)
            }
            Err(error) => {
                self.failed(name, format!("{error:#}"));
                None
            }
        }
    }

    /// How many failed.
    pub fn failures(&self) -> usize {
        self.failed.load(Ordering::Relaxed)
    }

    /// `N passed, N failed`, with the skipped ones if there are any.
    pub fn summary(&self) -> String {
        let count = |of: &AtomicUsize| of.load(Ordering::Relaxed);
        let skipped = match count(&self.skipped) {
            0 => String::new(),
            skipped => format!(", {skipped} skipped"),
        };
        format!("{} passed, {} failed{skipped}", count(&self.passed), count(&self.failed))
    }
}

/// A check is one line, whatever a program's message looks like.
fn one_line(text: impl Display) -> String {
    text.to_string().lines().map(str::trim).collect::<Vec<_>>().join(" / ")
}

#[cfg(test)]
mod tests {
    use super::{Checks, one_line};

    #[test]
    fn checks_are_counted_by_how_they_ended() {
        let checks = Checks::new();
        checks.eq("same", 1, 1);
        checks.eq("other", 1, 2);
        assert_eq!(checks.good("held", Ok(3)), Some(3));
        assert_eq!(checks.good("broken", Err::<u8, _>(anyhow::anyhow!("why"))), None);
        assert_eq!(checks.failures(), 2);
        assert_eq!(checks.summary(), "2 passed, 2 failed");
        checks.skipped("new", "old kernel");
        assert_eq!(checks.summary(), "2 passed, 2 failed, 1 skipped");
    }

    #[test]
    fn a_message_of_several_lines_becomes_one() {
        assert_eq!(one_line("a\n  b\n"), "a / b");
    }
}
