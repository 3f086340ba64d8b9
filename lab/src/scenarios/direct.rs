//! Requests past the kernel's cache, at and around bad sectors, and all that an operator can say to a set.

mod buffered;
mod durable;
mod messages;
mod reads;
mod shown;
mod writes;

use anyhow::Result;

use super::on_ram;
use crate::checks::Checks;
use crate::scenario::{Next, Scenario, Step};

pub const SCENARIO: Scenario = Scenario {
    name: "direct",
    about: "requests of all sizes at bad sectors: writes succeed and stay, reads fail alone and never lie",
    steps: &[Step { name: "all", play }],
    needs_target: true,
    limit_seconds: 1200,
    ..Scenario::USUAL
};

fn play(checks: &Checks) -> Result<Next> {
    on_ram::play_all(
        checks,
        &[
            ("writes", writes::play),
            ("reads", reads::play),
            ("buffered", buffered::play),
            ("durable", durable::play),
            ("messages", messages::play),
            ("shown", shown::play),
        ],
    )
}
