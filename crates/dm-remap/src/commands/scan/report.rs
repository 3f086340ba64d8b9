//! What a scan tells: sets put together from their spares, and what else was found.

use std::fmt::Write as _;
use std::path::PathBuf;

use remap_core::format::superblock::Superblock;
use remap_core::open::CopyState;
use serde::Serialize;

use crate::spare::describe;
use crate::spare::legacy::Legacy;
use crate::text::{count, size};

use crate::found::{self, Seen};

/// Everything that was found.
#[derive(Debug, Serialize)]
pub struct Report {
    sets: Vec<Set>,
    /// Spares that are there and cannot be used: made by a newer program, or without a valid superblock.
    broken: Vec<Broken>,
    legacy: Vec<LegacyDisk>,
    unreadable: Vec<Unreadable>,
    #[serde(skip)]
    looked_at: usize,
}

#[derive(Debug, Serialize)]
struct Set {
    name: String,
    uuid: String,
    generation: u64,
    closed_cleanly: bool,
    complete: bool,
    main: Main,
    spares: Vec<Spare>,
}

#[derive(Debug, Serialize)]
struct Main {
    /// Where it was last seen, or where it has been found.
    path: String,
    sectors: u64,
    found: bool,
}

#[derive(Debug, Serialize)]
struct Spare {
    /// From 1.
    number: usize,
    uuid: String,
    sectors: u64,
    /// Where it was found; more than one is a copy of the others.
    paths: Vec<PathBuf>,
    good_superblock_copies: usize,
    damaged: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Broken {
    path: PathBuf,
    why: String,
}

#[derive(Debug, Serialize)]
struct LegacyDisk {
    path: PathBuf,
    #[serde(flatten)]
    legacy: Legacy,
}

#[derive(Debug, Serialize)]
struct Unreadable {
    path: PathBuf,
    error: String,
}

impl Report {
    pub fn of(seen: &[Seen], unreadable: Vec<(PathBuf, String)>) -> Self {
        let mut newest: Vec<&Superblock> = Vec::new();
        for superblock in seen.iter().filter_map(|disk| disk.scan.newest.as_ref()) {
            match newest.iter_mut().find(|known| known.set == superblock.set) {
                Some(known) if known.generation < superblock.generation => *known = superblock,
                Some(_) => {}
                None => newest.push(superblock),
            }
        }
        newest.sort_by(|a, b| (a.name.as_str(), a.set).cmp(&(b.name.as_str(), b.set)));
        let is_nothing = |state: &CopyState| {
            matches!(state, CopyState::Invalid(remap_core::format::superblock::SuperblockError::Magic))
        };
        let broken = seen.iter().filter_map(|disk| {
            let refusal = disk.scan.refusal().filter(|state| !is_nothing(state))?;
            Some(Broken { path: disk.path.clone(), why: describe(refusal) })
        });
        let legacy = seen
            .iter()
            .filter_map(|disk| Some(LegacyDisk { path: disk.path.clone(), legacy: disk.legacy.clone()? }));
        Self {
            sets: newest.into_iter().map(|superblock| set_of(superblock, seen)).collect(),
            broken: broken.collect(),
            legacy: legacy.collect(),
            unreadable: unreadable.into_iter().map(|(path, error)| Unreadable { path, error }).collect(),
            looked_at: seen.len(),
        }
    }

    /// Whether something is missing or damaged.
    pub fn needs_care(&self) -> bool {
        let damaged = |set: &Set| set.spares.iter().any(|spare| !spare.damaged.is_empty());
        !self.broken.is_empty() || self.sets.iter().any(|set| !set.complete || damaged(set))
    }

    /// As text. Disks that cannot be opened are told when they were `asked` for, and counted otherwise.
    pub fn tell(&self, asked: bool) -> String {
        let mut text = String::new();
        let _ = self.write(&mut text, asked);
        text
    }

