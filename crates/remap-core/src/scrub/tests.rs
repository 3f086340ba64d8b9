use super::*;
use std::vec::Vec;

fn drain(scrub: &mut Scrub, bad: u64) -> Vec<SectorRange> {
    let mut read = Vec::new();
    loop {
        match scrub.next(u64::MAX) {
            ScrubStep::Read(range) => {
                read.push(range);
                if range.start.0 <= bad && bad < range.end().0 {
                    scrub.failed(range);
                }
                assert!(read.len() < 10_000, "the scrub does not end");
            }
            ScrubStep::VerifyPage(_) => {}
            ScrubStep::Wait(_) => panic!("nothing to wait for"),
            ScrubStep::Done => return read,
        }
    }
}

#[test]
fn every_sector_is_read_and_every_page_verified() {
    let mut scrub = Scrub::new(100_001, 3, 0, 0);
    let read = drain(&mut scrub, u64::MAX);
    let mut at = 0;
    for range in read {
        assert_eq!(range.start.0, at);
        at = range.end().0;
    }
    assert_eq!(at, 100_001);
    assert_eq!(scrub.progress(), (100_001, 100_001, 0));
}

#[test]
fn around_a_failure_it_reads_in_small_steps() {
    let mut scrub = Scrub::new(100_000, 0, 0, 0);
    let read = drain(&mut scrub, 50_000);
    let close: Vec<_> = read.iter().filter(|range| range.sectors <= JOB_SECTORS).collect();
    assert!(close.first().unwrap().start.0 <= 50_000 - 4096);
    assert!(close.iter().any(|range| range.start.0 <= 50_000 && 50_000 < range.end().0));
    assert!(close.iter().any(|range| range.start.0 > 55_000));
    assert_eq!(read.last().unwrap().end().0, 100_000);
}

#[test]
fn the_rate_holds_over_time() {
    let mut scrub = Scrub::new(1 << 20, 0, 1 << 20, 1000);
    let mut now = 1000;
    let mut bytes = 0;
    while now < 11_000 {
        match scrub.next(now) {
            ScrubStep::Read(range) => bytes += range.sectors * 512,
            ScrubStep::Wait(until) => now = until,
            _ => break,
        }
    }
    assert!((9 << 20..=12 << 20).contains(&bytes), "{bytes} bytes in 10 s at 1 MiB/s");
}
