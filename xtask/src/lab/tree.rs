//! Ends a program together with everything that it started: a guest is a grandchild of what is called.
//!
//! The programs stay in this one's process group, so that an interrupt from the terminal reaches them all.

use std::fs;
use std::process::Command;

use crate::process;

/// Kills `root` and its descendants. Those that end meanwhile are no error.
pub fn kill(root: u32) {
    let mut doomed = vec![root];
    let parents = parents();
    let mut next = 0;
    while let Some(&parent) = doomed.get(next) {
        doomed.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(process, _)| *process));
        next += 1;
    }
    // Parents first, so that none starts another child.
    process::succeeds(Command::new("kill").arg("-KILL").args(doomed.iter().map(u32::to_string)));
}

/// Every process and its parent.
fn parents() -> Vec<(u32, u32)> {
    let Ok(all) = fs::read_dir("/proc") else { return Vec::new() };
    let parent = |process: u32| parent_in(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?);
    let ids = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(|process| Some((process, parent(process)?))).collect()
}

/// The parent in a line like `7 (a name) S 1 …`; the name may contain anything.
fn parent_in(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::{kill, parent_in};

    #[test]
    fn the_parent_is_found_behind_any_name() {
        assert_eq!(parent_in("7 (sh) S 1 7 7 0"), Some(1));
        assert_eq!(parent_in("7 (a) S 5 (b) R 12 7"), Some(12));
        assert_eq!(parent_in(""), None);
    }

    #[test]
    fn a_grandchild_is_killed() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "sh -c 'sleep 600; :' ; :"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let child = shell.spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(200));
        kill(child.id());
        // The pipe is closed only when the grandchild, too, is gone.
        child.wait_with_output().unwrap();
    }
}
