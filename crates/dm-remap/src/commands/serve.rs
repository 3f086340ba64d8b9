//! `serve`: a set as a process, in the foreground, until it is told to stop.

mod log;
mod sockets;
mod systemd;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use anyhow::{Context as _, Result};
use remap_io::device::RemapDevice;
use remap_io::disk::DiskSpec;
use remap_io::members::DeviceOptions;
use remap_serve::control::{ControlOptions, ControlServer};
use remap_serve::tls::{ClientCertificates, TlsConfig, TlsPolicy};
use remap_serve::{Address, NbdOptions, NbdServer};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::disks::{self, SetDisks};
use crate::exit::{Outcome, usage};
use crate::kernel::Opening;
use crate::reach;
use crate::state::Record;
use log::Log;
use sockets::Sockets;

/// What lines begin with that whoever has a set opened is to see.
pub const WARNING: &str = "warning: ";

/// How long clients have to receive the answers to what is under way.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs a set in the foreground and serves it to NBD clients.
///
/// Either a set that `create` made, by its name, or any set by its disks. Prints one line once clients can
/// connect, and what happens to the set on standard error, a line each. SIGTERM and SIGINT stop it in good
/// order. Under systemd it tells when it is ready (Type=notify), answers the watchdog and takes sockets.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The name of a set, or with --spare its main disk.
    #[arg(value_name = "NAME|MAIN")]
    target: String,
    /// A spare of the set; give all of them, in any order.
    #[arg(long = "spare", value_name = "SPARE", value_parser = disks::parse)]
    spares: Vec<DiskSpec>,
    #[command(flatten)]
    pub how: How,
    /// Where `dm-remap` commands reach the server [default: by the name of the set].
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
    /// Leave the terminal and the folder that this was started in.
    #[arg(long, hide = true)]
    background: bool,
}

/// How to serve; `open` has the same flags.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[derive(Clone, Debug, clap::Args)]
pub struct How {
    /// Where NBD clients connect; several times for several places [default: a unix socket by the name].
    #[arg(long, value_name = "unix:PATH|tcp:HOST:PORT")]
    pub nbd: Vec<Address>,
    /// Encrypt connections with server-cert.pem and server-key.pem in this folder, and serve nobody without.
    #[arg(long, value_name = "DIR")]
    pub tls: Option<PathBuf>,
    /// Serve only clients with a certificate that ca-cert.pem in that folder vouches for.
    #[arg(long, requires = "tls")]
    pub tls_verify_clients: bool,
    /// Serve clients that do not ask for encryption, too.
    #[arg(long, requires = "tls", conflicts_with = "tls_verify_clients")]
    pub tls_optional: bool,
    /// Let other machines connect without proving who they are.
    #[arg(long)]
    pub allow_remote: bool,
    /// Write nothing, neither to the main disk nor to a spare.
    #[arg(long)]
    pub read_only: bool,
    /// Go on although the main disk is not the one that the set had, or holds something else than at the set's
    /// last close; it is the set's from then on.
    #[arg(long)]
    pub accept_other_main: bool,
    /// With --read-only: go on although spares are missing; what was carried there reads as lost.
    #[arg(long, requires = "read_only")]
    pub accept_missing_spares: bool,
    /// With --read-only: go on although parts of the map are lost; what they mapped reads as the main disk has it.
    #[arg(long, requires = "read_only")]
    pub accept_lost_pages: bool,
}

impl How {
    fn device_options(&self) -> DeviceOptions {
        DeviceOptions {
            read_only: self.read_only,
            accept_other_main: self.accept_other_main,
            accept_lost_pages: self.accept_lost_pages,
            accept_missing_spares: self.accept_missing_spares,
        }
    }

    /// Whether it says anything that only means something to NBD clients.
    pub fn is_for_nbd(&self) -> bool {
        !self.nbd.is_empty() || self.tls.is_some() || self.allow_remote
    }

