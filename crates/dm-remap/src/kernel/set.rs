//! One set that the kernel runs: what it tells, and what it is told to do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use dm_control::block::{BlockDevice, mapped_devices};
use dm_control::{DeviceInfo, DeviceName, Error, Mapper, Removed, Selector, escape};
use remap_core::SectorRange;
use remap_serve::control::response::{FailedRange, Scrub, Spare};
use remap_serve::control::status::Server;
use remap_serve::control::{Order, Request, Status};

use super::answers::{self, Stats};
use super::members::{self, Members};
use super::pieces::{self, Piece};
use super::target::TARGET;
use crate::exit::refusal;
use crate::reach::{Mapping, Ordered};

/// What the UUIDs of our devices begin with; the set's UUID follows.
pub const UUID_PREFIX: &str = "DMREMAP-";

/// See the module.
#[derive(Debug)]
pub struct KernelSet {
    mapper: Mapper,
    name: DeviceName,
}

/// The set of the device `name`, a set's name or the path of a device; `None` when the kernel runs none of it.
pub fn find(name: &str) -> Result<Option<KernelSet>> {
    let mapper = match Mapper::open() {
        Ok(mapper) => mapper,
        Err(Error::NotPermitted) if is_listed(name) => {
            return Err(refusal(format!(
                "{name} is open in the kernel, where only root may reach it: try again with sudo"
            )));
        }
        Err(Error::NoDeviceMapper | Error::NotPermitted) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let info = if name.contains('/') {
        let Some(device) = BlockDevice::at(Path::new(name)) else { return Ok(None) };
        mapper.info(Selector::Number(device.number()))
    } else {
        let Ok(name) = DeviceName::of(name) else { return Ok(None) };
        mapper.info(Selector::Name(&name))
    };
    let info = match info {
        Err(error) if error.is_absent() => return Ok(None),
        info => info?,
    };
    let set = KernelSet { mapper, name: info.name };
    Ok(set.is_one()?.then_some(set))
}

/// Whether the kernel tells everybody, root or not, of a set of this name.
pub fn is_listed(name: &str) -> bool {
    let Ok(name) = DeviceName::of(name) else { return false };
    mapped_devices().iter().any(|(known, uuid)| known == name.as_str() && uuid.starts_with(UUID_PREFIX))
}

/// All sets that the kernel runs, by name; none where device-mapper cannot be asked.
pub fn all() -> Result<Vec<KernelSet>> {
    let mapper = match Mapper::open() {
        Ok(mapper) => mapper,
        Err(Error::NoDeviceMapper | Error::NotPermitted) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut sets = Vec::new();
    for entry in mapper.list()? {
        let set = KernelSet { mapper: Mapper::open()?, name: entry.name };
        match set.is_one() {
            Ok(true) => sets.push(set),
            Ok(false) => {}
            // It went while the others were looked at.
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(error),
        }
    }
    sets.sort_by_key(KernelSet::name);
    Ok(sets)
}

fn is_absent(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Error>().is_some_and(Error::is_absent)
}

impl KernelSet {
    /// The name of its device.
    pub fn name(&self) -> String {
        self.name.text()
    }

    /// Its device.
    pub fn node(&self) -> PathBuf {
        Path::new("/dev/mapper").join(self.name.as_str())
    }

    /// The same, made if it is not there: whoever opened the set may have been ended before.
    pub fn make_node(&self) -> Result<PathBuf> {
        Ok(self.mapper.node(&self.name)?)
    }

    /// The UUID of the set that the device was made for by this command; `None` when it was made by another.
    pub fn made_for(&self) -> Result<Option<String>> {
        let uuid = self.info()?.uuid;
        Ok(uuid.and_then(|uuid| uuid.as_str().strip_prefix(UUID_PREFIX).map(str::to_owned)))
    }

    /// What device-mapper knows of the device.
    pub fn info(&self) -> Result<DeviceInfo> {
        Ok(self.mapper.info(Selector::Name(&self.name))?)
    }

    fn is_one(&self) -> Result<bool> {
        Ok(members::is_set(&self.mapper.table(&self.name)?))
    }

    /// Everything that is known of the set now.
    pub fn status(&self) -> Result<Status> {
        let stats = Stats::parse(&self.ask("stats")?)?;
        let members = self.members()?;
        let device = BlockDevice::of_number(self.info()?.number);
        let spares = self.spares(&members)?;
        let number = |key| stats.number(key);
        let unknown = || format!("the kernel does not tell the limits of {}", self.node().display());
        Ok(Status {
            name: self.name(),
            uuid: stats.uuid.clone(),
            state: state(&stats.state).to_owned(),
            read_only_on_request: number("read_only")? != 0,
            sectors: number("sectors")?,
            logical_bytes: device.logical_block_bytes().with_context(unknown)?,
            physical_bytes: device.physical_block_bytes().with_context(unknown)?,
            block_bytes: u32::try_from(number("block_sectors")? * 512)?,
            main: Some(Self::shown(&members.main)),
            health: u8::try_from(number("health")?)?,
            moved_sectors: number("moved_sectors")?,
            lost_sectors: number("lost_sectors")?,
            slots_total: number("slots_total")?,
            slots_used: number("mapped_blocks")?,
            slots_retired: number("slots_retired")?,
            read_errors: number("main_read_errors")?,
            write_errors: number("main_write_errors")?,
            metadata_errors: number("metadata_errors")?,
            errors_last_hour: number("errors_last_hour")?,
            errors_hour_before: number("errors_hour_before")?,
            generation: number("generation")?,
            in_flight: device.in_flight().with_context(unknown)?,
            spares,
            io: stats.requests(),
            recovery: stats.recovery(),
            scrub: answers::scrub(&self.ask("scrub status")?)?,
            server: Server::default(),
        })
    }

    fn spares(&self, members: &Members) -> Result<Vec<Spare>> {
        let spares = answers::spares(&self.ask("spares")?)?;
        let path = |number: usize| Some(Self::shown(members.spares.get(number.checked_sub(1)?)?));
        let spare = |spare: answers::Spare| Spare {
            path: path(spare.number),
            uuid: spare.uuid,
            state: spare.state,
            sectors: spare.sectors,
            slots_total: spare.slots,
            slots_used: spare.used,
            slots_retired: spare.retired,
        };
        Ok(spares.into_iter().map(spare).collect())
    }

    /// All mappings, in the order of their slots.
    pub fn mappings(&self) -> Result<Vec<Mapping>> {
        let members = self.members()?;
        let spares = answers::spares(&self.ask("spares")?)?;
        // By number in the line to place in the set. A missing spare cannot be told from another that is missing.
        let places: BTreeMap<usize, usize> =
            spares.iter().enumerate().map(|(place, spare)| (spare.number, place)).collect();
        let (mut all, mut from) = (Vec::new(), 0);
        loop {
            let (mappings, next) = answers::mappings(&self.ask(&format!("mappings {from}"))?, from)?;
            for mapping in mappings {
                let place = places.get(&mapping.number).copied();
                let start = if mapping.number == 1 { members.first_spare_start } else { 0 };
                all.push(Mapping {
                    spare: place.context("the target tells a mapping on a spare that it does not list")?,
                    spare_sector: mapping.spare_sector + start,
                    block_start_sector: mapping.block_start_sector,
                    moved: mapping.moved,
                    lost: mapping.lost,
                });
            }
            match next {
                Some(next) => from = next,
                None => return Ok(all),
            }
        }
    }

    /// Has an order carried out over a range; `progress` is told blocks done and blocks in all.
    pub fn order(
        &self,
        order: Order,
        range: SectorRange,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Ordered> {
        let block_sectors = Stats::parse(&self.ask("stats")?)?.number("block_sectors")?;
        let pieces = if order == Order::Remap {
            pieces::of_range(range, block_sectors)
        } else {
            let mut starts: Vec<u64> =
                self.mappings()?.iter().map(|mapping| mapping.block_start_sector).collect();
            starts.sort_unstable();
            pieces::of_mapped(range, block_sectors, &starts)
        };
        let total = pieces.iter().map(|piece| piece.blocks).sum();
        let mut report = Ordered::default();
        let mut seen = 0;
        progress(0, total);
        for piece in pieces {
            let answer = answers::ordered(&self.ask(&words(order, piece))?)?;
            report.blocks_done += answer.blocks.saturating_sub(answer.failed);
            if answer.failed > 0 {
                report.failed += answer.failed;
                report.failures.push(failure(piece, &answer));
            }
            seen += piece.blocks;
            progress(seen, total);
            // It ended early: nothing else can succeed.
            if answer.failed > 0 && answer.blocks < piece.blocks {
                break;
            }
        }
        Ok(report)
    }

    /// Asks about or controls the surface scan.
    pub fn scrub(&self, request: &Request) -> Result<Scrub> {
        match request {
            Request::ScrubStart { rate_bytes_per_s } => {
                // The target counts in MiB, and 0 is without limit.
                let rate = rate_bytes_per_s.div_ceil(1 << 20);
                self.ask(&format!("scrub start {rate}"))?;
            }
            Request::ScrubStop => drop(self.ask("scrub stop")?),
            _ => {}
        }
        answers::scrub(&self.ask("scrub status")?)
    }

    /// Formats a blank device and adds it to the set.
    pub fn add_spare(&self, device: &Path) -> Result<()> {
        let device = device.to_str().with_context(|| format!("{} is not UTF-8", device.display()))?;
        self.ask(&format!("add_spare {}", escape(device))).map(drop)
    }

    /// Carries what lies on a spare to the others, and lets it leave. It is given as the table line has it.
    pub fn remove_spare(&self, device: &str) -> Result<()> {
        self.ask(&format!("remove_spare {}", escape(device))).map(drop)
    }

    /// The spares of the table line, in its order, as major and minor numbers.
    pub fn line_spares(&self) -> Result<Vec<String>> {
        Ok(self.members()?.spares)
    }

    /// Where in the table line, from 0, the spare is that is listed with this number, from 1.
    pub fn line_place(&self, number: usize) -> Result<Option<usize>> {
        let spares = answers::spares(&self.ask("spares")?)?;
        let spare = number.checked_sub(1).and_then(|place| spares.get(place));
        Ok(spare.and_then(|spare| spare.number.checked_sub(1)))
    }

    /// The path by which a person knows a device of the table line.
    pub fn shown(device: &str) -> String {
        members::path(device).display().to_string()
    }

    /// Removes the device, which closes the set.
    pub fn close(&self, when_unused: bool) -> Result<Removed> {
        Ok(self.mapper.remove(&self.name, when_unused)?)
    }

    /// Who uses the device, as far as the kernel tells.
    pub fn users(&self) -> Result<Vec<String>> {
        Ok(BlockDevice::of_number(self.info()?.number).users())
    }

    fn members(&self) -> Result<Members> {
        let table = self.mapper.table(&self.name)?;
        let line = table.first().with_context(|| format!("{} has no table", self.name))?;
        Members::of_line(line)
    }

    fn ask(&self, message: &str) -> Result<String> {
        self.mapper.message(&self.name, message).map_err(|error| self.explain(error))
    }

    /// Whether the target found its own state broken; it tells nothing else then.
    pub fn is_halted(&self) -> bool {
        let is_halted = |line: &dm_control::Line| answers::is_halted(&line.arguments);
        self.mapper.status(&self.name).is_ok_and(|lines| lines.iter().any(is_halted))
    }

    /// A set that has stopped answers nothing but an error number.
    fn explain(&self, error: Error) -> anyhow::Error {
        match error {
            Error::Refused { why, .. } => {
                refusal(format!("{}: the kernel's target refused: {why}", self.name))
            }
            Error::Os { .. } if self.is_halted() => anyhow::Error::msg(format!(
                "{0} is halted: the target {TARGET} found its own state broken and fails every request, so that nothing \
                 wrong is written. Save `dmesg`, close the set (dm-remap close {0}), and check its spares (dm-remap check)",
                self.name
            )),
            error => error.into(),
        }
    }
}

/// The words of a set's state that a server has, too: how well it is, its health tells.
fn state(word: &str) -> &str {
    match word {
        "ok" | "degraded" => "active",
        other => other,
    }
}

fn words(order: Order, piece: Piece) -> String {
    let SectorRange { start, sectors } = piece.range;
    match order {
        Order::Remap => format!("remap {start} {sectors}"),
        Order::AcceptLoss => format!("accept_loss {start} {sectors}"),
        Order::Retry { attempts } => format!("retry {start} {sectors} {attempts}"),
        Order::Unmap => format!("unmap {start} {sectors}"),
    }
}

fn failure(piece: Piece, answer: &answers::Ordered) -> FailedRange {
    let why = answer.why.clone().unwrap_or_else(|| "the target does not tell why".to_owned());
    let message = if answer.failed == 1 && piece.blocks == 1 {
        why
    } else {
        format!("{} of {} blocks here, the last since: {why}", answer.failed, piece.blocks)
    };
    FailedRange { start_sector: piece.range.start.0, sectors: piece.range.sectors, message }
}
