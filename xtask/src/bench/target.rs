//! The kernel target beside `linear`, in a guest: the lab's scenario `speed`.

use anyhow::Result;

use crate::kernels::Series;
use crate::lab;

pub fn run() -> Result<()> {
    lab::run(&lab::Args::only("speed", Series::V6_12))
}
