//! Reaching a set by its name: a running one through its server's control socket, a closed one by opening it
//! exclusively in this process. Commands ask the same of both.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use remap_core::{Sector, SectorRange};
use remap_io::device::{self, RemapDevice};
use remap_io::members::DeviceOptions;
use remap_serve::control::response::{FailedRange, Mapping, Scrub};
use remap_serve::control::status::Server;
use remap_serve::control::{Client, ClientError, Order, Request, Response, Status};

use crate::disks::SetDisks;
use crate::exit::refusal;
use crate::state::{Folders, Record, SetName};
use crate::text::complain;

/// How long a server may take to state a fact.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may be silent during an order: a failing disk takes seconds for every bad sector.
const ORDER_PATIENCE: Duration = Duration::from_secs(1800);
/// Mappings asked for at once.
const CHUNK: u32 = 4096;

/// What is to be done with a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Nothing is changed: a closed set is opened read-only.
    Look,
    /// Mappings are changed.
    Change,
}

/// A set within reach.
#[derive(Debug)]
pub enum Reached {
    /// A server runs it.
    Running(Client),
    /// It is open in this process alone.
    Closed(Arc<RemapDevice>),
}

/// What became of an order.
#[derive(Debug, Default)]
pub struct Ordered {
    pub blocks_done: u64,
    pub failed: u64,
    pub failures: Vec<FailedRange>,
}

/// Where the control socket for `name` is: a set's name, or the path of a socket.
pub fn control_socket(name: &str) -> Result<PathBuf> {
    if name.contains('/') {
        return Ok(name.into());
    }
    let name = parse(name)?;
    Ok(Folders::of_user()?.control_socket(name.as_str()))
}

