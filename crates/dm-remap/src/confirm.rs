//! Asking before something is lost.
//!
//! Owns the only prompt there is. Without a terminal it never asks: it says which flag to pass.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use crate::exit::refusal;

/// Goes on only when `--yes` was passed, or a person at a terminal types `word`. `loss` says what will be
/// lost, as a sentence.
pub fn demand(yes: bool, loss: &str, word: &str) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(refusal(format!("{loss} Nothing was changed: pass --yes if that is what you want")));
    }
    let mut err = io::stderr().lock();
    write!(err, "{loss}\nType `{word}` to go on: ").and_then(|()| err.flush())?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if answer.trim() == word {
        Ok(())
    } else {
        Err(refusal(format!("`{word}` was not typed: nothing was changed")))
    }
}
