//! `list`: the sets that are known here, open or not.

use std::path::PathBuf;
use std::str::FromStr as _;

use anyhow::Result;
use remap_serve::Address;
use remap_serve::control::Status;
use serde::Serialize;

use crate::exit::Outcome;
use crate::kernel;
use crate::reach::{self, Reached};
use crate::state::{Folders, Record};
use crate::text::complain;
use crate::text::table::Table;

/// Lists the sets that are known here, open or not.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print them as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    set: String,
    /// `open`, `closed`, or `unreachable` when who runs it does not answer as it should, or may not be asked.
    state: &'static str,
    main: String,
    spares: Vec<String>,
    /// Whether `open` can open it: a server or a device that was made by hand may be of a set that is not remembered.
    remembered: bool,
    /// Of open sets.
    health: Option<u8>,
    /// Of open sets that a server runs.
    uris: Vec<String>,
    /// Of open sets that the kernel runs.
    device: Option<PathBuf>,
}

/// An open set: its status, and its block device if it has one.
type Open = (Status, Option<PathBuf>);

pub fn run(args: &Args) -> Result<Outcome> {
    let folders = Folders::of_user()?;
    let (records, troubles) = folders.records()?;
    for trouble in troubles {
        complain(&format!("dm-remap: {trouble:#}"));
    }
    let mut rows: Vec<Row> = records.iter().map(row_of_record).collect();
    for name in running_names(&folders)? {
        if !records.iter().any(|record| record.name == name) {
            rows.extend(ask(&name).ok().flatten().map(|open| row_of_open(name, &open)));
        }
    }
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    if args.json {
        crate::text::print_json(&rows)?;
        return Ok(Outcome::Done);
    }
    if rows.is_empty() {
        crate::text::say(
            "no sets are known here: dm-remap create makes one, dm-remap scan looks for spares",
        )?;
        return Ok(Outcome::Done);
    }
    let mut table = Table::new(&["NAME", "STATE", ">HEALTH", "MAIN", "SPARES", "REACHED AT"]);
    for row in rows {
        let health = row.health.map_or_else(|| "-".into(), |health| health.to_string());
        let device = row.device.iter().map(|device| device.display().to_string());
        let at: Vec<String> = device.chain(row.uris).collect();
        let at = if at.is_empty() { "-".into() } else { at.join(" ") };
        table.row([row.name, row.state.into(), health, row.main, row.spares.join(" "), at]);
    }
    crate::text::print(&table.show())?;
    Ok(Outcome::Done)
}

/// What an open set says; `None` when it is closed.
fn ask(name: &str) -> Result<Option<Open>> {
    let Some(mut set) = reach::open(name, reach::PATIENCE)? else { return Ok(None) };
    Ok(Some((set.status()?, set.node())))
}

fn row_of_record(record: &Record) -> Row {
    let open = ask(&record.name);
    let state = match &open {
        Ok(Some(_)) => "open",
        Ok(None) => "closed",
        Err(_) => "unreachable",
    };
    let open = open.ok().flatten();
    Row {
        name: record.name.clone(),
        set: record.set.clone(),
        state,
        main: record.main.clone(),
        spares: record.spares.clone(),
        remembered: true,
        health: open.as_ref().map(|(status, _)| status.health),
        uris: open.as_ref().map(|(status, _)| uris(status)).unwrap_or_default(),
        device: open.and_then(|(_, device)| device),
    }
}

fn row_of_open(name: String, (status, device): &Open) -> Row {
    let missing = || "missing".to_owned();
    Row {
        name,
        set: status.uuid.clone(),
        state: "open",
        main: status.main.clone().unwrap_or_else(missing),
        spares: status.spares.iter().map(|spare| spare.path.clone().unwrap_or_else(missing)).collect(),
        remembered: false,
        health: Some(status.health),
        uris: uris(status),
        device: device.clone(),
    }
}

/// What NBD clients are given to reach an open set.
pub fn uris(status: &Status) -> Vec<String> {
    let addresses = status.server.nbd.iter().filter_map(|text| Address::from_str(text).ok());
    addresses.filter_map(|address| address.uri(&status.name, status.server.requires_tls)).collect()
}

/// The names under which sets are open, or have been: a server that was killed leaves its socket behind.
fn running_names(folders: &Folders) -> Result<Vec<String>> {
    let mut names = folders.served_names()?;
    names.extend(kernel::all()?.iter().map(kernel::KernelSet::name));
    names.sort();
    names.dedup();
    Ok(names)
}

/// The names under which open sets are reached.
pub fn open_names(folders: &Folders) -> Result<Vec<String>> {
    let is_open = |name: &String| {
        matches!(reach::open(name, reach::PATIENCE), Ok(Some(Reached::Kernel(_) | Reached::Served(_))))
    };
    Ok(running_names(folders)?.into_iter().filter(is_open).collect())
}
