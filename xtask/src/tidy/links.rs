//! Links between the documents lead somewhere.

use std::path::{Component, Path, PathBuf};

use super::{Finding, Tree};

/// `exists` tells of a path relative to the root.
pub fn check(tree: &Tree, exists: impl Fn(&Path) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.of(&["md"]) {
        let mut in_code = false;
        for (index, line) in file.text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                in_code = !in_code;
            }
            if in_code {
                continue;
            }
            for target in targets(&without_code(line)) {
                let Some(path) = resolve(&file.path, target) else { continue };
                if !exists(&path) {
                    findings.push(file.finding(index + 1, format!("the link leads nowhere: {target}")));
                }
            }
        }
    }
    findings
}

/// A line without what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

/// The targets of links like `[text](target)` and definitions like `[name]: target`.
fn targets(line: &str) -> Vec<&str> {
    let inline = line.match_indices("](").filter_map(|(at, mark)| line[at + mark.len()..].split(')').next());
    let definition = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, target)| target);
    // A title may follow the target.
    inline.chain(definition).filter_map(|target| target.split_whitespace().next()).collect()
}

/// The file that a link in `document` leads to; `None` for one that leads out of the tree or within the
/// document.
fn resolve(document: &Path, target: &str) -> Option<PathBuf> {
    let path = target.split('#').next().unwrap_or("");
    let has_scheme = target.split_once(':').is_some_and(|(scheme, _)| !scheme.contains(['/', '.']));
    if path.is_empty() || has_scheme {
        return None;
    }
    let mut resolved = match path.strip_prefix('/') {
        Some(_) => PathBuf::new(),
        None => document.parent().unwrap_or(Path::new("")).to_path_buf(),
    };
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => drop(resolved.pop()),
            Component::Normal(name) => resolved.push(name),
            _ => {}
        }
    }
    Some(resolved)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::check;
    use crate::tidy::{Tree, lines};

    fn findings(text: &str) -> Vec<usize> {
        lines(&check(&Tree::with("docs/guide.md", text), |path| path == Path::new("docs/format.md")))
    }

    #[test]
    fn a_link_to_a_missing_file_fails() {
        assert_eq!(
            findings("[a](format.md)\n[b](missing.md)\n[c](../format.md)\n[d]: missing.md\n"),
            [2, 3, 4]
        );
    }

    #[test]
    fn links_that_lead_somewhere_or_out_of_the_tree_pass() {
        let text = "[a](format.md#top) [b](../docs/format.md) [c](/docs/format.md) [d](#here)\n\
                    [e](https://example.org/x) [f](mailto:a@b.c) `[g](missing.md)`\n```\n[h](missing.md)\n```\n";
        assert!(findings(text).is_empty());
    }
}
