//! The simulator as a program: many lives (`soak`), or one of them again (`run`).

use clap::{Parser, Subcommand};
use remap_sim::soak::{Goal, OPERATIONS_PER_LIFE, live_guarded, soak};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

#[derive(Parser)]
#[command(about = "Deterministic simulation of dm-remap's engine on failing disks", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Replay one life.
    Run {
        /// The seed of the life.
        #[arg(long)]
        seed: u64,
        /// About how many requests it makes at most.
        #[arg(long, default_value_t = OPERATIONS_PER_LIFE)]
        ops: u64,
        /// Tell on standard error what happens to this sector, and every effect of the engine.
        #[arg(long)]
        trace: Option<u64>,
    },
    /// Live many lives until enough has happened, or a promise is broken.
    Soak {
        /// At least so many requests.
        #[arg(long, default_value_t = 5_000_000)]
        ops: u64,
        /// At least so many power cuts.
        #[arg(long, default_value_t = 0)]
        min_power_cuts: u64,
        /// The first seed.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// On so many threads; all cores unless told otherwise.
        #[arg(long)]
        threads: Option<usize>,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Run { seed, ops, trace } => match live_guarded(seed, ops, trace) {
            Ok(life) => {
                println!("{:#?}", life.tally);
                match life.outcome {
                    Ok(()) => ExitCode::SUCCESS,
                    Err(violation) => violated(seed, life.tally.operations, &violation.0),
                }
            }
            Err(text) => violated(seed, 0, &text),
        },
        Command::Soak { ops, min_power_cuts, seed, threads } => {
            let threads = threads
                .or_else(|| std::thread::available_parallelism().ok().map(std::num::NonZero::get))
                .unwrap_or(1);
            many(&Goal { seed, operations: ops, power_cuts: min_power_cuts, threads })
        }
    }
}

fn many(goal: &Goal) -> ExitCode {
    let started = Instant::now();
    let told = Mutex::new(started);
    let (tally, found) = soak(goal, |tally| {
        let mut told = told.lock().expect("nobody panics while holding this");
        if told.elapsed() > Duration::from_secs(10) {
            *told = Instant::now();
            eprintln!("{} operations, {} power cuts", tally.operations, tally.power_cuts);
        }
    });
    println!("{tally:#?}");
    println!("{:.1} s", started.elapsed().as_secs_f64());
    match found {
        Some(found) => violated(found.seed, found.operations, &found.text),
        None => ExitCode::SUCCESS,
    }
}

fn violated(seed: u64, operations: u64, text: &str) -> ExitCode {
    println!("VIOLATION seed {seed} op {operations}: {text}");
    println!("replay: cargo xtask sim --seed {seed} --ops {OPERATIONS_PER_LIFE}");
    ExitCode::FAILURE
}
