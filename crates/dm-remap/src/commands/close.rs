//! `close`: has servers stop in good order, and waits for them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use remap_serve::control::Request;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::exit::Outcome;
use crate::reach::{self, Reached};
use crate::state::Folders;

/// Closes sets: everything is made durable, and the set is marked as closed cleanly.
///
/// Clients are cut off; unmount what is on the set first. Sets that are closed already stay as they are.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The names of sets, or the paths of their control sockets.
    #[arg(value_name = "NAME", required_unless_present = "all")]
    names: Vec<String>,
    /// All sets that are open.
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// How long to wait for a server to end, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u64,
}

pub fn run(args: &Args) -> Result<Outcome> {
    let names = if args.all { super::list::open_names(&Folders::of_user()?)? } else { args.names.clone() };
    for name in &names {
        let was_open =
            close(name, Duration::from_secs(args.timeout)).with_context(|| format!("closing {name}"))?;
        crate::text::say(&format!("{name} {}", if was_open { "closed" } else { "was closed" }))?;
    }
    Ok(Outcome::Done)
}

/// Closes one set, if it is open.
fn close(name: &str, patience: Duration) -> Result<bool> {
    let Some(client) = reach::running(name, reach::PATIENCE)? else {
        if !name.contains('/') {
            reach::record(name)?;
        }
        return Ok(false);
    };
    let mut reached = Reached::Running(client);
    let pid = reached.status()?.server.pid;
    let pid = Pid::from_raw(pid.cast_signed()).context("the server tells no process number")?;
    let process = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(process) => process,
        Err(Errno::SRCH) => return Ok(true),
        Err(errno) => return Err(errno).context("cannot watch the server"),
    };
    if let Reached::Running(client) = &mut reached {
        client.ask(&Request::Shutdown, |_, _| {})?;
    }
    let deadline = Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout =
            Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: i64::from(left.subsec_nanos()) };
        match poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => bail!(
                "the server (process {pid}) is still stopping after {} s: a disk takes its time; wait, and look again",
                patience.as_secs()
            ),
            Ok(_) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno).context("cannot wait for the server"),
        }
    }
}
