//! `scrub`: the surface scan of an open set.

use std::time::Duration;

use anyhow::Result;
use remap_serve::control::Request;
use remap_serve::control::response::Scrub;

use crate::exit::{Outcome, refusal};
use crate::progress::Progress;
use crate::reach;
use crate::text::{count, size};

/// How often a scan that is waited for is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Reads the whole main disk in the background, so that bad sectors are found while they can be dealt with.
///
/// Around a bad sector it looks closer. Afterwards every copy of the metadata is verified and repaired. The set
/// must be open, and stays in use.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The name of a set, or the path of its device or control socket.
    #[arg(value_name = "NAME")]
    name: String,
    #[arg(value_enum)]
    action: Action,
    /// At most so many bytes a second; 0 is without limit.
    #[arg(long, value_name = "RATE", default_value = "50M", value_parser = size::parse_rate)]
    rate: u64,
    /// With start: wait for the end.
    #[arg(long)]
    wait: bool,
    /// Print how far it is as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Action {
    /// Begin.
    Start,
    /// End it early.
    Stop,
    /// How far it is, or how the last one ended.
    Status,
}

pub fn run(args: &Args) -> Result<Outcome> {
    let Some(mut set) = reach::open(&args.name, reach::PATIENCE)? else {
        reach::record(&args.name)?;
        return Err(refusal(format!(
            "{0} is closed, and only an open set is scanned: dm-remap open {0}",
            args.name
        )));
    };
    let request = match args.action {
        Action::Start => Request::ScrubStart { rate_bytes_per_s: args.rate },
        Action::Stop => Request::ScrubStop,
        Action::Status => Request::ScrubStatus,
    };
    let mut scrub = set.scrub(&request)?;
    if args.action == Action::Start && args.wait {
        let mut progress = Progress::new("reading", "sector");
        while scrub.state == "running" {
            std::thread::sleep(LOOK_EVERY);
            scrub = set.scrub(&Request::ScrubStatus)?;
            progress.tell(scrub.sectors_done, scrub.sectors_total);
        }
    }
    if args.json {
        crate::text::print_json(&scrub)?;
    } else {
        crate::text::say(&tell(&scrub))?;
    }
    let care = scrub.state != "running" && (scrub.failures > 0 || scrub.bad > 0);
    Ok(if care || scrub.state == "failed" { Outcome::Findings } else { Outcome::Done })
}

/// How far a scan is, in a line.
pub fn tell(scrub: &Scrub) -> String {
    if scrub.state == "never" {
        return "none since the set was opened".into();
    }
    let percent = scrub.sectors_done.checked_mul(100).and_then(|done| done.checked_div(scrub.sectors_total));
    format!(
        "{}, {} % read, {} with bad sectors; {} verified, {} repaired, {} bad",
        scrub.state,
        percent.unwrap_or(100),
        count(scrub.failures, "place"),
        count(scrub.pages_done, "map page"),
        scrub.repaired,
        scrub.bad
    )
}
