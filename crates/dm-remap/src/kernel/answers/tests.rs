//! The texts are from the target under Linux 6.12, or changed from such.

use super::{Mapping, Stats, is_halted, mappings, ordered, scrub, spares};

#[test]
fn every_counter_is_found() {
    let stats = Stats::parse(include_str!("stats.txt")).unwrap();
    assert_eq!((&*stats.state, stats.number("health").unwrap()), ("degraded", 89));
    assert_eq!((stats.requests()["writes"], stats.requests()["flushes"]), (399, 0));
    assert_eq!((stats.recovery()["page_writes"], stats.recovery()["flushes"]), (9, 9));
    for key in [
        "sectors",
        "block_sectors",
        "generation",
        "read_only",
        "mapped_blocks",
        "moved_sectors",
        "lost_sectors",
        "slots_total",
        "slots_retired",
        "main_read_errors",
        "main_write_errors",
        "metadata_errors",
        "errors_last_hour",
        "errors_hour_before",
    ] {
        assert!(stats.number(key).is_ok(), "{key}");
    }
}

#[test]
fn names_that_occur_twice_are_told_apart_by_their_order() {
    let stats =
        Stats::parse("uuid 1-2\nname a set\nstate degraded\nhealth 88\nflushes 3\nflushes 4\n").unwrap();
    assert_eq!((&*stats.uuid, &*stats.name, &*stats.state), ("1-2", "a set", "degraded"));
    assert_eq!(stats.number("health").unwrap(), 88);
    assert!(stats.number("sectors").unwrap_err().to_string().contains("another version"));
    assert_eq!((stats.requests()["flushes"], stats.recovery()["flushes"]), (3, 4));
}

#[test]
fn counters_that_are_not_as_documented_are_refused() {
    for text in [
        "",
        "uuid 1\n",
        "state ok\n",
        "uuid 1\nstate well\n",
        "uuid 1\nstate ok\nhealth x\n",
        "uuid 1\nstate ok\nx\n",
    ] {
        assert!(Stats::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn spares_are_taken_apart_by_their_fields() {
    let real = spares("1 a55bd568-c53d-4930-a196-6595371a1ff6 present 32768 2992 3 0\n").unwrap();
    assert_eq!((real.len(), real[0].sectors, real[0].slots, real[0].used), (1, 32768, 2992, 3));
    let text = "1 8b0c present 32768 2016 2 1\n0 8b0d missing 40960 3000 0 0\n";
    let found = spares(text).unwrap();
    assert_eq!((found[0].number, found[0].slots, found[0].used, found[0].retired), (1, 2016, 2, 1));
    assert_eq!((found[1].number, &*found[1].state, found[1].sectors), (0, "missing", 40960));
    assert!(spares("1 8b0c well 1 1 1 1\n").is_err());
    assert!(spares("1 8b0c present 1 1 1\n").is_err());
}

#[test]
fn mappings_go_on_where_the_answer_says() {
    let (real, end) =
        mappings("296 1 8416 00ef 0010\n96 1 8424 0010 0000\n200 1 8432 0001 0000\n", 0).unwrap();
    assert_eq!((real.len(), real[0].moved, real[0].lost, end), (3, 0xef, 0x10, None));
    let (found, next) = mappings("96 1 10248 0010 0000\n200 2 8 0000 0001\nnext 7\n", 0).unwrap();
    let first = Mapping { block_start_sector: 96, number: 1, spare_sector: 10248, moved: 16, lost: 0 };
    assert_eq!((found.len(), found[0], next), (2, first, Some(7)));
    assert_eq!(mappings("", 0).unwrap(), (vec![], None));
}

#[test]
fn mappings_that_would_never_end_are_refused() {
    assert!(mappings("next 7\n", 7).is_err());
    assert!(mappings("next 8\n96 1 1 0001 0000\n", 7).is_err());
    assert!(mappings("96 1 1 0001\n", 0).is_err());
    assert!(mappings("96 1 1 10000 0000\n", 0).is_err());
}

#[test]
fn the_end_of_an_order_tells_what_failed() {
    assert_eq!(ordered("blocks 1 failed 1 (last: I/O error)").unwrap().why.as_deref(), Some("I/O error"));
    let good = ordered("blocks 3 failed 0").unwrap();
    assert_eq!((good.blocks, good.failed, good.why), (3, 0, None));
    let bad = ordered("blocks 3 failed 1 (last: medium error (sector) here)").unwrap();
    assert_eq!(bad.why.as_deref(), Some("medium error (sector) here"));
    assert!(ordered("blocks 3").is_err() && ordered("blocks x failed 0").is_err() && ordered("").is_err());
}

#[test]
fn the_scrub_tells_how_far_it_is() {
    let fresh = scrub("never sectors 0/32768 failures 0 copies_repaired 0 copies_bad 0 pages 0").unwrap();
    assert_eq!((&*fresh.state, fresh.sectors_total), ("never", 32768));
    let found =
        scrub("running sectors 2048/32768 failures 1 copies_repaired 2 copies_bad 3 pages 4").unwrap();
    assert_eq!((&*found.state, found.sectors_done, found.sectors_total), ("running", 2048, 32768));
    assert_eq!((found.failures, found.repaired, found.bad, found.pages_done), (1, 2, 3, 4));
    assert!(scrub("asleep sectors 1/2 failures 1 copies_repaired 2 copies_bad 3 pages 4").is_err());
    assert!(scrub("done sectors 1 failures 1 copies_repaired 2 copies_bad 3 pages 4").is_err());
}

#[test]
fn a_set_that_has_stopped_says_one_word() {
    assert!(is_halted("halted") && !is_halted("degraded 3 1 3/2992 0 89 3 2 0 1028 1:present"));
}
