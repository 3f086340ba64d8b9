//! No source file is longer than one idea needs.

use super::{Finding, Tree};

/// A file beyond this is two ideas.
const MAX_LINES: usize = 600;

pub fn check(tree: &Tree) -> Vec<Finding> {
    let too_long = tree.of(&["rs", "c", "h"]).filter_map(|file| {
        let lines = file.text.lines().count();
        (lines > MAX_LINES).then(|| file.finding(lines, format!("{lines} lines; {MAX_LINES} are enough")))
    });
    too_long.collect()
}

#[cfg(test)]
mod tests {
    use super::{MAX_LINES, check};
    use crate::tidy::{Tree, lines};

    #[test]
    fn a_file_may_be_full_and_no_longer() {
        let full = "x\n".repeat(MAX_LINES);
        assert!(check(&Tree::with("a.rs", &full)).is_empty());
        assert_eq!(lines(&check(&Tree::with("a.c", &(full + "x\n")))), [MAX_LINES + 1]);
    }
}
