//! What the lines of a fault script mean, and which are refused.

use super::*;

fn parse(text: &str) -> FaultScript {
    text.parse().unwrap()
}

fn reason(text: &str) -> String {
    text.parse::<FaultScript>().unwrap_err().to_string()
}

#[test]
fn each_line_is_a_rule() {
    let script = parse(
        "# a dying disk\n\
         bad 100 2\n\
         \n\
         bad-read 200 1 once   # comes back\n\
         bad-read 208 8 heal-on-write\n\
         bad-write 300 8 times=3 error=timeout\n\
         slow 500 8 ms=20\n\
         offline once",
    );
    let range = |start, sectors| SectorRange::new(Sector(start), sectors);
    let error = DiskError::Medium;
    let rule = |fault, range, times| Rule { fault, range, times };
    assert_eq!(
        script.rules,
        [
            rule(Fault::Bad(error), range(100, 2), None),
            rule(Fault::BadRead { error, heal_on_write: false }, range(200, 1), Some(1)),
            rule(Fault::BadRead { error, heal_on_write: true }, range(208, 8), None),
            rule(Fault::BadWrite(DiskError::Timeout), range(300, 8), Some(3)),
            rule(Fault::Slow { ms: 20 }, range(500, 8), None),
            rule(Fault::Offline, range(0, u64::MAX), Some(1)),
        ]
    );
}

#[test]
fn every_error_has_a_word_and_a_script_reads_back() {
    let text = "bad 0 1 error=medium\nbad 1 1 error=io\nbad-read 2 1 error=timeout heal-on-write\n\
                bad-write 3 1 error=offline times=2\nbad 4 1 error=transport\nslow 5 1 ms=1\noffline times=1\n";
    assert_eq!(parse(text).to_string(), text);
    assert_eq!(parse(&parse(text).to_string()), parse(text));
}

#[test]
fn what_makes_no_sense_is_refused_with_its_line() {
    let table = [
        ("\nbda 1 1", "line 2: `bda` is none of bad, bad-read, bad-write, slow, offline"),
        ("bad", "line 1: start sector is missing"),
        ("bad 1", "line 1: count of sectors is missing"),
        ("bad x 1", "line 1: start sector `x` is no decimal number"),
        ("bad +1 1", "line 1: start sector `+1` is no decimal number"),
        (
            "bad 1 99999999999999999999",
            "line 1: count of sectors `99999999999999999999` is no decimal number",
        ),
        ("bad 1 0", "line 1: 0 sectors from 1 are no range"),
        ("bad 2 18446744073709551615", "line 1: 18446744073709551615 sectors from 2 are no range"),
        ("bad 1 1 twice", "line 1: `twice` is none of once, times=N, error=KIND, ms=N, heal-on-write"),
        ("bad 1 1 once=1", "line 1: `once=1` is none of once, times=N, error=KIND, ms=N, heal-on-write"),
        ("bad 1 1 times=0", "line 1: `times=0` is not between 1 and 4294967295"),
        ("bad 1 1 once times=2", "line 1: `times=2` says again what was said before"),
        ("bad 1 1 error=bad", "line 1: `bad` is none of the errors medium, io, timeout, offline, transport"),
        ("bad 1 1 ms=5", "line 1: `ms=` does not go with `bad`"),
        ("bad 1 1 heal-on-write", "line 1: `heal-on-write` does not go with `bad`"),
        ("slow 1 1", "line 1: `slow` needs ms="),
        ("slow 1 1 ms=600001", "line 1: `ms=600001` is not between 1 and 600000"),
        ("slow 1 1 ms=1 error=io", "line 1: `error=` does not go with `slow`"),
        ("offline 1 1", "line 1: `1` is none of once, times=N, error=KIND, ms=N, heal-on-write"),
    ];
    for (text, expected) in table {
        assert_eq!(reason(text), expected, "{text}");
    }
}
