//! Messages: each does what it says, and wrong ones are refused.

use std::time::Duration;

use anyhow::{Result, ensure};
use rustix::io::Errno;

use crate::checks::Checks;
use crate::direct::Direct;
use crate::guest;
use crate::klog::Klog;
use crate::mirror::Mirror;
use crate::scenarios::on_ram::{OnRam, figure, ranges};
use crate::set;

const SECTORS: u64 = 4096;

/// All that there are.
const WORDS: [&str; 18] = [
    "help",
    "status",
    "stats",
    "health",
    "cache_stats",
    "clear_stats",
    "mappings",
    "remap",
    "accept_loss",
    "retry",
    "unmap",
    "scrub",
    "verify_metadata",
    "probe",
    "resume",
    "sync",
    "add_spare",
    "remove_spare",
];

pub fn play(checks: &Checks) -> Result<()> {
    let mut mirror = Mirror::new(SECTORS, 6);
    let mut set = OnRam::new(32, "", |main| mirror.write_all(&Direct::open(&main.path())?))?;
    told(checks, &set)?;
    refused(checks, &set)?;
    moved_ahead(checks, &mut set, &mut mirror)?;
    lost(checks, &mut set, &mut mirror)?;
    scrubbed(checks, &mut set, &mut mirror)
}

/// What only asks.
fn told(checks: &Checks, set: &OnRam) -> Result<()> {
    let device = set.device()?;
    let help = device.message("help")?;
    let missing: Vec<_> =
        WORDS.into_iter().filter(|word| !help.lines().any(|line| line.starts_with(word))).collect();
    checks.eq("help names every message", missing, Vec::new());
    let line = device.status()?;
    let fields = line.splitn(4, ' ').nth(3).unwrap_or_default();
    checks.eq("status answers as the status line", device.message("status")?.as_str(), fields);
    let health = device.message("health")?;
    checks.that("health is good", health.starts_with("100 good"), &health);
    let io = set.io()?;
    let before = (set.count("reads")?, set.count("sectors_read")?);
    (0..16).try_for_each(|at| io.read(at * 8, 8).map(drop))?;
    checks.eq(
        "stats count reads",
        (set.count("reads")?, set.count("sectors_read")?),
        (before.0 + 16, before.1 + 128),
    );
    let cache = device.message("cache_stats")?;
    checks.that("cache_stats count what the filter let pass", figure(&cache, "filter_passes")? >= 16, &cache);
    checks.eq("sync answers", device.message("sync")?.as_str(), "done");
    checks.eq("verify_metadata finds all good", figure(&device.message("verify_metadata")?, "bad")?, 0);
    checks.that("an empty table has no mappings", set::mappings(device)?.is_empty(), "it has");
    checks.that("resume is harmless", device.message("resume").is_ok(), "it is refused");
    checks.that("probe finds life", device.message("probe")?.contains("device answers"), "it does not");
    device.message("clear_stats")?;
    checks.eq("clear_stats clears", (set.count("reads")?, set.count("sectors_read")?), (0, 0));
    Ok(())
}

/// What must not be taken, each with a line of the kernel's log.
fn refused(checks: &Checks, set: &OnRam) -> Result<()> {
    let device = set.device()?;
    let spare = format!("remove_spare {}", set.spare().display());
    let again = format!("add_spare {}", set.spare().display());
    let words = [
        "nonsense",
        "remap",
        "remap x",
        "remap -1",
        "remap 99999999",
        "remap 0 99999999",
        "remap 18446744073709551615 8",
        "remap 1 0",
        "remap 1+1 1",
        "remap 1 1 1",
        "accept_loss",
        "accept_loss x",
        "retry",
        "retry 0 1 0",
        "retry 0 1 1001",
        "retry 0 1 1 1",
        "unmap",
        "unmap 5 0",
        "unmap 5 x",
        "mappings x",
        "mappings 0 0",
        "scrub",
        "scrub start x",
        "scrub start -1",
        "scrub pause",
        "scrub stop now",
        "status all",
        "help me",
        "sync now",
        "resume now",
        "clear_stats all",
        "verify_metadata 1",
        "add_spare",
        "add_spare /no/such/device",
        "remove_spare",
        "remove_spare /no/such/device",
        &spare,
        &again,
        "message",
    ];
    let mut log = Klog::from_now()?;
    let taken: Vec<_> = words.into_iter().filter(|words| device.message(words).is_ok()).collect();
    checks.eq("wrong messages are refused", taken, Vec::new());
    let told = log.lines()?.iter().filter(|line| line.contains("message refused: ")).count();
    let silent = log.lines()?.iter().any(|line| line.trim_end().ends_with("message refused:"));
    checks.that(
        "and the kernel's log says why",
        told == words.len() && !silent,
        format!("{told} of {}", words.len()),
    );
    checks.eq("nothing came of them", (set.status()?.used, &*set.status()?.state), (0, "ok"));
    Ok(())
}

