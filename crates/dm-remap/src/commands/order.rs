//! `remap`, `accept-loss`, `retry`, `unmap`: an operator's orders over ranges of a set.

use std::fmt::Write as _;

use anyhow::Result;
use remap_core::SectorRange;
use remap_serve::control::response::FailedRange;
use remap_serve::control::{Order, Status};
use serde::Serialize;

use crate::confirm;
use crate::exit::{Outcome, refusal, usage};
use crate::progress::Progress;
use crate::reach::{self, Reached};
use crate::text::{count, grouped, range};

/// Failures that are shown one by one.
const SHOWN: usize = 20;

/// Moves sectors to a spare before they fail.
///
/// Sectors that can be read are carried over; those that cannot are recorded as lost.
#[derive(Debug, clap::Args)]
pub struct RemapArgs {
    /// The name of a set, or the path of its device or control socket.
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
    /// The name of a set, or the path of its device or control socket.
    #[arg(value_name = "NAME")]
    name: String,
    #[arg(value_name = "RANGE", value_parser = range::parse, help = range::HELP)]
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
    let set = reach::change(&args.name, |status| check(status, &args.ranges))?;
    finish(set, Order::Remap, "moving", Some(&args.ranges), args.json)
}

pub fn accept_loss(args: &AcceptLossArgs) -> Result<Outcome> {
    let set = reach::change(&args.where_.name, |status| {
        args.where_.check(status)?;
        let loss = format!(
            "Lost sectors of {} will read as zeros; what they held is given up ({} lost in all).",
            args.where_.name,
            count(status.lost_sectors, "sector")
        );
        confirm::demand(args.yes, &loss, "accept")
    })?;
    args.where_.finish(set, Order::AcceptLoss, "writing zeros")
}

pub fn retry(args: &RetryArgs) -> Result<Outcome> {
    let set = args.where_.reach()?;
    args.where_.finish(set, Order::Retry { attempts: args.attempts }, "trying again")
}

pub fn unmap(args: &UnmapArgs) -> Result<Outcome> {
    let set = args.where_.reach()?;
    args.where_.finish(set, Order::Unmap, "writing back")
}

impl Where {
    /// Refuses a command line that names no sectors, and ranges that are not the set's.
    fn check(&self, status: &Status) -> Result<()> {
        if self.ranges.is_empty() && !self.all {
            return Err(usage("say which sectors: ranges, or --all for the whole disk"));
        }
        check(status, &self.ranges)
    }

    fn reach(&self) -> Result<Reached> {
        reach::change(&self.name, |status| self.check(status))
    }

    fn finish(&self, set: Reached, order: Order, what: &'static str) -> Result<Outcome> {
        let ranges = (!self.all).then_some(&*self.ranges);
        finish(set, order, what, ranges, self.json)
    }
}

/// Has an order carried out, lets go of the set, and tells what became of it.
fn finish(
    mut set: Reached,
    order: Order,
    what: &'static str,
    ranges: Option<&[SectorRange]>,
    json: bool,
) -> Result<Outcome> {
    let effect = carry_out(&mut set, order, what, ranges);
    let finished = set.finish();
    let effect = effect?;
    finished?;
    if json {
        crate::text::print_json(&effect)?;
    } else {
        crate::text::print(&effect.tell())?;
    }
    Ok(if effect.failed > 0 { Outcome::Findings } else { Outcome::Done })
}

/// Refuses ranges that are not the set's.
pub fn check(status: &Status, ranges: &[SectorRange]) -> Result<()> {
    if let Some(outside) = ranges.iter().find(|range| !range.fits(status.sectors)) {
        return Err(refusal(format!(
            "nothing was done: the set ends with sector {}, before the end of {}",
            status.sectors.saturating_sub(1),
            range::show(*outside),
        )));
    }
    let logical = u64::from(status.logical_bytes) / 512;
    let is_whole =
        |range: &&SectorRange| range.start.0.is_multiple_of(logical) && range.sectors.is_multiple_of(logical);
    if let Some(askew) = ranges.iter().find(|range| !is_whole(range)) {
        return Err(refusal(format!(
            "nothing was done: {} is not made of whole blocks of {} bytes, as the disks have them; start and length must \
             be multiples of {logical} sectors",
            range::show(*askew),
            status.logical_bytes
        )));
    }
    Ok(())
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
