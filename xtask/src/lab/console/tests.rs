//! Logs as kernels write them.

use super::{message, troubles};

/// The first lines of what is found in `log`, without their time stamps.
fn found(log: &str) -> Vec<String> {
    troubles(log, |_| &[]).iter().map(|trouble| message(&trouble.text[0]).to_owned()).collect()
}

#[test]
fn reports_of_trouble_are_found() {
    for line in [
        "[   21.345678] WARNING: CPU: 1 PID: 77 at block/bio.c:123 bio_put+0x1/0x2 [dm_mod]",
        "[   21.345678] WARNING: drivers/md/dm.c:99 at dm_put+0x1/0x2, CPU#0: dmsetup/77",
        "[   21.345678] WARNING: possible circular locking dependency detected",
        "[   21.345678][  T77] BUG: KASAN: slab-use-after-free in end_io+0x1/0x2",
        "[   21.345678] BUG: sleeping function called from invalid context at mm/slub.c:1",
        "[   21.345678] BUG kmalloc-64 (Tainted: G           O      ): Objects remaining in kmalloc-64",
        "[   21.345678] BUG: kernel NULL pointer dereference, address: 0000000000000008",
        "[   21.345678] watchdog: BUG: soft lockup - CPU#0 stuck for 67s! [kworker/0:1:9]",
        "[   21.345678] kernel BUG at block/blk-core.c:12!",
        "[   21.345678] Oops: 0000 [#1] PREEMPT SMP NOPTI",
        "[   21.345678] Oops: Oops: 0000 [#1] SMP NOPTI",
        "[   21.345678] Kernel panic - not syncing: Fatal exception",
        "[  242.000001] INFO: task dmsetup:77 blocked for more than 120 seconds.",
        "[   82.000001] rcu: INFO: rcu_preempt self-detected stall on CPU",
        "[   82.000001] INFO: rcu_sched detected stalls on CPUs/tasks:",
        "[   82.000001] UBSAN: shift-out-of-bounds in lib/a.c:1:2",
        "[   82.000001] kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
        "[   82.000001] fio: page allocation failure: order:0, mode:0x40800(GFP_NOWAIT|__GFP_COMP)",
        "[   82.000001] Out of memory: Killed process 77 (fio) total-vm:1kB",
        "[   82.000001] refcount_t: underflow; use-after-free.",
        "[   82.000001] Call Trace:",
    ] {
        assert_eq!(found(line).len(), 1, "{line}");
    }
}

#[test]
fn what_failing_disks_and_an_emulated_processor_cause_is_no_trouble() {
    let log = "\
[    0.000000] Linux version 6.12.9 (gcc) #1 SMP
[    0.000000] [Firmware Bug]: TSC doesn't count with P0 frequency!
[    0.223277] Warning: unable to open an initial console
[    4.000000] clocksource: timekeeping watchdog on CPU1: Marking clocksource 'tsc' as unstable because the skew is too large:
[    4.000001] clocksource: Long readout interval, skipping watchdog check
[    4.000002] workqueue: blk_mq_run_work_fn hogged CPU for >10000us 4 times, consider switching to WQ_UNBOUND
[    4.000003] hrtimer: interrupt took 9000000 ns
[    5.000000] dm_remap: loading out-of-tree module taints kernel.
[    5.000001] dm_remap: module verification failed: signature and/or required key missing - tainting kernel
[    6.000000] Buffer I/O error on dev dm-0, logical block 12, async page read
[    6.000001] I/O error, dev sda, sector 8 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2
[    6.000002] EXT4-fs error (device dm-0): ext4_find_entry:1: inode #2: comm ls: reading directory lblock 0
[    6.000003] critical medium error, dev sda, sector 8 op 0x0:(READ)
[    7.000000] kmemleak: Kernel memory leak detector initialized (mem pool available: 15000)
[    8.000000] systemd[1]: WARNING: said by a program
";
    assert_eq!(found(log), Vec::<String>::new());
}

#[test]
fn a_report_counts_once_and_brings_its_stack() {
    let log = "\
[    9.000000] lab: scenario flushes
[   10.000000] ------------[ cut here ]------------
[   10.000001] WARNING: CPU: 1 PID: 77 at block/bio.c:123 bio_put+0x1/0x2
[   10.000002] Modules linked in: brd dm_mod
[   10.000003] Call Trace:
[   10.000004]  <TASK>
[   10.000005] ---[ end trace 0000000000000000 ]---
";
    let troubles = troubles(log, |_| &[]);
    assert_eq!(troubles.len(), 1);
    assert_eq!(troubles[0].line, 3);
    assert_eq!(troubles[0].scenario.as_deref(), Some("flushes"));
    assert!(troubles[0].text[2].ends_with("Call Trace:"));
}

#[test]
fn a_scenario_may_expect_a_report_and_no_other_scenario_is_excused_by_that() {
    let log = "\
[    9.000000] lab: scenario crash
[   10.000000] Kernel panic - not syncing: sysrq triggered crash
[   10.000001] Call Trace:
[   10.000002] WARNING: CPU: 1 PID: 77 at block/bio.c:123 bio_put+0x1/0x2
[   11.000000] lab: scenario other
[   11.000001] Kernel panic - not syncing: sysrq triggered crash
";
    let expected = ["sysrq triggered crash".to_owned()];
    let troubles = troubles(log, |name| if name == "crash" { &expected } else { &[] });
    assert_eq!(troubles.iter().map(|trouble| trouble.line).collect::<Vec<_>>(), [4, 6]);
}

#[test]
fn time_stamps_and_tasks_are_left_out() {
    assert_eq!(message("[   12.345678] a [b] c"), "a [b] c");
    assert_eq!(message("[   12.345678][   T42] a"), "a");
    assert_eq!(message("a"), "a");
    assert_eq!(message("[  ]"), "");
}
