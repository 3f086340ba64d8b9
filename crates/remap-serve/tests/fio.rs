//! fio's nbd engine with verification, while all is well and while the main disk grows bad sectors.

mod support;

use std::fmt::Write as _;
use std::time::Duration;

use support::{SECTORS, Served, Set, run};

fn verify(served: &Served, more: &[&str]) {
    let uri = format!("--uri={}", served.uri());
    let mut arguments = vec![
        "--name=verify",
        "--ioengine=nbd",
        &uri,
        "--size=64M",
        "--bs=4k",
        "--iodepth=16",
        "--rw=randwrite",
        "--verify=crc32c",
        "--verify_fatal=1",
        "--verify_state_save=0",
        "--output-format=terse",
    ];
    arguments.extend(more);
    run("fio", "fio", &arguments);
}

#[test]
fn random_writes_of_all_sizes_verify() {
    for set in Set::of_each_kind() {
        let served = set.serve();
        verify(&served, &["--bsrange=512-256k", "--bs_unaligned=0", "--blockalign=512", "--fsync=64"]);
    }
}

#[test]
fn four_clients_at_once_verify() {
    for set in Set::of_each_kind() {
        let served = set.serve();
        verify(&served, &["--numjobs=4", "--size=16M", "--offset_increment=16M", "--thread"]);
    }
}

#[test]
fn writes_verify_while_the_main_disk_grows_bad_sectors() {
    let served = Set::new().serve();
    std::thread::scope(|scope| {
        let writer =
            scope.spawn(|| verify(&served, &["--time_based", "--runtime=4", "--verify_backlog=256"]));
        let mut script = String::new();
        let mut sector = 17;
        let mut grow = || {
            writeln!(script, "bad-write {sector} 1").expect("a string takes all");
            sector = (sector * 7919 + 13) % SECTORS;
            script.clone()
        };
        // So many that some are met, however slow fio is.
        (0..200).for_each(|_| drop(grow()));
        while !writer.is_finished() {
            let script = grow();
            served.set.set_faults(&script);
            std::thread::sleep(Duration::from_millis(20));
        }
        writer.join().expect("what was written is read back");
    });
    let status = served.set.device.status();
    assert!(status.slots_used > 10, "sectors were moved: {status:?}");
    assert_eq!(status.lost_sectors, 0);
}
