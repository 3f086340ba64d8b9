use anyhow::{Context as _, anyhow};

use super::{chain, code_of, refusal, usage};

#[test]
fn a_cause_that_is_told_already_is_not_told_again() {
    let io = std::io::Error::other("no such thing");
    let told = anyhow::Error::new(io).context("cannot open x: no such thing").context("the main disk");
    assert_eq!(chain(&told), "the main disk: cannot open x: no such thing");
    assert_eq!(chain(&anyhow!("a").context("b")), "b: a");
}

#[test]
fn refusals_and_wrong_command_lines_have_codes_of_their_own() {
    assert_eq!(code_of(&refusal("no")), 3);
    assert_eq!(code_of(&usage("what?")), 2);
    assert_eq!(code_of(&anyhow!("failed")), 1);
    assert_eq!(code_of(&Err::<(), _>(refusal("no")).context("while trying").unwrap_err()), 3);
}
