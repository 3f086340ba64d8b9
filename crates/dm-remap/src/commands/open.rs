//! `open`: has the kernel run a set that is remembered, or starts a server for it in the background.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use crate::exit::{self, Outcome, refusal, usage};
use crate::found;
use crate::kernel::{self, Target};
use crate::reach::{self, Reached};
use crate::state::{Folders, Record};
use crate::text::complain;
use crate::via::Via;

use super::serve::{How, WARNING};

/// A log that has become this long is started anew with the next server.
const LOG_BYTES: u64 = 1 << 20;

/// Opens sets: in the kernel as block devices, or each by a server in the background for NBD clients. Prints where they
/// are found.
///
/// Sets that are open already stay as they are.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The names of sets, or their UUIDs.
    #[arg(value_name = "NAME", required_unless_present = "all")]
    names: Vec<String>,
    /// All sets that are remembered.
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// With --all: also sets that nobody has remembered here and whose disks are all there.
    #[arg(long, requires = "all")]
    found: bool,
    /// Wait so many seconds for disks that are not there yet.
    #[arg(long, value_name = "SECONDS", default_value_t = 0, hide_default_value = true)]
    wait: u64,
    /// Where they run [default: as they were made].
    #[arg(long, value_enum)]
    via: Option<Via>,
    #[command(flatten)]
    how: How,
    /// Print where they are served as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Opened {
    name: String,
    /// As NBD clients are given them.
    uris: Vec<String>,
    /// Of a set that the kernel runs.
    device: Option<PathBuf>,
    was_open: bool,
}

pub fn run(args: &Args) -> Result<Outcome> {
    let folders = Folders::of_user()?;
    let names = if args.all { all_names(&folders, args.found)? } else { args.names.clone() };
    if names.len() > 1 && !args.how.nbd.is_empty() {
        return Err(usage("--nbd is one server's address: open one set at a time with it"));
    }
    let mut opened = Vec::new();
    let mut failed = Vec::new();
    for name in &names {
        match open(&folders, name, args) {
            Ok(one) => {
                if !args.json {
                    let was = if one.was_open { "was open" } else { "open" };
                    let device = one.device.iter().map(|device| device.display().to_string());
                    let at: Vec<String> = device.chain(one.uris.iter().cloned()).collect();
                    crate::text::say(&format!("{} {was}: {}", one.name, at.join(" ")))?;
                }
                opened.push(one);
            }
            // One set that does not open must not keep the others closed.
            Err(error) if names.len() > 1 => {
                complain(&format!("dm-remap: {name}: {}", exit::chain(&error)));
                failed.push(name.as_str());
            }
            Err(error) => return Err(error),
        }
    }
    if args.json {
        crate::text::print_json(&opened)?;
    }
    if !failed.is_empty() {
        bail!("not opened: {}", failed.join(", "));
    }
    Ok(Outcome::Done)
}

fn all_names(folders: &Folders, with_found: bool) -> Result<Vec<String>> {
    let (mut records, mut troubles) = folders.records()?;
    if with_found {
        let (found, incomplete) = found::sets()?;
        let is_new = |new: &Record| records.iter().all(|known| known.set != new.set);
        let found: Vec<Record> = found.into_iter().filter(is_new).collect();
        records.extend(found);
        troubles.extend(incomplete);
    }
    for trouble in troubles {
        complain(&format!("dm-remap: {trouble:#}"));
    }
    // Of sets that nobody has remembered two may have the same name.
    let is_only = |name: &str| records.iter().filter(|record| record.name == name).count() == 1;
    Ok(records.iter().map(|r| if is_only(&r.name) { r.name.clone() } else { r.set.clone() }).collect())
}

/// The record of a set by its name or UUID, with its disks where they are now. Waits for them as long as it may.
fn find(folders: &Folders, name: &str, wait: Duration) -> Result<Record> {
    let deadline = Instant::now() + wait;
    let mut pause = Duration::from_millis(500);
    loop {
        let is_it = |record: &&Record| record.name == name || record.set == name;
        let known = folders.records()?.0.iter().find(is_it).cloned();
        if let Some(record) = known.as_ref().filter(|record| found::is_in_place(record)) {
            return Ok(record.clone());
        }
        let set = known.as_ref().map_or(name, |record| &record.set);
        let (found, incomplete) = found::sets()?;
        let mut fitting =
            found.into_iter().filter(|record| record.set == set || known.is_none() && record.name == set);
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => {
                let Some(known) = known else { return Ok(only) };
                return Ok(Record::new(&known.name, only.set, only.main, only.spares, known.via));
            }
            (Some(_), Some(_)) => {
                return Err(refusal(format!(
                    "several sets are called `{name}`: give the UUID of one, which dm-remap scan shows"
                )));
            }
            // Looking reads all disks, and one of them is failing.
            (None, _) if Instant::now() < deadline => {
                thread::sleep(pause.min(deadline.saturating_duration_since(Instant::now())));
                pause = (pause * 2).min(Duration::from_secs(8));
            }
            // Opening it tells what is wrong with what is remembered.
            (None, _) => {
                for trouble in incomplete {
                    complain(&format!("dm-remap: {trouble:#}"));
                }
                return known.map_or_else(|| reach::record(name), Ok);
            }
        }
    }
}