    /// What of it is for sets in the kernel, too.
    pub fn in_kernel(&self) -> Opening {
        Opening {
            read_only: self.read_only,
            accept_other_main: self.accept_other_main,
            accept_missing_spares: self.accept_missing_spares,
            accept_lost_pages: self.accept_lost_pages,
        }
    }

    fn tls_policy(&self) -> Result<TlsPolicy> {
        let Some(folder) = &self.tls else { return Ok(TlsPolicy::Off) };
        let clients =
            if self.tls_verify_clients { ClientCertificates::Required } else { ClientCertificates::NotAsked };
        let config = TlsConfig::load(folder, clients)?;
        Ok(if self.tls_optional { TlsPolicy::Offered(config) } else { TlsPolicy::Required(config) })
    }

    /// The flags again, for another process.
    pub fn to_flags(&self) -> Result<Vec<String>> {
        let mut flags = Vec::new();
        for address in &self.nbd {
            let address = match address {
                Address::Unix(path) => Address::Unix(std::path::absolute(path)?),
                other => other.clone(),
            };
            flags.extend(["--nbd".to_owned(), address.to_string()]);
        }
        if let Some(folder) = &self.tls {
            let folder = std::path::absolute(folder)?;
            let folder = folder.to_str().with_context(|| format!("{} is not UTF-8", folder.display()))?;
            flags.extend(["--tls".to_owned(), folder.to_owned()]);
        }
        let switches = [
            (self.tls_verify_clients, "--tls-verify-clients"),
            (self.tls_optional, "--tls-optional"),
            (self.allow_remote, "--allow-remote"),
            (self.read_only, "--read-only"),
            (self.accept_other_main, "--accept-other-main"),
            (self.accept_missing_spares, "--accept-missing-spares"),
            (self.accept_lost_pages, "--accept-lost-pages"),
        ];
        flags.extend(switches.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| (*flag).to_owned()));
        Ok(flags)
    }
}

/// Why the server stops.
enum Stop {
    Signal(i32),
    Request,
}

pub fn run(args: &Args) -> Result<Outcome> {
    // Before any thread, and before the first file is opened: what is inherited is taken now or never.
    let inherited = systemd::inherited_sockets()?;
    let tls = args.how.tls_policy()?;
    let requires_tls = matches!(tls, TlsPolicy::Required(_));
    let (stop, stopped) = channel();
    let (disks, record) = disks(args)?;
    let seen_at = disks.main_last_seen();
    let device = disks.open_device(&args.how.device_options(), record.as_ref())?;
    // Until here a signal ends this process at once, which leaves the set as it was.
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).context("cannot take signals")?;
    let log = Log::start()?;
    let events = log.clone();
    let block_size = device.superblock().block_size;
    device.set_event_sink(Box::new(move |event| events.event(event, block_size)));
    if let Some(seen_at) = seen_at.filter(|_| is_nameless(&device)) {
        log.say(&format!(
            "{WARNING}the main disk was last seen as {seen_at}, and nothing but its size tells whether {} is the same",
            disks.main
        ));
    }
    if let Some(doubt) = device.doubt() {
        log.say(&format!("{WARNING}{doubt}"));
    }
    let served = serve(args, &device, inherited, tls, &stop, &log);
    let (nbd, control) = match served {
        Ok(served) => served,
        Err(error) => {
            device.close()?;
            return Err(error);
        }
    };
    if args.background {
        leave_terminal()?;
    }
    // Who reads the announcement finds the warnings written.
    log.finish();
    announce(&device, &nbd, requires_tls);
    systemd::ready(&device);
    log.say(&format!("serving {}", name_of(&device)));
    let second = log.clone();
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for (count, signal) in signals.forever().enumerate() {
            if count > 0 {
                second.say("stopped at once; the set is as after a power cut, and nothing flushed is lost");
                second.finish();
                std::process::exit(1);
            }
            let _ = stop.send(Stop::Signal(signal));
        }
    })?;
    let interval = systemd::watchdog_interval();
    let why = loop {
        match stopped.recv_timeout(interval.unwrap_or(Duration::from_secs(3600))) {
            Ok(why) => break why,
            Err(RecvTimeoutError::Timeout) => systemd::alive(),
            Err(RecvTimeoutError::Disconnected) => break Stop::Request,
        }
    };
    systemd::stopping();
    log.say(match why {
        Stop::Signal(SIGINT) => "stopping on SIGINT",
        Stop::Signal(SIGHUP) => "stopping on SIGHUP",
        Stop::Signal(_) => "stopping on SIGTERM",
        Stop::Request => "stopping on request",
    });
    let left = nbd.shutdown(PATIENCE);
    if left.cut_off > 0 {
        log.say(&format!(
            "{} cut off in the middle of requests",
            crate::text::count(left.cut_off as u64, "client")
        ));
    }
    control.shutdown(Duration::ZERO);
    let closed = device.close();
    log.say(if closed.is_ok() { "closed cleanly" } else { "not closed cleanly" });
    log.finish();
    Ok(closed.map(|()| Outcome::Done)?)
}

