//! `close`: has devices removed and servers stopped in good order, and waits for them.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use dm_control::{Error, Removed};
use remap_serve::control::{Client, Request};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::exit::{Outcome, refusal, usage};
use crate::kernel::KernelSet;
use crate::reach::{self, Reached};
use crate::state::Folders;

/// Whoever looks at every new device, as udev does, is done within this time.
const ONLOOKERS: Duration = Duration::from_secs(3);
/// A device that is in use is tried again this often within that time.
const EVERY: Duration = Duration::from_millis(100);

/// Closes sets: everything is made durable, and the set is marked as closed cleanly.
///
/// A device of the kernel that is in use stays open, and who uses it is told. Clients of a server are cut off; unmount
/// what is on the set first. Sets that are closed already stay as they are.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The names of sets, or the paths of their devices or control sockets.
    #[arg(value_name = "NAME", required_unless_present = "all")]
    names: Vec<String>,
    /// All sets that are open.
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Of sets in the kernel: close them now, or as soon as nobody uses them any more.
    #[arg(long)]
    when_unused: bool,
    /// How long to wait for a server to end, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u64,
}

pub fn run(args: &Args) -> Result<Outcome> {
    let names = if args.all { super::list::open_names(&Folders::of_user()?)? } else { args.names.clone() };
    for name in &names {
        let became = close(name, args).with_context(|| format!("closing {name}"))?;
        crate::text::say(&format!("{name} {became}"))?;
    }
    Ok(Outcome::Done)
}

/// Closes one set, if it is open; what became of it, in words.
fn close(name: &str, args: &Args) -> Result<&'static str> {
    match reach::open(name, reach::PATIENCE)? {
        Some(Reached::Kernel(set)) => close_device(&set, args.when_unused),
        Some(Reached::Served(_)) if args.when_unused => {
            Err(usage("--when-unused is for sets in the kernel: clients of a server are cut off"))
        }
        Some(Reached::Served(client)) => stop_server(client, Duration::from_secs(args.timeout)),
        Some(Reached::Closed(_)) | None => {
            if !name.contains('/') {
                reach::record(name)?;
            }
            Ok("was closed")
        }
    }
}

fn close_device(set: &KernelSet, when_unused: bool) -> Result<&'static str> {
    let deadline = Instant::now() + ONLOOKERS;
    loop {
        let error = match set.close(when_unused) {
            Ok(Removed::Now) => return Ok("closed"),
            Ok(Removed::Later) => return Ok("will be closed when nobody uses it any more"),
            Err(error) => error,
        };
        if !matches!(error.downcast_ref(), Some(Error::Busy(_))) {
            return Err(error);
        }
        let users = set.users()?;
        if !users.is_empty() {
            return Err(refusal(format!(
                "{} is in use by {}: stop that first, or have it closed later (--when-unused)",
                set.node().display(),
                users.join(", ")
            )));
        }
        if Instant::now() > deadline {
            return Err(refusal(format!(
                "{0} is open in a program: `fuser -v {0}` tells in which. Stop that first, or have it closed later \
                 (--when-unused)",
                set.node().display()
            )));
        }
        sleep(EVERY);
    }
}

fn stop_server(client: Client, patience: Duration) -> Result<&'static str> {
    let mut reached = Reached::Served(client);
    let pid = reached.status()?.server.pid;
    let pid = Pid::from_raw(pid.cast_signed()).context("the server tells no process number")?;
    let process = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(process) => process,
        Err(Errno::SRCH) => return Ok("closed"),
        Err(errno) => return Err(errno).context("cannot watch the server"),
    };
    if let Reached::Served(client) = &mut reached {
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
            Ok(_) => return Ok("closed"),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno).context("cannot wait for the server"),
        }
    }
}
