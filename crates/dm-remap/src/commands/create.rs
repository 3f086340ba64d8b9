//! `create`: makes a set of a main disk and spares, and remembers it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use dm_control::{DeviceName, Selector};
use remap_core::BlockSize;
use remap_core::layout::DEFAULT_COPIES;
use remap_core::plan::PlanError;
use remap_io::disk::{Disk, DiskSpec, OpenOptions};
use remap_io::members::{CreateError, CreateOptions, Finding, Members, create, find_signature};
use serde::Serialize;

use crate::disks;
use crate::exit::{Outcome, refusal, usage};
use crate::kernel::{self, Opening, Target};
use crate::state::{Folders, Record, SetName};
use crate::text::size;
use crate::via::{Choice, VIA_VARIABLE, Via};
use crate::{confirm, reach};

/// Makes a set of a failing main disk and the spares that lend it room.
///
/// The main disk is not written to: what is on it stays. Spares are formatted; one that holds anything is
/// refused by name of what was found. DISK is the path of a block device or a file. To try things out,
/// faulty:PATH,faults=SCRIPT is a disk with bad sectors by a script of lines such as `bad 100 2`.
///
/// A set that runs in the kernel is open at once, as /dev/mapper/NAME. One in user space is served by a process, which
/// `open` starts.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Args {
    /// What the set is to be called.
    #[arg(value_name = "NAME")]
    name: SetName,
    /// The failing disk. What is on it stays.
    #[arg(long, value_name = "DISK", value_parser = disks::parse)]
    main: DiskSpec,
    /// A disk that lends room; several times for several. What is on it goes.
    #[arg(long = "spare", value_name = "DISK", required = true, value_parser = disks::parse)]
    spares: Vec<DiskSpec>,
    /// The unit of remapping: 512, 1K, 2K, 4K or 8K, at least the logical block of every disk.
    #[arg(long, value_name = "SIZE", default_value = "4K", value_parser = block_size)]
    block_size: BlockSize,
    /// Copies of each page of the map, on each spare: 2 to 5.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_COPIES, value_parser = clap::value_parser!(u32).range(2..=5))]
    copies: u32,
    /// What reading a lost sector gives.
    #[arg(long, value_enum, default_value = "error")]
    on_lost: OnLost,
    /// Overwrite spares that are not blank, and take disks that another set is remembered to have.
    #[arg(long)]
    force: bool,
    /// Where the set runs [default: in the kernel where that can be].
    #[arg(long, value_enum, env = VIA_VARIABLE)]
    via: Option<Via>,
    /// Leave a set that runs in the kernel closed.
    #[arg(long)]
    closed: bool,
    /// With --force: do not ask before something is overwritten.
    #[arg(long)]
    yes: bool,
    /// Print what was made as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum OnLost {
    /// A medium error: nothing is made up.
    Error,
    /// Zeros, for readers that cannot get past an error.
    Zero,
}

#[derive(Debug, Serialize)]
struct Made {
    name: String,
    set: String,
    main: String,
    main_sectors: u64,
    spares: Vec<String>,
    slots: u64,
    block_bytes: usize,
    via: Via,
    /// Its block device, if it is open.
    device: Option<PathBuf>,
}

fn block_size(text: &str) -> Result<BlockSize, String> {
    let bytes = size::parse_bytes(text)?;
    let sectors = u32::try_from(bytes / 512).ok().filter(|_| bytes.is_multiple_of(512));
    sectors
        .and_then(BlockSize::from_sectors)
        .ok_or_else(|| format!("`{text}` is none of 512, 1K, 2K, 4K and 8K"))
}

