//! `monitor`: tells of all open sets, for Prometheus.

mod http;
mod look;
mod metrics;
mod textfile;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context as _, Result};
use sd_notify::NotifyState;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::{self, Outcome};
use crate::text::{complain, when};

/// Where it listens on this machine.
const PORT: u16 = 9924;

/// Tells of all sets that are open on this machine, for Prometheus.
///
/// Looks at them again and again until it is ended. Sets that the kernel runs are told of to root only. Every
/// metric is described in docs/monitoring.md.
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
}

pub fn run(args: &Args) -> Result<Outcome> {
    if args.once {
        tell(args, None, &look()?)?;
        return Ok(Outcome::Done);
    }
    // Before the first look, so that a place that is taken is told at once.
    let listener = listen(args)?;
    let ended = ended()?;
    // Until the first look there is nothing to tell: a scraper finds no metric, rather than a wrong one.
    let page = listener.is_some().then(|| http::Page::new(""));
    keep_telling(args, page.as_ref());
    if let (Some(listener), Some(page)) = (listener, &page) {
        let at = listener.local_addr().context("the address that is listened on")?;
        http::start(listener, page.clone())?;
        crate::text::say(&format!("listening on http://{at}/metrics"))?;
    }
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    while ended.recv_timeout(Duration::from_secs(args.every)) == Err(RecvTimeoutError::Timeout) {
        keep_telling(args, page.as_ref());
    }
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    Ok(Outcome::Done)
}

fn listen(args: &Args) -> Result<Option<TcpListener>> {
    let default = args.textfile.is_none().then_some(SocketAddr::from(([127, 0, 0, 1], PORT)));
    let Some(at) = args.listen.or(default) else { return Ok(None) };
    let listener = TcpListener::bind(at).with_context(|| {
        format!("cannot listen on {at}: does another monitor run? --listen ADDR:PORT takes another place")
    })?;
    Ok(Some(listener))
}

/// Looks, and tells; a failure is told and ends nothing, since the next look may do better. How old the last one
/// is, a metric tells.
fn keep_telling(args: &Args, page: Option<&http::Page>) {
    if let Err(error) = look().and_then(|text| tell(args, page, &text)) {
        complain(&format!("dm-remap: {}", exit::chain(&error)));
    }
}

fn look() -> Result<String> {
    Ok(metrics::show(&look::at_all()?, when::now_unix_s()))
}

fn tell(args: &Args, page: Option<&http::Page>, text: &str) -> Result<()> {
    if let Some(page) = page {
        page.replace(text);
    }
    match &args.textfile {
        Some(file) => textfile::write(file, text),
        None => Ok(()),
    }
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
