//! Which set the given spares are of, which of its members each is, and whether all that may go together.

use arrayvec::{ArrayString, ArrayVec};
use remap_core::BlockSize;
use remap_core::format::superblock::{MAX_SPARES, MainIdentity, Superblock};
use remap_core::layout::DEFAULT_COPIES;
use remap_core::open::{CopyState, SuperblockScan, read_superblocks_into};
use remap_core::plan::NewSet;
use remap_core::port::{Device, Port};
use uuid::Uuid;

use crate::abi::{self, Params};
use crate::drive::Bench;
use crate::glue::{ABSENT, Glue};
use crate::memory::{Arena, Placed};
use crate::text::{Text, say, until_zero};

/// A set and where its members are.
#[derive(Debug)]
pub struct Assembly {
    /// The newest superblock of all.
    pub superblock: Placed<Superblock>,
    /// By member: the glue's number of its device, or [`ABSENT`].
    pub places: ArrayVec<u8, MAX_SPARES>,
}

/// What lies on the given spares.
#[derive(Debug)]
pub enum Found {
    /// No superblock on any.
    Nothing,
    /// A set.
    Set(Assembly),
    /// A set, and one spare without a superblock: its number.
    SetAndBlank(Assembly, u8),
}

static NOTHING: SuperblockScan = SuperblockScan::NOTHING;

/// What one spare says of itself.
#[derive(Clone, Copy, Debug)]
struct Own {
    place: u8,
    set: Uuid,
    member: Uuid,
}

/// Looks at all given spares.
#[inline(never)]
pub fn find(
    glue: Glue,
    params: &Params,
    arena: &mut Arena,
    port: &Port<'_>,
    why: &mut Text<'_>,
) -> Option<Found> {
    let mut newest: Option<Placed<SuperblockScan>> = None;
    let mut own: ArrayVec<Own, MAX_SPARES> = ArrayVec::new();
    let mut blank = ArrayVec::<u8, MAX_SPARES>::new();
    for place in 1..=params.spare_count as u8 {
        let bench = Bench { glue, places: &[place], block_size: BlockSize::DEFAULT };
        // SAFETY: plain values, which own nothing.
        let mut read = no_memory(unsafe { Placed::copy_of(&NOTHING) }, why)?;
        bench.run(arena, port, || read_superblocks_into(port, Device::Spare(0), read.get_mut()));
        let scan = read.get();
        if is_blank(scan) {
            blank.try_push(place).ok()?;
            continue;
        }
        let (None, Some(superblock)) = (scan.refusal(), &scan.newest) else {
            say_refusal(why, place, scan);
            return None;
        };
        let member = superblock.members.get(superblock.member as usize)?.uuid;
        own.try_push(Own { place, set: superblock.set, member }).ok()?;
        let known = newest.as_ref().and_then(|scan| scan.get().newest.as_ref());
        if known.is_none_or(|known| known.generation < superblock.generation) {
            newest = Some(read);
        }
    }
    let Some(superblock) = newest.as_ref().and_then(|scan| scan.get().newest.as_ref()) else {
        return Some(Found::Nothing);
    };
    let superblock = no_memory(placed(superblock), why)?;
    let places = places_of(superblock.get(), &own, params, why)?;
    let assembly = Assembly { superblock, places };
    match (blank.as_slice(), params.options & abi::OPTION_ADD != 0) {
        ([], false) => Some(Found::Set(assembly)),
        ([place], true) => Some(Found::SetAndBlank(assembly, *place)),
        ([place, ..], false) => {
            say!(
                why,
                "spare {place} of the table line is no member of the set {}: leave it out, and add it with the message add_spare",
                assembly.superblock.get().set
            );
            None
        }
        _ => {
            say!(why, "the spare to add is a member of this set already");
            None
        }
    }
}

/// A copy in memory of its own.
#[inline(never)]
pub fn placed(superblock: &Superblock) -> Option<Placed<Superblock>> {
    Placed::new(superblock.clone())
}

/// No copy has even the mark of a superblock.
fn is_blank(scan: &SuperblockScan) -> bool {
    use remap_core::format::superblock::SuperblockError;
    scan.copies.iter().all(|copy| matches!(copy, CopyState::Invalid(SuperblockError::Magic)))
}

