//! The target's messages: understood here, answered here where that takes no writing.

use remap_core::{Sector, SectorRange};

use crate::abi::{IoCounts, Order};
use crate::engine::Engine;
use crate::text::{Text, say};

/// Move sectors ahead of their failing.
pub const ORDER_REMAP: u32 = 0;
/// Write zeros for lost sectors.
pub const ORDER_ACCEPT_LOSS: u32 = 1;
/// Read lost sectors from the main device again.
pub const ORDER_RETRY: u32 = 2;
/// Write moved blocks back to the main device.
pub const ORDER_UNMAP: u32 = 3;
/// Verify and repair all metadata.
pub const ORDER_VERIFY: u32 = 4;
/// Carry everything off a spare.
pub const ORDER_EVACUATE: u32 = 5;
/// Believe that a failing main device is well again.
pub const ORDER_RESUME: u32 = 6;
/// Ask the main device for a sign of life.
pub const ORDER_PROBE: u32 = 7;

/// Answered; what it says is in the text.
pub const ANSWERED: u32 = 0;
/// An order, to be carried out in steps.
pub const ORDERED: u32 = 1;
/// Not understood, or refused; why is in the text.
pub const REFUSED: u32 = 2;

/// How often `retry` reads a sector unless told otherwise.
const ATTEMPTS: u32 = 10;

const HELP: &str = "help\nstatus\nstats\nspares\nhealth\ncache_stats\nclear_stats\nmappings [<from slot>]\n\
remap <sector> [<sectors>]\naccept_loss <sector> [<sectors>]\nretry <sector> [<sectors> [<attempts>]]\n\
unmap <sector> [<sectors>]\nscrub start [<MiB per second>]\nscrub stop\nscrub status\nverify_metadata\n\
probe\nresume\nsync\nadd_spare <device>\nremove_spare <device>\n";

/// Takes a message; the glue has dealt with those that are about devices, the scrub and `sync`.
pub fn take<'a>(
    engine: &Engine,
    arguments: impl Fn(usize) -> Option<&'a str>,
    io: &IoCounts,
    order: &mut Order,
    text: &mut Text<'_>,
) -> u32 {
    let word = arguments(0).unwrap_or_default();
    let limit = match word {
        "remap" | "accept_loss" | "unmap" => 3,
        "retry" => 4,
        "mappings" => 2,
        _ => 1,
    };
    if arguments(limit).is_some() {
        say!(text, "{word}: more arguments than it takes; see help");
        return REFUSED;
    }
    let kind = match word {
        "help" => {
            say!(text, "{HELP}");
            return ANSWERED;
        }
        "status" => {
            engine.say_status(text);
            return ANSWERED;
        }
        "stats" => {
            engine.say_stats(io, text);
            return ANSWERED;
        }
        "spares" => {
            engine.say_spares(text);
            return ANSWERED;
        }
        "health" => {
            engine.say_health(text);
            return ANSWERED;
        }
        "cache_stats" => {
            Engine::say_cache(io, text);
            return ANSWERED;
        }
        "mappings" => {
            let Some(from) = arguments(1).map_or(Some(0), |from| from.parse().ok()) else {
                say!(text, "mappings: expected the number of a slot");
                return REFUSED;
            };
            engine.say_mappings(from, text);
            return ANSWERED;
        }
        "remap" => ORDER_REMAP,
        "accept_loss" => ORDER_ACCEPT_LOSS,
        "retry" => ORDER_RETRY,
        "unmap" => ORDER_UNMAP,
        "verify_metadata" => ORDER_VERIFY,
        "resume" => ORDER_RESUME,
        "probe" => ORDER_PROBE,
        _ => {
            say!(text, "{word}: no such message; help lists them");
            return REFUSED;
        }
    };
    *order = Order { kind, attempts: ATTEMPTS, ..Order::default() };
    if kind > ORDER_UNMAP {
        return ORDERED;
    }
    let Some(range) = range_of(engine, &arguments) else {
        say!(
            text,
            "{word}: expected <sector> [<sectors>] within the device's {}",
            engine.set.get().sectors()
        );
        return REFUSED;
    };
    if let Some(attempts) = arguments(3) {
        let Some(attempts) = attempts.parse().ok().filter(|n| (1..=1000).contains(n)) else {
            say!(text, "{word}: expected 1 to 1000 attempts");
            return REFUSED;
        };
        order.attempts = attempts;
    }
    (order.start, order.sectors) = (range.start.0, range.sectors);
    ORDERED
}

/// `<sector> [<sectors>]` or `<sector>+<sectors>`; one sector where the second is left out.
fn range_of<'a>(engine: &Engine, arguments: impl Fn(usize) -> Option<&'a str>) -> Option<SectorRange> {
    let first = arguments(1)?;
    let (start, joined) = first.split_once('+').map_or((first, None), |(start, rest)| (start, Some(rest)));
    let sectors = match (joined, arguments(2)) {
        (Some(_), Some(_)) => return None,
        (Some(text), None) | (None, Some(text)) => text.parse().ok()?,
        (None, None) => 1,
    };
    let range = SectorRange::new(Sector(start.parse().ok()?), sectors);
    (sectors != 0 && range.fits(engine.set.get().sectors())).then_some(range)
}
