//! The program that is run for each event, one after the other, with a limit on its time. It owns a thread, so that a
//! slow program delays no look.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use super::events::Event;
use crate::exit::chain;
use crate::text::complain;

/// Events that wait for the program; of more, the program does not hear.
const WAITING: usize = 100;

/// See the module.
#[derive(Debug)]
pub struct Hook {
    events: SyncSender<Event>,
}

impl Hook {
    /// Runs `program` for each event to come, for `limit` at most.
    pub fn start(program: PathBuf, limit: Duration) -> Result<Self> {
        let (events, waiting) = sync_channel::<Event>(WAITING);
        let run_all = move || {
            for event in waiting {
                if let Err(error) = run(&program, limit, &event) {
                    complain(&format!("dm-remap: hook {}: {}", program.display(), chain(&error)));
                }
            }
        };
        std::thread::Builder::new().name("hook".into()).spawn(run_all).context("cannot start a thread")?;
        Ok(Self { events })
    }

    /// Has the program run for an event, when those before it are done.
    pub fn tell(&self, event: &Event) {
        if self.events.try_send(event.clone()).is_err() {
            complain(&format!("dm-remap: the hook is too slow, and is not run for: {}", event.message));
        }
    }
}

fn run(program: &Path, limit: Duration, event: &Event) -> Result<()> {
    let mut child = Command::new(program)
        .env("DM_REMAP_SET", &event.set)
        .env("DM_REMAP_UUID", &event.uuid)
        .env("DM_REMAP_EVENT", event.kind.name())
        .env("DM_REMAP_VALUE", &event.value)
        .env("DM_REMAP_BEFORE", &event.before)
        .env("DM_REMAP_PRIORITY", (event.priority as u8).to_string())
        .env("DM_REMAP_MESSAGE", &event.message)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        // What it has started is ended with it.
        .process_group(0)
        .spawn()
        .context("cannot be run")?;
    let until = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().context("cannot be waited for")? {
            return ended(status);
        }
        if Instant::now() >= until {
            kill_process_group(Pid::from_child(&child), Signal::KILL).context("cannot be ended")?;
            child.wait().context("cannot be waited for")?;
            bail!("ended, since it took longer than {} seconds", limit.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn ended(status: ExitStatus) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    bail!("{status}")
}
