//! The target's table line:
//! `<main> <spare> [<spare start> <spare sectors>] [<#opts> <opt>…]`.

use remap_core::format::superblock::MAX_SPARES;

use crate::abi::{self, Table};
use crate::text::{Text, say};

/// What a line looks like, for those who got it wrong.
const USAGE: &str = "expected: <main> <spare> [<spare start> <spare sectors>] [<#opts> <opt>...]";

/// Takes the arguments apart; `None` with the reason in `why`.
pub fn parse<'a>(arguments: impl Fn(usize) -> Option<&'a str>, why: &mut Text<'_>) -> Option<Table> {
    let number = |at: usize| arguments(at).and_then(|text| text.parse::<u64>().ok());
    if arguments(0).is_none() || arguments(1).is_none() {
        say!(why, "a main device and a spare are needed; {USAGE}");
        return None;
    }
    let mut table = Table { spare_count: 1, ..Table::default() };
    if let Some(first) = table.spares.first_mut() {
        *first = 1;
    }
    let mut at = 2;
    // Options are never numbers, so two of these in a row are the spare's window.
    if let (Some(start), Some(sectors)) = (number(2), number(3)) {
        (table.spare_start, table.spare_sectors) = (start, sectors);
        if sectors == 0 {
            say!(why, "a spare of no sectors; {USAGE}");
            return None;
        }
        at = 4;
    }
    let mut end = at;
    if let Some(text) = arguments(at) {
        let Some(count) = number(at).and_then(|count| usize::try_from(count).ok()) else {
            say!(why, "{text} is not a number of options; {USAGE}");
            return None;
        };
        at += 1;
        end = at.saturating_add(count);
    }
    while at < end {
        let Some(option) = arguments(at) else {
            say!(why, "fewer options than their number says; {USAGE}");
            return None;
        };
        at = parse_option(&mut table, option, at, &arguments, why)?;
        if at > end {
            say!(why, "the option {option} goes beyond the number of options");
            return None;
        }
    }
    if let Some(text) = arguments(end) {
        say!(why, "{text} is more than the number of options says; {USAGE}");
        return None;
    }
    Some(table)
}

/// Takes one option; returns where the next one is.
fn parse_option<'a>(
    table: &mut Table,
    option: &str,
    at: usize,
    arguments: impl Fn(usize) -> Option<&'a str>,
    why: &mut Text<'_>,
) -> Option<usize> {
    let flag = match option {
        "read_only" => abi::OPTION_READ_ONLY,
        "force" => abi::OPTION_FORCE,
        "accept_other_main" => abi::OPTION_ACCEPT_OTHER_MAIN,
        "accept_missing_spares" => abi::OPTION_ACCEPT_MISSING_SPARES,
        "accept_lost_pages" => abi::OPTION_ACCEPT_LOST_PAGES,
        "grow" => abi::OPTION_GROW,
        _ => 0,
    };
    if flag != 0 {
        table.options |= flag;
        return Some(at + 1);
    }
    let Some(value) = arguments(at + 1) else {
        say!(why, "the option {option} is not known, or lacks its value");
        return None;
    };
    let within = |low: u32, high: u32| value.parse::<u32>().ok().filter(|n| (low..=high).contains(n));
    match option {
        "spare" => {
            let Some(entry) = table.spares.get_mut(table.spare_count as usize) else {
                say!(why, "a set has at most {MAX_SPARES} spares");
                return None;
            };
            *entry = at as u32 + 1;
            table.spare_count += 1;
        }
        "block_size" => {
            let Some(sectors) = within(1, 16).filter(|n| n.is_power_of_two()) else {
                say!(why, "block_size {value}: expected 1, 2, 4, 8 or 16 sectors");
                return None;
            };
            table.block_sectors = sectors;
        }
        "copies" => {
            let Some(copies) = within(2, 5) else {
                say!(why, "copies {value}: expected 2 to 5");
                return None;
            };
            table.copies = copies;
        }
        "on_lost" => match value {
            "error" => table.options |= abi::OPTION_ON_LOST_ERROR,
            "zero" => table.options |= abi::OPTION_ON_LOST_ZERO,
            _ => {
                say!(why, "on_lost {value}: expected error or zero");
                return None;
            }
        },
        "name" => {
            if value.len() > 64 || value.chars().any(char::is_control) {
                say!(why, "name: at most 64 bytes without control characters");
                return None;
            }
            table.name = at as u32 + 1;
        }
        _ => {
            say!(
                why,
                "the option {option} is not known; there are: spare block_size copies on_lost name read_only force grow accept_other_main accept_missing_spares accept_lost_pages"
            );
            return None;
        }
    }
    Some(at + 2)
}
