//! `cargo xtask lab`: runs scenarios under real kernels, each in a disposable guest.
//!
//! The scenarios themselves are the crate `lab/`, whose program runs inside the guest and also says what
//! each scenario needs. Here they are put into boots, the guests are started, and their kernel logs judged.

mod boot;
mod console;
mod folder;
mod plan;
mod report;
mod run;
mod tree;
pub mod vng;

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::kernels::{self, Series, zfs};
use crate::kmod;
use crate::process::{self, cargo};
use crate::{setup, workspace};
pub use boot::can_use_kvm;
use plan::Scenario;
use report::Tally;
use run::Lab;

#[derive(clap::Args, Default)]
pub struct Args {
    /// Run only these scenarios.
    scenarios: Vec<String>,
    /// The kernel to run under; may be given several times.
    #[arg(long = "kernel", value_name = "SERIES", default_values = ["6.1", "6.12"])]
    kernels: Vec<Series>,
    /// Print the scenarios and end.
    #[arg(long)]
    list: bool,
    /// Start a shell in a guest of the first kernel instead of running scenarios.
    #[arg(long, conflicts_with_all = ["scenarios", "list"])]
    shell: bool,
    /// Keep logs and disks of boots that passed, too.
    #[arg(long)]
    keep: bool,
    /// Memory of a guest, in MiB, instead of what its scenarios ask for.
    #[arg(long, value_name = "MIB")]
    memory: Option<u32>,
    /// Processors of a guest, instead of what its scenarios ask for.
    #[arg(long, value_name = "COUNT")]
    cpus: Option<u32>,
}

impl Args {
    /// One scenario under one kernel.
    pub fn only(scenario: &str, kernel: Series) -> Self {
        Self { scenarios: vec![scenario.to_owned()], kernels: vec![kernel], ..Self::default() }
    }

    /// What `cargo xtask test` plays: everything under the newer kernel, and under the older one what differs most from
    /// kernel to kernel.
    pub fn of_every_run() -> [Self; 2] {
        let older = ["fixtures", "smoke", "reboots", "direct", "filesystems", "metadata", "command"];
        [
            Self { kernels: vec![Series::V6_12], ..Self::default() },
            Self {
                scenarios: older.map(str::to_owned).to_vec(),
                kernels: vec![Series::V6_1],
                ..Self::default()
            },
        ]
    }
}

pub fn run(args: &Args) -> Result<()> {
    setup::run(&setup::Args { if_needed: true })?;
    let program = build_program()?;
    let scenarios = plan::read(&program)?;
    let chosen = plan::choose(&scenarios, &args.scenarios)?;
    if args.list {
        list(&chosen);
        return Ok(());
    }
    let lab = Lab {
        vng: vng::program()?,
        program,
        use_kvm: boot::can_use_kvm(),
        keep: args.keep,
        memory_mib: args.memory,
        cpus: args.cpus,
    };
    if args.shell {
        let series = args.kernels.first().copied().unwrap_or(Series::V6_12);
        return lab.shell(&kernels::prepare(series)?);
    }
    let boots = plan::boots(&chosen);
    let mut tally = Tally::default();
    for &series in &args.kernels {
        let kernel = kernels::prepare(series)?;
        let module = boots.iter().any(plan::Boot::needs_target).then(|| kmod::build(&kernel));
        if let Some(Err(error)) = &module {
            println!("FAILED the module for {}: {error:#}", kernel.version);
            tally.fail();
        }
        let module = module.and_then(Result::ok);
        // Building it takes ten minutes, so it is tried under one kernel.
        let has_zfs = series == Series::V6_12 && boots.iter().any(plan::Boot::needs_zfs);
        let zfs = has_zfs.then(|| zfs::prepare(series, &kernel)).transpose()?;
        let is_possible = |boot: &&plan::Boot| {
            (module.is_some() || !boot.needs_target()) && (zfs.is_some() || !boot.needs_zfs())
        };
        for boot in boots.iter().filter(is_possible) {
            tally += lab.run(&kernel, boot, module.as_deref(), zfs.as_deref())?;
        }
    }
    println!("\n{tally}");
    if tally.has_failed() {
        bail!("the lab found failures; their logs are in {}", folder::root().display());
    }
    Ok(())
}

/// The program that runs inside the guest: the guest's root is this machine's, so it fits.
fn build_program() -> Result<PathBuf> {
    // Scenarios use the command, too, and find it beside their own program.
    let programs = ["build", "--release", "-p", "lab", "--bin", "lab", "-p", "dm-remap", "--bin", "dm-remap"];
    process::run(&mut cargo(programs)?)?;
    Ok(workspace::target().join("release/lab"))
}

fn list(scenarios: &[&Scenario]) {
    let width = scenarios.iter().map(|scenario| scenario.name.len()).max().unwrap_or(0);
    for scenario in scenarios {
        println!("{:width$}  {}", scenario.name, scenario.about);
    }
}
