//! Reaching a set by its name: one that the kernel runs through device-mapper, one that a server runs through its
//! control socket, a closed one by opening it exclusively in this process. Commands ask the same of all three.

mod served;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use remap_core::{Sector, SectorRange};
use remap_io::device::{self, RemapDevice};
use remap_io::members::DeviceOptions;
use remap_serve::control::response::{self, FailedRange, Scrub};
use remap_serve::control::status::Server;
use remap_serve::control::{Client, ClientError, Order, Request, Status};

use crate::disks::SetDisks;
use crate::exit::refusal;
use crate::kernel::{self, KernelSet};
use crate::state::{Folders, Record, SetName};
use crate::text::complain;

/// How long a server may take to state a fact.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may be silent during an order: a failing disk takes seconds for every bad sector.
const ORDER_PATIENCE: Duration = Duration::from_secs(1800);

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
    /// The kernel runs it.
    Kernel(KernelSet),
    /// A server runs it.
    Served(Client),
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

/// Where a block's sectors are that the main disk does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Which spare of the set, from 0.
    pub spare: usize,
    /// The first sector of the block's slot there.
    pub spare_sector: u64,
    /// The first sector of the block on the main disk.
    pub block_start_sector: u64,
    /// The block's sectors that the slot holds: bit n is sector n.
    pub moved: u16,
    /// The block's sectors that nobody holds.
    pub lost: u16,
}

/// Where the control socket for `name` is: a set's name, or the path of a socket.
pub fn control_socket(name: &str) -> Result<PathBuf> {
    if name.contains('/') {
        return Ok(name.into());
    }
    let name = parse(name)?;
    Ok(Folders::of_user()?.control_socket(name.as_str()))
}

/// The open set `name`, whoever runs it; `None` when nobody does. A server may take `patience` for each answer.
pub fn open(name: &str, patience: Duration) -> Result<Option<Reached>> {
    if !is_device(name) {
        match Client::connect(&control_socket(name)?, patience) {
            Ok(client) => return Ok(Some(Reached::Served(client))),
            Err(error) if error.is_absent() => {}
            Err(error) => return Err(error.into()),
        }
    }
    let Some(set) = kernel::find(name)? else { return Ok(None) };
    refuse_other(&set)?;
    Ok(Some(Reached::Kernel(set)))
}

/// A path in `/dev` is a device, any other that of a control socket.
fn is_device(name: &str) -> bool {
    name.starts_with("/dev/")
}

/// Refuses a device that has the name of a set that is remembered, and is of another one.
fn refuse_other(set: &KernelSet) -> Result<()> {
    let name = set.name();
    let Ok(known) = name.parse::<SetName>() else { return Ok(()) };
    let record = Folders::of_user()?.find(&known)?;
    match (record, set.made_for()?) {
        (Some(record), Some(uuid)) if record.set != uuid => Err(refusal(format!(
            "the kernel runs the set {uuid} as {name}, and the set that is remembered by that name is {}: have it \
             forgotten (dm-remap forget {name}), or remove the device (dmsetup remove {name})",
            record.set
        ))),
        _ => Ok(()),
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
    if let Some(open) = open(name, patience)? {
        return Ok(open);
    }
    if is_device(name) {
        return Err(refusal(format!(
            "{name} is no device of a set: `dm-remap list` shows those that are open"
        )));
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
    if let Some(mut set) = open(name, ORDER_PATIENCE)? {
        check(&set.status()?)?;
        return Ok(set);
    }
    let mut looked = look(name)?;
    check(&looked.status()?)?;
    looked.finish()?;
    reach(name, Purpose::Change)
}

impl Reached {
    /// Whether somebody runs the set.
    pub fn is_open(&self) -> bool {
        !matches!(self, Self::Closed(_))
    }

    /// The block device of a set that the kernel runs.
    pub fn node(&self) -> Option<PathBuf> {
        match self {
            Self::Kernel(set) => Some(set.node()),
            Self::Served(_) | Self::Closed(_) => None,
        }
    }

    /// Everything that is known of the set now.
    pub fn status(&mut self) -> Result<Status> {
        match self {
            Self::Kernel(set) => set.status(),
            Self::Served(client) => served::status(client),
            Self::Closed(device) => {
                Ok(Status::new(device.status(), device.scrub_status(), Server::default()))
            }
        }
    }

    /// All mappings, ascending by place.
    pub fn mappings(&mut self) -> Result<Vec<Mapping>> {
        let mut all = match self {
            Self::Kernel(set) => set.mappings()?,
            Self::Served(client) => served::mappings(client)?,
            Self::Closed(device) => {
                let rows = device.mappings(0, usize::MAX).into_iter();
                rows.map(|row| response::Mapping::from(row).into()).collect()
            }
        };
        all.sort_unstable_by_key(|mapping| mapping.block_start_sector);
        Ok(all)
    }

    /// Has an order carried out over a range; `progress` is told blocks done and blocks in all.
    pub fn order(
        &mut self,
        order: Order,
        range: SectorRange,
        progress: impl FnMut(u64, u64),
    ) -> Result<Ordered> {
        match self {
            Self::Kernel(set) => set.order(order, range, progress),
            Self::Served(client) => served::order(client, order, range, progress),
            Self::Closed(device) => order_closed(device, order, range, progress),
        }
    }

    /// Asks about or controls the surface scan of an open set.
    pub fn scrub(&mut self, request: &Request) -> Result<Scrub> {
        match self {
            Self::Kernel(set) => set.scrub(request),
            Self::Served(client) => served::scrub(client, request),
            Self::Closed(_) => bail!("only an open set is scanned: open it first (dm-remap open NAME)"),
        }
    }

    /// Lets go of the set. One that was opened here is closed cleanly.
    pub fn finish(self) -> Result<()> {
        match self {
            Self::Kernel(_) | Self::Served(_) => Ok(()),
            Self::Closed(device) => Ok(device.close()?),
        }
    }
}

fn order_closed(
    device: &RemapDevice,
    order: Order,
    range: SectorRange,
    mut progress: impl FnMut(u64, u64),
) -> Result<Ordered> {
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

impl From<response::Mapping> for Mapping {
    fn from(mapping: response::Mapping) -> Self {
        let response::Mapping { slot: _, spare, spare_sector, block_start_sector, moved, lost } = mapping;
        Self { spare, spare_sector, block_start_sector, moved, lost }
    }
}

/// The whole of a set.
pub fn whole(status: &Status) -> SectorRange {
    SectorRange::new(Sector(0), status.sectors)
}
