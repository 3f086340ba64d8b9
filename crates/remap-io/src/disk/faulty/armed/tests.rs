//! Which requests the rules hit, and what is left afterwards.

use super::*;

fn range(start: u64, sectors: u64) -> SectorRange {
    SectorRange::new(Sector(start), sectors)
}

fn armed(text: &str) -> Armed {
    Armed::new(text.parse().unwrap(), None, &[])
}

fn first_bad(armed: &Armed, access: Access, range: SectorRange) -> Option<u64> {
    armed.strike(access, range).map(|struck| struck.first_bad.0)
}

#[test]
fn the_lowest_bad_sector_decides_and_only_its_rule_is_used_up() {
    let armed = armed("bad 12 1 once error=io\nbad 10 1 once");
    let struck = armed.strike(Access::Read, range(8, 8)).unwrap();
    assert_eq!(struck, Struck { first_bad: Sector(10), error: DiskError::Medium });
    let struck = armed.strike(Access::Read, range(8, 8)).unwrap();
    assert_eq!(struck, Struck { first_bad: Sector(12), error: DiskError::Io });
    assert_eq!(armed.strike(Access::Read, range(8, 8)), None);
}

#[test]
fn rules_hit_the_access_they_name_and_the_range_they_share() {
    let armed = armed("bad-read 10 2\nbad-write 20 2");
    assert_eq!(first_bad(&armed, Access::Read, range(0, 30)), Some(10));
    assert_eq!(first_bad(&armed, Access::Write, range(0, 30)), Some(20));
    assert_eq!(first_bad(&armed, Access::Read, range(11, 1)), Some(11));
    for (start, sectors) in [(0, 10), (12, 8), (22, 8), (10, 0)] {
        assert_eq!(first_bad(&armed, Access::Read, range(start, sectors)), None, "{start}");
        assert_eq!(first_bad(&armed, Access::Write, range(start, sectors)), None, "{start}");
    }
}

#[test]
fn a_long_rule_is_found_behind_many_short_ones() {
    let short: Vec<_> = (0..1000).map(|index| format!("bad {} 1", index * 4)).collect();
    let armed = armed(&format!("bad-read 1 100000\n{}", short.join("\n")));
    assert_eq!(first_bad(&armed, Access::Read, range(50_000, 8)), Some(50_000));
    assert_eq!(first_bad(&armed, Access::Write, range(3993, 3)), None);
    assert_eq!(first_bad(&armed, Access::Write, range(3993, 4)), Some(3996));
}

#[test]
fn offline_fails_everything_and_bad_sectors_fail_no_flush() {
    let offline = armed("offline times=2\nbad 0 1");
    assert_eq!(offline.strike(Access::Other, range(0, 0)).unwrap().error, DiskError::Offline);
    assert_eq!(offline.strike(Access::Read, range(77, 1)).unwrap().error, DiskError::Offline);
    assert_eq!(offline.strike(Access::Other, range(0, 0)), None);
}

#[test]
fn a_written_sector_is_healed_and_its_neighbours_are_not() {
    let armed = armed("bad-read 10 4 heal-on-write");
    assert_eq!(armed.heal(range(0, 12)), [range(10, 1), range(11, 1)]);
    assert_eq!(armed.heal(range(0, 12)), []);
    assert_eq!(first_bad(&armed, Access::Read, range(8, 8)), Some(12));
    assert_eq!(first_bad(&armed, Access::Read, range(8, 4)), None);
}

#[test]
fn an_unchanged_rule_goes_on_where_it_was_in_a_changed_script() {
    let before = armed("bad 1 1 once\nbad 1 1 once\nbad-read 9 1 heal-on-write");
    assert!(before.strike(Access::Read, range(1, 1)).is_some());
    before.heal(range(9, 1));
    let script = "bad 5 1\nbad 1 1 once\nbad 1 1 once\nbad-read 9 1 heal-on-write";
    let after = Armed::new(script.parse().unwrap(), Some(&before), &[]);
    assert!(after.strike(Access::Read, range(5, 1)).is_some());
    assert!(after.strike(Access::Read, range(1, 1)).is_some());
    assert!(after.strike(Access::Read, range(1, 1)).is_none());
    assert!(after.strike(Access::Read, range(9, 1)).is_none());
}

#[test]
fn a_limit_holds_among_threads() {
    let armed = armed("bad 0 1 times=100");
    let struck = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let hit = armed.strike(Access::Read, range(0, 1)).is_some();
                    struck.fetch_add(usize::from(hit), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(struck.into_inner(), 100);
}
