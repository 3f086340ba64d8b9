//! The engine behind its C interface, on the stand-in of the glue.

use core::ffi::c_char;
use std::ffi::CString;
use std::format;
use std::string::String;
use std::vec::Vec;

use crate::abi::{self, Order, Table};
use crate::exports;
use crate::stand_in::{Open, Rig, said};

const MAIN: u64 = 32768;
const SPARE: u64 = 16384;

fn strings(words: &str) -> Vec<CString> {
    words.split_whitespace().map(|word| CString::new(word).unwrap()).collect()
}

fn parse(words: &str) -> Result<Table, String> {
    let words = strings(words);
    let pointers: Vec<*const c_char> = words.iter().map(|word| word.as_ptr()).collect();
    let mut table = Table::default();
    let mut why = [0; 256];
    // SAFETY: everything is valid during the call.
    let code = unsafe {
        exports::dmr_table_parse(
            pointers.len() as u32,
            pointers.as_ptr(),
            &raw mut table,
            why.as_mut_ptr(),
            256,
        )
    };
    if code == 0 { Ok(table) } else { Err(said(&why)) }
}

fn message(open: &Open, words: &str) -> (u32, Order, String) {
    let words = strings(words);
    let pointers: Vec<*const c_char> = words.iter().map(|word| word.as_ptr()).collect();
    let (io, mut order, mut answer) = (abi::IoCounts::default(), Order::default(), [0; 4096]);
    // SAFETY: everything is valid during the call.
    let code = unsafe {
        exports::dmr_message(
            open.0,
            pointers.len() as u32,
            pointers.as_ptr(),
            &raw const io,
            &raw mut order,
            answer.as_mut_ptr(),
            4096,
        )
    };
    (code, order, said(&answer))
}

fn carry_out(open: &Open, words: &str) -> (Order, String) {
    let (code, mut order, answer) = message(open, words);
    assert_eq!(code, crate::messages::ORDERED, "{answer}");
    // SAFETY: tests are the only user.
    while unsafe { exports::dmr_order_step(open.0, &raw mut order) } != 0 {}
    let mut report = [0; 256];
    // SAFETY: everything is valid during the call.
    unsafe { exports::dmr_order_report(&raw const order, report.as_mut_ptr(), 256) };
    (order, said(&report))
}

fn write_job(start: u64, sectors: u64) -> abi::Job {
    abi::Job { start, sectors, kind: abi::JOB_WRITE, device: 0, error: 1 }
}

#[test]
fn lines_of_dm_remap_users_are_understood() {
    assert_eq!(
        parse("/dev/a /dev/b"),
        Ok(Table { spare_count: 1, spares: spares(&[1]), ..Table::default() })
    );
    let window = parse("/dev/a /dev/b 0 4096").unwrap();
    assert_eq!((window.spare_start, window.spare_sectors), (0, 4096));
    let all = parse("a b 8 4096 9 spare c copies 4 block_size 16 on_lost zero read_only").unwrap();
    assert_eq!((all.spare_count, all.spares), (2, spares(&[1, 6])));
    assert_eq!((all.copies, all.block_sectors, all.spare_start), (4, 16, 8));
    assert_eq!(all.options, abi::OPTION_ON_LOST_ZERO | abi::OPTION_READ_ONLY);
    assert_eq!(parse("a b 2 name data").unwrap().name, 4);
    assert!(parse("a b 0").is_ok());
}

fn spares(given: &[u32]) -> [u32; 16] {
    core::array::from_fn(|at| given.get(at).copied().unwrap_or_default())
}

#[test]
fn wrong_lines_are_refused_with_what_was_expected() {
    for (line, word) in [
        ("a", "expected: <main> <spare>"),
        ("a b x", "x is not a number of options"),
        ("a b 0 0", "no sectors"),
        ("a b 1", "fewer options"),
        ("a b 0 1 1 force more", "more than the number of options"),
        ("a b 1 spare c", "goes beyond the number"),
        ("a b 2 copies 9", "expected 2 to 5"),
        ("a b 2 block_size 3", "expected 1, 2, 4, 8 or 16"),
        ("a b 2 on_lost maybe", "expected error or zero"),
        ("a b 1 nonsense", "nonsense is not known"),
        ("a b 2 nonsense 1", "nonsense is not known"),
        ("a b 18446744073709551615 force", "fewer options"),
    ] {
        let why = parse(line).unwrap_err();
        assert!(why.contains(word), "{line}: {why}");
    }
    let many = format!("a b 32{}", " spare c".repeat(16));
    assert!(parse(&many).unwrap_err().contains("at most 16"));
}

