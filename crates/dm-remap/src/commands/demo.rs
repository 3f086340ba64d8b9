//! `demo`: the same work on the same failing disk, twice: as it is, and under dm-remap.
//!
//! Nothing in it is known in advance: the load keeps a ledger of what it was promised, and what is told at the
//! end is counted from what the disks gave back.

mod cache;
mod content;
mod faults;
mod load;
mod random;
mod story;
mod target;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use remap_core::units::SECTOR_BYTES;
use remap_core::{Sector, SectorRange};
use remap_io::device::RemapDevice;
use remap_io::disk::{DirectIo, Disk, FaultyDisk, FileDisk, OpenOptions};
use remap_io::members::{CreateOptions, DeviceOptions, Members, create};

use crate::exit::{Outcome, refusal};
use cache::CachedDisk;
use faults::Faults;
use load::{Load, PAGE};
use random::Random;
use story::{OnlyCopies, Story};
use target::{Plain, Target};

/// The failing disk: 32 MiB.
const MAIN_SECTORS: u64 = 65_536;
/// The spare: 16 MiB.
const SPARE_SECTORS: u64 = 32_768;

/// Shows on disks made of files what is lost without dm-remap, and what with it.
///
/// Needs no root and no device. A main disk that grows bad sectors and a spare are made out of files in a
/// temporary folder; a filesystem-like load runs on the failing disk as it is, and on the same disk under
/// dm-remap. In the middle the power is cut. What each lost is counted.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where bad sectors appear and what the load does follows from this number.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Keep the disks and the fault script in this folder, which must be empty or new.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<Outcome> {
    let started = Instant::now();
    let temporary = tempfile::tempdir().context("cannot make a temporary folder")?;
    let folder = match &args.keep {
        Some(folder) => empty_folder(folder)?,
        None => temporary.path().to_owned(),
    };
    let mut story = Play::new(&folder, args.seed)?.perform()?;
    story.seconds = started.elapsed().as_secs_f64();
    story.kept_in = args.keep.is_some().then_some(folder);
    if args.json {
        crate::text::print_json(&story)?;
    } else {
        crate::text::print(&story.tell())?;
    }
    Ok(Outcome::Done)
}

fn empty_folder(folder: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let mut entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    if entries.next().is_some() {
        return Err(refusal(format!("{} is not empty: name a new folder for --keep", folder.display())));
    }
    Ok(std::path::absolute(folder)?)
}

/// Both disks, and the load on each.
struct Play {
    seed: u64,
    faults: Faults,
    /// Behind its faults, and in front of its medium.
    plain_disk: FaultyDisk,
    plain_cache: Arc<CachedDisk>,
    plain: Load,
    script: PathBuf,
    main_cache: Arc<CachedDisk>,
    spare_cache: Arc<CachedDisk>,
    device: Arc<RemapDevice>,
    remap: Load,
}

impl Play {
    fn new(folder: &Path, seed: u64) -> Result<Self> {
        let script = folder.join("faults.txt");
        let mut faults = Faults::new(&script, MAIN_SECTORS, seed)?;
        let (plain, remap) = (Load::new(MAIN_SECTORS, seed), Load::new(MAIN_SECTORS, seed));
        faults.spread(&plain, 60)?;
        let plain_cache = cached(&folder.join("plain.img"), MAIN_SECTORS)?;
        let plain_disk = FaultyDisk::watching(Box::new(Arc::clone(&plain_cache)), &script)?;
        let main_cache = cached(&folder.join("main.img"), MAIN_SECTORS)?;
        let spare_cache = cached(&folder.join("spare.img"), SPARE_SECTORS)?;
        let options = CreateOptions { name: "demo".into(), ..CreateOptions::default() };
        create(&members(&main_cache, &spare_cache, &script)?, &options)?;
        let members = members(&main_cache, &spare_cache, &script)?;
        let device = RemapDevice::open(members, &DeviceOptions::default())?;
        Ok(Self {
            seed,
            faults,
            plain_disk,
            plain_cache,
            plain,
            script,
            main_cache,
            spare_cache,
            device,
            remap,
        })
    }

    /// Has the same done on both.
    fn on_both(&mut self, mut act: impl FnMut(&mut Load, &dyn Target)) {
        act(&mut self.plain, &Plain(&self.plain_disk));
        act(&mut self.remap, &*self.device);
    }

