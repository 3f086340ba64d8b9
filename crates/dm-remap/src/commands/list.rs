//! `list`: the sets that are known here, open or not.

use std::str::FromStr as _;

use anyhow::Result;
use remap_serve::Address;
use remap_serve::control::Status;
use serde::Serialize;

use crate::exit::Outcome;
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
    /// `open`, `closed`, or `unreachable` when the server does not answer as it should.
    state: &'static str,
    main: String,
    spares: Vec<String>,
    /// Whether `open` can open it: a server by hand may run a set that is not remembered.
    remembered: bool,
    /// Of open sets.
    health: Option<u8>,
    uris: Vec<String>,
}

pub fn run(args: &Args) -> Result<Outcome> {
    let folders = Folders::of_user()?;
    let (records, troubles) = folders.records()?;
    for trouble in troubles {
        complain(&format!("dm-remap: {trouble:#}"));
    }
    let mut rows: Vec<Row> = records.iter().map(row_of_record).collect();
    for name in folders.served_names()? {
        if !records.iter().any(|record| record.name == name) {
            rows.extend(status_of(&name).ok().flatten().map(|status| row_of_status(name, &status)));
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
    let mut table = Table::new(&["NAME", "STATE", ">HEALTH", "MAIN", "SPARES", "NBD"]);
    for row in rows {
        let health = row.health.map_or_else(|| "-".into(), |health| health.to_string());
        let uris = if row.uris.is_empty() { "-".into() } else { row.uris.join(" ") };
        table.row([row.name, row.state.into(), health, row.main, row.spares.join(" "), uris]);
    }
    crate::text::print(&table.show())?;
    Ok(Outcome::Done)
}

/// The status of an open set.
fn status_of(name: &str) -> Result<Option<Status>> {
    match reach::running(name, reach::PATIENCE)? {
        Some(client) => Reached::Running(client).status().map(Some),
        None => Ok(None),
    }
}

fn row_of_record(record: &Record) -> Row {
    let status = status_of(&record.name);
    let state = match &status {
        Ok(Some(_)) => "open",
        Ok(None) => "closed",
        Err(_) => "unreachable",
    };
    let status = status.ok().flatten();
    Row {
        name: record.name.clone(),
        set: record.set.clone(),
        state,
        main: record.main.clone(),
        spares: record.spares.clone(),
        remembered: true,
        health: status.as_ref().map(|status| status.health),
        uris: status.as_ref().map(uris).unwrap_or_default(),
    }
}

fn row_of_status(name: String, status: &Status) -> Row {
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
    }
}

/// What NBD clients are given to reach an open set.
pub fn uris(status: &Status) -> Vec<String> {
    let addresses = status.server.nbd.iter().filter_map(|text| Address::from_str(text).ok());
    addresses.filter_map(|address| address.uri(&status.name, status.server.requires_tls)).collect()
}

/// The names under which open sets are reached.
pub fn open_names(folders: &Folders) -> Result<Vec<String>> {
    let names = folders.served_names()?;
    Ok(names
        .into_iter()
        .filter(|name| matches!(reach::running(name, reach::PATIENCE), Ok(Some(_))))
        .collect())
}
