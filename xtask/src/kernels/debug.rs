//! A kernel that looks for mistakes in itself and in its modules: built from Debian's source, once.
//!
//! The build is that of half an hour. One that was interrupted goes on where it was.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::Series;
use super::unpack::{self, VERSION};
use crate::lab::vng;
use crate::process;
use crate::setup::debian::{self, PrivateApt, Source};
use crate::setup::packages;
use crate::workspace;

/// What is asked for, on top of what a guest needs at least.
const CONFIG: &str = include_str!("debug.config");
/// The package of the source.
const SOURCE: &str = "linux-source-6.12";
/// What a kernel is built with, and nothing else here needs.
const TOOLS: [&str; 7] = ["bc", "bison", "flex", "libelf-dev", "libssl-dev", "rsync", "xz-utils"];

/// Builds the kernel into `folder`, laid out as the packages of Debian's kernels are.
pub fn build(folder: &Path) -> Result<()> {
    packages::install_these(&TOOLS)?;
    fs::create_dir_all(folder)?;
    let _alone = Alone::new(folder.join("builder"))?;
    let source = folder.join("usr/src/linux");
    if !source.is_dir() {
        unpack_source(folder, &source)?;
    }
    configure(&source)?;
    let jobs = std::thread::available_parallelism()?.to_string();
    let make = |words: &[&str]| {
        let mut make = Command::new("nice");
        // The machine stays usable meanwhile.
        make.args(["make", "--silent", "--jobs", &jobs]).args(words).current_dir(&source);
        make
    };
    process::run(&mut make(&["bzImage", "modules"]))?;
    let version = process::output(&mut make(&["kernelrelease"]))?.trim().to_owned();
    let into = format!("INSTALL_MOD_PATH={}", folder.display());
    process::run(&mut make(&["modules_install", &into]))?;
    fs::create_dir_all(folder.join("boot"))?;
    fs::copy(source.join("arch/x86/boot/bzImage"), folder.join(format!("boot/vmlinuz-{version}")))?;
    let headers = unpack::headers(folder, &version);
    if !headers.is_symlink() {
        symlink("linux", &headers)?;
    }
    fs::write(folder.join(VERSION), version)?;
    Ok(())
}

/// Keeps a second run from building in the same tree, where both would write the same files.
struct Alone {
    /// Holds the number of the process that builds.
    mark: PathBuf,
}

impl Alone {
    fn new(mark: PathBuf) -> Result<Self> {
        let builder = fs::read_to_string(&mark).unwrap_or_default();
        // A builder that was killed leaves its mark.
        if !builder.is_empty() && Path::new("/proc").join(&builder).exists() {
            bail!("process {builder} is building it; wait for that, or end it and try again");
        }
        fs::write(&mark, std::process::id().to_string())?;
        Ok(Self { mark })
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.mark) {
            eprintln!("{} stays behind: {error}", self.mark.display());
        }
    }
}

/// Fetches the package, and unpacks the archive that is all that is in it.
fn unpack_source(folder: &Path, source: &Path) -> Result<()> {
    let suite = Series::Debug.suite();
    let own = Source { suite: suite.into(), ..debian::own_source()? };
    let apt = PrivateApt::new(&workspace::cache()?.join("lab/apt").join(suite), &own)?;
    apt.update()?;
    let staging = folder.join("partial");
    if staging.is_dir() {
        fs::remove_dir_all(&staging)?;
    }
    apt.download_newest(&[SOURCE.to_owned()], &staging)?;
    let archive = only_file(&staging)?;
    process::run(Command::new("dpkg").arg("-x").arg(archive).arg(&staging))?;
    let tar = staging.join(format!("usr/src/{SOURCE}.tar.xz"));
    process::run(Command::new("tar").arg("-xf").arg(tar).arg("-C").arg(&staging))?;
    fs::create_dir_all(source.parent().context("the source has a parent")?)?;
    fs::rename(staging.join(SOURCE), source)?;
    Ok(fs::remove_dir_all(staging)?)
}

fn only_file(folder: &Path) -> Result<PathBuf> {
    let file = fs::read_dir(folder)?.flatten().next();
    Ok(file.with_context(|| format!("apt-get left nothing in {}", folder.display()))?.path())
}

/// Makes `.config`. It is left alone if it would not change, so that nothing is built again.
fn configure(source: &Path) -> Result<()> {
    let wanted = source.join("dm-remap.config");
    let config = source.join(".config");
    if config.is_file() && fs::read_to_string(&wanted).is_ok_and(|text| text == CONFIG) {
        return Ok(());
    }
    let vng = vng::program()?;
    let mut minimal = Command::new(vng.path());
    process::run(minimal.arg("--kconfig").env("PATH", vng.search_path()?).current_dir(source))?;
    let merge = source.join("scripts/kconfig/merge_config.sh");
    let fragment = source.join("fragment.config");
    fs::write(&fragment, CONFIG)?;
    let mut merge = Command::new(merge);
    process::output(merge.args(["-m", ".config"]).arg(&fragment).current_dir(source))?;
    process::output(Command::new("make").arg("olddefconfig").current_dir(source))?;
    let missing = missing(&fs::read_to_string(&config)?);
    if !missing.is_empty() {
        bail!("the kernel cannot be configured with: {}", missing.join(" "));
    }
    Ok(fs::rename(fragment, wanted)?)
}

/// What was asked for and does not stand in a kernel's configuration.
fn missing(config: &str) -> Vec<&'static str> {
    let holds = |line: &str| match line.strip_prefix("# ").and_then(|rest| rest.strip_suffix(" is not set")) {
        Some(unwanted) => config.lines().all(|has| !has.starts_with(&format!("{unwanted}="))),
        None => line.is_empty() || line.starts_with('#') || config.lines().any(|has| has == line),
    };
    CONFIG.lines().filter(|line| !holds(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::{CONFIG, missing};

    #[test]
    fn what_the_configuration_tool_dropped_is_noticed() {
        assert!(missing(CONFIG).is_empty());
        let without = CONFIG.replace("CONFIG_KASAN=y", "# CONFIG_KASAN is not set");
        assert_eq!(missing(&without), ["CONFIG_KASAN=y"]);
        let with = CONFIG.replace("# CONFIG_DRM is not set", "CONFIG_DRM=m");
        assert_eq!(missing(&with), ["# CONFIG_DRM is not set"]);
    }
}
