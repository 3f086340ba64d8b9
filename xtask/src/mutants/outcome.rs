//! What came of a planted bug: read from the simulator's exit code and output.

use std::fmt;

/// The end of a simulation.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A promise was seen broken.
    Found {
        /// The simulator's line, without its first word.
        what: String,
        /// The operations until then, if the line tells.
        ops: Option<u64>,
    },
    /// The simulation passed.
    NothingFound,
    /// It ended neither with success nor with a violation; the output tells why.
    Crashed(String),
    /// It was killed.
    Hung,
    /// There was no simulation; the compiler's output.
    BuildFailed(String),
}

impl Outcome {
    /// Judges a simulation that ended, by its exit code (`None` after a signal) and its output.
    pub fn of(code: Option<i32>, output: &str) -> Self {
        let violation = output.lines().find_map(|line| line.strip_prefix("VIOLATION"));
        match (code, violation) {
            (Some(0), None) => Self::NothingFound,
            (Some(1), Some(line)) => {
                let what = line.trim_start_matches([':', ' ']).to_owned();
                Self::Found { ops: ops(&what), what }
            }
            _ => Self::Crashed(output.to_owned()),
        }
    }

    pub fn is_found(&self) -> bool {
        matches!(self, Self::Found { .. })
    }

    pub fn ops(&self) -> Option<u64> {
        if let Self::Found { ops, .. } = self { *ops } else { None }
    }

    /// The outcome in one line.
    pub fn headline(&self) -> &str {
        match self {
            Self::Found { what, .. } => what,
            Self::NothingFound => "NOT FOUND",
            Self::Crashed(_) => "NOT FOUND: the simulator crashed",
            Self::Hung => "NOT FOUND: the simulator hung",
            Self::BuildFailed(_) => "NOT BUILT",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.headline())?;
        match self {
            Self::Crashed(output) | Self::BuildFailed(output) => write!(f, "\n{output}"),
            _ => Ok(()),
        }
    }
}

/// The number beside the word `op` or `ops`, as in `at op 17`, `ops=17` or `after 17 ops`.
fn ops(line: &str) -> Option<u64> {
    let words: Vec<&str> =
        line.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let at = words.iter().position(|word| matches!(*word, "op" | "ops" | "operation" | "operations"))?;
    let number = |index: usize| words.get(index)?.parse().ok();
    number(at + 1).or_else(|| number(at.checked_sub(1)?))
}

#[cfg(test)]
mod tests {
    use super::{Outcome, ops};

    #[test]
    fn a_violation_with_exit_code_one_is_a_find() {
        let found = Outcome::of(Some(1), "soaking\nVIOLATION: seed 3 op 4711: lost write\n");
        assert_eq!(found, Outcome::Found { what: "seed 3 op 4711: lost write".into(), ops: Some(4711) });
    }

    #[test]
    fn anything_else_is_not() {
        assert_eq!(Outcome::of(Some(0), "all is well\n"), Outcome::NothingFound);
        assert!(!Outcome::of(Some(101), "thread panicked").is_found());
        assert!(!Outcome::of(Some(1), "usage").is_found());
        assert!(!Outcome::of(None, "VIOLATION: x").is_found());
    }

    #[test]
    fn the_operations_are_read_on_either_side_of_their_word() {
        assert_eq!(ops("seed=3 ops=17 lost"), Some(17));
        assert_eq!(ops("after 18 operations: lost"), Some(18));
        assert_eq!(ops("lost"), None);
    }
}
