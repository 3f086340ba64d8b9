//! Mapped devices, made by the program `dmsetup` and gone when they go out of scope.

mod table;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::{guest, program};
pub use table::Table;

/// A mapped device.
#[derive(Debug)]
pub struct Device {
    name: String,
}

impl Device {
    /// A device of the name `name` that is in use at once.
    pub fn create(name: &str, table: &Table) -> Result<Self> {
        dmsetup(["create", name, &file_of(name, table)?])?;
        Ok(Self { name: name.to_owned() })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its node.
    pub fn path(&self) -> PathBuf {
        PathBuf::from("/dev/mapper").join(&self.name)
    }

    /// Gives it another table, which it uses from the next [`resume`](Self::resume) on.
    pub fn load(&self, table: &Table) -> Result<()> {
        dmsetup(["load", &self.name, &file_of(&self.name, table)?]).map(drop)
    }

    /// Lets requests end and holds back new ones; flushes what a file system on it has not written.
    pub fn suspend(&self) -> Result<()> {
        dmsetup(["suspend", &self.name]).map(drop)
    }

    /// The same without flushing, and without asking the file system: for devices that cannot write any more.
    pub fn suspend_without_flush(&self) -> Result<()> {
        dmsetup(["suspend", "--noflush", "--nolockfs", &self.name]).map(drop)
    }

    /// Goes on, with a table that was loaded meanwhile.
    pub fn resume(&self) -> Result<()> {
        dmsetup(["resume", &self.name]).map(drop)
    }

    /// Replaces the table while the device is in use. Nothing is flushed, so that a device that fails can be
    /// changed, too.
    pub fn reload(&self, table: &Table) -> Result<()> {
        self.load(table)?;
        self.suspend_without_flush()?;
        self.resume()
    }

    /// Sends a message to the target at sector 0, and gives its answer.
    pub fn message(&self, words: &str) -> Result<String> {
        dmsetup(["message", &self.name, "0", words])
    }

    /// Its table, as the targets print it.
    pub fn table(&self) -> Result<String> {
        dmsetup(["table", &self.name])
    }

    /// Its status: a line for each target.
    pub fn status(&self) -> Result<String> {
        dmsetup(["status", &self.name])
    }

    /// How many events it has had.
    pub fn events(&self) -> Result<u32> {
        let text = dmsetup(["info", "--columns", "--noheadings", "-o", "events", &self.name])?;
        text.trim().parse().with_context(|| format!("dmsetup tells events as {text:?}"))
    }

    /// Waits until it has had more than `events` events, at most `limit`.
    pub fn wait(&self, events: u32, limit: Duration) -> Result<()> {
        let limit = limit.as_secs().max(1).to_string();
        let mut wait = program::command("timeout");
        wait.args([&limit, "dmsetup", "wait", &self.name, &events.to_string()]);
        // Its exit status tells of whether there are still nodes to be made, not of the event.
        let status = wait.status().context("cannot start timeout")?;
        anyhow::ensure!(status.code() != Some(124), "{} had no event within {limit} s", self.name);
        Ok(())
    }

    /// Gives it another name.
    pub fn rename(&mut self, name: &str) -> Result<()> {
        dmsetup(["rename", &self.name, name])?;
        name.clone_into(&mut self.name);
        Ok(())
    }

    /// Removes it, and tells if it cannot be removed.
    pub fn remove(self) -> Result<()> {
        let removed = remove(&self.name);
        std::mem::forget(self);
        removed
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.name) {
            // Found and counted as left behind when the scenario is over.
            println!("cannot remove {}: {error:#}", self.name);
        }
    }
}

/// Removes every mapped device; gives the names of those that there were.
pub fn remove_all() -> Result<Vec<String>> {
    let names = names()?;
    // One may stand on another: as many rounds as there are devices are enough.
    for _ in 0..names.len() {
        for name in self::names()? {
            let _ = dmsetup(["remove", "--force", &name]);
        }
    }
    let left = self::names()?;
    anyhow::ensure!(left.is_empty(), "still there: {}", left.join(" "));
    Ok(names)
}

/// A table in a file: one of thousands of bad sectors is too long for a command line.
fn file_of(name: &str, table: &Table) -> Result<String> {
    let file = format!("{}/table-{name}", guest::SCRATCH);
    std::fs::write(&file, format!("{table}\n")).with_context(|| format!("writing {file}"))?;
    Ok(file)
}

fn names() -> Result<Vec<String>> {
    let text = dmsetup(["ls"])?;
    // Without any there is a sentence, else lines `NAME<tab>(MAJOR:MINOR)`.
    Ok(text.lines().filter_map(|line| line.split_once('\t')).map(|(name, _)| name.to_owned()).collect())
}

fn remove(name: &str) -> Result<()> {
    // Somebody may still be closing it.
    dmsetup(["remove", "--retry", name]).map(drop)
}

fn dmsetup<const N: usize>(args: [&str; N]) -> Result<String> {
    program::run("dmsetup", args)
}
