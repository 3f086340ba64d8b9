//! What a mapfile says of sectors, and what is refused.

use super::*;

const RESCUE: &str = "\
# Mapfile. Created by GNU ddrescue version 1.27
# Command line: ddrescue -d /dev/sdx image mapfile
# Start time:   2024-05-01 12:00:00
# current_pos  current_status  current_pass
0x00120000     *               1
#      pos        size  status
0x00000000  0x00117000  +
0x00117000  0x00000200  -
0x00117200  0x00001000  /
0x00118200  0x00007E00  *
0x00120000  0x00048000  ?
";

fn range(start: u64, sectors: u64) -> SectorRange {
    SectorRange::new(Sector(start), sectors)
}

fn problem(text: &str) -> (usize, MapfileProblem) {
    let error = Mapfile::parse(text.as_bytes()).unwrap_err();
    (error.line, error.problem)
}

fn blocks(text: &str) -> Result<Mapfile, MapfileError> {
    Mapfile::parse(format!("0 +\n{text}").as_bytes())
}

#[test]
fn a_rescue_in_progress_is_understood() {
    let mapfile = Mapfile::parse(RESCUE.as_bytes()).unwrap();
    assert_eq!(mapfile.position_bytes(), 0x0012_0000);
    assert_eq!((mapfile.activity(), mapfile.pass()), (Activity::Trimming, Some(1)));
    assert_eq!(mapfile.blocks().len(), 5);
    assert_eq!(mapfile.bad_sectors(BadMeans::BadSector), [range(0x8b8, 1)]);
    assert_eq!(mapfile.bad_sectors(BadMeans::Failed), [range(0x8b8, 0x48)]);
}

#[test]
fn what_is_written_reads_back_to_the_same() {
    let mapfile = Mapfile::parse(RESCUE.as_bytes()).unwrap();
    assert_eq!(Mapfile::parse(mapfile.to_string().as_bytes()), Ok(mapfile));
    let old = blocks("0 512 ?").unwrap();
    assert_eq!(Mapfile::parse(old.to_string().as_bytes()), Ok(old));
}

#[test]
fn bad_sectors_become_a_finished_rescue_and_back() {
    let bad = [range(10, 2), range(0, 1), range(98, 50)];
    let mapfile = Mapfile::of_bad_sectors(&bad, 100);
    let expected = [range(0, 1), range(10, 2), range(98, 2)];
    assert_eq!(mapfile.bad_sectors(BadMeans::BadSector), expected);
    assert_eq!(mapfile.blocks().len(), 5);
    assert_eq!(Mapfile::parse(mapfile.to_string().as_bytes()), Ok(mapfile));
    assert_eq!(Mapfile::of_bad_sectors(&[], 0).blocks(), []);
    let largest = Mapfile::of_bad_sectors(&[], u64::MAX);
    assert_eq!(Mapfile::parse(largest.to_string().as_bytes()), Ok(largest));
}

#[test]
fn bad_bytes_make_their_whole_sectors_bad() {
    let mapfile = blocks("0 1023 +\n1023 2 -\n1025 511 +\n1536 1 -").unwrap();
    assert_eq!(mapfile.bad_sectors(BadMeans::BadSector), [range(1, 3)]);
}

#[test]
fn numbers_are_decimal_hexadecimal_or_octal() {
    assert_eq!(blocks("0x0 010 +\n8 0X8 -\n").unwrap(), blocks("0 8 +\r\n 8\t8 - \n\n").unwrap());
    for bad in ["0x", "08", "1k", "+1", "-1", "0xg", "0x8000000000000000", "18446744073709551616", "1_0"] {
        assert_eq!(blocks(&format!("0 {bad} +")).unwrap_err().problem, MapfileProblem::BadNumber, "{bad}");
    }
}

#[test]
fn a_first_block_may_start_anywhere_and_the_others_follow() {
    assert!(blocks("4096 512 +\n4608 512 -").is_ok());
    assert_eq!(problem("0 +\n0 512 +\n1024 512 -"), (3, MapfileProblem::Gap));
    assert_eq!(problem("0 +\n0 512 +\n\n511 512 -"), (4, MapfileProblem::Overlap));
}

#[test]
fn whatever_is_no_mapfile_is_refused_with_its_line() {
    assert_eq!(problem(""), (1, MapfileProblem::Empty));
    assert_eq!(problem("# only\n# comments\n"), (3, MapfileProblem::Empty));
    assert_eq!(problem("hello\n"), (1, MapfileProblem::NotAStatusLine));
    assert_eq!(problem("0 + 1 2\n"), (1, MapfileProblem::NotAStatusLine));
    assert_eq!(problem("0 X\n"), (1, MapfileProblem::UnknownStatus));
    assert_eq!(problem("0 + 4294967296\n"), (1, MapfileProblem::BadNumber));
    assert_eq!(problem("0 +\n0 512\n"), (2, MapfileProblem::NotABlock));
    assert_eq!(problem("0 +\n0 512 + +\n"), (2, MapfileProblem::NotABlock));
    assert_eq!(problem("0 +\n0 512 ++\n"), (2, MapfileProblem::UnknownStatus));
    assert_eq!(problem("0 +\n0 512 F\n"), (2, MapfileProblem::UnknownStatus));
    assert_eq!(problem("0 +\n0 0 +\n"), (2, MapfileProblem::EmptyBlock));
    assert_eq!(problem("0 +\n1 0x7fffffffffffffff +\n"), (2, MapfileProblem::BlockTooLong));
    assert_eq!(problem(&"x".repeat(MAX_LINE_BYTES + 1)), (1, MapfileProblem::LineTooLong));
}

#[test]
fn the_last_byte_of_the_largest_disk_can_be_bad() {
    let mapfile = blocks("0x7ffffffffffffffe 1 -").unwrap();
    assert_eq!(mapfile.bad_sectors(BadMeans::BadSector), [range(MAX_SECTORS - 1, 1)]);
}

#[test]
fn no_damage_makes_the_reader_panic_or_forget() {
    const BYTES: &[u8] = b"0123456789abcdefxX+-*/?#FG \n\r\0\xff";
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below as u64) as usize
    };
    let mut parsed = 0;
    for _ in 0..20_000 {
        let mut text = RESCUE.as_bytes().to_vec();
        for _ in 0..=next(3) {
            let at = next(text.len());
            match next(3) {
                0 => text[at] = BYTES[next(BYTES.len())],
                1 => text.insert(at, BYTES[next(BYTES.len())]),
                _ => text.truncate(at + 1),
            }
        }
        if let Ok(mapfile) = Mapfile::parse(&text) {
            parsed += 1;
            assert_eq!(Mapfile::parse(mapfile.to_string().as_bytes()), Ok(mapfile));
        }
    }
    assert!(parsed > 1000, "only {parsed} of the damaged texts could be read");
}