/// The disks that the command line means, and the record that says so.
fn disks(args: &Args) -> Result<(SetDisks, Option<Record>)> {
    if !args.spares.is_empty() {
        let main = disks::parse(&args.target).map_err(usage)?;
        return Ok((SetDisks { main, spares: args.spares.clone() }, None));
    }
    if args.target.contains(['/', ':']) || std::path::Path::new(&args.target).is_file() {
        return Err(usage(format!(
            "`{}` is a disk, not the name of a set: give its spares with --spare, too",
            args.target
        )));
    }
    let record = reach::record(&args.target)?;
    Ok((SetDisks::of_record(&record)?, Some(record)))
}

fn serve(
    args: &Args,
    device: &Arc<RemapDevice>,
    inherited: Vec<remap_serve::Listener>,
    tls: TlsPolicy,
    stop: &Sender<Stop>,
    log: &Log,
) -> Result<(NbdServer, ControlServer)> {
    let Sockets { nbd, control } = Sockets::bind(args, device, inherited)?;
    let sessions = log.clone();
    let options = NbdOptions {
        tls,
        allow_remote: args.how.allow_remote,
        description: format!("dm-remap set {}", name_of(device)),
        events: Some(Box::new(move |event| sessions.session(event))),
        ..NbdOptions::new(device)
    };
    let nbd = NbdServer::start(Arc::clone(device), nbd, options)?;
    let stop = stop.clone();
    let options = ControlOptions {
        on_shutdown: Box::new(move || {
            let _ = stop.send(Stop::Request);
        }),
        serving: Some(nbd.serving()),
    };
    let control = ControlServer::start(control, Arc::clone(device), options)?;
    Ok((nbd, control))
}

/// Whether nothing is known by which the main disk could be told from others.
fn is_nameless(device: &RemapDevice) -> bool {
    let main = device.superblock().main;
    let names = [&*main.serial, &*main.wwn, &*main.partition_uuid, &*main.filesystem_uuid];
    names.iter().all(|name| name.is_empty())
}

/// The set's name, or its UUID if it has none.
fn name_of(device: &RemapDevice) -> String {
    if device.name().is_empty() { device.superblock().set.to_string() } else { device.name().to_owned() }
}

/// The line that says that clients can connect.
fn announce(device: &RemapDevice, nbd: &NbdServer, requires_tls: bool) {
    let uris: Vec<String> =
        nbd.addresses().iter().filter_map(|address| address.uri(device.name(), requires_tls)).collect();
    // Whoever started this may have gone; clients come all the same.
    let _ = crate::text::say(&format!("serving {} {}", name_of(device), uris.join(" ")));
}

/// A session of its own: no terminal's hang-up reaches it, and no folder is kept from being unmounted.
fn leave_terminal() -> Result<()> {
    // Fails only where this process leads a session already.
    let _ = rustix::process::setsid();
    std::env::set_current_dir("/").context("cannot go to /")
}
