//! A set that a server runs, asked through its control socket.

use anyhow::{Result, bail};
use remap_core::SectorRange;
use remap_serve::control::response::Scrub;
use remap_serve::control::{Client, Order, Request, Response, Status};

use super::{Mapping, Ordered};

/// Mappings asked for at once.
const CHUNK: u32 = 4096;

pub fn status(client: &mut Client) -> Result<Status> {
    match client.ask(&Request::Status, |_, _| {})? {
        Response::Status(status) => Ok(*status),
        other => unexpected(&other),
    }
}

/// All mappings, in the order of their slots.
pub fn mappings(client: &mut Client) -> Result<Vec<Mapping>> {
    let mut all = Vec::new();
    let mut next = Some(0);
    while let Some(from_slot) = next {
        match client.ask(&Request::Mappings { from_slot, limit: CHUNK }, |_, _| {})? {
            Response::Mappings { mappings, next_slot } => {
                all.extend(mappings.into_iter().map(Mapping::from));
                next = next_slot;
            }
            other => return unexpected(&other),
        }
    }
    Ok(all)
}

pub fn order(
    client: &mut Client,
    order: Order,
    range: SectorRange,
    progress: impl FnMut(u64, u64),
) -> Result<Ordered> {
    let request = Request::Order { order, start_sector: range.start.0, sectors: range.sectors };
    match client.ask(&request, progress)? {
        Response::Ordered { blocks_done, failed, failures } => Ok(Ordered { blocks_done, failed, failures }),
        other => unexpected(&other),
    }
}

pub fn scrub(client: &mut Client, request: &Request) -> Result<Scrub> {
    match client.ask(request, |_, _| {})? {
        Response::Scrub(scrub) => Ok(scrub),
        other => unexpected(&other),
    }
}

fn unexpected<T>(response: &Response) -> Result<T> {
    bail!("the server gave an answer that does not fit ({response:?}): is it of another version?")
}
