//! The scenarios, one file each.

use anyhow::{Context, Result};

use crate::scenario::{Scenario, Step};

mod churn;
mod command;
mod death;
mod direct;
mod filesystems;
mod fixtures;
mod geometry;
mod halt;
mod interop;
mod metadata;
mod on_ram;
mod power;
mod reboots;
mod replay;
mod smoke;
mod speed;
mod stacks;
mod storm;
mod zfs;

/// Every scenario.
pub const ALL: &[Scenario] = &[
    fixtures::SCENARIO,
    halt::SCENARIO,
    reboots::SCENARIO,
    smoke::SCENARIO,
    speed::SCENARIO,
    zfs::SCENARIO,
    direct::SCENARIO,
    filesystems::SCENARIO,
    stacks::SCENARIO,
    storm::SCENARIO,
    metadata::SCENARIO,
    death::SCENARIO,
    power::SCENARIO,
    interop::SCENARIO,
    command::SCENARIO,
    geometry::SCENARIO,
    churn::SCENARIO,
    replay::SCENARIO,
];

/// The steps that `words` name, each as `SCENARIO` (all its steps) or `SCENARIO/STEP`.
pub fn steps(words: &[String]) -> Result<Vec<(&'static Scenario, &'static Step)>> {
    let mut steps = Vec::new();
    for word in words {
        let (name, wanted) = word.split_once('/').map_or((&**word, None), |(name, step)| (name, Some(step)));
        let scenario = ALL.iter().find(|scenario| scenario.name == name);
        let scenario = scenario.with_context(|| format!("no scenario {name}; see: lab list"))?;
        let of = scenario.steps.iter().filter(|step| wanted.is_none_or(|wanted| step.name == wanted));
        let before = steps.len();
        steps.extend(of.map(|step| (scenario, step)));
        if steps.len() == before {
            anyhow::bail!("{name} has no step {}", wanted.unwrap_or_default());
        }
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::{ALL, steps};

    #[test]
    fn names_are_single_words_and_no_two_are_the_same() {
        let words =
            |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        for (index, scenario) in ALL.iter().enumerate() {
            assert!(words(scenario.name) && !scenario.about.is_empty(), "{}", scenario.name);
            assert!(!scenario.steps.is_empty(), "{}", scenario.name);
            assert!(ALL[..index].iter().all(|other| other.name != scenario.name), "{}", scenario.name);
            for disk in scenario.disks {
                assert!(words(disk.name) && disk.name.len() <= 20 && disk.mebibytes > 0);
            }
        }
    }

    #[test]
    fn a_word_names_a_scenario_or_one_of_its_steps() {
        let chosen = |word: &str| steps(&[word.to_owned()]).map(|steps| steps.len());
        assert_eq!(chosen("reboots").unwrap(), 3);
        assert_eq!(chosen("reboots/check").unwrap(), 1);
        assert!(chosen("reboots/none").is_err());
        assert!(chosen("none").is_err());
    }
}
