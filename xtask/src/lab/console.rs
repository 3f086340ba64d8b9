//! Judges a guest's kernel log: which of its lines tell of a kernel in trouble.
//!
//! Looks for how the kernel's reports begin, not for words such as "error": disks fail on purpose here, and
//! an emulated processor makes clocks drift and work queues late, which the kernel remarks and is harmless.

/// How lines begin that start a report of trouble, behind the time stamp.
const BEGINNINGS: [&str; 27] = [
    "WARNING: ",
    "BUG: ",
    // SLUB names the cache next.
    "BUG ",
    "kernel BUG at ",
    "Oops",
    "Kernel panic",
    "general protection fault",
    "stack segment",
    "divide error",
    "invalid opcode",
    "double fault",
    "Unable to handle ",
    "Bad page",
    "Fixing recursive fault",
    "INFO: task ",
    "INFO: rcu_",
    "INFO: possible ",
    "INFO: suspicious ",
    "INFO: trying to register non-static key",
    "UBSAN: ",
    "DEBUG_LOCKS_WARN_ON",
    "refcount_t: ",
    "list_add corruption",
    "list_del corruption",
    "Out of memory: ",
    "Memory cgroup out of memory",
    "unregister_netdevice: waiting",
];

/// What tells of trouble wherever it stands in a line.
const ANYWHERE: [&str; 3] =
    [": page allocation failure: ", "new suspected memory leaks", "still has objects when"];

/// Subsystems whose name may stand before such a beginning.
const SPEAKERS: [&str; 2] = ["rcu: ", "watchdog: "];

/// How the lab's program marks in the log which scenario the lines behind are of.
const MARK: &str = "lab: scenario ";

/// A stack trace belongs to a report that began at most this many lines before; another one is a report that
/// is not known here.
const REPORT_LINES: usize = 60;

/// A report in a kernel log.
#[derive(Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The line of the log, from 1.
    pub line: usize,
    /// The scenario that was running.
    pub scenario: Option<String>,
    /// The line that starts the report, and some behind it.
    pub text: Vec<String>,
}

/// The reports in `log`, without those that contain what their scenario expects: `expected` gives the parts
/// of lines that are harmless in a scenario.
pub fn troubles<'a>(log: &str, expected: impl Fn(&str) -> &'a [String]) -> Vec<Trouble> {
    let lines: Vec<&str> = log.lines().map(str::trim_end).collect();
    let mut scenario = None;
    let mut last_report = None;
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let message = message(line);
        if let Some(name) = message.strip_prefix(MARK) {
            scenario = Some(name.to_owned());
            continue;
        }
        let in_report = last_report.is_some_and(|start| index - start < REPORT_LINES);
        if !is_beginning(message) && (in_report || message != "Call Trace:") {
            continue;
        }
        last_report = Some(index);
        let harmless = scenario.as_deref().map_or(&[][..], &expected);
        if !harmless.iter().any(|part| message.contains(&**part)) {
            let text = lines[index..].iter().take(EXCERPT_LINES).map(|line| (*line).to_owned()).collect();
            found.push(Trouble { line: index + 1, scenario: scenario.clone(), text });
        }
    }
    found
}

/// How much of a report is shown.
const EXCERPT_LINES: usize = 24;

fn is_beginning(message: &str) -> bool {
    let bare = SPEAKERS.iter().find_map(|speaker| message.strip_prefix(speaker)).unwrap_or(message);
    BEGINNINGS.iter().any(|beginning| bare.starts_with(beginning))
        || ANYWHERE.iter().any(|part| message.contains(part))
}

/// A line without its time stamp and, where the kernel adds that, its task: `[   12.345678][  T42] `.
fn message(line: &str) -> &str {
    let mut rest = line;
    while let Some((_, after)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        rest = after;
    }
    rest.strip_prefix(' ').unwrap_or(rest)
}

#[cfg(test)]
mod tests;
