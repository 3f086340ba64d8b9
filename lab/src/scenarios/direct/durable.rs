//! Flushes and writes that are durable at once, discards and zeros: on disks that know all of these.

use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, Result};
use rustix::fs::{FallocateFlags, OFlags};
use rustix::io::Errno;

use crate::checks::Checks;
use crate::direct::{Direct, SECTOR_BYTES};
use crate::disks::{BadDisk, LoopDisk};
use crate::dm::Device;
use crate::mirror::Mirror;
use crate::program;
use crate::scenarios::on_ram::{figure, ranges};
use crate::set::{Line, Status};

const SECTORS: u64 = 4096;
const MOVED: [u64; 5] = [100, 101, 200, 300, 400];
const LOST: [u64; 2] = [1000, 1100];

pub fn play(checks: &Checks) -> Result<()> {
    let (base, spare) = (LoopDisk::new("main", 32, 512)?, LoopDisk::new("spare", 32, 512)?);
    let main = BadDisk::new("main", base.path())?;
    let mut mirror = Mirror::new(SECTORS, 5);
    mirror.write_all(&Direct::open(&main.path())?)?;
    let line = Line::new(&main.path(), spare.path());
    let device = line.create("set")?;
    main.set_bad(&ranges(&[100, 101, 200, 300, 400, 1000, 1100]))?;
    durable(checks, &device, &mut mirror)?;

    let io = Direct::open(&device.path())?;
    for lost in LOST {
        checks.eq(format!("sector {lost} is lost"), io.read(lost, 1).err(), Some(Errno::NODATA));
    }
    drop(io);
    // From here on the main device answers, with what is old, and again takes discards.
    main.set_bad(&[])?;
    discards(checks, &device, &mut mirror)?;
    zeros(checks, &device, &mut mirror)?;
    device.remove()?;
    let device = line.create("set")?;
    let io = Direct::open(&device.path())?;
    checks.good("durable: all of it is there after create", mirror.compare(&io));
    Ok(())
}

/// Writes that end only when they are durable, over bad sectors and beside them.
fn durable(checks: &Checks, device: &Device, mirror: &mut Mirror) -> Result<()> {
    let flags = i32::try_from((OFlags::DSYNC | OFlags::DIRECT).bits())?;
    let file = OpenOptions::new().write(true).custom_flags(flags).open(device.path())?;
    let before = figure(&device.message("stats")?, "flushes")?;
    for range in [100..101, 200..208, 96..104, 280..420, 600..608] {
        let bytes = mirror.change(range.clone()).to_vec();
        write_aligned(&file, &bytes, range.start).with_context(|| format!("writing {range:?}"))?;
    }
    checks.ok("durable writes over bad sectors succeed");
    // Now again, where they live.
    for sector in MOVED {
        let bytes = mirror.change(sector..sector + 1).to_vec();
        write_aligned(&file, &bytes, sector)?;
    }
    let io = Direct::open(&device.path())?;
    io.flush()?;
    checks.that(
        "a flush is one",
        figure(&device.message("stats")?, "flushes")? > before,
        "the set counted none",
    );
    let around =
        mirror.compare_range(&io, 0..1000, 8).and_then(|()| mirror.compare_range(&io, 1101..SECTORS, 8));
    checks.good("and are there", around);
    Ok(())
}

/// A discard changes nothing where sectors were moved or lost.
fn discards(checks: &Checks, device: &Device, mirror: &mut Mirror) -> Result<()> {
    let used = Status::of(device)?.used;
    let (offset, length) = ((64 * SECTOR_BYTES).to_string(), (1984 * SECTOR_BYTES).to_string());
    let path = device.path().display().to_string();
    let discarded = program::run("blkdiscard", ["-f", "-o", &offset, "-l", &length, &path]);
    checks.good("a range with moved and lost sectors is discarded", discarded);
    let io = Direct::open(&device.path())?;
    // A loop device gives zeros for what is discarded.
    let kept = |sector: u64| MOVED.contains(&sector) || LOST.contains(&sector);
    let mut gone = Vec::new();
    for sector in 64..2048 {
        let has_slot = MOVED.iter().chain(&LOST).any(|&bad| bad / 8 == sector / 8);
        let found = io.read(sector, 1);
        let is_right = match found {
            Ok(bytes) if bytes.iter().all(|&byte| byte == 0) => {
                mirror.zero(sector..sector + 1);
                // Neighbours of lost sectors live in the slot, too.
                !kept(sector) || !has_slot
            }
            Ok(bytes) => has_slot && bytes == mirror.of(sector..sector + 1),
            Err(error) => LOST.contains(&sector) && error == Errno::NODATA,
        };
        if !is_right {
            gone.push(sector);
        }
    }
    checks.eq("moved sectors keep what they hold, lost ones stay lost, others are zeros", gone, Vec::new());
    checks.that(
        "something was discarded at all",
        mirror.of(2000..2001).iter().all(|&byte| byte == 0),
        "it was not",
    );
    checks.eq("no slot was taken or left", Status::of(device)?.used, used);
    Ok(())
}

/// Zeros are written wherever sectors live, and heal those that are lost.
fn zeros(checks: &Checks, device: &Device, mirror: &mut Mirror) -> Result<()> {
    let io = Direct::open(&device.path())?;
    for range in [90..210, 990..1010] {
        fill_zeros(&device.path(), &range).with_context(|| format!("zeros for {range:?}"))?;
        mirror.zero(range.clone());
        let compared = mirror.compare_range(&io, range.start - 20..range.end + 20, 1);
        checks.good(format!("a request for zeros over sectors {range:?} writes them"), compared);
    }
    let path = device.path().display().to_string();
    let (offset, length) = ((288 * SECTOR_BYTES).to_string(), (900 * SECTOR_BYTES).to_string());
    program::run("blkdiscard", ["-f", "-z", "-o", &offset, "-l", &length, &path])?;
    mirror.zero(288..1188);
    checks.good("so does blkdiscard -z", mirror.compare(&io));
    checks.eq("zeros heal lost sectors", Status::of(device)?.lost, 0);
    mirror.write(&io, 60..1300)?;
    checks.good("and can be written over", mirror.compare(&io));
    Ok(())
}

/// Asks the kernel for zeros in a form that it does not turn into writes.
fn fill_zeros(path: &Path, range: &Range<u64>) -> Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    let (offset, length) =
        (range.start * SECTOR_BYTES as u64, (range.end - range.start) * SECTOR_BYTES as u64);
    rustix::fs::fallocate(&file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, offset, length)?;
    Ok(())
}

/// Direct IO wants aligned memory.
fn write_aligned(file: &File, bytes: &[u8], sector: u64) -> Result<()> {
    let mut memory = vec![0; bytes.len() + 4096];
    let from = memory.as_ptr().align_offset(4096);
    let aligned = &mut memory[from..from + bytes.len()];
    aligned.copy_from_slice(bytes);
    Ok(file.write_all_at(aligned, sector * SECTOR_BYTES as u64)?)
}
