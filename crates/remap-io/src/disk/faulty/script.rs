//! The text that says where a disk fails and how.
//!
//! Owns its grammar, both ways; parsing is strict, since a fault that was misspelt makes a test that shows
//! nothing. What a rule does to a request is in `armed`.

use std::fmt;
use std::str::FromStr;

use remap_core::{DiskError, Sector, SectorRange};

/// The most rules in a script.
pub const MAX_RULES: usize = 1 << 20;

/// The longest delay of a slow range, in milliseconds.
pub const MAX_DELAY_MS: u64 = 600_000;

/// Faults, one a line:
///
/// ```text
/// bad 100 2                # sectors 100 and 101 fail reads and writes
/// bad-read 200 1 once      # the first read that touches it fails
/// bad-read 208 8 heal-on-write
/// bad-write 300 8 times=3 error=timeout
/// slow 500 8 ms=20         # what touches it takes 20 ms longer
/// offline                  # nothing works at all
/// ```
///
/// Start and count are in sectors of 512 bytes. `error=` is `medium` (the default), `io`, `timeout`,
/// `offline` or `transport`; `times=` counts the requests that fail, and `once` is `times=1`. With `heal-on-write` a sector
/// that is written is readable again. `#` starts a comment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultScript {
    /// The rules, in the order of the text.
    pub rules: Vec<Rule>,
}

/// One line of a [`FaultScript`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// What it does.
    pub fault: Fault,
    /// The sectors it is about; all of them for [`Fault::Offline`].
    pub range: SectorRange,
    /// How many requests it hits; `None` for all of them.
    pub times: Option<u32>,
}

/// What a [`Rule`] does to a request that touches its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Reads and writes fail.
    Bad(DiskError),
    /// Reads fail.
    BadRead {
        /// How.
        error: DiskError,
        /// Whether a sector that is written can be read again.
        heal_on_write: bool,
    },
    /// Writes fail.
    BadWrite(DiskError),
    /// Reads and writes take longer.
    Slow {
        /// By how much, in milliseconds: 1 to [`MAX_DELAY_MS`].
        ms: u64,
    },
    /// Every request fails, flushes and discards too.
    Offline,
}

/// Which line of a script makes no sense, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ScriptError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

const ERRORS: [(&str, DiskError); 5] = [
    ("medium", DiskError::Medium),
    ("io", DiskError::Io),
    ("timeout", DiskError::Timeout),
    ("offline", DiskError::Offline),
    ("transport", DiskError::Transport),
];

impl FromStr for FaultScript {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Self, ScriptError> {
        let mut rules = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let failed = |reason| ScriptError { line: index + 1, reason };
            if let Some(rule) = parse_line(line).map_err(failed)? {
                if rules.len() == MAX_RULES {
                    return Err(failed(format!("more than {MAX_RULES} rules")));
                }
                rules.push(rule);
            }
        }
        Ok(Self { rules })
    }
}

/// What may follow a verb and its range, each at most once.
#[derive(Default)]
struct Modifiers {
    times: Option<u32>,
    error: Option<DiskError>,
    ms: Option<u64>,
    heal_on_write: Option<()>,
}

