//! Which packages make up a kernel: found by following the dependencies of Debian's names for "the kernel".

use anyhow::{Context, Result};

/// The name of whatever image is current in a suite.
const IMAGE: &str = "linux-image-amd64";
/// The same for what modules are built against.
const HEADERS: &str = "linux-headers-amd64";

/// A kernel and the packages that it consists of.
#[derive(Debug, PartialEq, Eq)]
pub struct Packages {
    /// What `uname -r` prints.
    pub version: String,
    pub names: Vec<String>,
}

/// `depends` tells what a package depends on.
pub fn of_newest_kernel(depends: impl Fn(&str) -> Result<Vec<String>>) -> Result<Packages> {
    let version = version_of(&depends(IMAGE)?).with_context(|| format!("{IMAGE} depends on no image"))?;
    let mut names = vec![format!("linux-image-{version}"), format!("linux-headers-{version}")];
    // Grows while it is walked, until no package brings a new one.
    let mut next = 0;
    while let Some(package) = names.get(next) {
        for dependency in depends(package).with_context(|| format!("{HEADERS} may be of another version"))? {
            if is_part(&dependency, &version) && !names.contains(&dependency) {
                names.push(dependency);
            }
        }
        next += 1;
    }
    Ok(Packages { version, names })
}

fn version_of(dependencies: &[String]) -> Option<String> {
    let images = dependencies.iter().filter_map(|name| name.strip_prefix("linux-image-"));
    images.map(str::to_owned).find(|version| version.starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether a package belongs to this kernel and to no other: parts carry its version without the flavour, as
/// `linux-headers-6.12.9+deb12-common`; only the build tools of old kernels are shared.
fn is_part(package: &str, version: &str) -> bool {
    let release = version.trim_end_matches("-amd64");
    let unsigned_twin = package.ends_with("-unsigned");
    (package.contains(&format!("-{release}")) || package.starts_with("linux-kbuild-")) && !unsigned_twin
}

#[cfg(test)]
mod tests {
    use super::{Packages, of_newest_kernel};

    fn packages(table: &[(&str, &[&str])]) -> Packages {
        let depends = |package: &str| {
            let row = table.iter().find(|(name, _)| *name == package);
            Ok(row.map_or(&[][..], |(_, depends)| depends).iter().map(|&name| name.to_owned()).collect())
        };
        of_newest_kernel(depends).unwrap()
    }

    #[test]
    fn an_old_kernel_is_an_image_headers_and_shared_build_tools() {
        let found = packages(&[
            ("linux-image-amd64", &["linux-image-6.1.0-5-amd64"]),
            ("linux-image-6.1.0-5-amd64", &["linux-base", "dracut", "linux-image-6.1.0-5-amd64-unsigned"]),
            (
                "linux-headers-6.1.0-5-amd64",
                &["linux-headers-6.1.0-5-common", "linux-kbuild-6.1", "linux-compiler-gcc-12-x86"],
            ),
        ]);
        assert_eq!(found.version, "6.1.0-5-amd64");
        assert_eq!(
            found.names,
            [
                "linux-image-6.1.0-5-amd64",
                "linux-headers-6.1.0-5-amd64",
                "linux-headers-6.1.0-5-common",
                "linux-kbuild-6.1"
            ]
        );
    }

    #[test]
    fn a_new_kernel_comes_in_more_parts() {
        let found = packages(&[
            ("linux-image-amd64", &["linux-base-amd64", "linux-image-7.3.4+deb13-amd64"]),
            (
                "linux-image-7.3.4+deb13-amd64",
                &["linux-base", "linux-binary-7.3.4+deb13-amd64", "linux-modules-7.3.4+deb13-amd64"],
            ),
            ("linux-binary-7.3.4+deb13-amd64", &["linux-base-7.3.4+deb13-amd64"]),
        ]);
        assert_eq!(
            found.names[2..],
            [
                "linux-binary-7.3.4+deb13-amd64",
                "linux-modules-7.3.4+deb13-amd64",
                "linux-base-7.3.4+deb13-amd64"
            ]
        );
    }
}
