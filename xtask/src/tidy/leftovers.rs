//! Nothing half-done stays behind: no placeholder, no note to oneself, no test that is never run.

use super::code::{Hide, has_word, is_word, without};
use super::{Finding, Tree};

/// Macros and attributes, looked for in code.
const IN_CODE: [&str; 3] = ["todo!(", "unimplemented!(", "#[ignore"];
/// Words, looked for in code and comments.
const ANYWHERE: [&str; 2] = ["FIXME", "XXX"];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.of(&["rs", "c", "h"]) {
        let code = without(Hide::LiteralsAndComments, &file.text);
        let with_comments = without(Hide::Literals, &file.text);
        for (index, (code, with_comments)) in code.lines().zip(with_comments.lines()).enumerate() {
            let left = IN_CODE.iter().filter(|mark| stands_in(code, mark));
            let left = left.chain(ANYWHERE.iter().filter(|word| has_word(with_comments, word)));
            findings.extend(left.map(|mark| file.finding(index + 1, format!("`{mark}` is left over"))));
        }
    }
    findings
}

/// Whether `mark` stands in `line`, not as the end of a longer word.
fn stands_in(line: &str, mark: &str) -> bool {
    line.match_indices(mark).any(|(at, _)| !line[..at].ends_with(is_word))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::{Tree, lines};

    #[test]
    fn placeholders_notes_and_ignored_tests_fail() {
        let text = "fn a() { todo!() }\nfn b() { unimplemented!(\"b\") }\n#[ignore]\n#[ignore = \"slow\"]\n\
                    // FIXME later\n/* XXX */\n";
        assert_eq!(lines(&check(&Tree::with("a.rs", text))), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn the_same_words_in_literals_and_longer_words_pass() {
        let text = "const A: &str = \"todo!( FIXME XXX\";\n// unimplemented!( in a comment\nmktemp(XXXXXX)\n";
        assert!(check(&Tree::with("a.rs", text)).is_empty());
    }
}
