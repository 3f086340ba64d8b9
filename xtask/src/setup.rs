//! `cargo xtask setup`: installs what the tests need and leaves alone what is there.
//!
//! Only the Debian packages are installed into the system; all else goes to the user's cache, or, for the
//! sources of the standard library, to the toolchain in use.

mod cargo_tools;
pub mod debian;
pub mod packages;
mod rust_src;

use std::time::Instant;

use anyhow::{Context, Result};

use crate::lab::vng;

#[derive(clap::Args)]
pub struct Args {
    /// Say nothing about what is already there.
    #[arg(long)]
    pub if_needed: bool,
}

/// Something that the tests need.
struct Part {
    title: &'static str,
    is_there: fn() -> Result<bool>,
    install: fn() -> Result<()>,
}

const PARTS: [Part; 4] = [
    Part { title: "system packages", is_there: || Ok(packages::are_there()), install: packages::install },
    Part { title: "cargo tools", is_there: cargo_tools::are_there, install: cargo_tools::install },
    Part {
        title: "sources of the standard library",
        is_there: rust_src::is_there,
        install: rust_src::install,
    },
    Part { title: "virtme-ng", is_there: vng::is_there, install: vng::install },
];

pub fn run(args: &Args) -> Result<()> {
    for part in PARTS {
        if (part.is_there)()? {
            if !args.if_needed {
                println!("{}: already there", part.title);
            }
            continue;
        }
        println!("{}: installing", part.title);
        let start = Instant::now();
        (part.install)().with_context(|| format!("cannot install the {}", part.title))?;
        println!("{}: installed in {:.0} s", part.title, start.elapsed().as_secs_f64());
    }
    Ok(())
}
