//! What a guest's program printed: how many checks passed, and whether it came to its end.

use std::fmt;
use std::ops::AddAssign;

/// The first line of a guest that is up.
pub const UP: &str = "guest: up";
/// The last line of a guest that did everything.
const DONE: &str = "guest: done";
/// The last line of a guest whose scenario then cut its power.
const POWER_CUT: &str = "guest: power cut";

/// Checks that were counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl Tally {
    /// One more failure.
    pub fn fail(&mut self) {
        self.failed += 1;
    }

    pub fn has_failed(self) -> bool {
        self.failed > 0
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// Whether any program of ours ran in the guest.
pub fn came_up(output: &str) -> bool {
    output.lines().any(|line| line.starts_with(UP))
}

/// Whether the guest's program came to an end that it meant.
pub fn came_to_its_end(output: &str) -> bool {
    output.lines().next_back().is_some_and(|line| line == DONE || line == POWER_CUT)
}

/// Counts the lines of single checks, which are there even if the program died later.
pub fn tally(output: &str) -> Tally {
    let count = |word: &str| output.lines().filter(|line| line.split(' ').next() == Some(word)).count();
    Tally { passed: count("ok"), failed: count("FAILED"), skipped: count("skipped") }
}

#[cfg(test)]
mod tests {
    use super::{Tally, came_to_its_end, came_up, tally};

    const OUTPUT: &str = "guest: up, Linux 6.12.9\n== fixtures: what they are\nok one\nok two\n\
                          FAILED three: Input/output error\nskipped four: no ublk_drv\n2 passed, 1 failed\n";

    #[test]
    fn single_checks_are_counted_and_not_the_summary() {
        assert_eq!(tally(OUTPUT), Tally { passed: 2, failed: 1, skipped: 1 });
        assert_eq!(tally(OUTPUT).to_string(), "2 passed, 1 failed, 1 skipped");
        assert_eq!(tally("okay not a check\n").to_string(), "0 passed, 0 failed");
    }

    #[test]
    fn only_the_last_line_tells_that_the_guest_came_to_its_end() {
        assert!(came_up(OUTPUT) && !came_to_its_end(OUTPUT));
        assert!(came_to_its_end(&format!("{OUTPUT}guest: done\n")));
        assert!(came_to_its_end(&format!("{OUTPUT}guest: power cut\n")));
        assert!(!came_to_its_end(&format!("guest: done\n{OUTPUT}")));
        assert!(!came_up("") && !came_to_its_end(""));
    }
}
