//! `dm-remap`: the command, its pages and completions, and what opens sets at boot.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::deb::{Package, packaging};
use crate::{process, workspace};

/// Files of `packaging/` and where they go.
const TEXTS: [(&str, &str); 5] = [
    ("udev/65-dm-remap.rules", "usr/lib/udev/rules.d/65-dm-remap.rules"),
    ("systemd/dm-remap-open@.service", "usr/lib/systemd/system/dm-remap-open@.service"),
    ("systemd/dm-remap-monitor.service", "usr/lib/systemd/system/dm-remap-monitor.service"),
    ("grafana/dm-remap.json", "usr/share/dm-remap/grafana/dm-remap.json"),
    ("prometheus/dm-remap.rules.yml", "usr/share/dm-remap/prometheus/dm-remap.rules.yml"),
];
/// The same for what is run.
const SCRIPTS: [(&str, &str); 4] = [
    ("initramfs-tools/hooks/dm-remap", "usr/share/initramfs-tools/hooks/dm-remap"),
    ("initramfs-tools/scripts/local-top/dm-remap", "usr/share/initramfs-tools/scripts/local-top/dm-remap"),
    ("dracut/90dm-remap/module-setup.sh", "usr/lib/dracut/modules.d/90dm-remap/module-setup.sh"),
    ("dracut/90dm-remap/dm-remap-open.sh", "usr/lib/dracut/modules.d/90dm-remap/dm-remap-open.sh"),
];

pub fn build(version: &str, out: &Path) -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    process::run(
        cargo.args(["build", "--release", "--locked", "--package=dm-remap"]).current_dir(workspace::root()),
    )?;
    let built = workspace::target().join("release/dm-remap");
    let package = Package::new("dm-remap", version, out)?;
    let program = package.place("usr/bin/dm-remap")?;
    process::output(Command::new("strip").arg("-o").arg(&program).arg(&built))?;
    let pages = package.place("usr/share/man/man1")?;
    process::output(Command::new(&built).arg("man").arg(&pages))?;
    for page in fs::read_dir(&pages)? {
        let name = page?.file_name().to_string_lossy().into_owned();
        package.compress(&format!("usr/share/man/man1/{name}"))?;
    }
    for (shell, path) in [
        ("bash", "usr/share/bash-completion/completions/dm-remap"),
        ("zsh", "usr/share/zsh/vendor-completions/_dm-remap"),
        ("fish", "usr/share/fish/vendor_completions.d/dm-remap.fish"),
    ] {
        let text = process::output(Command::new(&built).args(["completions", shell]))?;
        package.write(path, text.as_bytes())?;
    }
    for (from, path) in TEXTS {
        package.text(&packaging(from), path)?;
    }
    for (from, path) in SCRIPTS {
        package.script(&packaging(from), path)?;
    }
    let libraries = libraries(out, &program)?;
    package.finish(out, &libraries)
}

/// The packages of the libraries that `program` is linked to, as the package manager names them.
fn libraries(out: &Path, program: &Path) -> Result<String> {
    // The program that knows looks for a source package around it.
    let source = out.join("staging/source");
    fs::create_dir_all(source.join("debian"))?;
    fs::write(source.join("debian/control"), "Source: dm-remap\n\nPackage: dm-remap\nArchitecture: amd64\n")?;
    let mut find = Command::new("dpkg-shlibdeps");
    let found = process::output(find.arg("-O").arg(program).current_dir(&source))?;
    let line = found.lines().find_map(|line| line.strip_prefix("shlibs:Depends="));
    line.map(str::to_owned).with_context(|| format!("dpkg-shlibdeps says something else: {found}"))
}
