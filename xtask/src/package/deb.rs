//! One Debian package: a tree of files, and what the package manager is told of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::{process, workspace};

/// The version of what is built here.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The project has no address of its own: who distributes the packages puts theirs here.
const MAINTAINER: &str = "dm-remap authors <dm-remap@packages.invalid>";

/// A package that is being put together.
pub struct Package {
    name: &'static str,
    version: String,
    /// The tree, which becomes `/`.
    root: PathBuf,
}

impl Package {
    /// An empty one; what an earlier build left is removed.
    pub fn new(name: &'static str, version: &str, out: &Path) -> Result<Self> {
        let root = out.join("staging").join(name);
        if root.is_dir() {
            fs::remove_dir_all(&root)?;
        }
        fs::create_dir_all(&root)?;
        let package = Self { name, version: version.to_owned(), root };
        let own = format!("usr/share/doc/{name}");
        package.text(&packaging("deb/copyright"), &format!("{own}/copyright"))?;
        package.write(&format!("{own}/changelog"), changelog(name, version)?.as_bytes())?;
        package.compress(&format!("{own}/changelog"))?;
        Ok(package)
    }

    /// Where `path`, as it is on the machine without its first slash, is in the tree.
    pub fn place(&self, path: &str) -> Result<PathBuf> {
        let place = self.root.join(path);
        fs::create_dir_all(place.parent().context("a file has a folder")?)?;
        Ok(place)
    }

    /// Puts `bytes` at `path`, readable for all.
    pub fn write(&self, path: &str, bytes: &[u8]) -> Result<()> {
        let place = self.place(path)?;
        fs::write(&place, bytes).with_context(|| format!("cannot write {}", place.display()))?;
        set_mode(&place, 0o644)
    }

    /// Puts the text of `from` at `path`, with what it leaves open filled in.
    pub fn text(&self, from: &Path, path: &str) -> Result<()> {
        self.write(path, fill(from, &[("VERSION", &self.version)])?.as_bytes())
    }

    /// The same for what is run.
    pub fn script(&self, from: &Path, path: &str) -> Result<()> {
        self.text(from, path)?;
        set_mode(&self.place(path)?, 0o755)
    }

    /// Compresses what is at `path`, without a time in it.
    pub fn compress(&self, path: &str) -> Result<()> {
        process::output(Command::new("gzip").args(["-9", "-n", "-f"]).arg(self.place(path)?)).map(drop)
    }

    /// Makes the archive in `out`. `libraries` is what the programs need.
    pub fn finish(self, out: &Path, libraries: &str) -> Result<PathBuf> {
        let size = kibibytes(&self.root)?.to_string();
        let sums = self.sums()?;
        let own = packaging("deb").join(self.name);
        for entry in fs::read_dir(&own)? {
            let path = entry?.path();
            let name = path.file_name().context("a file has a name")?.to_string_lossy().into_owned();
            let text = fill(&path, &[("VERSION", &self.version), ("SIZE", &size), ("LIBRARIES", libraries)])?;
            self.write(&format!("DEBIAN/{name}"), text.as_bytes())?;
            if text.starts_with("#!") {
                set_mode(&self.place(&format!("DEBIAN/{name}"))?, 0o755)?;
            }
        }
        self.write("DEBIAN/md5sums", sums.as_bytes())?;
        for folder in folders(&self.root)? {
            set_mode(&folder, 0o755)?;
        }
        let archive = out.join(format!("{}_{}_amd64.deb", self.name, self.version));
        let mut build = Command::new("dpkg-deb");
        build.args(["--root-owner-group", "-Zxz", "--build"]).arg(&self.root).arg(&archive);
        process::output(build.env("SOURCE_DATE_EPOCH", last_change()?))?;
        Ok(archive)
    }

    /// As `md5sum` tells them, for the package manager to verify what is installed.
    fn sums(&self) -> Result<String> {
        let list = "find . -type f -printf '%P\\0' | sort -z | xargs -0 --no-run-if-empty md5sum --";
        process::output(Command::new("sh").args(["-c", list]).current_dir(&self.root))
    }
}

/// A file or folder of `packaging/`.
pub fn packaging(path: &str) -> PathBuf {
    workspace::root().join("packaging").join(path)
}

/// The text of `path`, with `@WORD@` replaced.
fn fill(path: &Path, words: &[(&str, &str)]) -> Result<String> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let fixed = [("MAINTAINER", MAINTAINER)];
    let words = fixed.iter().chain(words);
    Ok(words.fold(text, |text, (word, value)| text.replace(&format!("@{word}@"), value)))
}

/// The package manager's changelog has an entry a release and leads to the project's own.
fn changelog(name: &str, version: &str) -> Result<String> {
    let date =
        process::output(Command::new("date").args(["-R", "-u", "-d", &format!("@{}", last_change()?)]))?;
    Ok(format!(
        "{name} ({version}) unstable; urgency=medium\n\n  * What is new is told in CHANGELOG.md of the project.\n\n \
         -- {MAINTAINER}  {}\n",
        date.trim()
    ))
}

/// When the tree was last changed, in seconds since 1970, so that a tree makes the same package at any time.
fn last_change() -> Result<String> {
    let git = ["log", "-1", "--format=%ct"];
    let time = process::output(Command::new("git").args(git).current_dir(workspace::root()))?;
    Ok(time.trim().to_owned())
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
}

fn folders(root: &Path) -> Result<Vec<PathBuf>> {
    let mut all = vec![root.to_path_buf()];
    let mut next = 0;
    while let Some(folder) = all.get(next).cloned() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                all.push(entry.path());
            }
        }
        next += 1;
    }
    Ok(all)
}

fn kibibytes(root: &Path) -> Result<u64> {
    let mut bytes = 0;
    for folder in folders(root)? {
        for entry in fs::read_dir(folder)? {
            bytes += entry?.metadata()?.len();
        }
    }
    Ok(bytes.div_ceil(1024))
}