    fn perform(mut self) -> Result<Story> {
        self.on_both(|load, target| load.create(target, 110));
        self.faults.spread(&self.plain, 30)?;
        self.on_both(|load, target| load.work(target, 60, true));
        self.faults.spread(&self.plain, 30)?;
        self.on_both(|load, target| load.work(target, 40, true));
        self.on_both(|load, target| load.work(target, 7, false));
        let cut = self.cut_power()?;
        self.on_both(|load, target| {
            load.recover(target);
            load.redo(target);
        });
        self.faults.spread(&self.plain, 30)?;
        self.on_both(|load, target| {
            load.work(target, 60, true);
            load.create(target, 60);
            load.flush(target);
            load.verify(target);
        });
        let bad_sectors = self.faults.bad_sectors();
        let bad: Vec<SectorRange> = self.faults.bad().to_vec();
        let killed = self.faults.kill_only_copies(&self.plain, 3)?;
        let only_copies = [
            only_copies(&Plain(&self.plain_disk), &mut self.plain, &killed),
            only_copies(&*self.device, &mut self.remap, &killed),
        ];
        let status = self.device.status();
        let mut moved = Vec::new();
        let whole = SectorRange::new(Sector(0), MAIN_SECTORS);
        self.device.extents(whole, &mut |extent| moved.push(extent));
        self.device.close()?;
        self.main_cache.flush()?;
        self.plain_cache.flush()?;
        self.spare_cache.flush()?;
        Ok(Story::new(self.seed, bad_sectors, bad, cut, [self.plain.counts, self.remap.counts], only_copies)
            .with_device(&status, &moved))
    }

    /// Cuts the power of both disks and of the spare, and starts again. Returns how many sectors of each side
    /// had not been left as last written.
    fn cut_power(&mut self) -> Result<[u64; 2]> {
        let mut random = Random::new(self.seed ^ 0x706f_7765_7220_6375);
        let mut choose = |possibilities: usize| random.below(possibilities as u64) as usize;
        let plain = self.plain_cache.cut_power(&mut choose)?;
        // As a killed server: the device writes nothing more, and the power goes.
        let members = members(&self.main_cache, &self.spare_cache, &self.script)?;
        let remap = self.main_cache.cut_power(&mut choose)? + self.spare_cache.cut_power(&mut choose)?;
        self.device = RemapDevice::open(members, &DeviceOptions::default())?;
        Ok([plain as u64, remap as u64])
    }
}

/// A file of `sectors` sectors behind a volatile cache.
fn cached(path: &Path, sectors: u64) -> Result<Arc<CachedDisk>> {
    let file = std::fs::File::create_new(path).with_context(|| format!("cannot make {}", path.display()))?;
    file.set_len(sectors * SECTOR_BYTES as u64)
        .with_context(|| format!("cannot give {} its size", path.display()))?;
    drop(file);
    // Through the page cache: the only power that is cut is the play's.
    let options = OpenOptions { direct: DirectIo::Off, ..OpenOptions::default() };
    Ok(Arc::new(CachedDisk::new(Box::new(FileDisk::open(path, &options)?))))
}

fn members(main: &Arc<CachedDisk>, spare: &Arc<CachedDisk>, script: &Path) -> Result<Members> {
    let main = FaultyDisk::watching(Box::new(Arc::clone(main)), script)?;
    Ok(Members { main: Box::new(main), spares: vec![Box::new(Arc::clone(spare))] })
}

/// What becomes of sectors whose only copy has gone bad.
fn only_copies(target: &dyn Target, load: &mut Load, killed: &[Sector]) -> OnlyCopies {
    let mut found = OnlyCopies { killed: killed.len() as u64, ..OnlyCopies::default() };
    for &sector in killed {
        let page = Sector(sector.0 / PAGE * PAGE);
        // As programs read; with dm-remap, this is what makes it look.
        let _ = target.read(page, &mut [0; PAGE as usize * SECTOR_BYTES]);
        for other in (page.0..page.0 + PAGE).map(Sector) {
            let read = load::read_sector(target, other).is_some();
            if other == sector {
                found.unreadable += u64::from(!read);
            } else {
                found.neighbours += 1;
                found.neighbours_readable += u64::from(read);
            }
        }
        let written = load.write_again(target, sector);
        found.writable_again += u64::from(written && load::read_sector(target, sector).is_some());
    }
    found
}
