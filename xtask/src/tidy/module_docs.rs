//! Every Rust file starts with what it owns. A file `foo/tests.rs` may leave that to `foo.rs`.

use super::{Finding, Tree};

pub fn check(tree: &Tree) -> Vec<Finding> {
    let missing =
        tree.of(&["rs"]).filter(|file| !file.path.ends_with("tests.rs") && !starts_with_doc(&file.text));
    missing.map(|file| file.finding(1, "no `//!` at the top says what this module owns")).collect()
}

/// Attributes of the whole file may come first, such as a fuzz target's `#![no_main]`.
fn starts_with_doc(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    let first =
        lines.find(|line| !line.is_empty() && !line.starts_with("#![") && !line.starts_with("// SPDX-"));
    first.is_some_and(|line| line.len() > 3 && line.starts_with("//!"))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::{Tree, lines};

    #[test]
    fn a_module_without_a_leading_doc_fails() {
        assert_eq!(lines(&check(&Tree::with("a.rs", "use std::fs;\n//! Late.\n"))), [1]);
        assert_eq!(lines(&check(&Tree::with("a.rs", "//!\n"))), [1]);
        assert_eq!(lines(&check(&Tree::with("a.rs", ""))), [1]);
    }

    #[test]
    fn a_leading_doc_passes_even_after_attributes() {
        assert!(check(&Tree::with("a.rs", "//! Owns a.\n")).is_empty());
        assert!(check(&Tree::with("a/tests.rs", "use super::a;\n")).is_empty());
        assert!(check(&Tree::with("a.rs", "#![no_main]\n\n//! Owns a.\n")).is_empty());
    }
}
