//! `cargo xtask tidy`: the habits of the codebase that no compiler checks.
//!
//! One file a rule, each a function from the tree to its findings, so that a test can show it a tree that
//! breaks the rule.

mod blanks;
mod code;
mod core_code;
mod edges;
mod leftovers;
mod length;
mod links;
mod manifests;
mod module_docs;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::{metadata, workspace};

pub fn run() -> Result<()> {
    let root = workspace::root();
    let tree = Tree::read(&root)?;
    let metadata = metadata::read(&root)?;
    let rules = [
        edges::check(&metadata),
        length::check(&tree),
        module_docs::check(&tree),
        leftovers::check(&tree),
        core_code::check(&tree),
        manifests::check(&tree, &metadata),
        blanks::check(&tree),
        links::check(&tree, |path| root.join(path).exists()),
    ];
    let findings: Vec<Finding> = rules.into_iter().flatten().collect();
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!("{} files are tidy", tree.files.len());
        Ok(())
    } else {
        bail!("{} findings", findings.len())
    }
}

/// The text files of the workspace.
struct Tree {
    files: Vec<SourceFile>,
}

struct SourceFile {
    /// Relative to the root.
    path: PathBuf,
    text: String,
}

/// Something that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: PathBuf,
    /// From 1; 0 stands for the whole file.
    line: usize,
    what: String,
}

impl Tree {
    fn read(root: &Path) -> Result<Self> {
        let mut files = Vec::new();
        for path in workspace::files(root)? {
            // What is not text is nobody's source: spare images, corpora.
            if let Ok(text) = String::from_utf8(fs::read(root.join(&path))?) {
                files.push(SourceFile { path, text });
            }
        }
        Ok(Self { files })
    }

    /// The files that end in one of `extensions`.
    fn of<'a>(&'a self, extensions: &'a [&str]) -> impl Iterator<Item = &'a SourceFile> {
        self.files.iter().filter(move |file| {
            let extension = file.path.extension().unwrap_or_default();
            extensions.iter().any(|wanted| extension == *wanted)
        })
    }

    #[cfg(test)]
    fn with(path: &str, text: &str) -> Self {
        Self { files: vec![SourceFile { path: path.into(), text: text.to_owned() }] }
    }
}

impl SourceFile {
    fn finding(&self, line: usize, what: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.what)
    }
}

/// The lines of the findings, which is what the rules' tests compare.
#[cfg(test)]
fn lines(findings: &[Finding]) -> Vec<usize> {
    findings.iter().map(|finding| finding.line).collect()
}
