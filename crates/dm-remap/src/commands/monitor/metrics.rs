//! What a look becomes in Prometheus' text format, version 0.0.4. It owns the metrics' names, which do not change,
//! and their escaping.

use std::fmt::{self, Write as _};

use remap_serve::control::Status;

use super::look::{Look, STATES};

/// Of which kind a metric is.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Gauge,
    /// Only grows, until the set is opened again.
    Counter,
}

/// One figure of a set that answers.
struct Figure {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    of: fn(&Status) -> u64,
}

impl Figure {
    const fn gauge(name: &'static str, help: &'static str, of: fn(&Status) -> u64) -> Self {
        Self { name, kind: Kind::Gauge, help, of }
    }

    const fn counter(name: &'static str, help: &'static str, of: fn(&Status) -> u64) -> Self {
        Self { name, kind: Kind::Counter, help, of }
    }
}

const FIGURES: [Figure; 15] = [
    Figure::gauge(
        "dm_remap_health",
        "Health from 0 to 100; below 90 is a warning, below 70 critical.",
        |set| set.health.into(),
    ),
    Figure::gauge("dm_remap_moved_blocks", "Blocks of which something lives on a spare or is lost.", |set| {
        set.slots_used
    }),
    Figure::gauge("dm_remap_moved_sectors", "Sectors of 512 bytes that live on a spare.", |set| {
        set.moved_sectors
    }),
    Figure::gauge("dm_remap_lost_sectors", "Sectors of 512 bytes that nobody holds.", |set| set.lost_sectors),
    Figure::gauge("dm_remap_slots", "Slots of all spares.", |set| set.slots_total),
    Figure::gauge("dm_remap_slots_used", "Slots in use.", |set| set.slots_used),
    Figure::gauge("dm_remap_slots_retired", "Slots that failed.", |set| set.slots_retired),
    Figure::counter(
        "dm_remap_read_errors_total",
        "Errors of the main device when reading, since the set was opened.",
        |set| set.read_errors,
    ),
    Figure::counter(
        "dm_remap_write_errors_total",
        "Errors of the main device when writing, since the set was opened.",
        |set| set.write_errors,
    ),
    Figure::counter(
        "dm_remap_metadata_errors_total",
        "Copies of metadata that could not be read, written or understood, since the set was opened.",
        |set| set.metadata_errors,
    ),
    Figure::gauge("dm_remap_errors_last_hour", "Errors of the main device in the last hour.", |set| {
        set.errors_last_hour
    }),
    Figure::gauge(
        "dm_remap_errors_hour_before",
        "Errors of the main device in the hour before the last.",
        |set| set.errors_hour_before,
    ),
    Figure::gauge("dm_remap_spares", "Spares of the set.", |set| set.spares.len() as u64),
    Figure::gauge("dm_remap_spares_missing", "Spares that are missing or offline.", spares_missing),
    Figure::gauge("dm_remap_generation", "Generation of the last map pages written.", |set| set.generation),
];

fn spares_missing(set: &Status) -> u64 {
    let is_missing = |state: &str| matches!(state, "missing" | "offline");
    set.spares.iter().filter(|spare| is_missing(&spare.state)).count() as u64
}

/// All metrics of the sets that were looked at `at_unix_s`, in seconds since 1970.
pub fn show(looks: &[Look], at_unix_s: u64) -> String {
    let mut text = String::new();
    head(
        &mut text,
        "dm_remap_monitor_last_look_timestamp_seconds",
        Kind::Gauge,
        "When all sets were last looked at, in seconds since 1970.",
    );
    line(&mut text, "dm_remap_monitor_last_look_timestamp_seconds", &[], at_unix_s);
    head(&mut text, "dm_remap_up", Kind::Gauge, "Whether who runs the set answers.");
    for look in looks {
        line(&mut text, "dm_remap_up", &labels(look), look.status.is_some().into());
    }
    head(&mut text, "dm_remap_state", Kind::Gauge, "1 for the state that the set is in, 0 for the others.");
    for look in looks {
        for state in STATES {
            let [name, uuid] = labels(look);
            line(&mut text, "dm_remap_state", &[name, uuid, ("state", state)], (look.state == state).into());
        }
    }
    head(
        &mut text,
        "dm_remap_full_in_seconds",
        Kind::Gauge,
        "Until no slot is free, at the present rate; absent where too little is known of the rate.",
    );
    for look in looks {
        if let Some(seconds) = look.full_in_s {
            line(&mut text, "dm_remap_full_in_seconds", &labels(look), seconds);
        }
    }
    for figure in &FIGURES {
        head(&mut text, figure.name, figure.kind, figure.help);
        for look in looks {
            if let Some(status) = &look.status {
                line(&mut text, figure.name, &labels(look), (figure.of)(status));
            }
        }
    }
    text
}

fn labels(look: &Look) -> [(&'static str, &str); 2] {
    [("name", &look.name), ("uuid", &look.uuid)]
}

fn head(text: &mut String, name: &str, kind: Kind, help: &str) {
    let kind = match kind {
        Kind::Gauge => "gauge",
        Kind::Counter => "counter",
    };
    put(text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
}

fn line(text: &mut String, name: &str, labels: &[(&str, &str)], value: u64) {
    if labels.is_empty() {
        return put(text, format_args!("{name} {value}\n"));
    }
    let labels: Vec<String> =
        labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
    put(text, format_args!("{name}{{{}}} {value}\n", labels.join(",")));
}

fn put(text: &mut String, part: fmt::Arguments<'_>) {
    text.write_fmt(part).expect("a String takes whatever is written");
}

/// A label's value as the format wants it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests;
