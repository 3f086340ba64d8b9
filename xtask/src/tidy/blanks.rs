//! No line ends in a blank or a tab.

use super::{Finding, Tree};

const EXTENSIONS: [&str; 9] = ["rs", "toml", "md", "c", "h", "sh", "py", "yml", "service"];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.of(&EXTENSIONS) {
        for (index, line) in file.text.split('\n').enumerate() {
            if line.ends_with([' ', '\t', '\r']) {
                findings.push(file.finding(index + 1, "the line ends in a blank"));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::{Tree, lines};

    #[test]
    fn a_trailing_blank_or_tab_fails() {
        assert_eq!(lines(&check(&Tree::with("a.rs", "a \nb\t\nc\r\nd\n  e\n"))), [1, 2, 3]);
        assert!(check(&Tree::with("image.bin", "a \n")).is_empty());
    }
}
