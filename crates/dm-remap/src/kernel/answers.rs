//! What the target says, taken apart. All of it is parsed strictly: a text that is not as documented is an error, and
//! nothing is made up in its place.

use std::collections::BTreeMap;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail, ensure};
use remap_core::counters::{Counts, IoCounts};
use remap_serve::control::response::Scrub;

/// The one word of a set that found its own state broken.
const HALTED: &str = "halted";

/// The answer to `stats`: facts, what serving counted, and what recovery counted, a line each. Two names occur twice,
/// and their order tells which is which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// The set's UUID.
    pub uuid: String,
    /// The set's name; empty when it has none.
    pub name: String,
    /// `ok`, `degraded`, `failing` or `read-only`.
    pub state: String,
    numbers: Vec<(String, u64)>,
}

/// A line of the answer to `spares`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spare {
    /// Its number in the table line, from 1; 0 when it is missing.
    pub number: usize,
    pub uuid: String,
    /// `present`, `missing`, `offline` or `draining`.
    pub state: String,
    pub sectors: u64,
    pub slots: u64,
    pub used: u64,
    pub retired: u64,
}

/// A line of the answer to `mappings`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    pub block_start_sector: u64,
    /// The spare's number in the table line, from 1; 0 when it is missing.
    pub number: usize,
    /// Counted from the start of the part of the spare that is used.
    pub spare_sector: u64,
    pub moved: u16,
    pub lost: u16,
}

/// The answer to an order over a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordered {
    /// Blocks that were worked on, those that failed included.
    pub blocks: u64,
    pub failed: u64,
    /// Why the last one failed.
    pub why: Option<String>,
}

/// Whether the status line is that of a set which has stopped, see [`HALTED`].
pub fn is_halted(status: &str) -> bool {
    status.trim() == HALTED
}

impl Stats {
    pub fn parse(text: &str) -> Result<Self> {
        let (mut uuid, mut name, mut state) = (None, String::new(), None);
        let mut numbers = Vec::new();
        for line in text.lines() {
            let (key, value) = line.split_once(' ').with_context(|| strange("a counter", line))?;
            match key {
                "uuid" => uuid = Some(value.to_owned()),
                "name" => value.clone_into(&mut name),
                "state" => state = Some(value.to_owned()),
                _ => numbers.push((key.to_owned(), number(value)?)),
            }
        }
        let (uuid, state) =
            (uuid.context("the target tells no UUID")?, state.context("the target tells no state")?);
        ensure!(matches!(&*state, "ok" | "degraded" | "failing" | "read-only"), strange("a state", &state));
        Ok(Self { uuid, name, state, numbers })
    }

    /// A counter that every version of the target has.
    pub fn number(&self, key: &str) -> Result<u64> {
        let found = self.numbers.iter().find(|(name, _)| name == key);
        found.map(|(_, number)| *number).with_context(|| {
            format!("the target does not tell `{key}`: is the module dm_remap of another version than this command?")
        })
    }

    /// What serving counted, by name.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        IoCounts::default().for_each(|name, _| {
            let found = self.numbers.iter().find(|(known, _)| known == name);
            counts.extend(found.cloned());
        });
        counts
    }

    /// What recovery counted, by name.
    pub fn recovery(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        Counts::default().for_each(|name, _| {
            let found = self.numbers.iter().rev().find(|(known, _)| known == name);
            counts.extend(found.cloned());
        });
        counts
    }
}

/// The answer to `spares`.
pub fn spares(text: &str) -> Result<Vec<Spare>> {
    let parse = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let [place, uuid, state, sectors, slots, used, retired] = words[..] else {
            bail!(strange("a spare", line))
        };
        ensure!(
            matches!(state, "present" | "missing" | "offline" | "draining"),
            strange("the state of a spare", line)
        );
        Ok(Spare {
            number: number(place)?,
            uuid: uuid.to_owned(),
            state: state.to_owned(),
            sectors: number(sectors)?,
            slots: number(slots)?,
            used: number(used)?,
            retired: number(retired)?,
        })
    };
    text.lines().map(parse).collect()
}

/// The answer to `mappings`, and from which slot to ask for more. The slot asked from was `from`.
pub fn mappings(text: &str, from: u32) -> Result<(Vec<Mapping>, Option<u32>)> {
    let mut mappings = Vec::new();
    let mut lines = text.lines();
    for line in lines.by_ref() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["next", slot] => {
                let next = number(slot)?;
                ensure!(next > from && lines.next().is_none(), strange("the end of the mappings", line));
                return Ok((mappings, Some(next)));
            }
            [start, place, sector, moved, lost] => mappings.push(Mapping {
                block_start_sector: number(start)?,
                number: number(place)?,
                spare_sector: number(sector)?,
                moved: mask(moved)?,
                lost: mask(lost)?,
            }),
            _ => bail!(strange("a mapping", line)),
        }
    }
    Ok((mappings, None))
}

/// The answer to an order: `blocks 3 failed 1 (last: …)`.
pub fn ordered(text: &str) -> Result<Ordered> {
    let text = text.trim_end();
    let parsed = (|| {
        let (blocks, rest) = text.strip_prefix("blocks ")?.split_once(" failed ")?;
        let (failed, why) = match rest.split_once(" (last: ") {
            Some((failed, why)) => (failed, Some(why.strip_suffix(')')?.to_owned())),
            None => (rest, None),
        };
        Some(Ordered { blocks: blocks.parse().ok()?, failed: failed.parse().ok()?, why })
    })();
    parsed.with_context(|| strange("the end of an order", text))
}

/// The answer to `scrub status`: words and figures by turns.
pub fn scrub(text: &str) -> Result<Scrub> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [
        state @ ("never" | "running" | "done" | "stopped" | "failed"),
        "sectors",
        sectors,
        "failures",
        failures,
        "copies_repaired",
        repaired,
        "copies_bad",
        bad,
        "pages",
        pages,
    ] = words[..]
    else {
        bail!(strange("the state of the scrub", text));
    };
    let (done, total) = sectors.split_once('/').with_context(|| strange("how far the scrub is", text))?;
    Ok(Scrub {
        state: state.to_owned(),
        sectors_done: number(done)?,
        sectors_total: number(total)?,
        failures: number(failures)?,
        pages_done: number(pages)?,
        repaired: number(repaired)?,
        bad: number(bad)?,
    })
}

fn number<N: FromStr>(text: &str) -> Result<N>
where
    N::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().with_context(|| strange("a number", text))
}

fn mask(text: &str) -> Result<u16> {
    u16::from_str_radix(text, 16).with_context(|| strange("a mask", text))
}

fn strange(what: &str, text: &str) -> String {
    format!(
        "the target tells {what} as {text:?}: is the module dm_remap of another version than this command?"
    )
}

#[cfg(test)]
mod tests;
