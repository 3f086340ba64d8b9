//! Whether this kernel has the target, and if not, what is in the way.

use std::fs;

use dm_control::{Error, Mapper};

use crate::exit::refusal;

/// The target's name.
pub const TARGET: &str = "remap";
/// All names that the module gives it.
pub const NAMES: [&str; 3] = ["remap", "dm-remap", "dm-remap-v4"];
/// The module's file, whatever it is packed with.
const MODULE_FILE: &str = "dm_remap.ko";

/// Device-mapper with the target.
#[derive(Debug)]
pub struct Target {
    pub mapper: Mapper,
    /// Major, minor, patch.
    pub version: [u32; 3],
}

impl Target {
    /// Loads the module where it is not loaded. An error says what is in the way, and what to do.
    pub fn load() -> anyhow::Result<Self> {
        let mapper = Mapper::open()?;
        match mapper.target_version(TARGET) {
            Ok(version) => Ok(Self { mapper, version }),
            Err(Error::NoTarget(_)) => Err(refusal(why_missing())),
            Err(error) => Err(error.into()),
        }
    }

    /// Its version as people write it.
    pub fn shown_version(&self) -> String {
        let [major, minor, patch] = self.version;
        format!("{major}.{minor}.{patch}")
    }
}

/// Why there is no target.
fn why_missing() -> String {
    let release = read("/proc/sys/kernel/osrelease");
    let release = release.trim();
    let is_installed = read(&format!("/lib/modules/{release}/modules.dep")).contains(MODULE_FILE);
    let is_locked_down = is_locked_down(&read("/sys/kernel/security/lockdown"));
    missing(release, is_installed, is_locked_down)
}

fn missing(release: &str, is_installed: bool, is_locked_down: bool) -> String {
    let what = "the kernel has no target `remap`";
    match (is_installed, is_locked_down) {
        (false, _) => format!(
            "{what}: the module dm_remap is not installed for Linux {release}. Install the package dm-remap-dkms, or run the \
             set in user space (--via nbd)"
        ),
        (true, true) => format!(
            "{what}: the module dm_remap is installed, but Secure Boot lets only signed modules in. Enroll the key that it \
             is signed with (mokutil --import /var/lib/dkms/mok.pub, then reboot), or run the set in user space (--via nbd)"
        ),
        (true, false) => format!(
            "{what}: the module dm_remap is installed, but does not load. `modprobe dm_remap` and the end of `dmesg` tell \
             why; the set can be run in user space (--via nbd)"
        ),
    }
}

/// `none [integrity] confidentiality`: what is in force stands in brackets.
fn is_locked_down(lockdown: &str) -> bool {
    lockdown.contains('[') && !lockdown.contains("[none]")
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{is_locked_down, missing};

    #[test]
    fn what_is_in_the_way_is_told_with_what_to_do() {
        assert!(missing("6.12.0", false, false).contains("dm-remap-dkms"));
        assert!(missing("6.12.0", true, true).contains("mokutil"));
        assert!(missing("6.12.0", true, false).contains("modprobe dm_remap"));
    }

    #[test]
    fn lockdown_is_what_stands_in_brackets() {
        assert!(is_locked_down("none [integrity] confidentiality\n"));
        assert!(!is_locked_down("[none] integrity confidentiality\n") && !is_locked_down(""));
    }
}