#[test]
fn a_blank_spare_becomes_a_set_and_a_failed_write_moves() {
    let rig = Rig::new(MAIN, &[SPARE]);
    let open = rig.open().unwrap();
    let whole = open.engine().resolve(0, MAIN, true);
    assert_eq!((whole.target, whole.device, whole.sectors), (abi::TARGET_DEVICE, 0, MAIN));
    rig.disks().bad.insert((0, 100));
    open.batch(&[write_job(96, 8)]);
    assert_eq!(rig.disks().finished, [(0, 0)]);
    let moved = open.engine().resolve(96, 8, false);
    assert_eq!((moved.target, moved.device, moved.sectors), (abi::TARGET_DEVICE, 1, 8));
    let at = moved.start as usize * 512;
    assert!(rig.disks().bytes[1][at..at + 4096].iter().all(|byte| *byte == 7));
    assert!(rig.disks().events.iter().any(|event| event.kind == abi::EVENT_MOVED && event.start == 96));
    assert_eq!(open.close(), 0);
    let again = rig.open().unwrap();
    assert_eq!(again.engine().resolve(96, 8, false), moved);
}

#[test]
fn what_is_not_blank_or_not_a_member_is_refused_and_left_as_it_is() {
    let mut rig = Rig::new(MAIN, &[SPARE]);
    rig.disks().bytes[1][1080] = 0x53;
    let before = rig.disks().bytes.clone();
    assert!(rig.open().err().unwrap().contains("not blank (data at sector 2)"));
    assert!(rig.disks().bytes == before);
    rig.params.options = abi::OPTION_FORCE;
    drop(rig.open().unwrap());
    rig.params.options = 0;
    rig.params.main_sectors = MAIN - 8;
    assert!(rig.open().err().unwrap().contains("and the set was made for 32768"));
    rig.params.main_sectors = MAIN;
    rig.params.block_sectors = 16;
    assert!(rig.open().err().unwrap().contains("block_size 8, and it cannot be changed"));
    rig.params.block_sectors = 0;
    rig.params.spares[0].sectors = SPARE - 8;
    assert!(rig.open().err().unwrap().contains("had 16384 when it was formatted"));
}

#[test]
fn two_sets_do_not_mix_and_a_missing_spare_is_missed() {
    let both = Rig::new(MAIN, &[SPARE, SPARE]);
    drop(both.open().unwrap());
    let mut one = Rig::new(MAIN, &[SPARE]);
    one.disks().bytes[1] = both.disks().bytes[1].clone();
    assert!(one.open().err().unwrap().contains("1 of the 2 spares"));
    one.params.options = abi::OPTION_READ_ONLY | abi::OPTION_ACCEPT_MISSING_SPARES;
    drop(one.open().unwrap());
    let mut other = Rig::new(MAIN, &[SPARE]);
    other.params.random[3] ^= 0x55;
    drop(other.open().unwrap());
    let mixed = Rig::new(MAIN, &[SPARE, SPARE]);
    mixed.disks().bytes[1] = both.disks().bytes[1].clone();
    mixed.disks().bytes[2] = other.disks().bytes[1].clone();
    assert!(mixed.open().err().unwrap().contains("another set"));
    mixed.disks().bytes[2] = both.disks().bytes[1].clone();
    assert!(mixed.open().err().unwrap().contains("copies of each other"));
}

#[test]
fn a_spare_is_added_and_removed_with_what_it_holds_carried_over() {
    let mut rig = Rig::new(MAIN, &[SPARE]);
    let open = rig.open().unwrap();
    rig.disks().bad.insert((0, 100));
    open.batch(&[write_job(96, 8)]);
    assert_eq!(open.close(), 0);
    rig.disks().bytes.push(std::vec![0; SPARE as usize * 512]);
    rig.params.spare_count = 2;
    rig.params.spares[1] = rig.params.spares[0];
    assert!(rig.open().err().unwrap().contains("add it with the message add_spare"));
    // Other random bytes than those that the first spare's UUID came from.
    rig.params.random.reverse();
    rig.params.options = abi::OPTION_ADD;
    let open = rig.open().unwrap();
    assert_eq!(open.engine().resolve(96, 8, false).device, 1);
    rig.params.options = 0;
    // The first spare is emptied onto the second.
    // SAFETY: tests are the only user.
    assert_eq!(unsafe { exports::dmr_engine_drain_spare(open.0, 1, 1) }, 1);
    let mut order = Order { kind: crate::messages::ORDER_EVACUATE, device: 1, ..Order::default() };
    // SAFETY: as above.
    while unsafe { exports::dmr_order_step(open.0, &raw mut order) } != 0 {}
    assert_eq!((order.done, order.failed), (1, 0));
    assert_eq!(open.engine().resolve(96, 8, false).device, 2);
    assert_eq!(open.close(), 0);
    rig.disks().bytes.swap(1, 2);
    rig.params.options = abi::OPTION_REMOVE;
    let open = rig.open().unwrap();
    assert_eq!(open.engine().resolve(96, 8, false).device, 1);
    assert_eq!(open.close(), 0);
    rig.params.options = 0;
    rig.params.spare_count = 1;
    let open = rig.open().unwrap();
    assert_eq!(open.engine().resolve(96, 8, false).device, 1);
}

