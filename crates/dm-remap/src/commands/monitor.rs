//! `monitor`: watches all open sets; metrics for Prometheus, events for the journal and hooks.

mod events;
mod forecast;
mod hook;
mod http;
mod journal;
mod look;
mod metrics;
mod textfile;
mod watch;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context as _, Result};
use sd_notify::NotifyState;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use self::hook::Hook;
use self::journal::Journal;
use self::watch::Watch;
use crate::exit::{self, Outcome};
use crate::text::{complain, when};

/// Where it listens on this machine.
const PORT: u16 = 9924;

/// Watches all sets that are open on this machine: metrics for Prometheus, events for the journal and a program.
///
/// Looks at them again and again until it is ended. Sets that the kernel runs are told of to root only. Every
/// metric and event is described in docs/monitoring.md.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Answer HTTP requests for /metrics here [default without --textfile: 127.0.0.1:9924].
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// Write the metrics to this file, for the textfile collector of the node exporter; it should end in `.prom`.
    #[arg(long, value_name = "FILE")]
    textfile: Option<PathBuf>,
    /// Look once, write the file, and end.
    #[arg(long, requires = "textfile", conflicts_with_all = ["listen", "every"])]
    once: bool,
    /// Seconds from one look to the next.
    #[arg(long, value_name = "SECONDS", default_value_t = 15,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
    /// Run this program for each event, which it finds in its environment (`DM_REMAP_EVENT` and others).
    #[arg(long, value_name = "PROGRAM", conflicts_with = "once")]
    hook: Option<PathBuf>,
    /// Seconds after which that program is ended.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, requires = "hook",
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    hook_limit: u64,
    /// Where the journal takes events; they go to standard error when nobody listens there.
    #[arg(long, value_name = "SOCKET", default_value = journal::SOCKET)]
    journal: PathBuf,
}

/// What is remembered and told from look to look.
struct Monitor<'a> {
    args: &'a Args,
    page: Option<http::Page>,
    watch: Watch,
    journal: Journal,
    hook: Option<Hook>,
}

pub fn run(args: &Args) -> Result<Outcome> {
    let mut monitor = Monitor {
        args,
        page: None,
        watch: Watch::default(),
        journal: Journal::at(&args.journal),
        hook: None,
    };
    if args.once {
        monitor.look()?;
        return Ok(Outcome::Done);
    }
    // Before the first look, so that a place that is taken is told at once.
    let listener = listen(args)?;
    let ended = ended()?;
    let limit = Duration::from_secs(args.hook_limit);
    monitor.hook = args.hook.clone().map(|program| Hook::start(program, limit)).transpose()?;
    // Until the first look there is nothing to tell: a scraper finds no metric, rather than a wrong one.
    monitor.page = listener.is_some().then(|| http::Page::new(""));
    monitor.keep_looking();
    if let (Some(listener), Some(page)) = (listener, &monitor.page) {
        let at = listener.local_addr().context("the address that is listened on")?;
        http::start(listener, page.clone())?;
        crate::text::say(&format!("listening on http://{at}/metrics"))?;
    }
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    while ended.recv_timeout(Duration::from_secs(args.every)) == Err(RecvTimeoutError::Timeout) {
        monitor.keep_looking();
    }
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    Ok(Outcome::Done)
}

impl Monitor<'_> {
    /// Looks; a failure is told and ends nothing, since the next look may do better. How old the last one is, a
    /// metric tells.
    fn keep_looking(&mut self) {
        if let Err(error) = self.look() {
            complain(&format!("dm-remap: {}", exit::chain(&error)));
        }
    }

    /// Looks at all sets once, and tells what it saw and what happened since.
    fn look(&mut self) -> Result<()> {
        let mut looks = look::at_all()?;
        let now_s = when::now_unix_s();
        for event in self.watch.see(&mut looks, now_s) {
            self.journal.tell(&event);
            if let Some(hook) = &self.hook {
                hook.tell(&event);
            }
        }
        let text = metrics::show(&looks, now_s);
        if let Some(page) = &self.page {
            page.replace(&text);
        }
        match &self.args.textfile {
            Some(file) => textfile::write(file, &text),
            None => Ok(()),
        }
    }
}

fn listen(args: &Args) -> Result<Option<TcpListener>> {
    let default = args.textfile.is_none().then_some(SocketAddr::from(([127, 0, 0, 1], PORT)));
    let Some(at) = args.listen.or(default) else { return Ok(None) };
    let listener = TcpListener::bind(at).with_context(|| {
        format!("cannot listen on {at}: does another monitor run? --listen ADDR:PORT takes another place")
    })?;
    Ok(Some(listener))
}

/// Hears of the first signal that is to end this process.
fn ended() -> Result<Receiver<()>> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).context("cannot take signals")?;
    let (end, ended) = channel();
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for (count, _) in signals.forever().enumerate() {
            // A look may hang in the kernel; who asks twice does not wait for it.
            if count > 0 || end.send(()).is_err() {
                std::process::exit(1);
            }
        }
    })?;
    Ok(ended)
}
