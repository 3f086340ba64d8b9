//! The description of a planted bug: one file each, `NAME.toml`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// A bug to plant.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Mutant {
    /// The name of the file.
    #[serde(skip)]
    pub name: String,
    /// What goes wrong with it, in one sentence.
    pub about: String,
    /// The source file, relative to the root of the workspace.
    pub file: PathBuf,
    /// The text that is replaced; it stands in the file exactly once.
    pub find: String,
    pub replace: String,
    /// How many operations the simulation gets to find it.
    #[serde(default = "usual_ops")]
    pub ops: u64,
    /// Further flags of `remap-sim soak`.
    #[serde(default)]
    pub args: Vec<String>,
}

fn usual_ops() -> u64 {
    300_000
}

impl Mutant {
    /// The text of the file with the bug in it.
    pub fn apply(&self, text: &str) -> Result<String> {
        let (name, file) = (&self.name, self.file.display());
        match text.matches(&self.find).count() {
            1 => Ok(text.replacen(&self.find, &self.replace, 1)),
            count => bail!("{name}: the text to replace stands {count} times in {file}, not once"),
        }
    }
}

/// Reads all descriptions in `folder`, by name.
pub fn read(folder: &Path) -> Result<Vec<Mutant>> {
    let entries = fs::read_dir(folder).with_context(|| format!("no planted bugs in {}", folder.display()))?;
    let mut mutants = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            mutants.push(parse(&path)?);
        }
    }
    mutants.sort_by(|a, b| a.name.cmp(&b.name));
    if mutants.is_empty() {
        bail!("no planted bugs in {}", folder.display());
    }
    Ok(mutants)
}

fn parse(path: &Path) -> Result<Mutant> {
    let text = fs::read_to_string(path)?;
    let mut mutant: Mutant = toml::from_str(&text).with_context(|| path.display().to_string())?;
    mutant.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(mutant)
}

/// Those of the names, or all if there are no names.
pub fn choose(mutants: Vec<Mutant>, names: &[String]) -> Result<Vec<Mutant>> {
    if let Some(unknown) = names.iter().find(|name| !mutants.iter().any(|mutant| mutant.name == **name)) {
        bail!("no planted bug is called {unknown}");
    }
    Ok(mutants.into_iter().filter(|mutant| names.is_empty() || names.contains(&mutant.name)).collect())
}

#[cfg(test)]
mod tests {
    use super::Mutant;

    fn mutant() -> Mutant {
        toml::from_str("about = 'a'\nfile = 'f.rs'\nfind = 'flush()'\nreplace = ''\n").unwrap()
    }

    #[test]
    fn a_bug_is_planted_where_its_text_stands_once() {
        assert_eq!(mutant().apply("write(); flush();").unwrap(), "write(); ;");
    }

    #[test]
    fn a_text_that_is_missing_or_stands_twice_is_an_error() {
        assert!(mutant().apply("write();").is_err());
        assert!(mutant().apply("flush(); flush();").is_err());
    }

    #[test]
    fn an_unknown_field_is_an_error() {
        assert!(
            toml::from_str::<Mutant>("about = ''\nfile = ''\nfind = ''\nreplace = ''\nopps = 1").is_err()
        );
    }
}