#[test]
fn messages_are_answered_ordered_or_refused() {
    let rig = Rig::new(MAIN, &[SPARE]);
    let open = rig.open().unwrap();
    let (code, _, text) = message(&open, "status");
    assert_eq!(code, crate::messages::ANSWERED);
    assert!(text.starts_with("ok 0 0 0/") && text.ends_with("1:present"), "{text}");
    for word in ["help", "stats", "spares", "health", "cache_stats", "mappings"] {
        assert_eq!(message(&open, word).0, crate::messages::ANSWERED, "{word}");
    }
    for (words, expected) in [
        ("nonsense", "no such message"),
        ("remap", "expected <sector>"),
        ("remap 32768", "expected <sector>"),
        ("remap 32760 9", "expected <sector>"),
        ("remap 1 0", "expected <sector>"),
        ("remap 1 2 3", "more arguments"),
        ("retry 1 2 0", "attempts"),
        ("mappings x", "number of a slot"),
    ] {
        let (code, _, text) = message(&open, words);
        assert_eq!(code, crate::messages::REFUSED, "{words}");
        assert!(text.contains(expected), "{words}: {text}");
    }
    let (_, report) = carry_out(&open, "remap 800+24");
    assert_eq!(report, "blocks 3 failed 0");
    assert_eq!(open.engine().resolve(800, 24, false).device, 1);
    assert_eq!(message(&open, "mappings").2.lines().count(), 3);
    let (_, report) = carry_out(&open, "unmap 0 32768");
    assert_eq!(report, "blocks 3 failed 0");
    assert_eq!(open.engine().resolve(800, 24, false).device, 0);
    let (order, report) = carry_out(&open, "verify_metadata");
    assert_eq!((order.failed, order.repaired), (0, 0), "{report}");
}

#[test]
fn lost_sectors_fail_read_as_zeros_or_are_accepted() {
    let mut rig = Rig::new(MAIN, &[SPARE]);
    let open = rig.open().unwrap();
    rig.disks().bad.insert((0, 100));
    open.batch(&[abi::Job { start: 96, sectors: 8, kind: abi::JOB_READ, device: 0, error: 1 }]);
    assert_eq!(rig.disks().finished, [(0, 1)]);
    assert_eq!(open.engine().resolve(100, 1, false).target, abi::TARGET_LOST);
    assert_eq!(open.engine().facts().lost_sectors, 1);
    assert_eq!(open.close(), 0);
    rig.params.options = abi::OPTION_ON_LOST_ZERO;
    let open = rig.open().unwrap();
    assert_eq!(open.engine().resolve(100, 1, false).target, abi::TARGET_ZERO);
    assert_eq!(open.engine().resolve(100, 1, true).target, abi::TARGET_LOST);
    let (_, report) = carry_out(&open, "accept_loss 0 32768");
    assert_eq!(report, "blocks 1 failed 0");
    assert_eq!(open.engine().resolve(100, 1, false).device, 1);
}

#[test]
fn mappings_that_do_not_fit_are_told_in_parts() {
    let rig = Rig::new(MAIN, &[SPARE]);
    let open = rig.open().unwrap();
    carry_out(&open, "remap 0 4000");
    let (mut from, mut seen) = (0, 0);
    loop {
        let mut buffer = [0; 300];
        let mut text = crate::text::Text::new(&mut buffer);
        open.engine().say_mappings(from, &mut text);
        assert!(!text.is_cut() || text.length() < 300);
        let text = String::from_utf8(buffer.iter().copied().take_while(|byte| *byte != 0).collect()).unwrap();
        seen += text.lines().filter(|line| !line.starts_with("next")).count();
        match text.lines().last().and_then(|line| line.strip_prefix("next ")) {
            Some(next) => from = next.parse().unwrap(),
            None => break,
        }
    }
    assert_eq!(seen, 500);
}

#[test]
fn a_text_ends_where_its_memory_ends() {
    let mut buffer = [0xff; 5];
    let mut text = crate::text::Text::new(&mut buffer);
    crate::text::say!(&mut text, "{}", "abcdefg");
    assert!(text.is_cut());
    assert_eq!(&buffer, b"abcd\0");
}
