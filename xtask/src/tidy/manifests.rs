//! Beside each dependency stands why it is there.

use super::{Finding, SourceFile, Tree};
use crate::metadata::Metadata;

pub fn check(tree: &Tree, metadata: &Metadata) -> Vec<Finding> {
    let own: Vec<&str> = metadata.packages.iter().map(|package| &*package.name).collect();
    let manifests = tree.files.iter().filter(|file| file.path.ends_with("Cargo.toml"));
    manifests.flat_map(|file| check_manifest(file, &own)).collect()
}

fn check_manifest(file: &SourceFile, own: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut in_dependencies = false;
    // Above zero within a value that goes over several lines.
    let mut depth = 0_usize;
    let mut above = "";
    for (index, line) in file.text.lines().map(str::trim).enumerate() {
        let code = line.split('#').next().unwrap_or("").trim_end();
        let starts_value = depth == 0;
        let named = if starts_value && code.starts_with('[') {
            let header = code.trim_matches(['[', ']']);
            in_dependencies = header.split('.').next_back().is_some_and(is_table_of_dependencies);
            // The form `[dependencies.NAME]`.
            let (table, name) = header.rsplit_once('.').unwrap_or(("", ""));
            table.split('.').next_back().is_some_and(is_table_of_dependencies).then_some(name)
        } else {
            let opened = code.matches(['{', '[']).count();
            depth = (depth + opened).saturating_sub(code.matches(['}', ']']).count());
            let name = code.split(['=', '.', ' ']).next().unwrap_or("");
            (in_dependencies && starts_value && !name.is_empty()).then_some(name)
        };
        let named = named.map(|name| name.trim_matches('"')).filter(|name| !own.contains(name));
        if let Some(name) = named.filter(|_| !above.starts_with('#')) {
            findings.push(file.finding(index + 1, format!("no comment above says why {name} is needed")));
        }
        above = line;
    }
    findings
}

fn is_table_of_dependencies(name: &str) -> bool {
    matches!(name, "dependencies" | "dev-dependencies" | "build-dependencies")
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::metadata::Metadata;
    use crate::tidy::{Tree, lines};

    fn findings(text: &str) -> Vec<usize> {
        let own = r#"{"packages": [{"name": "remap-core", "dependencies": [], "targets": []}]}"#;
        let own: Metadata = serde_json::from_str(own).unwrap();
        lines(&check(&Tree::with("crates/a/Cargo.toml", text), &own))
    }

    #[test]
    fn a_dependency_without_a_reason_fails_in_every_table() {
        assert_eq!(findings("[dependencies]\na = \"1\"\n\n[package]\nname = \"x\"\n"), [2]);
        assert_eq!(findings("[dev-dependencies]\n# Why.\na = \"1\"\nb.workspace = true\n"), [4]);
        assert_eq!(findings("[target.'cfg(loom)'.dependencies]\nloom = \"1\"\n"), [2]);
        assert_eq!(findings("[workspace.dependencies]\na = \"1\"\n"), [2]);
        assert_eq!(findings("[dependencies.a]\nversion = \"1\"\n"), [1]);
    }

    #[test]
    fn reasons_own_crates_and_further_lines_of_a_value_pass() {
        let text = "[dependencies]\nremap-core.workspace = true\n# Why.\na = { version = \"1\", features = [\n  \"x\",\n] }\n\
                    # Why.\nb = \"1\"\n";
        assert!(findings(text).is_empty());
    }
}
