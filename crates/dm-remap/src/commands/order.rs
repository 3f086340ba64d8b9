//! `remap`, `accept-loss`, `retry`, `unmap`: an operator's orders over ranges of a set.

use std::fmt::Write as _;

use anyhow::Result;
use remap_core::SectorRange;
use remap_serve::control::Order;
use remap_serve::control::response::FailedRange;
use serde::Serialize;

use crate::confirm;
use crate::exit::{Outcome, refusal};
use crate::progress::Progress;
use crate::reach::{self, Purpose, Reached};
use crate::text::{count, grouped, range};

/// Failures that are shown one by one.
const SHOWN: usize = 20;

/// Moves sectors to a spare before they fail.
///
/// Sectors that can be read are carried over; those that cannot are recorded as lost.
#[derive(Debug, clap::Args)]
pub struct RemapArgs {
    /// The name of a set, or the path of its control socket.
    #[arg(value_name = "NAME")]
    name: String,
    #[arg(value_name = "RANGE", required = true, value_parser = range::parse, help = range::HELP)]
    ranges: Vec<SectorRange>,
    /// Print what became of it as JSON.
    #[arg(long)]
    json: bool,
}

/// Gives lost sectors up: writes zeros in their place, so that they can be read again.
///
/// What they held cannot be brought back by `retry` afterwards.
#[derive(Debug, clap::Args)]
pub struct AcceptLossArgs {
    #[command(flatten)]
    where_: Where,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

/// Reads lost sectors from the main disk again, and keeps what answers.
#[derive(Debug, clap::Args)]
pub struct RetryArgs {
    #[command(flatten)]
    where_: Where,
    /// How often each sector is tried.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    attempts: u32,
}

/// Writes moved blocks back to the main disk and checks that they are there, and frees their slots.
///
/// For a main disk that has been repaired, or moves that were a mistake. What cannot be written or read back
/// stays on the spare.
#[derive(Debug, clap::Args)]
pub struct UnmapArgs {
    #[command(flatten)]
    where_: Where,
}

#[derive(Debug, clap::Args)]
struct Where {
    /// The name of a set, or the path of its control socket.
    #[arg(value_name = "NAME")]
    name: String,
    #[arg(value_name = "RANGE", required_unless_present = "all", value_parser = range::parse, help = range::HELP)]
    ranges: Vec<SectorRange>,
    /// The whole disk.
    #[arg(long, conflicts_with = "ranges")]
    all: bool,
    /// Print what became of it as JSON.
    #[arg(long)]
    json: bool,
}

/// What became of orders, counted on both sides.
#[derive(Debug, Default, Serialize)]
pub struct Effect {
    pub blocks_done: u64,
    pub failed: u64,
    /// The first of them.
    pub failures: Vec<FailedRange>,
    pub moved_sectors_before: u64,
    pub moved_sectors: u64,
    pub lost_sectors_before: u64,
    pub lost_sectors: u64,
}

pub fn remap(args: &RemapArgs) -> Result<Outcome> {
    let mut set = reach::reach(&args.name, Purpose::Change)?;
    let effect = carry_out(&mut set, Order::Remap, "moving", Some(&args.ranges))?;
    set.finish()?;
    tell(&effect, args.json)
}

pub fn accept_loss(args: &AcceptLossArgs) -> Result<Outcome> {
    let mut set = reach::reach(&args.where_.name, Purpose::Change)?;
    let sectors = set.status()?.lost_sectors;
    let loss = format!(
        "Lost sectors of {} will read as zeros; what they held is given up ({} lost in all).",
        args.where_.name,
        count(sectors, "sector")
    );
    if let Err(refused) = confirm::demand(args.yes, &loss, "accept") {
        set.finish()?;
        return Err(refused);
    }
    args.where_.finish(set, Order::AcceptLoss, "writing zeros")
}

pub fn retry(args: &RetryArgs) -> Result<Outcome> {
    let set = reach::reach(&args.where_.name, Purpose::Change)?;
    args.where_.finish(set, Order::Retry { attempts: args.attempts }, "trying again")
}

pub fn unmap(args: &UnmapArgs) -> Result<Outcome> {
    let set = reach::reach(&args.where_.name, Purpose::Change)?;
    args.where_.finish(set, Order::Unmap, "writing back")
}

impl Where {
    fn finish(&self, mut set: Reached, order: Order, what: &'static str) -> Result<Outcome> {
        let ranges = (!self.all).then_some(&*self.ranges);
        let effect = carry_out(&mut set, order, what, ranges);
        let finished = set.finish();
        let effect = effect?;
        finished?;
        tell(&effect, self.json)
    }
}

/// Has an order carried out over ranges, or over the whole set.
pub fn carry_out(
    set: &mut Reached,
    order: Order,
    what: &'static str,
    ranges: Option<&[SectorRange]>,
) -> Result<Effect> {
    let before = set.status()?;
    let whole = [reach::whole(&before)];
    let ranges = ranges.unwrap_or(&whole);
    if let Some(outside) = ranges.iter().find(|range| !range.fits(before.sectors)) {
        return Err(refusal(format!(
            "nothing was done: the set ends with sector {1}, before the end of {0}",
            range::show(*outside),
            before.sectors.saturating_sub(1)
        )));
    }
    let logical = u64::from(before.logical_bytes) / 512;
    if let Some(askew) =
        ranges.iter().find(|range| range.start.0 % logical != 0 || range.sectors % logical != 0)
    {
        return Err(refusal(format!(
            "nothing was done: {} is not made of whole blocks of {} bytes, as the disks have them; start and length must \
             be multiples of {logical} sectors",
            range::show(*askew),
            before.logical_bytes
        )));
    }
    let mut effect = Effect {
        moved_sectors_before: before.moved_sectors,
        lost_sectors_before: before.lost_sectors,
        ..Effect::default()
    };
    let mut progress = Progress::new(what, "block");
    for range in ranges {
        let ordered = set.order(order, *range, |done, total| progress.tell(done, total))?;
        effect.blocks_done += ordered.blocks_done;
        effect.failed += ordered.failed;
        effect.failures.extend(ordered.failures);
    }
    drop(progress);
    let after = set.status()?;
    effect.moved_sectors = after.moved_sectors;
    effect.lost_sectors = after.lost_sectors;
    Ok(effect)
}

fn tell(effect: &Effect, json: bool) -> Result<Outcome> {
    if json {
        crate::text::print_json(effect)?;
    } else {
        crate::text::print(&effect.tell())?;
    }
    Ok(if effect.failed > 0 { Outcome::Findings } else { Outcome::Done })
}

impl Effect {
    pub fn tell(&self) -> String {
        let now = |before: u64, after: u64| {
            if before == after {
                grouped(after)
            } else {
                format!("{}, was {}", grouped(after), grouped(before))
            }
        };
        let mut text = format!(
            "{} done; sectors moved: {}; lost: {}\n",
            count(self.blocks_done, "block"),
            now(self.moved_sectors_before, self.moved_sectors),
            now(self.lost_sectors_before, self.lost_sectors)
        );
        for FailedRange { start_sector, sectors, message } in self.failures.iter().take(SHOWN) {
            let range = SectorRange::new(remap_core::Sector(*start_sector), *sectors);
            let _ = writeln!(text, "  {}: {message}", range::show(range));
        }
        if self.failed > SHOWN as u64 {
            let _ = writeln!(text, "  and {} more places", grouped(self.failed - SHOWN as u64));
        }
        text
    }
}
