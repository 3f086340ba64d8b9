//! `status`: the facts about one set at a glance.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use remap_serve::control::Status;
use serde::Serialize;

use crate::exit::Outcome;
use crate::reach;
use crate::text::{count, grouped, size, table};

/// Shows the facts about a set at a glance.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The name of a set, or the path of its device or control socket.
    #[arg(value_name = "NAME")]
    name: String,
    /// Show them again and again, so many seconds apart, until the set is closed or this is ended.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86400))]
    watch: Option<u64>,
    /// Print everything that is known as JSON; with --watch, a line each time.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Facts<'s> {
    open: bool,
    /// Of a set that the kernel runs.
    device: Option<&'s Path>,
    #[serde(flatten)]
    status: &'s Status,
}

pub fn run(args: &Args) -> Result<Outcome> {
    let Some(seconds) = args.watch else {
        show(args)?;
        return Ok(Outcome::Done);
    };
    let is_terminal = !args.json && io::stdout().is_terminal();
    loop {
        if is_terminal {
            // To the upper left corner, and nothing below.
            crate::text::print("\x1b[H\x1b[J")?;
        }
        let is_open = show(args)?;
        if !is_open {
            return Ok(Outcome::Done);
        }
        if !is_terminal && !args.json {
            crate::text::say("")?;
        }
        std::thread::sleep(Duration::from_secs(seconds));
    }
}

/// Shows the facts once; whether the set is open.
fn show(args: &Args) -> Result<bool> {
    let mut set = reach::look(&args.name)?;
    let status = set.status()?;
    let open = set.is_open();
    let node = set.node();
    let facts = Facts { open, device: node.as_deref(), status: &status };
    if args.json && args.watch.is_some() {
        crate::text::say(&serde_json::to_string(&facts)?)?;
    } else if args.json {
        crate::text::print_json(&facts)?;
    } else {
        crate::text::print(&tell(&facts))?;
    }
    set.finish()?;
    Ok(open)
}

fn tell(facts: &Facts<'_>) -> String {
    let Facts { open, device, status } = *facts;
    let state = if open { format!("open, {}", status.state) } else { "closed".into() };
    let main = status.main.as_deref().unwrap_or("missing");
    let errors = status.read_errors + status.write_errors;
    let mut lines = vec![
        ("set", format!("{} ({})", status.name, status.uuid)),
        ("state", format!("{state}, health {} of 100", status.health)),
        ("main", format!("{main}, {}", size::show_sectors(status.sectors))),
        ("moved", format!("{} to spares", count(status.moved_sectors, "sector"))),
        ("lost", lost(status.lost_sectors)),
        (
            "slots",
            format!(
                "{} of {} used, {} failed; {} each",
                grouped(status.slots_used),
                grouped(status.slots_total),
                grouped(status.slots_retired),
                size::show(u64::from(status.block_bytes))
            ),
        ),
    ];
    for (number, spare) in (1_u32..).zip(&status.spares) {
        let path = spare.path.as_deref().unwrap_or("-");
        lines.push((
            "spare",
            format!(
                "{number}: {path}, {}, {}; {} of {} slots used",
                size::show_sectors(spare.sectors),
                spare.state,
                grouped(spare.slots_used),
                grouped(spare.slots_total)
            ),
        ));
    }
    if open {
        lines.push((
            "errors",
            format!(
                "{} reading, {} writing since it was opened, {} of all in the last hour; {} of metadata",
                grouped(status.read_errors),
                grouped(status.write_errors),
                if errors == 0 { "none".into() } else { grouped(status.errors_last_hour) },
                grouped(status.metadata_errors)
            ),
        ));
        let requests = |name: &str| grouped(status.io.get(name).copied().unwrap_or(0));
        lines.push((
            "requests",
            format!(
                "{} reads, {} writes, {} flushes since it was opened; {} under way",
                requests("reads"),
                requests("writes"),
                requests("flushes"),
                status.in_flight
            ),
        ));
        lines.push(("scrub", super::scrub::tell(&status.scrub)));
        lines.push(match device {
            Some(device) => ("device", format!("{}, run by the kernel", device.display())),
            None => ("server", server(status)),
        });
    }
    table::pairs(&lines)
}

fn server(status: &Status) -> String {
    let uris = super::list::uris(status).join(" ");
    format!("process {}, {}: {uris}", status.server.pid, count(status.server.connections, "client"))
}

fn lost(sectors: u64) -> String {
    if sectors == 0 {
        return "nothing".into();
    }
    format!("{}: reading them fails until they are written", count(sectors, "sector"))
}