/// Connects to the server of `name`; `None` when there is none.
pub fn running(name: &str, patience: Duration) -> Result<Option<Client>> {
    match Client::connect(&control_socket(name)?, patience) {
        Ok(client) => Ok(Some(client)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The record of `name`, or a refusal that says where to look.
pub fn record(name: &str) -> Result<Record> {
    let found = Folders::of_user()?.find(&parse(name)?)?;
    found.ok_or_else(|| unknown(name))
}

/// That there is no such set.
fn unknown(name: &str) -> anyhow::Error {
    refusal(format!(
        "no set is called `{name}`: `dm-remap list` shows the sets that are known here, `dm-remap scan` looks for \
         spares of others"
    ))
}

fn parse(name: &str) -> Result<SetName> {
    name.parse().map_err(|error: String| refusal(format!("`{}`: {error}", name.escape_default())))
}

/// Reaches `name`, whichever way, to learn something. A closed set is opened read-only.
pub fn look(name: &str) -> Result<Reached> {
    reach(name, Purpose::Look)
}

/// Reaches `name`, whichever way.
fn reach(name: &str, purpose: Purpose) -> Result<Reached> {
    let patience = if purpose == Purpose::Change { ORDER_PATIENCE } else { PATIENCE };
    if let Some(client) = running(name, patience)? {
        return Ok(Reached::Running(client));
    }
    if name.contains('/') {
        return Err(ClientError::NoServer(Path::new(name).to_owned()).into());
    }
    let record = record(name)?;
    let read_only = purpose == Purpose::Look;
    let options = DeviceOptions { read_only, ..DeviceOptions::default() };
    let device = SetDisks::of_record(&record)?
        .open_device(&options, Some(&record))
        .with_context(|| format!("the set {name} is closed, and cannot be opened to do this"))?;
    // Whoever changes a set has looked at it before.
    if let Some(doubt) = device.doubt().filter(|_| purpose == Purpose::Look) {
        complain(&format!("dm-remap: {name}: warning: {doubt}"));
    }
    Ok(Reached::Closed(device))
}

/// Reaches `name` to change something, once `check` has agreed with what is known of the set. A closed set is
/// looked at first: opening it for a change writes to it.
pub fn change(name: &str, check: impl FnOnce(&Status) -> Result<()>) -> Result<Reached> {
    if let Some(client) = running(name, ORDER_PATIENCE)? {
        let mut set = Reached::Running(client);
        check(&set.status()?)?;
        return Ok(set);
    }
    let mut looked = look(name)?;
    check(&looked.status()?)?;
    looked.finish()?;
    reach(name, Purpose::Change)
}

impl Reached {
    /// Whether a server runs the set.
    pub fn is_running(&self) -> bool {
        matches!(self, Self::Running(_))
    }

    /// Everything that is known of the set now.
    pub fn status(&mut self) -> Result<Status> {
        match self {
            Self::Running(client) => match client.ask(&Request::Status, |_, _| {})? {
                Response::Status(status) => Ok(*status),
                other => unexpected(&other),
            },
            Self::Closed(device) => {
                Ok(Status::new(device.status(), device.scrub_status(), Server::default()))
            }
        }
    }

    /// All mappings, ascending by place.
    pub fn mappings(&mut self) -> Result<Vec<Mapping>> {
        let mut all: Vec<Mapping> = Vec::new();
        let mut next = Some(0);
        while let Some(from_slot) = next {
            match self {
                Self::Running(client) => {
                    let request = Request::Mappings { from_slot, limit: CHUNK };
                    match client.ask(&request, |_, _| {})? {
                        Response::Mappings { mappings, next_slot } => {
                            all.extend(mappings);
                            next = next_slot;
                        }
                        other => return unexpected(&other),
                    }
                }
                Self::Closed(device) => {
                    all.extend(device.mappings(from_slot, usize::MAX).into_iter().map(Mapping::from));
                    next = None;
                }
            }
        }
        all.sort_unstable_by_key(|mapping| mapping.block_start_sector);
        Ok(all)
    }

    /// Has an order carried out over a range; `progress` is told blocks done and blocks in all.
    pub fn order(
        &mut self,
        order: Order,
        range: SectorRange,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Ordered> {
        match self {
            Self::Running(client) => {
                let request = Request::Order { order, start_sector: range.start.0, sectors: range.sectors };
                match client.ask(&request, progress)? {
                    Response::Ordered { blocks_done, failed, failures } => {
                        Ok(Ordered { blocks_done, failed, failures })
                    }
                    other => unexpected(&other),
                }
            }
            Self::Closed(device) => {
                let order = match order {
                    Order::Remap => device::Order::Remap,
                    Order::AcceptLoss => device::Order::AcceptLoss,
                    Order::Retry { attempts } => device::Order::Retry { attempts },
                    Order::Unmap => device::Order::Unmap,
                };
                let report = device.order(order, range, &mut progress)?;
                let failures = report.failures.into_iter().map(|(range, message)| FailedRange {
                    start_sector: range.start.0,
                    sectors: range.sectors,
                    message,
                });
                let failures: Vec<_> = failures.collect();
                Ok(Ordered { blocks_done: report.blocks_done, failed: failures.len() as u64, failures })
            }
        }
    }

    /// Asks about or controls the surface scan of a running set.
    pub fn scrub(&mut self, request: &Request) -> Result<Scrub> {
        let Self::Running(client) = self else {
            bail!("only an open set is scanned: open it first (dm-remap open NAME)");
        };
        match client.ask(request, |_, _| {})? {
            Response::Scrub(scrub) => Ok(scrub),
            other => unexpected(&other),
        }
    }

    /// Lets go of the set. One that was opened here is closed cleanly.
    pub fn finish(self) -> Result<()> {
        match self {
            Self::Running(_) => Ok(()),
            Self::Closed(device) => Ok(device.close()?),
        }
    }
}

/// The whole of a set.
pub fn whole(status: &Status) -> SectorRange {
    SectorRange::new(Sector(0), status.sectors)
}

fn unexpected<T>(response: &Response) -> Result<T> {
    bail!("the server gave an answer that does not fit ({response:?}): is it of another version?")
}
