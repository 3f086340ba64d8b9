//! Who may depend on whom, as `ARCHITECTURE.md` draws it.

use super::Finding;
use crate::metadata::{Metadata, Package};

/// Crates that others are built of, and those of the workspace that each may see.
const LIBRARIES: [(&str, &[&str]); 6] = [
    ("remap-core", &[]),
    ("remap-io", &["remap-core"]),
    ("remap-serve", &["remap-core", "remap-io"]),
    ("remap-sim", &["remap-core"]),
    // For the unit types.
    ("dm-control", &["remap-core"]),
    ("remap-kmod", &["remap-core"]),
];

/// Programs: they may see everything, nobody may see them, and they are the home of `anyhow`.
const PROGRAMS: [&str; 4] = ["dm-remap", "ember", "lab", "xtask"];

pub fn check(metadata: &Metadata) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &metadata.packages {
        check_package(package, &mut |what| {
            let path = format!("{}/Cargo.toml", package.name).into();
            findings.push(Finding { path, line: 0, what });
        });
    }
    findings
}

fn check_package(package: &Package, report: &mut dyn FnMut(String)) {
    let name = &*package.name;
    let rule = LIBRARIES.iter().find(|(library, _)| *library == name);
    let is_program = PROGRAMS.contains(&name);
    if rule.is_none() && !is_program {
        report(format!("{name} has no place in xtask's tidy/edges.rs"));
        return;
    }
    for dependency in &package.dependencies {
        let wanted = &*dependency.name;
        let is_own = dependency.path.is_some();
        if is_own && PROGRAMS.contains(&wanted) {
            report(format!("{name} depends on the program {wanted}"));
        } else if let Some((_, allowed)) = rule {
            if is_own && !allowed.contains(&wanted) {
                report(format!("{name} must not depend on {wanted}"));
            }
            if wanted == "anyhow" && dependency.kind.as_deref() != Some("dev") && name != "remap-sim" {
                report(format!("{name} is a library: its errors are types of its own, not anyhow's"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::metadata::Metadata;

    fn findings(package: &str, dependency: &str) -> usize {
        let path = if dependency == "anyhow" { "null" } else { "\"/somewhere\"" };
        let text = format!(
            r#"{{"packages": [{{"name": "{package}", "targets": [], "dependencies": [
                {{"name": "{dependency}", "path": {path}, "kind": null}}]}}]}}"#
        );
        check(&serde_json::from_str::<Metadata>(&text).unwrap()).len()
    }

    #[test]
    fn the_edges_of_the_architecture_pass() {
        assert_eq!(findings("remap-io", "remap-core"), 0);
        assert_eq!(findings("remap-serve", "remap-io"), 0);
        assert_eq!(findings("dm-remap", "remap-serve"), 0);
        assert_eq!(findings("dm-remap", "anyhow"), 0);
    }

    #[test]
    fn other_edges_fail() {
        assert_eq!(findings("remap-core", "remap-io"), 1);
        assert_eq!(findings("remap-io", "remap-serve"), 1);
        assert_eq!(findings("remap-sim", "remap-io"), 1);
        assert_eq!(findings("remap-io", "dm-remap"), 1);
        assert_eq!(findings("ember", "dm-remap"), 1);
        assert_eq!(findings("remap-io", "anyhow"), 1);
    }

    #[test]
    fn a_crate_that_the_rules_do_not_know_fails() {
        assert_eq!(findings("newcomer", "remap-core"), 1);
    }
}