fn open(folders: &Folders, name: &str, args: &Args) -> Result<Opened> {
    if let Some(opened) = open_already(name, None)? {
        return Ok(opened);
    }
    let record = find(folders, name, Duration::from_secs(args.wait))?;
    let name = record.name.as_str();
    // It may have been asked for by its UUID, or be there since.
    if let Some(opened) = open_already(name, Some(&record.set))? {
        return Ok(opened);
    }
    let how = &args.how;
    // Where it is to be reached over NBD says that it is to be.
    let via = args.via.unwrap_or(if how.is_for_nbd() { Via::Nbd } else { record.via });
    if via == Via::Kernel {
        if how.is_for_nbd() {
            return Err(usage(
                "a set in the kernel is a block device, and has neither addresses nor certificates",
            ));
        }
        let device = kernel::activate(&Target::load()?, &record, how.in_kernel())?;
        return Ok(Opened { name: name.to_owned(), uris: Vec::new(), device: Some(device), was_open: false });
    }
    // The server is another process, which goes by what is remembered.
    if let Ok(known) = name.parse()
        && folders.find(&known)?.as_ref() != Some(&record)
    {
        return Err(refusal(format!(
            "the set {name} was found, but is not remembered here with these disks: dm-remap forget {name} if it is \
             remembered with others, then dm-remap remember --main {} --spare {}",
            record.main,
            record.spares.join(" --spare ")
        )));
    }
    serve(folders, name, how)
}

/// The set `name` if it is open; with a UUID, only if it is that one.
fn open_already(name: &str, uuid: Option<&str>) -> Result<Option<Opened>> {
    let Some(mut set) = reach::open(name, reach::PATIENCE)? else { return Ok(None) };
    let device = match &set {
        Reached::Kernel(set) => Some(set.make_node()?),
        Reached::Served(_) | Reached::Closed(_) => None,
    };
    let status = set.status()?;
    if uuid.is_some_and(|uuid| uuid != status.uuid) {
        return Err(refusal(format!(
            "another set called `{name}` is open ({}): close that first (dm-remap close {name})",
            status.uuid
        )));
    }
    let uris = super::list::uris(&status);
    Ok(Some(Opened { name: name.to_owned(), uris, device, was_open: true }))
}

/// Starts a server in the background.
fn serve(folders: &Folders, name: &str, how: &How) -> Result<Opened> {
    folders.make_runtime()?;
    let log_path = folders.log(name);
    let (log, log_start) = open_log(&log_path)?;
    let program = std::env::current_exe().context("cannot tell where dm-remap itself is")?;
    let mut server = Command::new(program)
        .args(["serve", name, "--background"])
        .args(how.to_flags()?)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .context("cannot start a server")?;
    let mut line = String::new();
    let stdout = server.stdout.take().context("the server's output is a pipe")?;
    BufReader::new(stdout).read_line(&mut line).context("the server cannot be heard")?;
    if line.is_empty() {
        let status = server.wait().context("the server cannot be waited for")?;
        let said = what_it_said(&log_path, log_start)?;
        let said = said.trim();
        let why = match said.strip_prefix("dm-remap: ").unwrap_or(said) {
            "" => "the server ended without a word".to_owned(),
            why => why.to_owned(),
        };
        return Err(match status.code() {
            Some(3) => refusal(why),
            Some(_) => anyhow::Error::msg(why),
            None => anyhow::Error::msg(format!("the server was ended ({status}); {why}")),
        });
    }
    for warning in what_it_said(&log_path, log_start)?.lines().filter_map(|line| line.split_once(WARNING)) {
        complain(&format!("dm-remap: {name}: {WARNING}{}", warning.1));
    }
    let uris = line.split_ascii_whitespace().filter(|word| word.starts_with("nbd")).map(str::to_owned);
    Ok(Opened { name: name.to_owned(), uris: uris.collect(), device: None, was_open: false })
}

/// The log to append to, and where that begins.
fn open_log(path: &Path) -> Result<(File, u64)> {
    let failed = || format!("cannot write {}", path.display());
    let log = OpenOptions::new().append(true).create(true).open(path).with_context(failed)?;
    let mut length = log.metadata().with_context(failed)?.len();
    if length > LOG_BYTES {
        log.set_len(0).with_context(failed)?;
        length = 0;
    }
    Ok((log, length))
}

/// What a server has written to its log since it was started.
fn what_it_said(path: &Path, start: u64) -> Result<String> {
    let mut bytes = Vec::new();
    let mut log = File::open(path)?;
    log.seek(SeekFrom::Start(start))?;
    log.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
