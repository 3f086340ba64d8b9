//! Makes a golden spare: `cargo run -p remap-core --example make-golden -- FILE`. Never over one that is there.

#[path = "../tests/rig/mod.rs"]
mod rig;

use std::fs::File;
use std::io::Write;

fn main() -> std::io::Result<()> {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("name the file to be made");
        std::process::exit(2);
    };
    let rig = rig::golden::make();
    File::create_new(path)?.write_all(&rig::golden::to_file(&rig.disks[1]))
}
