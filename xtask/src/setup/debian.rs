//! Another suite of the machine's own Debian mirror, read without changing the machine's sources.
//!
//! The mirror and its key are those that the machine already trusts; no host is named here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

/// An entry of apt's sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub uri: String,
    pub suite: String,
    /// The parts of the suite, `main` and others.
    pub components: String,
    /// The value of `Signed-By`: a key file, or a key in the form that deb822 wants it.
    pub signed_by: Option<String>,
}

/// The part of Debian that everything here but ZFS is in.
const MAIN: &str = "main";

/// The source that the machine itself is installed from.
pub fn own_source() -> Result<Source> {
    let release = fs::read_to_string("/etc/os-release")?;
    let field = |name: &str| {
        release
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .map(|v| v.trim_matches('"'))
    };
    if field("ID") != Some("debian") {
        bail!("not a Debian system");
    }
    let codename = field("VERSION_CODENAME").context("/etc/os-release has no VERSION_CODENAME")?;
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(dir) = fs::read_dir("/etc/apt/sources.list.d") {
        files.extend(dir.flatten().map(|entry| entry.path()));
    }
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let found = match file.extension().and_then(|extension| extension.to_str()) {
            Some("sources") => from_deb822(&text, codename),
            Some("list") => from_one_line_style(&text, codename),
            _ => None,
        };
        if let Some(source) = found {
            return Ok(source);
        }
    }
    bail!("apt has no source of the suite {codename}")
}

/// Finds `suite` in a file of stanzas; continuation lines start with a blank.
fn from_deb822(text: &str, suite: &str) -> Option<Source> {
    let text: String = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .fold(String::new(), |all, line| all + line.trim_end() + "\n");
    text.split("\n\n").find_map(|stanza| {
        let mut fields: Vec<(&str, String)> = Vec::new();
        for line in stanza.lines() {
            if line.starts_with([' ', '\t']) {
                let (_, value) = fields.last_mut()?;
                *value += "\n";
                *value += line;
            } else if let Some((name, value)) = line.split_once(':') {
                fields.push((name, value.trim().to_owned()));
            }
        }
        let field = |wanted: &str| {
            fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
        };
        let has = |name, word| field(name).is_some_and(|value| value.split_whitespace().any(|w| w == word));
        if !has("Types", "deb") || !has("Suites", suite) {
            return None;
        }
        let uri = field("URIs")?.split_whitespace().next()?.to_owned();
        let signed_by = field("Signed-By").cloned();
        Some(Source { uri, suite: suite.to_owned(), components: MAIN.to_owned(), signed_by })
    })
}

/// Finds `suite` among lines like `deb [signed-by=KEY] URI SUITE COMPONENT`.
fn from_one_line_style(text: &str, suite: &str) -> Option<Source> {
    text.lines().find_map(|line| {
        let mut rest = line.strip_prefix("deb ")?.trim_start();
        let mut signed_by = None;
        if let Some((options, after)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
            signed_by = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by="));
            rest = after;
        }
        let mut words = rest.split_whitespace();
        let uri = words.next()?.to_owned();
        let signed_by = signed_by.map(str::to_owned);
        let components = MAIN.to_owned();
        (words.next()? == suite).then(|| Source { uri, suite: suite.to_owned(), components, signed_by })
    })
}

/// apt with sources, lists and archives in a folder of its own.
pub struct PrivateApt {
    dir: PathBuf,
}

impl PrivateApt {
    pub fn new(dir: &Path, source: &Source) -> Result<Self> {
        for folder in ["sources", "lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(dir.join(folder))?;
        }
        fs::write(dir.join("sources/own.sources"), source.to_deb822())?;
        Ok(Self { dir: dir.to_path_buf() })
    }

    /// Fetches the lists, whose signature the machine's own key must fit.
    pub fn update(&self) -> Result<()> {
        // apt's exit code alone tells nothing of a suite that could not be read.
        process::run(self.apt("apt-get").args(["-q", "--error-on=any", "update"]))
    }

