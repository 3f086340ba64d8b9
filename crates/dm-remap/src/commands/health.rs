//! `health`: a monitoring plugin. One line, figures behind a bar, and the exit code says the rest.

use anyhow::Result;
use remap_serve::control::Status;
use serde::Serialize;

use crate::exit::{self, Outcome, usage};
use crate::reach::{self, Reached};

/// Tells the health of a set as monitoring plugins do (Nagios, Icinga).
///
/// One line with performance data; exit code 0 for ok, 1 for a warning, 2 for critical and 3 when it cannot be
/// told. A set that has halted is critical. Health is a figure from 0 to 100 out of slots used, sectors lost, errors and their trend.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The name of a set, or the path of its device or control socket.
    #[arg(value_name = "NAME")]
    name: String,
    /// Below this, it is a warning.
    #[arg(long, value_name = "N", default_value_t = remap_core::health::WARNING_BELOW)]
    warning: u8,
    /// Below this, it is critical.
    #[arg(long, value_name = "N", default_value_t = remap_core::health::CRITICAL_BELOW)]
    critical: u8,
    /// Print the figures as JSON; the exit code stays.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Warning,
    Critical,
    Unknown,
}

#[derive(Debug, Serialize)]
struct Report<'r> {
    level: Level,
    open: bool,
    name: &'r str,
    health: Option<u8>,
    state: Option<&'r str>,
    moved_sectors: Option<u64>,
    lost_sectors: Option<u64>,
    slots_total: Option<u64>,
    slots_used: Option<u64>,
    slots_retired: Option<u64>,
    errors_last_hour: Option<u64>,
    errors_hour_before: Option<u64>,
    /// Why it cannot be told.
    why: Option<String>,
}

pub fn run(args: &Args) -> Result<Outcome> {
    if args.critical > args.warning {
        return Err(usage("--critical is above --warning: what is critical is a warning, too"));
    }
    let (level, line) = match look(&args.name) {
        Ok((status, open)) => {
            let level = if status.health < args.critical {
                Level::Critical
            } else if status.health < args.warning {
                Level::Warning
            } else {
                Level::Ok
            };
            if args.json {
                crate::text::print_json(&report(level, open, &status))?;
                return Ok(level.outcome());
            }
            (level, tell(args, &status, open))
        }
        Err(error) => {
            let why = one_line(&exit::chain(&error));
            let level = if is_halted(&args.name) { Level::Critical } else { Level::Unknown };
            if args.json {
                crate::text::print_json(&report_silent(level, &args.name, why))?;
                return Ok(level.outcome());
            }
            (level, why)
        }
    };
    crate::text::say(&format!("DM-REMAP {} - {line}", level.word()))?;
    Ok(level.outcome())
}

fn look(name: &str) -> Result<(Status, bool)> {
    let mut set = reach::look(name)?;
    let status = set.status()?;
    let open = set.is_open();
    set.finish()?;
    Ok((status, open))
}

/// Whether the kernel runs the set and fails every request to it: that is known, though no figure is.
fn is_halted(name: &str) -> bool {
    matches!(reach::open(name, reach::PATIENCE), Ok(Some(Reached::Kernel(set))) if set.is_halted())
}

impl Level {
    fn outcome(self) -> Outcome {
        Outcome::Plugin(self as u8)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

fn tell(args: &Args, status: &Status, open: bool) -> String {
    let state = if open { &*status.state } else { "closed" };
    format!(
        "{}: {state}, health {}, {} sectors moved, {} lost | health={};{}:;{}:;0;100 moved={} lost={} slots_used={};;;0;{} \
         slots_retired={} errors_last_hour={}",
        args.name,
        status.health,
        status.moved_sectors,
        status.lost_sectors,
        status.health,
        args.warning,
        args.critical,
        status.moved_sectors,
        status.lost_sectors,
        status.slots_used,
        status.slots_total,
        status.slots_retired,
        status.errors_last_hour
    )
}

fn report(level: Level, open: bool, status: &Status) -> Report<'_> {
    Report {
        level,
        open,
        name: &status.name,
        health: Some(status.health),
        state: Some(&status.state),
        moved_sectors: Some(status.moved_sectors),
        lost_sectors: Some(status.lost_sectors),
        slots_total: Some(status.slots_total),
        slots_used: Some(status.slots_used),
        slots_retired: Some(status.slots_retired),
        errors_last_hour: Some(status.errors_last_hour),
        errors_hour_before: Some(status.errors_hour_before),
        why: None,
    }
}

fn report_silent(level: Level, name: &str, why: String) -> Report<'_> {
    Report {
        level,
        open: false,
        name,
        health: None,
        state: None,
        moved_sectors: None,
        lost_sectors: None,
        slots_total: None,
        slots_used: None,
        slots_retired: None,
        errors_last_hour: None,
        errors_hour_before: None,
        why: Some(why),
    }
}

/// A plugin says one line, and a bar in it would begin figures.
fn one_line(text: &str) -> String {
    text.replace(['\n', '|'], " ")
}
