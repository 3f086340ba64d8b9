//! Jobs of the program `fio` on a device, and what it reports.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::program;

/// What fio reports of a job.
#[derive(Debug, Deserialize)]
pub struct Report {
    /// An error number, 0 if there was none.
    pub error: i32,
    /// Of the reads.
    pub read: Side,
    /// Of the writes.
    pub write: Side,
}

/// One direction of a job.
#[derive(Debug, Deserialize)]
pub struct Side {
    /// Requests a second.
    pub iops: f64,
    /// How many requests there were.
    pub total_ios: u64,
}

#[derive(Deserialize)]
struct Reports {
    jobs: Vec<Report>,
}

/// Runs a job on `device`; `options` are fio's own, as `rw=randwrite`. Direct IO by `io_uring`, unless they say
/// otherwise. That requests fail is told in the report, that fio cannot run is an error.
pub fn run(device: &Path, options: &[&str]) -> Result<Report> {
    let mut fio = program::command("fio");
    fio.args(["--name=job", "--output-format=json", "--direct=1", "--ioengine=io_uring"]);
    fio.arg(format!("--filename={}", device.display()));
    fio.args(options.iter().map(|option| format!("--{option}")));
    let output = fio.output().context("cannot start fio")?;
    let text = String::from_utf8_lossy(&output.stdout);
    parse(&text).with_context(|| format!("fio: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

/// The report of the one job. What failed is printed in front of it.
fn parse(text: &str) -> Result<Report> {
    let start = text.find("\n{").map_or(0, |before| before + 1);
    let mut reports: Reports = serde_json::from_str(&text[start..])?;
    reports.jobs.pop().context("a report without a job")
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_report_is_found_behind_complaints() {
        let report = r#"{"jobs": [{"error": 5, "read": {"iops": 0, "total_ios": 0},
            "write": {"iops": 12.5, "total_ios": 3}}]}"#;
        let found = parse(&format!("fio: io_u error on file /dev/x\n{report}")).unwrap();
        assert_eq!((found.error, found.write.total_ios), (5, 3));
        assert_eq!(parse(report).unwrap().error, 5);
        assert!(parse("").is_err());
        assert!(parse(r#"{"jobs": []}"#).is_err());
    }
}
