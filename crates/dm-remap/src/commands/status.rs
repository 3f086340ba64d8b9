//! `status`: the facts about one set at a glance.

use anyhow::Result;
use remap_serve::control::Status;
use serde::Serialize;

use crate::exit::Outcome;
use crate::reach;
use crate::text::{count, grouped, size, table};

/// Shows the facts about a set at a glance.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The name of a set, or the path of its control socket.
    #[arg(value_name = "NAME")]
    name: String,
    /// Print everything that is known as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Facts<'s> {
    open: bool,
    #[serde(flatten)]
    status: &'s Status,
}

pub fn run(args: &Args) -> Result<Outcome> {
    let mut set = reach::look(&args.name)?;
    let status = set.status()?;
    let open = set.is_running();
    if args.json {
        crate::text::print_json(&Facts { open, status: &status })?;
    } else {
        crate::text::print(&tell(&status, open))?;
    }
    set.finish()?;
    Ok(Outcome::Done)
}

fn tell(status: &Status, open: bool) -> String {
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
        let server = &status.server;
        let uris = super::list::uris(status).join(" ");
        lines.push((
            "server",
            format!("process {}, {}: {uris}", server.pid, count(server.connections, "client")),
        ));
    }
    table::pairs(&lines)
}

fn lost(sectors: u64) -> String {
    if sectors == 0 {
        return "nothing".into();
    }
    format!("{}: reading them fails until they are written", count(sectors, "sector"))
}
