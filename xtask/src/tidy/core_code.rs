//! The engine has no unsafe code and, outside its tests, nothing that gives up where a type could speak.
//!
//! Assertions of the engine's own state remain: they are how it stops when it is broken.

use std::path::Path;

use super::code::{Hide, has_word, is_word, without};
use super::{Finding, Tree};

const ENGINE: &str = "crates/remap-core/src";

/// Ways to give up.
const GIVING_UP: [&str; 3] = [".unwrap()", ".expect(", "panic!("];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.of(&["rs"]).filter(|file| file.path.starts_with(ENGINE)) {
        let code = without(Hide::LiteralsAndComments, &file.text);
        let tests = if is_test_file(&file.path) { 0..usize::MAX } else { test_module(&code) };
        for (index, line) in code.lines().enumerate() {
            if has_word(line, "unsafe") {
                findings.push(file.finding(index + 1, "the engine has no unsafe code"));
            }
            let gives_up = GIVING_UP.iter().find(|mark| stands_in(line, mark));
            if let Some(mark) = gives_up.filter(|_| !tests.contains(&index)) {
                findings.push(file.finding(index + 1, format!("`{mark}` in the engine: return an error")));
            }
        }
    }
    findings
}

/// Whether `mark` stands in `line`; where it starts with a letter, not as the end of a longer word.
fn stands_in(line: &str, mark: &str) -> bool {
    line.match_indices(mark).any(|(at, _)| !mark.starts_with(is_word) || !line[..at].ends_with(is_word))
}

/// Files in `foo/tests/` or named `tests.rs` are compiled for tests only.
fn is_test_file(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs")
}

/// The lines of the module that stands beside the code for its tests, by custom the last thing in a file.
fn test_module(code: &str) -> std::ops::Range<usize> {
    let lines: Vec<&str> = code.lines().map(str::trim).collect();
    let is_start = |pair: &[&str]| pair[0].starts_with("#[cfg(test)]") && pair[1].ends_with('{');
    let Some(start) = lines.windows(2).position(is_start) else { return 0..0 };
    let mut depth = 0_usize;
    for (index, line) in lines.iter().enumerate().skip(start + 1) {
        depth += line.matches('{').count();
        depth = depth.saturating_sub(line.matches('}').count());
        if depth == 0 {
            return start..index + 1;
        }
    }
    start..lines.len()
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::{Tree, lines};

    fn findings(path: &str, text: &str) -> Vec<usize> {
        lines(&check(&Tree::with(path, text)))
    }

    #[test]
    fn unsafe_code_fails_even_in_tests() {
        assert_eq!(findings("crates/remap-core/src/a.rs", "unsafe { x() }"), [1]);
        assert_eq!(findings("crates/remap-core/src/a/tests.rs", "\nunsafe fn x() {}"), [2]);
        assert!(findings("crates/remap-core/src/lib.rs", "#![forbid(unsafe_code)]\n// unsafe\n").is_empty());
    }

    #[test]
    fn giving_up_fails_outside_tests_only() {
        let text = "a.unwrap();\nb.expect(\"b\");\npanic!();\n#[cfg(test)]\nmod tests {\nc.unwrap();\n}\nd.unwrap();\n";
        assert_eq!(findings("crates/remap-core/src/a.rs", text), [1, 2, 3, 8]);
        assert!(findings("crates/remap-core/src/a/tests.rs", text).is_empty());
        assert!(findings("crates/remap-io/src/a.rs", text).is_empty());
    }

    #[test]
    fn assertions_and_fallbacks_pass() {
        assert!(
            findings("crates/remap-core/src/a.rs", "assert!(a); b.unwrap_or(1); c.expect_err(2);").is_empty()
        );
    }
}
