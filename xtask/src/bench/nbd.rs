//! `dm-remap serve` against `nbdkit file` and `qemu-nbd`: the same file, the same client (fio's nbd engine),
//! alternated rounds.
//!
//! The file lies in memory (`/dev/shm`), so that the servers are compared and not the disk's cache.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::rounds::{Contender, alternate};
use crate::process::{self, cargo};
use crate::workspace;

/// Rounds of each workload.
const ROUNDS: usize = 5;
/// Seconds of one measurement, behind one of warming up.
const SECONDS: u32 = 3;
/// Size of the file.
const FILE_BYTES: u64 = 1 << 30;

/// What fio does: name, pattern, block, depth.
const WORKLOADS: [(&str, &str, &str, u32); 4] = [
    ("4 KiB random reads, depth 16", "randread", "4k", 16),
    ("4 KiB random writes, depth 16", "randwrite", "4k", 16),
    ("128 KiB sequential reads, depth 4", "read", "128k", 4),
    ("128 KiB sequential writes, depth 4", "write", "128k", 4),
];

pub fn run() -> Result<()> {
    process::run(&mut cargo(["build", "--release", "-p", "dm-remap", "--bin", "dm-remap"])?)?;
    let arena = Arena::new()?;
    for (name, pattern, block, depth) in WORKLOADS {
        println!("\n-- {name}");
        let measure = |server: fn(&Arena) -> Command| {
            let arena = &arena;
            move || arena.measure(&mut server(arena), pattern, block, depth)
        };
        let contenders = vec![
            Contender::new("dm-remap serve", measure(Arena::dm_remap)),
            Contender::new("nbdkit file", measure(Arena::nbdkit)),
            Contender::new("qemu-nbd", measure(Arena::qemu_nbd)),
        ];
        let results = alternate("requests/s", ROUNDS, contenders)?;
        print!("\n{results}");
        let peers = results.rows().iter().skip(1).map(|row| row.ratio).fold(0.0, f64::max);
        println!("dm-remap against the faster peer: {:.2} (goal: at least 1.00)", 1.0 / peers);
    }
    Ok(())
}

/// The files of the bench. Removed when it ends.
struct Arena {
    folder: PathBuf,
    program: PathBuf,
}

impl Arena {
    fn new() -> Result<Self> {
        let folder = Path::new("/dev/shm").join(format!("dm-remap-bench-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| format!("making {}", folder.display()))?;
        let program = workspace::target().join("release/dm-remap");
        let arena = Self { folder, program };
        // Written, not sparse: holes would be read faster than data.
        fs::write(arena.main(), vec![0x5a; FILE_BYTES as usize])?;
        fs::File::create(arena.folder.join("spare.img"))?.set_len(64 << 20)?;
        let mut create = arena.command();
        create.args(["create", "bench", "--main"]).arg(arena.main());
        create.arg("--spare").arg(arena.folder.join("spare.img"));
        process::output(&mut create)?;
        Ok(arena)
    }

    fn main(&self) -> PathBuf {
        self.folder.join("main.img")
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("nbd.sock")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("DM_REMAP_STATE_DIR", self.folder.join("state"));
        command.env("DM_REMAP_RUNTIME_DIR", self.folder.join("run"));
        command
    }

    fn dm_remap(&self) -> Command {
        let mut command = self.command();
        command.args(["serve", "bench", "--nbd"]).arg(format!("unix:{}", self.socket().display()));
        command
    }

    fn nbdkit(&self) -> Command {
        let mut command = Command::new("nbdkit");
        command.arg("-f").arg("-U").arg(self.socket()).arg("file").arg(self.main());
        command
    }

    fn qemu_nbd(&self) -> Command {
        let mut command = Command::new("qemu-nbd");
        command.args(["-f", "raw", "-t", "-e", "8", "--aio=threads", "-k"]);
        command.arg(self.socket()).arg(self.main());
        command
    }

    /// Starts the server, lets fio work, stops the server. Requests a second.
    fn measure(&self, server: &mut Command, pattern: &str, block: &str, depth: u32) -> Result<f64> {
        let _ = fs::remove_file(self.socket());
        let log = fs::File::create(self.folder.join("server.log"))?;
        let server = server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let _server = Server(server.spawn().context("a server")?);
        wait_for(&self.socket())?;
        // On its standard output fio's nbd engine writes, too.
        let report = self.folder.join("report.json");
        process::output(
            Command::new("fio")
                .args(["--name=bench", "--ioengine=nbd", "--time_based", "--ramp_time=1"])
                .args(["--output-format=json", "--randrepeat=0", "--norandommap"])
                .arg(format!("--uri=nbd+unix:///?socket={}", self.socket().display()))
                .arg(format!("--rw={pattern}"))
                .arg(format!("--bs={block}"))
                .arg(format!("--iodepth={depth}"))
                .arg(format!("--runtime={SECONDS}"))
                .arg(format!("--size={FILE_BYTES}"))
                .arg(format!("--output={}", report.display()))
                .current_dir(&self.folder),
        )?;
        let report = fs::read_to_string(&report)?;
        let report: serde_json::Value = serde_json::from_str(&report).context("fio's report")?;
        let job = &report["jobs"][0];
        let side = if pattern.ends_with("read") { "read" } else { "write" };
        ensure!(job["error"] == 0, "fio reports error {}", job["error"]);
        job[side]["iops"].as_f64().context("fio's report has no figure")
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} stays behind: {error}", self.folder.display());
        }
    }
}

/// A server that is stopped when it goes out of scope.
struct Server(Child);

fn wait_for(socket: &Path) -> Result<()> {
    let started = Instant::now();
    while UnixStream::connect(socket).is_err() {
        if started.elapsed() > Duration::from_secs(10) {
            bail!("no server listens on {}", socket.display());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

impl Drop for Server {
    fn drop(&mut self) {
        let stopped = Command::new("kill").arg(self.0.id().to_string()).status();
        if stopped.is_err() {
            let _ = self.0.kill();
        }
        let _ = self.0.wait();
    }
}