    /// The versions of `package` that the suite has, the newest first.
    pub fn versions(&self, package: &str) -> Result<Vec<String>> {
        let table = process::output(self.apt("apt-cache").args(["madison", package]))?;
        Ok(table.lines().filter_map(|row| row.split('|').nth(1)).map(|v| v.trim().to_owned()).collect())
    }

    /// The packages that the newest version of `package` depends on, alternatives among them.
    pub fn depends(&self, package: &str) -> Result<Vec<String>> {
        let table = process::output(self.apt("apt-cache").args(["depends", package]))?;
        Ok(dependencies_in(&table))
    }

    /// Fetches the newest version of each of `packages` into `folder` without installing it.
    pub fn download_newest(&self, packages: &[String], folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        process::run(self.apt("apt-get").args(["-q", "download"]).args(packages).current_dir(folder))
    }

    /// Fetches the newest version of each of `packages` and of all that they need, as for a machine on which
    /// nothing is installed. Returns the folder of the archives, which is the caller's to remove.
    pub fn download_with_dependencies(&self, packages: &[&str]) -> Result<PathBuf> {
        let archives = self.dir.join("cache/archives");
        fs::create_dir_all(archives.join("partial"))?;
        let mut apt_get = self.apt("apt-get");
        apt_get.args(["-q", "-y", "--no-install-recommends", "--download-only", "install"]).args(packages);
        // Nothing of the system is changed, so nobody else has to be kept from doing so.
        process::run(apt_get.args(["-o", "Debug::NoLocking=true"]))?;
        Ok(archives)
    }

    /// Fetches a package without installing it.
    pub fn download(&self, package: &str, version: &str) -> Result<PathBuf> {
        let archives = self.dir.join("download");
        fs::create_dir_all(&archives)?;
        let wanted = format!("{package}={version}");
        process::run(self.apt("apt-get").args(["-q", "download", &wanted]).current_dir(&archives))?;
        let names = fs::read_dir(&archives)?.flatten().map(|entry| entry.path());
        let is_it = |path: &PathBuf| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(&format!("{package}_{version}_")))
        };
        names.into_iter().find(is_it).with_context(|| format!("apt-get left no archive of {wanted}"))
    }

    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let mut option = |name: &str, value: &str| {
            command.arg("-o").arg(format!("{name}={value}"));
        };
        let inside = |folder: &str| self.dir.join(folder).display().to_string();
        option("Dir::Etc::SourceList", "/dev/null");
        option("Dir::Etc::SourceParts", &inside("sources"));
        option("Dir::State::Lists", &inside("lists"));
        option("Dir::Cache", &inside("cache"));
        // What this machine has installed or pinned is no reason to choose another version.
        option("Dir::State::Status", "/dev/null");
        option("Dir::Etc::Preferences", "/dev/null");
        option("Dir::Etc::PreferencesParts", "/dev/null");
        // The unprivileged user that root's apt changes to may not enter a home folder.
        option("APT::Sandbox::User", "root");
        command
    }
}

/// The real packages in what `apt-cache depends` prints; virtual ones stand between angle brackets.
fn dependencies_in(table: &str) -> Vec<String> {
    let names = table.lines().filter_map(|line| {
        let line = line.trim_start_matches([' ', '|']);
        line.strip_prefix("Depends: ").or_else(|| line.strip_prefix("PreDepends: "))
    });
    names.filter(|name| !name.starts_with('<')).map(str::to_owned).collect()
}

impl Source {
    fn to_deb822(&self) -> String {
        let Self { uri, suite, components, signed_by } = self;
        let key = signed_by.as_ref().map(|key| format!("Signed-By: {key}\n")).unwrap_or_default();
        format!("Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: {components}\n{key}")
    }
}

#[cfg(test)]
mod tests;
