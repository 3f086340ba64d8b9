//! The commands of the documents are commands of this program.

use clap::Parser as _;

use super::Cli;

/// The lines of a document's code blocks, and its short pieces of code, that call the program.
fn commands(document: &str) -> Vec<&str> {
    let mut is_block = false;
    let mut found = Vec::new();
    for line in document.lines() {
        if line.trim_start().starts_with("```") {
            is_block = !is_block;
        } else if is_block {
            found.push(line.trim());
        } else {
            found.extend(line.split('`').skip(1).step_by(2));
        }
    }
    found.retain(|line| line.starts_with("dm-remap "));
    found
}

#[test]
fn every_command_of_the_documents_is_understood() {
    let mut count = 0;
    for (name, document) in [
        ("README.md", include_str!("../../../../README.md")),
        ("guide.md", include_str!("../../../../docs/guide.md")),
        ("boot.md", include_str!("../../../../docs/boot.md")),
        ("monitoring.md", include_str!("../../../../docs/monitoring.md")),
    ] {
        for line in commands(document) {
            let line = line.split(" #").next().unwrap_or(line);
            let words: Vec<&str> = line.split_whitespace().collect();
            // The name of a command alone stands for the command.
            if words.len() > 2 || words.contains(&"--help") {
                let parsed = Cli::try_parse_from(&words);
                let is_help = parsed.as_ref().is_err_and(|error| !error.use_stderr());
                assert!(parsed.is_ok() || is_help, "{name}: {line}: {}", parsed.unwrap_err());
                count += 1;
            }
        }
    }
    assert!(count >= 30, "only {count} commands were found");
}
