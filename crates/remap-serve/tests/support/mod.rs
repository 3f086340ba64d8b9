//! What the tests with real clients share: a served set, and running other programs against it.
#![allow(dead_code, reason = "each test program uses its own part of this")]

pub mod raw;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use remap_io::device::RemapDevice;
use remap_io::disk::faulty::FaultScript;
use remap_io::disk::{FaultyDisk, FileDisk, MemoryDisk, OpenOptions};
use remap_io::members::{CreateOptions, DeviceOptions, Members, create};
use remap_io::ring::RingQueue;
use remap_serve::{Address, Engine, Listener, NbdOptions, NbdServer};
use tempfile::TempDir;

/// Nothing in these tests may wait for ever; whoever waits as long as this waits in vain.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Sectors of the main disk: 64 MiB.
pub const SECTORS: u64 = 1 << 17;

/// A set, and a directory for its sockets.
pub struct Set {
    pub directory: TempDir,
    pub device: Arc<RemapDevice>,
    main: Main,
    /// How it is to be served.
    pub engine: Engine,
}

/// Where the main disk is.
enum Main {
    /// In memory, behind faults by script.
    Memory(Arc<MemoryDisk>, Arc<FaultyDisk>),
    /// In a file, which an `io_uring` can use.
    File(PathBuf),
}

impl Set {
    /// A set in memory whose main disk fails by script. It is served by blocking calls.
    pub fn new() -> Self {
        let medium = Arc::new(MemoryDisk::new(SECTORS));
        let main = Arc::new(FaultyDisk::new(Box::new(Arc::clone(&medium)), FaultScript::default()));
        let spare = MemoryDisk::new(1 << 16);
        let device = device(Members { main: Box::new(Arc::clone(&main)), spares: vec![Box::new(spare)] });
        Self { directory: directory(), device, main: Main::Memory(medium, main), engine: Engine::Measured }
    }

    /// A set of files, served through a ring.
    pub fn on_files() -> Self {
        let directory = directory();
        let file = |name: &str, sectors: u64| {
            let path = directory.path().join(name);
            let file = std::fs::File::create(&path).expect("a file");
            file.set_len(sectors * 512).expect("room for a file");
            path
        };
        let (main, spare) = (file("main", SECTORS), file("spare", 1 << 16));
        let open = |path: &Path| Box::new(FileDisk::open(path, &OpenOptions::default()).expect("a disk"));
        let device = device(Members { main: open(&main), spares: vec![open(&spare)] });
        let has_ring = RingQueue::new(&device, 8).expect("a queue").is_some();
        assert!(has_ring, "the kernel has io_uring, and may be asked for it");
        Self { directory, device, main: Main::File(main), engine: Engine::Ring }
    }

    /// One of each kind.
    pub fn of_each_kind() -> [Self; 2] {
        [Self::new(), Self::on_files()]
    }

    /// Replaces the faults of the main disk, which is in memory.
    pub fn set_faults(&self, script: &str) {
        match &self.main {
            Main::Memory(_, faulty) => faulty.set_faults(script.parse().expect("a script")),
            Main::File(_) => panic!("a file has no faults by script"),
        }
    }

    /// What lies on the main disk.
    pub fn image(&self) -> Vec<u8> {
        match &self.main {
            Main::Memory(medium, _) => medium.image(),
            Main::File(path) => std::fs::read(path).expect("the main disk's file"),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Serves the set at `unix:…/nbd.sock`.
    pub fn serve(self) -> Served {
        self.serve_with(|_| {})
    }

    /// The same, with options changed.
    pub fn serve_with(self, change: impl FnOnce(&mut NbdOptions)) -> Served {
        let socket = self.path("nbd.sock");
        let listener = Listener::bind(&Address::Unix(socket.clone())).expect("the path is free");
        let mut options = NbdOptions::new(&self.device);
        options.engine = self.engine;
        change(&mut options);
        let server = NbdServer::start(Arc::clone(&self.device), vec![listener], options);
        Served { set: self, socket, server: server.expect("the server starts") }
    }
}

fn directory() -> TempDir {
    TempDir::new().expect("a directory")
}

fn device(members: Members) -> Arc<RemapDevice> {
    let options = CreateOptions { name: "shelf".into(), ..CreateOptions::default() };
    create(&members, &options).expect("a set can be made");
    RemapDevice::open(members, &DeviceOptions::default()).expect("the set can be opened")
}

/// A set that is served.
pub struct Served {
    pub server: NbdServer,
    pub set: Set,
    pub socket: PathBuf,
}

impl Served {
    pub fn uri(&self) -> String {
        format!("nbd+unix:///?socket={}", self.socket.display())
    }

    /// A client that speaks the protocol by hand, ready to send requests.
    pub fn client(&self) -> raw::Client {
        raw::Client::negotiate(raw::connect(&self.socket), false)
    }

    /// That a well-behaved client is served as if nothing had happened.
    pub fn assert_alive(&self) {
        let mut client = self.client();
        client.send_write(1, 0, &[0xa5; 4096]);
        assert_eq!(client.simple_reply(), (0, 1));
        client.send_read(2, 0, 4096);
        assert_eq!(client.simple_reply(), (0, 2));
        assert_eq!(client.receive(4096), [0xa5; 4096]);
        client.disconnect();
    }

    /// Waits until there are so many connections.
    pub fn wait_for_connections(&self, connections: usize) {
        wait_for(&format!("there are {connections} connections"), || {
            self.server.connections() == connections
        });
    }

    /// Waits until something is true of the device.
    pub fn wait_for(&self, what: &str, is_so: impl Fn(&RemapDevice) -> bool) {
        wait_for(what, || is_so(&self.set.device));
    }
}

/// Waits until something is so. A machine that is busy with other things takes its time.
pub fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "it never comes to this: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Runs a program of the Debian package `package` to its end, whether it succeeds or not.
pub fn try_run(package: &str, program: &str, arguments: &[&str]) -> Output {
    match Command::new(program).args(arguments).output() {
        Ok(output) => output,
        Err(error) => panic!("cannot run {program}, which the package {package} has: {error}"),
    }
}

/// Runs a program that must succeed; what it printed.
pub fn run(package: &str, program: &str, arguments: &[&str]) -> String {
    let output = try_run(package, program, arguments);
    let (printed, complaints) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {arguments:?}: {}\n{printed}\n{complaints}", output.status);
    printed.into_owned()
}

/// As text, since all arguments are.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("paths of tests are text")
}

/// Bytes that look like data and are the same each time.
pub fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut out = Vec::with_capacity(bytes + 8);
    while out.len() < bytes {
        // Marsaglia's xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(bytes);
    out
}
