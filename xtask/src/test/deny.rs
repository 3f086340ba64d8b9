//! Licences, sources and known flaws of the dependencies, as `deny.toml` wants them.

use std::fs;
use std::time::Duration;

use anyhow::Result;

use crate::process::{self, cargo};
use crate::workspace;

/// How long the database of known flaws may take to arrive.
const FETCH_LIMIT: Duration = Duration::from_secs(60);

pub fn run() -> Result<()> {
    process::run(&mut cargo(["deny", "check", "bans", "licenses", "sources"])?)?;
    // The database of known flaws lives on another host than the packages, and builders without a way to
    // it must still be able to test.
    fs::create_dir_all(workspace::target())?;
    let log = workspace::target().join("deny-fetch.log");
    let fetched = process::logged(&mut cargo(["deny", "fetch", "db"])?, &log, FETCH_LIMIT)?;
    if fetched.is_some_and(|status| status.success()) {
        process::run(&mut cargo(["deny", "--offline", "check", "advisories"])?)
    } else {
        println!("the database of known flaws cannot be reached: advisories are not checked");
        Ok(())
    }
}