    fn write(&self, text: &mut String, asked: bool) -> std::fmt::Result {
        for set in &self.sets {
            set.write(text)?;
        }
        for Broken { path, why } in &self.broken {
            writeln!(text, "{}: {why}; dm-remap check tells more", path.display())?;
        }
        for LegacyDisk { path, legacy } in &self.legacy {
            write!(text, "{}: metadata of dm-remap {}", path.display(), legacy.version)?;
            if !legacy.main_path.is_empty() {
                write!(text, ", for the main disk {}", legacy.main_path)?;
            }
            writeln!(text, ", {} of 5 copies", legacy.copies_found)?;
        }
        if asked {
            for Unreadable { path, error } in &self.unreadable {
                writeln!(text, "{}: {error}", path.display())?;
            }
        }
        if self.sets.is_empty() && self.broken.is_empty() && self.legacy.is_empty() {
            writeln!(text, "no set found on {}", count(self.looked_at as u64, "disk"))?;
        }
        if !asked && !self.unreadable.is_empty() {
            let disks = count(self.unreadable.len() as u64, "disk");
            let root =
                if rustix::process::geteuid().is_root() { "" } else { "root may look at all of them; " };
            writeln!(text, "{disks} could not be opened ({root}--json tells why)")?;
        }
        Ok(())
    }
}

impl Set {
    fn write(&self, text: &mut String) -> std::fmt::Result {
        let complete = if self.complete { "complete" } else { "incomplete" };
        let clean = if self.closed_cleanly { "closed cleanly" } else { "running or not closed cleanly" };
        writeln!(text, "set {} ({}): {complete}, {clean}", self.name, self.uuid)?;
        let Main { path, sectors, found } = &self.main;
        let found = if *found { "there" } else { "not found there" };
        writeln!(text, "  main     {path}, {}: {found}", size::show_sectors(*sectors))?;
        for spare in &self.spares {
            let Spare { number, uuid, sectors, paths, good_superblock_copies, damaged } = spare;
            let size = size::show_sectors(*sectors);
            match paths.as_slice() {
                [] => writeln!(text, "  spare {number}  missing, {size} (UUID {uuid})")?,
                [path, others @ ..] => {
                    let path = path.display();
                    writeln!(
                        text,
                        "  spare {number}  {path}, {size}: {good_superblock_copies} of 5 superblock copies good"
                    )?;
                    for other in others {
                        writeln!(
                            text,
                            "           {} is the same spare once more: a copy?",
                            other.display()
                        )?;
                    }
                }
            }
            for damage in damaged {
                writeln!(text, "           {damage}")?;
            }
        }
        Ok(())
    }
}

fn set_of(superblock: &Superblock, seen: &[Seen]) -> Set {
    let members = superblock.members.iter().enumerate();
    let spares: Vec<Spare> = members
        .map(|(index, member)| {
            let is_it = |disk: &&Seen| {
                disk.scan.newest.as_ref().is_some_and(|own| {
                    let uuid = own.members.get(own.member as usize).map(|own| own.uuid);
                    own.set == superblock.set && uuid == Some(member.uuid)
                })
            };
            let found: Vec<&Seen> = seen.iter().filter(is_it).collect();
            let (good, mut damaged) = found.first().map_or((0, Vec::new()), |disk| copies_of(disk));
            if let Some(disk) = found.first()
                && disk.sectors < member.sectors
            {
                damaged.push(format!("truncated: {} sectors of {}", disk.sectors, member.sectors));
            }
            Spare {
                number: index + 1,
                uuid: member.uuid.to_string(),
                sectors: member.sectors,
                paths: found.iter().map(|disk| disk.path.clone()).collect(),
                good_superblock_copies: good,
                damaged,
            }
        })
        .collect();
    let main = main_of(superblock, seen);
    Set {
        name: superblock.name.to_string(),
        uuid: superblock.set.to_string(),
        generation: superblock.generation,
        closed_cleanly: superblock.clean,
        complete: main.found && spares.iter().all(|spare| spare.paths.len() == 1),
        main,
        spares,
    }
}

/// How many superblock copies of a disk are good, and what the others are.
fn copies_of(disk: &Seen) -> (usize, Vec<String>) {
    let newest = disk.scan.newest.as_ref().map(|superblock| superblock.generation);
    let is_good =
        |state: &CopyState| matches!(state, CopyState::Valid(generation) if Some(*generation) == newest);
    let copies = disk.scan.copies.iter().zip(remap_core::layout::SUPERBLOCK_SECTORS);
    let damaged = copies.filter(|(state, _)| !is_good(state));
    let damaged =
        damaged.map(|(state, sector)| format!("superblock copy at sector {sector}: {}", describe(*state)));
    (disk.scan.copies.iter().filter(|state| is_good(state)).count(), damaged.collect())
}

/// The main disk: where it was last seen, else by what it is known by among those looked at.
fn main_of(superblock: &Superblock, seen: &[Seen]) -> Main {
    let known = &superblock.main;
    let found = found::main_of(superblock, seen);
    Main {
        path: found.as_ref().map_or(known.path.to_string(), |path| path.display().to_string()),
        sectors: known.sectors,
        found: found.is_some(),
    }
}
