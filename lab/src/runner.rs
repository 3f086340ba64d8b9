//! Plays steps one after the other, whatever becomes of each.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::checks::Checks;
use crate::scenario::{Next, Scenario, Step};
use crate::{dm, guest, klog};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The summary is printed.
    Checks {
        /// How many checks failed.
        failed: usize,
    },
    /// The summary is printed, and a step wants the power cut now.
    PowerCut,
}

/// Counts over the whole run. A `static`, since the watch over time must print it when nobody else can.
static CHECKS: Checks = Checks::new();

/// Plays `steps` and prints the summary. `module` is what must be possible to unload then. Each step
/// may take `slowness` times its limit.
pub fn run(steps: &[(&Scenario, &Step)], module: Option<&str>, slowness: u32) -> Ended {
    let mut power_cut = false;
    for (scenario, step) in steps {
        println!("== {}/{}: {}", scenario.name, step.name, scenario.about);
        if let Err(error) = klog::say(&format!("scenario {}", scenario.name)) {
            CHECKS.failed(scenario.name, format!("cannot mark the kernel's log: {error:#}"));
        }
        power_cut |= play(scenario, step, slowness) == Next::PowerCut;
        // A power cut takes everything with it.
        if !power_cut {
            left_behind(scenario);
        }
    }
    if !power_cut {
        if let Some(module) = module {
            let unloaded = guest::unload(module);
            if steps.iter().any(|(scenario, _)| scenario.keeps_module) {
                CHECKS.that(format!("{module} stays"), unloaded.is_err(), "it is unloaded");
            } else {
                CHECKS.good(format!("{module} can be unloaded"), unloaded);
            }
        }
        if guest::leaks::are_watched() {
            CHECKS.eq(
                "no memory is leaked",
                guest::leaks::found().unwrap_or_else(|error| format!("{error:#}")),
                String::new(),
            );
        }
    }
    println!("{}", CHECKS.summary());
    if power_cut { Ended::PowerCut } else { Ended::Checks { failed: CHECKS.failures() } }
}

fn play(scenario: &Scenario, step: &Step, slowness: u32) -> Next {
    if let Some(module) = scenario.needs_modules.iter().find(|module| !guest::has_module(module)) {
        CHECKS.skipped(scenario.name, format!("this kernel has no {module}"));
        return Next::Done;
    }
    let watch = Watch::start(scenario, slowness);
    let played = panic::catch_unwind(AssertUnwindSafe(|| (step.play)(&CHECKS)));
    drop(watch);
    match played {
        Ok(Ok(next)) => return next,
        Ok(Err(error)) => CHECKS.failed(scenario.name, format!("{error:#}")),
        Err(panic) => CHECKS.failed(scenario.name, format!("panicked: {}", said(&*panic))),
    }
    Next::Done
}

/// What a panic said.
fn said(panic: &dyn Any) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word")
}

/// A scenario that leaves devices behind would disturb the next one.
fn left_behind(scenario: &Scenario) {
    let removed: Result<Vec<String>> = dm::remove_all();
    match removed {
        Ok(names) if names.is_empty() => {}
        Ok(names) => CHECKS.failed(scenario.name, format!("left devices behind: {}", names.join(" "))),
        Err(error) => CHECKS.failed(scenario.name, format!("cannot remove what it left behind: {error:#}")),
    }
}

/// Ends the guest if a scenario hangs: a task stuck in the kernel can be ended in no other way.
struct Watch {
    /// Dropped when the scenario is over.
    _over: mpsc::Sender<()>,
}

impl Watch {
    fn start(scenario: &Scenario, slowness: u32) -> Self {
        let (over, ended) = mpsc::channel::<()>();
        let limit = Duration::from_secs(scenario.limit_seconds) * slowness;
        let name = scenario.name;
        thread::spawn(move || {
            if ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                // The stacks of all tasks that wait in the kernel go to its log.
                let shown = guest::sysrq('w');
                CHECKS.failed(name, format!("did not end within {} s; the guest is ended", limit.as_secs()));
                if let Err(error) = shown {
                    println!("cannot show what waits in the kernel: {error:#}");
                }
                println!("{}", CHECKS.summary());
                let Err(error) = guest::cut_power();
                println!("{error:#}");
            }
        });
        Self { _over: over }
    }
}