fn say_refusal(why: &mut Text<'_>, place: u8, scan: &SuperblockScan) {
    match scan.refusal() {
        Some(CopyState::Invalid(error)) => say!(why, "spare {place} of the table line has a {error}"),
        Some(CopyState::Unreadable(error)) => {
            say!(why, "no superblock copy of spare {place} can be read ({error})");
        }
        _ => say!(why, "spare {place} has no valid superblock"),
    }
}

/// Which member each spare is.
#[inline(never)]
fn places_of(
    superblock: &Superblock,
    own: &[Own],
    params: &Params,
    why: &mut Text<'_>,
) -> Option<ArrayVec<u8, MAX_SPARES>> {
    let mut places: ArrayVec<u8, MAX_SPARES> = superblock.members.iter().map(|_| ABSENT).collect();
    for spare in own {
        let place = spare.place;
        if spare.set != superblock.set {
            say!(why, "spare {place} is of another set ({}) than the others ({})", spare.set, superblock.set);
            return None;
        }
        let index = superblock.members.iter().position(|member| member.uuid == spare.member);
        let Some((index, member)) = index.and_then(|index| Some((index, superblock.members.get(index)?)))
        else {
            say!(why, "spare {place} has been removed from the set {}: wipe it to use it anew", spare.set);
            return None;
        };
        let sectors = params.spares.get(usize::from(place) - 1).map_or(0, |spare| spare.sectors);
        if sectors < member.sectors {
            say!(
                why,
                "spare {place} has {sectors} sectors, and had {} when it was formatted",
                member.sectors
            );
            return None;
        }
        let entry = places.get_mut(index)?;
        if *entry != ABSENT {
            say!(why, "spares {entry} and {place} are copies of each other: leave one out");
            return None;
        }
        *entry = place;
    }
    Some(places)
}

/// The superblock of a new set of all given devices.
#[inline(never)]
pub fn plan(params: &Params, why: &mut Text<'_>) -> Option<Assembly> {
    let random = |at: usize| {
        let bytes = params.random.as_chunks::<16>().0.get(at).copied().unwrap_or_default();
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    };
    let given = params.spares.iter().take(params.spare_count as usize);
    let spares: ArrayVec<(Uuid, u64), MAX_SPARES> =
        given.enumerate().map(|(at, spare)| (random(at + 1), spare.sectors)).collect();
    let block_size = match params.block_sectors {
        0 => Some(BlockSize::DEFAULT),
        sectors => BlockSize::from_sectors(sectors),
    };
    let Some(block_size) = block_size else {
        say!(why, "block_size is 1, 2, 4, 8 or 16 sectors");
        return None;
    };
    let new = NewSet {
        set: random(0),
        name: ArrayString::from(until_zero(&params.name)).unwrap_or_default(),
        main: identity(params),
        spares: &spares,
        block_size,
        copies: if params.copies == 0 { DEFAULT_COPIES } else { params.copies },
        lost_reads_zero: params.options & abi::OPTION_ON_LOST_ZERO != 0,
        creator: creator(),
        created_unix_s: params.now_unix_s,
    };
    match Superblock::plan(&new) {
        Ok(superblock) => {
            let places = (1..=params.spare_count as u8).collect();
            Some(Assembly { superblock: no_memory(Placed::new(superblock), why)?, places })
        }
        Err(error) => {
            say!(why, "{error}");
            None
        }
    }
}

fn identity(params: &Params) -> MainIdentity {
    MainIdentity {
        sectors: params.main_sectors,
        logical_bytes: params.main_logical_bytes,
        physical_bytes: params.main_physical_bytes,
        partition_uuid: ArrayString::from(until_zero(&params.partition_uuid)).unwrap_or_default(),
        path: ArrayString::from(until_zero(&params.main_path)).unwrap_or_default(),
        ..MainIdentity::default()
    }
}

/// This module's version: major << 16, minor << 8, patch.
fn creator() -> u32 {
    let mut parts = env!("CARGO_PKG_VERSION").split('.').map(|part| part.parse::<u32>().unwrap_or(0) & 0xff);
    let mut next = || parts.next().unwrap_or(0);
    next() << 16 | next() << 8 | next()
}

/// `value`, or a word that there was no memory for it.
pub fn no_memory<T>(value: Option<T>, why: &mut Text<'_>) -> Option<T> {
    if value.is_none() {
        say!(why, "not enough memory for the set's tables");
    }
    value
}