fn parse_line(line: &str) -> Result<Option<Rule>, String> {
    let text = line.split_once('#').map_or(line, |(text, _)| text);
    let mut words = text.split_ascii_whitespace();
    let Some(verb) = words.next() else { return Ok(None) };
    if !["bad", "bad-read", "bad-write", "slow", "offline"].contains(&verb) {
        return Err(format!("`{verb}` is none of bad, bad-read, bad-write, slow, offline"));
    }
    let range = if verb == "offline" {
        SectorRange::new(Sector(0), u64::MAX)
    } else {
        let start = number(words.next(), "start sector")?;
        let count = number(words.next(), "count of sectors")?;
        if count == 0 || start.checked_add(count).is_none() {
            return Err(format!("{count} sectors from {start} are no range"));
        }
        SectorRange::new(Sector(start), count)
    };
    let mut modifiers = Modifiers::default();
    for word in words {
        modifiers.add(word)?;
    }
    let Modifiers { times, error, ms, heal_on_write } = modifiers;
    let misfit = |there: bool, name: &str| {
        if there { Err(format!("`{name}` does not go with `{verb}`")) } else { Ok(()) }
    };
    misfit(error.is_some() && !verb.starts_with("bad"), "error=")?;
    misfit(ms.is_some() && verb != "slow", "ms=")?;
    misfit(heal_on_write.is_some() && verb != "bad-read", "heal-on-write")?;
    let error = error.unwrap_or(DiskError::Medium);
    let fault = match verb {
        "bad" => Fault::Bad(error),
        "bad-read" => Fault::BadRead { error, heal_on_write: heal_on_write.is_some() },
        "bad-write" => Fault::BadWrite(error),
        "slow" => Fault::Slow { ms: ms.ok_or("`slow` needs ms=")? },
        _ => Fault::Offline,
    };
    Ok(Some(Rule { fault, range, times }))
}

impl Modifiers {
    fn add(&mut self, word: &str) -> Result<(), String> {
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        let new = match (name, value) {
            ("once", None) => self.times.replace(1).is_none(),
            ("times", Some(value)) => {
                let times = number(Some(value), "times=")?;
                let times = u32::try_from(times).ok().filter(|&times| times > 0);
                let times = times.ok_or_else(|| format!("`{word}` is not between 1 and {}", u32::MAX))?;
                self.times.replace(times).is_none()
            }
            ("error", Some(value)) => {
                let known = ERRORS.iter().find(|(name, _)| *name == value);
                let (_, error) = known.ok_or_else(|| {
                    format!("`{value}` is none of the errors medium, io, timeout, offline, transport")
                })?;
                self.error.replace(*error).is_none()
            }
            ("ms", Some(value)) => {
                let ms = number(Some(value), "ms=")?;
                if !(1..=MAX_DELAY_MS).contains(&ms) {
                    return Err(format!("`{word}` is not between 1 and {MAX_DELAY_MS}"));
                }
                self.ms.replace(ms).is_none()
            }
            ("heal-on-write", None) => self.heal_on_write.replace(()).is_none(),
            _ => {
                return Err(format!("`{word}` is none of once, times=N, error=KIND, ms=N, heal-on-write"));
            }
        };
        if new { Ok(()) } else { Err(format!("`{word}` says again what was said before")) }
    }
}

fn number(word: Option<&str>, what: &str) -> Result<u64, String> {
    let word = word.ok_or_else(|| format!("{what} is missing"))?;
    let digits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { word.parse().ok() } else { None };
    number.ok_or_else(|| format!("{what} `{word}` is no decimal number"))
}

impl fmt::Display for FaultScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rules.iter().try_for_each(|rule| writeln!(f, "{rule}"))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SectorRange { start, sectors } = self.range;
        match self.fault {
            Fault::Bad(error) => write!(f, "bad {start} {sectors} error={}", name_of(error))?,
            Fault::BadRead { error, heal_on_write } => {
                let heal = if heal_on_write { " heal-on-write" } else { "" };
                write!(f, "bad-read {start} {sectors} error={}{heal}", name_of(error))?;
            }
            Fault::BadWrite(error) => write!(f, "bad-write {start} {sectors} error={}", name_of(error))?,
            Fault::Slow { ms } => write!(f, "slow {start} {sectors} ms={ms}")?,
            Fault::Offline => f.write_str("offline")?,
        }
        self.times.map_or(Ok(()), |times| write!(f, " times={times}"))
    }
}

/// The word for an error; those that a script cannot ask for are plain I/O errors.
fn name_of(error: DiskError) -> &'static str {
    ERRORS.iter().find(|(_, known)| *known == error).map_or("io", |(name, _)| name)
}

#[cfg(test)]
mod tests;
