//! Which scenarios there are, and which boots they need.
//!
//! A boot takes a while, so scenarios share one unless they may bring the kernel down or keep disks over
//! several boots.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};
use serde::Deserialize;

use crate::process;

/// What `lab list --json` says of a scenario. The words are explained there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct Scenario {
    pub name: String,
    pub about: String,
    pub steps: Vec<String>,
    pub own_boot: bool,
    pub only_if_named: bool,
    pub needs_target: bool,
    pub needs_zfs: bool,
    pub disks: Vec<Disk>,
    pub expected_in_log: Vec<String>,
    pub memory_mib: u32,
    pub cpus: u32,
    pub limit_seconds: u64,
}

/// A disk that lasts over the boots of a scenario.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Disk {
    pub name: String,
    pub mebibytes: u64,
}

/// Guests, one after the other with the same disks, that run the steps of the same scenarios.
#[derive(Debug)]
pub struct Boot<'a> {
    pub name: String,
    pub scenarios: Vec<&'a Scenario>,
}

impl Boot<'_> {
    /// What each guest runs, in the words of `lab run`.
    pub fn guests(&self) -> Vec<Vec<String>> {
        let count = self.scenarios.iter().map(|scenario| scenario.steps.len()).max().unwrap_or(0);
        let step = |scenario: &&Scenario, index: usize| {
            scenario.steps.get(index).map(|step| format!("{}/{step}", scenario.name))
        };
        (0..count).map(|index| self.scenarios.iter().filter_map(|s| step(s, index)).collect()).collect()
    }

    pub fn disks(&self) -> impl Iterator<Item = &Disk> {
        self.scenarios.iter().flat_map(|scenario| &scenario.disks)
    }

    pub fn needs_target(&self) -> bool {
        self.scenarios.iter().any(|scenario| scenario.needs_target)
    }

    pub fn needs_zfs(&self) -> bool {
        self.scenarios.iter().any(|scenario| scenario.needs_zfs)
    }

    pub fn memory_mib(&self) -> u32 {
        self.scenarios.iter().map(|scenario| scenario.memory_mib).max().unwrap_or(0)
    }

    pub fn cpus(&self) -> u32 {
        self.scenarios.iter().map(|scenario| scenario.cpus).max().unwrap_or(1)
    }

    /// How long one of its guests may take once it is up.
    pub fn limit_seconds(&self) -> u64 {
        self.scenarios.iter().map(|scenario| scenario.limit_seconds).sum()
    }
}

pub fn read(program: &Path) -> Result<Vec<Scenario>> {
    Ok(serde_json::from_str(&process::output(Command::new(program).args(["list", "--json"]))?)?)
}

/// The scenarios of these names, or all if none is named.
pub fn choose<'a>(scenarios: &'a [Scenario], names: &[String]) -> Result<Vec<&'a Scenario>> {
    if let Some(unknown) = names.iter().find(|name| scenarios.iter().all(|known| known.name != **name)) {
        bail!("no scenario {unknown}; cargo xtask lab --list prints those that there are");
    }
    Ok(scenarios
        .iter()
        .filter(|known| if names.is_empty() { !known.only_if_named } else { names.contains(&known.name) })
        .collect())
}

/// Puts scenarios into as few boots as they allow. A scenario that needs no module of ours is never kept
/// from running by one that does.
pub fn boots<'a>(scenarios: &[&'a Scenario]) -> Vec<Boot<'a>> {
    let alone =
        |scenario: &Scenario| scenario.own_boot || scenario.steps.len() > 1 || !scenario.disks.is_empty();
    let mut boots = Vec::new();
    for (name, needs_target) in [("shared", false), ("target", true)] {
        let together = scenarios.iter().filter(|s| !alone(s) && s.needs_target == needs_target);
        let scenarios: Vec<&Scenario> = together.copied().collect();
        if !scenarios.is_empty() {
            boots.push(Boot { name: name.to_owned(), scenarios });
        }
    }
    for scenario in scenarios.iter().filter(|scenario| alone(scenario)) {
        // Told apart from the shared ones, whatever its name.
        boots.push(Boot { name: format!("own-{}", scenario.name), scenarios: vec![scenario] });
    }
    boots
}

#[cfg(test)]
mod tests;