pub fn run(args: &Args) -> Result<Outcome> {
    let folders = Folders::of_user()?;
    folders.make_state()?;
    if folders.find(&args.name)?.is_some() || reach::open(args.name.as_str(), reach::PATIENCE)?.is_some() {
        return Err(refusal(format!(
            "there is a set called `{0}` already: choose another name, or have it forgotten (dm-remap forget {0})",
            args.name
        )));
    }
    let main = disks::absolute(&args.main)?;
    let spares: Vec<DiskSpec> = args.spares.iter().map(disks::absolute).collect::<Result<_>>()?;
    disks::refuse_twins(&main, &spares)?;
    disks::refuse_in_use(Some(&main), &spares)?;
    let choice = choose(args, &main, &spares)?;
    // Before anything is formatted for a set that could not be opened.
    let target = if choice.via == Via::Kernel {
        spares.iter().chain([&main]).try_for_each(|spec| kernel::plain(spec).map(drop))?;
        Some(kernel_for(&args.name)?)
    } else {
        None
    };
    let read_only = OpenOptions::read_only();
    let members = Members {
        main: main.open(&read_only).context("the main disk")?,
        spares: disks::open_all(&spares, &OpenOptions::default())?,
    };
    if !args.force {
        refuse_known(&folders, &members)?;
    }
    refuse_spare_as_main(&*members.main)?;
    let options = CreateOptions {
        name: args.name.to_string(),
        block_size: args.block_size,
        copies: args.copies,
        lost_reads_zero: args.on_lost == OnLost::Zero,
        force: false,
    };
    let superblock = match create(&members, &options) {
        Err(CreateError::NotBlank { path, found }) if args.force => {
            ask_before_overwriting(&path, &found, spares.len(), args.yes)?;
            create(&members, &CreateOptions { force: true, ..options })
        }
        made => made,
    };
    let superblock = superblock.map_err(|error| explain(error, &spares))?;
    // The kernel wants them for itself.
    drop(members);
    let spares = spares.iter().map(disks::as_text).collect::<Result<Vec<_>>>()?;
    let set = superblock.set.to_string();
    let record = Record::new(args.name.as_str(), set, disks::as_text(&main)?, spares, choice.via);
    record.write(&folders.record(&args.name), false)?;
    let activate = |target| {
        kernel::activate(target, &record, Opening::default()).with_context(|| {
            format!("the set {0} is made, but not open: try again with dm-remap open {0}", args.name)
        })
    };
    let device = target.as_ref().filter(|_| !args.closed).map(activate).transpose()?;
    let made = Made {
        name: record.name,
        set: record.set,
        main: record.main,
        main_sectors: superblock.main.sectors,
        spares: record.spares,
        slots: superblock.members.iter().map(|member| u64::from(member.slots)).sum(),
        block_bytes: superblock.block_size.bytes(),
        via: choice.via,
        device,
    };
    if args.json {
        crate::text::print_json(&made)?;
    } else {
        let next = made.device.as_ref().map_or_else(
            || format!("Next: dm-remap open {}", made.name),
            |device| format!("open: {}", device.display()),
        );
        crate::text::say(&format!(
            "made the set {} of {}: {}, with room for {} bad blocks of {}\nit runs {}: {}\n{next}",
            made.name,
            made.main,
            size::show_sectors(made.main_sectors),
            crate::text::grouped(made.slots),
            size::show(made.block_bytes as u64),
            made.via,
            choice.why
        ))?;
    }
    Ok(Outcome::Done)
}

/// Where the set is to run.
fn choose(args: &Args, main: &DiskSpec, spares: &[DiskSpec]) -> Result<Choice> {
    match args.via {
        Some(Via::Nbd) | None if args.closed => {
            Err(usage("--closed is for sets in the kernel: say --via kernel"))
        }
        Some(via) => Ok(Choice { via, why: "as was asked for".into() }),
        None => Ok(Choice::of_machine(spares.iter().chain([main]))),
    }
}

/// The kernel's target, and a name that is free there.
fn kernel_for(name: &SetName) -> Result<Target> {
    let target = Target::load()?;
    let device = DeviceName::of(name.as_str())?;
    match target.mapper.info(Selector::Name(&device)) {
        Ok(_) => Err(refusal(format!(
            "there is a mapped device called {name} already (`dmsetup table {name}` shows of what): choose another name"
        ))),
        Err(error) if error.is_absent() => Ok(target),
        Err(error) => Err(error.into()),
    }
}

/// What a person can do about an error.
fn explain(error: CreateError, spares: &[DiskSpec]) -> anyhow::Error {
    match error {
        CreateError::NotBlank { path, found } => refusal(format!(
            "{} is not blank: it holds {found}. Choose another disk, or pass --force to overwrite all of it",
            path.display()
        )),
        CreateError::Plan(PlanError::SpareTooSmall { index, needed_sectors }) if index < spares.len() => {
            refusal(format!(
                "{} is too small for a spare: metadata and slots need at least {}",
                spares[index],
                size::show(needed_sectors.div_ceil(2048) << 20)
            ))
        }
        error => error.into(),
    }
}

/// Refuses disks that are remembered as another set's: which of the two would be right cannot be told later.
fn refuse_known(folders: &Folders, members: &Members) -> Result<()> {
    let (records, _) = folders.records()?;
    for disk in members.spares.iter().chain([&members.main]) {
        for record in &records {
            if names_of(record).any(|path| disks::identity_at(&path) == Some(disk.identity())) {
                return Err(refusal(format!(
                    "{} belongs to the set {1} already: have that forgotten first (dm-remap forget {1}), or choose \
                     another disk",
                    shown(&**disk),
                    record.name
                )));
            }
        }
    }
    Ok(())
}

fn names_of(record: &Record) -> impl Iterator<Item = std::path::PathBuf> {
    let specs = record.spares.iter().chain([&record.main]);
    specs.filter_map(|text| disks::parse(text).ok()).map(|spec| spec.path().to_owned())
}

/// A spare as a main disk is a slip: its metadata would be served as data.
fn refuse_spare_as_main(main: &dyn Disk) -> Result<()> {
    match find_signature(main) {
        Ok(Some(found @ Finding::Set { .. })) => Err(refusal(format!(
            "{} is {found}: it cannot be a main disk; are main and spare exchanged?",
            shown(main)
        ))),
        // Whatever else is there is what the set is made for, and so is a disk that cannot be read everywhere.
        _ => Ok(()),
    }
}

/// Asks before everything on the spares goes. `found` is what the first that is not blank holds.
pub fn ask_before_overwriting(path: &Path, found: &Finding, spares: usize, yes: bool) -> Result<()> {
    let what = if spares == 1 { "everything on it" } else { "everything on all spares that are named" };
    let loss = format!("{} holds {found}: {what} will be overwritten.", path.display());
    confirm::demand(yes, &loss, "overwrite")
}

fn shown(disk: &dyn Disk) -> String {
    disk.path().map_or_else(|| "a disk".into(), |path| path.display().to_string())
}
