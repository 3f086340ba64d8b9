//! A playground of its own for each test: folders, disks made of files, and the command.
//!
//! Each test file compiles this by itself and uses a part of it.
#![allow(dead_code, reason = "no test file uses all of it")]

pub mod metrics;
pub mod nbd;
pub mod scrape;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The command under test.
pub const DM_REMAP: &str = env!("CARGO_BIN_EXE_dm-remap");

/// What a command came to.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Folders and disks. Servers that are left over are ended with it.
pub struct Play {
    folder: TempDir,
}

impl Play {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// One with a main disk of 16 MiB and a spare of 16 MiB, made into the set `s`. The main disk fails by the
    /// script `faults`.
    pub fn with_set(faults: &str) -> Self {
        let play = Self::new();
        play.disk("main", 16 << 20);
        play.disk("spare", 16 << 20);
        play.script(faults);
        let main = play.faulty_main();
        let spare = play.path("spare");
        play.ok(&["create", "s", "--main", &main, "--spare", &spare]);
        play
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A path in the playground, as text.
    pub fn path(&self, name: &str) -> String {
        self.folder().join(name).to_str().unwrap().to_owned()
    }

    /// A file of zeros.
    pub fn disk(&self, name: &str, bytes: u64) {
        fs::File::create(self.path(name)).unwrap().set_len(bytes).unwrap();
    }

    /// The main disk with its faults, as a command line names it.
    pub fn faulty_main(&self) -> String {
        format!("faulty:{},faults={}", self.path("main"), self.path("faults"))
    }

    /// Replaces the fault script, and waits until a server has noticed.
    pub fn script(&self, faults: &str) {
        fs::write(self.path("faults"), faults).unwrap();
        std::thread::sleep(Duration::from_millis(100));
    }

    /// The command, in the playground.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(DM_REMAP);
        command
            .args(args)
            .current_dir(self.folder())
            .env("DM_REMAP_STATE_DIR", self.path("state"))
            .env("DM_REMAP_RUNTIME_DIR", self.path("run"))
            // Whatever this machine's kernel has.
            .env("DM_REMAP_VIA", "nbd")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        finish(&mut self.command(args))
    }

    /// Runs the command, which has to end well, and returns its output.
    pub fn ok(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
        ran.stdout
    }

    /// Runs the command, which has to end with `code` and to say `part` on standard error.
    pub fn fails(&self, args: &[&str], code: i32, part: &str) -> Ran {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(code), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains(part), "{args:?}: {ran:?}");
        ran
    }

    /// Runs the command with `--json` and reads what it prints, whatever its exit code.
    pub fn json(&self, args: &[&str]) -> Value {
        let ran = self.run(&[args, &["--json"]].concat());
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}: {ran:?}"))
    }

    /// The socket of the set `s`.
    pub fn socket(&self) -> PathBuf {
        self.folder().join("run/s.nbd")
    }

    /// What foreign clients are given to reach the set `s`.
    pub fn uri(&self) -> String {
        format!("nbd+unix:///s?socket={}", self.socket().display())
    }

    /// Kills the server of the set `s` at once.
    pub fn kill_server(&self) {
        let pid = self.json(&["status", "s"])["server"]["pid"].as_u64().unwrap();
        foreign("kill", &["-KILL", &pid.to_string()]);
        let until = Instant::now() + Duration::from_secs(10);
        let is_there = || match UnixStream::connect(self.path("run/s.control")) {
            Ok(_) => true,
            Err(error) => error.kind() != ErrorKind::ConnectionRefused,
        };
        while is_there() {
            assert!(Instant::now() < until, "the server does not die");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The bytes of all disks, to see that nothing was written.
    pub fn bytes(&self, names: &[&str]) -> Vec<Vec<u8>> {
        names.iter().map(|name| fs::read(self.path(name)).unwrap()).collect()
    }

    /// Overwrites a part of a disk with bytes that mean nothing.
    pub fn garble(&self, name: &str, start: u64, bytes: usize) {
        use std::os::unix::fs::FileExt as _;
        let file = fs::OpenOptions::new().write(true).open(self.path(name)).unwrap();
        file.write_all_at(&noise(bytes, start), start).unwrap();
    }
}

impl Drop for Play {
    fn drop(&mut self) {
        let _ = self.run(&["close", "--all"]);
    }
}

/// Runs a command to its end.
pub fn finish(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs a foreign program, which has to end well.
pub fn foreign(program: &str, args: &[&str]) -> String {
    let ran = finish(Command::new(program).args(args));
    assert_eq!(ran.code, Some(0), "{program} {args:?}: {ran:?}");
    ran.stdout
}

/// Ends a child that may have ended.
pub fn end(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Bytes that look like nothing and are the same for the same seed.
pub fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed ^ 0x2545_f491_4f6c_dd1d;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..bytes).map(|_| next()).collect()
}
