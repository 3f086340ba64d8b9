//! `monitor`: tells of all open sets, for Prometheus.

mod look;
mod metrics;
mod textfile;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context as _, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::{self, Outcome};
use crate::text::{complain, when};

/// Tells of all sets that are open on this machine, for Prometheus.
///
/// Looks at them again and again until it is ended. Sets that the kernel runs are told of to root only. Every
/// metric is described in docs/monitoring.md.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write the metrics to this file, for node_exporter's textfile collector; its name should end in `.prom`.
    #[arg(long, value_name = "FILE")]
    textfile: PathBuf,
    /// Look once, write the file, and end.
    #[arg(long)]
    once: bool,
    /// Seconds from one look to the next.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, conflicts_with = "once",
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
}

pub fn run(args: &Args) -> Result<Outcome> {
    if args.once {
        textfile::write(&args.textfile, &look()?)?;
        return Ok(Outcome::Done);
    }
    let ended = ended()?;
    loop {
        let told = look().and_then(|text| textfile::write(&args.textfile, &text));
        // The next look may do better; how old the last is, a metric tells.
        if let Err(error) = told {
            complain(&format!("dm-remap: {}", exit::chain(&error)));
        }
        match ended.recv_timeout(Duration::from_secs(args.every)) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return Ok(Outcome::Done),
        }
    }
}

fn look() -> Result<String> {
    Ok(metrics::show(&look::at_all()?, when::now_unix_s()))
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
