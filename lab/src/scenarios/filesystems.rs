//! File systems that are made and filled over bad sectors, while more of them go bad.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::io::Errno;

use super::on_ram::{OnRam, ranges};
use crate::checks::Checks;
use crate::direct::{Direct, SECTOR_BYTES};
use crate::disks::SECTORS_PER_MIB;
use crate::fs::Kind;
use crate::guest;
use crate::load::Random;
use crate::scenario::{Next, Scenario, Step};
use crate::tree::Tree;

pub const SCENARIO: Scenario = Scenario {
    name: "filesystems",
    about: "ext4, XFS and Btrfs over sectors that are bad from the beginning, and over those that go bad",
    steps: &[Step { name: "all", play }],
    needs_target: true,
    limit_seconds: 900,
    ..Scenario::USUAL
};

/// One in the very first page, some where file systems begin, and where users of dm-remap put them.
const BAD: [u64; 9] = [7, 40, 300, 1999, 50_000, 50_001, 75_000, 100_000, 150_000];
/// One sector in so many goes bad before files are copied, and each time while they are.
const FIRST: u64 = 150;
const MORE: u64 = 3000;
const PAUSE: Duration = Duration::from_millis(300);
/// What a sector holds that nobody has written.
const POISON: u8 = 0xb5;
/// Of files.
const BYTES: u64 = 6 << 20;

fn play(checks: &Checks) -> Result<Next> {
    // Read once: the guest's root is slow.
    let source = guest::new_folder("source")?;
    let tree = Tree::copy(Path::new("/usr/lib/python3"), &source.join("tree"), BYTES)?;
    checks.that("there are files to copy", tree.bytes() >= BYTES / 2, tree.bytes());
    for kind in Kind::ALL {
        if let Err(error) = over_bad_sectors(checks, kind, &source.join("tree")) {
            checks.failed(kind.name(), format!("{error:#}"));
        }
    }
    std::fs::remove_dir_all(source)?;
    Ok(Next::Done)
}

fn over_bad_sectors(checks: &Checks, kind: Kind, source: &Path) -> Result<()> {
    let name = kind.name();
    let mebibytes = if kind == Kind::Xfs { 320 } else { 128 };
    let mut set = OnRam::new(mebibytes, "", |main| {
        let io = Direct::open(&main.path())?;
        let poison = vec![POISON; SECTORS_PER_MIB as usize * SECTOR_BYTES];
        for mebibyte in 0..mebibytes {
            io.write(mebibyte * SECTORS_PER_MIB, &poison)?;
        }
        drop(io);
        main.set_bad(&ranges(&BAD))
    })?;
    // Who makes a file system first reads what was there, by whole pages. That much has to be readable.
    let refused = set.io()?.read(BAD[0], 1).err();
    checks.eq(format!("{name}: the first page cannot be read"), refused, Some(Errno::NODATA));
    set.device()?.message(&format!("accept_loss {}", BAD[0]))?;
    checks.good(format!("{name}: is made over bad sectors"), kind.make(&set.device()?.path()));
    let mounted = kind.mount(&set.device()?.path(), "files")?;
    let copies = [mounted.folder().join("first"), mounted.folder().join("second")];
    let trees = fill(&set, source, &copies)?;
    checks.eq(format!("{name}: files are there"), differences(&trees, &copies), Vec::new());
    guest::drop_caches()?;
    checks.eq(format!("{name}: and on the disk"), differences(&trees, &copies), Vec::new());
    mounted.unmount()?;
    checks.good(format!("{name}: is sound"), check(&set, kind));
    let status = set.status()?;
    checks.that(format!("{name}: many blocks were moved"), status.used >= 20, format!("{status:?}"));
    checks.eq(format!("{name}: no slot failed"), (status.retired, status.metadata_errors), (0, 0));

    set.again()?;
    checks.good(format!("{name}: is sound after create"), check(&set, kind));
    let mounted = kind.mount(&set.device()?.path(), "files")?;
    checks.eq(format!("{name}: files are there after create"), differences(&trees, &copies), Vec::new());
    std::fs::remove_dir_all(&copies[0])?;
    let third = [mounted.folder().join("third")];
    let more = Tree::copy(source, &third[0], BYTES / 2)?;
    guest::drop_caches()?;
    checks.eq(format!("{name}: files can be removed and written"), differences(&[more], &third), Vec::new());
    checks.eq(format!("{name}: others stay"), differences(&trees[1..], &copies[1..]), Vec::new());
    mounted.unmount()?;
    checks.good(format!("{name}: is sound in the end"), check(&set, kind));
    Ok(())
}

/// Checks a file system as an operator does: who checks reads more than was ever written, and gives up where that
/// fails; then that loss is accepted, and it is checked again.
fn check(set: &OnRam, kind: Kind) -> Result<()> {
    for _ in 0..8 {
        let checked = kind.check(&set.device()?.path());
        if checked.is_ok() || set.status()?.lost == 0 {
            return checked;
        }
        set.device()?.message(&format!("accept_loss 0 {}", set.main().sectors()))?;
    }
    kind.check(&set.device()?.path())
}

/// Copies `source` to each of `copies`; sectors that nobody has written yet go bad before, many of them, and
/// meanwhile.
fn fill(set: &OnRam, source: &Path, copies: &[PathBuf]) -> Result<Vec<Tree>> {
    let mut wear = Wear { bad: BAD.into(), random: Random::new(21) };
    wear.go_on(set, FIRST).context("making sectors bad")?;
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let copying = scope.spawn(|| {
            let trees: Result<Vec<_>> = copies
                .iter()
                .map(|copy| {
                    let tree = Tree::copy(source, copy, u64::MAX)?;
                    rustix::fs::sync();
                    Ok(tree)
                })
                .collect();
            ended.store(true, Ordering::Release);
            trees
        });
        let mut worn = Ok(());
        while worn.is_ok() && !ended.load(Ordering::Acquire) {
            worn = wear.go_on(set, MORE).context("making more sectors bad");
            thread::sleep(PAUSE);
        }
        let trees = copying.join().map_err(|_| anyhow::anyhow!("copying panicked"))?;
        worn.and(trees)
    })
}

/// A disk that wears out.
struct Wear {
    bad: BTreeSet<u64>,
    random: Random,
}

impl Wear {
    /// One in `step` sectors goes bad, unless it is written: what it holds would be lost, by right.
    fn go_on(&mut self, set: &OnRam, step: u64) -> Result<()> {
        let below = Direct::open(set.below_main())?;
        set.main().choose_bad(|| {
            for start in (0..set.main().sectors() - step).step_by(step as usize) {
                let sector = start + self.random.below(step);
                if below.read(sector, 1)?.iter().all(|&byte| byte == POISON) {
                    self.bad.insert(sector);
                }
            }
            Ok(ranges(&self.bad.iter().copied().collect::<Vec<_>>()))
        })?;
        Ok(())
    }
}

fn differences(trees: &[Tree], copies: &[PathBuf]) -> Vec<String> {
    trees.iter().zip(copies).flat_map(|(tree, copy)| tree.differences(copy)).take(8).collect()
}