/// `remap` before anything fails, `unmap` afterwards.
fn moved_ahead(checks: &Checks, set: &mut OnRam, mirror: &mut Mirror) -> Result<()> {
    let io = set.io()?;
    let answer = set.device()?.message("remap 500 20")?;
    checks.eq("remap moves blocks", (figure(&answer, "blocks")?, figure(&answer, "failed")?), (3, 0));
    let mappings = set::mappings(set.device()?)?;
    let seen: Vec<_> =
        mappings.iter().map(|mapping| (mapping.start, mapping.spare, mapping.moved, mapping.lost)).collect();
    checks.eq(
        "mappings tell exactly what was moved",
        seen,
        vec![(496, 1, 0xf0, 0), (504, 1, 0xff, 0), (512, 1, 0xff, 0)],
    );
    set.main().set_bad(&[500..520])?;
    checks.good("what was moved ahead is served when it fails", mirror.compare(&io));
    checks.that(
        "unmap fails while the main device does",
        figure(&set.device()?.message("unmap 504 8")?, "failed")? == 1,
        "no",
    );
    checks.good("and changes nothing", mirror.compare(&io));
    set.main().set_bad(&[])?;
    mirror.write(&io, 490..530)?;
    let answer = set.device()?.message("unmap 0 4096")?;
    checks.eq("unmap writes back", (figure(&answer, "blocks")?, figure(&answer, "failed")?), (3, 0));
    checks.eq("and frees the slots", (set.status()?.used, set::mappings(set.device()?)?), (0, Vec::new()));
    checks.good("what was moved last is read", mirror.compare(&io));
    drop(io);
    let below = Direct::open(set.below_main())?;
    checks.good("from the main device", mirror.compare_range(&below, 490..530, 8));
    set.again()?;
    checks.good("after create, too", mirror.compare(&set.io()?));
    checks.eq("without a slot", set.status()?.used, 0);
    Ok(())
}

/// `retry` and `accept_loss`.
fn lost(checks: &Checks, set: &mut OnRam, mirror: &mut Mirror) -> Result<()> {
    let io = set.io()?;
    set.main().set_bad(&ranges(&[800, 803, 900, 1000]))?;
    for sector in [800, 803, 900, 1000] {
        checks.eq(format!("sector {sector} is lost"), io.read(sector, 1).err(), Some(Errno::NODATA));
    }
    let answer = set.device()?.message("retry 800 8 3")?;
    checks.eq(
        "a retry while it fails changes nothing",
        (figure(&answer, "failed")?, set.status()?.lost),
        (1, 4),
    );
    let answer = set.device()?.message("unmap 800 8")?;
    checks.that("a block with lost sectors is not unmapped", figure(&answer, "failed")? == 1, &answer);
    set.main().set_bad(&ranges(&[803, 900, 1000]))?;
    set.device()?.message("retry 800+8")?;
    checks.eq("a retry heals what answers", io.unreadable(800..808), vec![(803, Errno::NODATA)]);
    checks.good("with what it held", mirror.compare_range(&io, 800..803, 1));
    let answer = set.device()?.message("accept_loss 896 8")?;
    checks.eq("accept_loss takes the range", (figure(&answer, "failed")?, set.status()?.lost), (0, 2));
    mirror.zero(900..901);
    checks.good("and gives zeros for the lost sector alone", mirror.compare_range(&io, 890..910, 1));
    set.main().set_bad(&[])?;
    set.device()?.message("retry 0 4096")?;
    checks.eq("when all answer, a retry heals all", set.status()?.lost, 0);
    checks.good("accepted zeros stay", mirror.compare(&io));
    drop(io);
    set.again()?;
    checks.good("after create, too", mirror.compare(&set.io()?));
    Ok(())
}

/// `scrub` finds what nobody has read, and repairs metadata.
fn scrubbed(checks: &Checks, set: &mut OnRam, mirror: &mut Mirror) -> Result<()> {
    let device = set.device()?;
    set.main().set_bad(&ranges(&[2000, 2001, 60_000]))?;
    let status = device.message("scrub status")?;
    checks.that("before the first scrub there was none", status.starts_with("never"), &status);
    let (lost, used) = (set.status()?.lost, set.status()?.used);
    device.message("scrub start")?;
    let done = guest::eventually("the scrub is done", || {
        let status = device.message("scrub status")?;
        ensure!(status.starts_with("done"), "{status}");
        Ok(status)
    })?;
    checks.eq("a scrub finds what cannot be read", set.status()?.lost, lost + 3);
    checks.eq("and takes slots for nothing else", set.status()?.used, used + 2);
    checks.that("and has seen all", done.contains("sectors 65536/65536"), &done);
    let io = set.io()?;
    checks.good("neighbours of what it found are served", mirror.compare_range(&io, 1900..2000, 8));
    mirror.write(&io, 2000..2002)?;
    checks.good("and what it found can be written", mirror.compare(&io));

    // At 1 MiB a second this one takes half a minute, if nobody stops it.
    device.message("scrub start 1")?;
    checks.that(
        "a second scrub is refused while one runs",
        device.message("scrub start").is_err(),
        "it is not",
    );
    let status = device.message("scrub status")?;
    checks.that("a slow scrub runs", status.starts_with("running"), &status);
    let status = device.message("scrub stop")?;
    checks.that("a scrub is stopped", status.starts_with("stopped"), &status);
    device.message("scrub start 1")?;
    drop(io);
    checks.good("a set is removed while a scrub runs", set.again());
    set.device()?.message("scrub start 1")?;
    set.device()?.suspend()?;
    set.device()?.resume()?;
    checks.good("a set is suspended while a scrub runs", mirror.compare_range(&set.io()?, 0..512, 8));

    // Damage one copy of the first map page: verifying mends it from the others.
    let copies = set::pages(set.spare())?.remove(&0).unwrap_or_default();
    let mut log = Klog::from_now()?;
    let Some(&copy) = copies.first() else { return Ok(()) };
    let _damage = set::Damage::to(set.spare(), copy)?;
    let answer = set.device()?.message("verify_metadata")?;
    checks.eq("a damaged copy is repaired", (figure(&answer, "repaired")?, figure(&answer, "bad")?), (1, 0));
    checks.that(
        "which is told",
        log.says("was damaged and is repaired", Duration::from_secs(5))?,
        "it is not",
    );
    let answer = set.device()?.message("verify_metadata")?;
    checks.eq("and is good then", (figure(&answer, "repaired")?, figure(&answer, "bad")?), (0, 0));
    Ok(())
}
