//! Tells code from comments and literals in Rust and C, well enough for rules that look for words.
//!
//! What is taken away becomes blanks, so that lines and columns stay where they are.

/// What to blank out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Hide {
    /// String and character literals.
    Literals,
    /// Those and comments.
    LiteralsAndComments,
}

/// The text with blanks in place of what is hidden.
pub fn without(hide: Hide, text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut result = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let (length, is_comment) = match piece(&chars, at) {
            Piece::Code => {
                result.push(chars[at]);
                at += 1;
                continue;
            }
            Piece::Comment(length) => (length, true),
            Piece::Literal(length) => (length, false),
        };
        let end = (at + length).min(chars.len());
        let shown = is_comment && hide == Hide::Literals;
        result.extend(chars[at..end].iter().map(|&c| if shown || c == '\n' { c } else { ' ' }));
        at = end;
    }
    result
}

/// What starts at a place, with its length in characters.
enum Piece {
    Code,
    Comment(usize),
    Literal(usize),
}

fn piece(chars: &[char], at: usize) -> Piece {
    let rest = &chars[at..];
    let follows_word = at > 0 && is_word(chars[at - 1]);
    match rest {
        ['/', '/', ..] => Piece::Comment(rest.iter().position(|&c| c == '\n').unwrap_or(rest.len())),
        ['/', '*', ..] => Piece::Comment(block_comment(rest)),
        ['"', ..] => Piece::Literal(quoted(rest, '"')),
        ['r', '"' | '#', ..] if !follows_word || is_prefixed(chars, at) => {
            raw_string(rest).map_or(Piece::Code, Piece::Literal)
        }
        // Anything else that starts with a quote is a lifetime.
        ['\'', '\\', ..] | ['\'', _, '\'', ..] => Piece::Literal(quoted(rest, '\'')),
        _ => Piece::Code,
    }
}

/// Whether the `r` at this place is the second letter of `br"` or `cr"`.
fn is_prefixed(chars: &[char], at: usize) -> bool {
    matches!(chars[at - 1], 'b' | 'c') && (at < 2 || !is_word(chars[at - 2]))
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The length of a raw string; `None` for a raw identifier.
fn raw_string(rest: &[char]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|&&c| c == '#').count();
    let open = 1 + hashes;
    if rest.get(open) != Some(&'"') {
        return None;
    }
    let closes = |at: usize| {
        rest[at] == '"' && rest[at + 1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes
    };
    let close = (open + 1..rest.len()).find(|&at| closes(at));
    Some(close.map_or(rest.len(), |at| at + 1 + hashes))
}

pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether `word` stands in `line` with no letter, digit or `_` on either side.
pub fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

#[cfg(test)]
mod tests {
    use super::{Hide, has_word, without};

    fn code(text: &str) -> String {
        without(Hide::LiteralsAndComments, text)
    }

    #[test]
    fn comments_and_literals_become_blanks_of_the_same_length() {
        assert_eq!(code("a // b\nc"), "a     \nc");
        assert_eq!(code("a /* /* b */\n */ c"), "a           \n    c");
        assert_eq!(code(r#"f("a\"b", 'x', '\'')"#), "f(      ,    ,     )");
    }

    #[test]
    fn raw_strings_end_at_their_own_mark() {
        assert_eq!(code(r##"x(r#"a"b"#)y"##), "x(        )y");
        assert_eq!(code("br\"a\\\" c"), "b      c");
        assert_eq!(code("r#type + attr\"s\""), "r#type + attr   ");
    }

    #[test]
    fn lifetimes_are_code() {
        assert_eq!(code("fn f<'a>(x: &'a str)"), "fn f<'a>(x: &'a str)");
    }

    #[test]
    fn comments_stay_when_only_literals_are_hidden() {
        assert_eq!(without(Hide::Literals, "\"s\" // \"c\""), "    // \"c\"");
    }

    #[test]
    fn a_word_is_not_found_within_another() {
        assert!(has_word("an unsafe { }", "unsafe"));
        assert!(!has_word("forbid(unsafe_code)", "unsafe"));
    }
}
