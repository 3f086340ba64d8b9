//! The control socket: every question and order, and those who may not ask or ask badly.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use remap_core::Sector;
use remap_serve::control::status::{Mapping, Scrub};
use remap_serve::control::{
    Client, ClientError, ControlOptions, ControlServer, FailureKind, MAX_LINE_BYTES, Order, Request,
    Response, call,
};
use remap_serve::{Address, Listener};
use support::{SECTORS, Served, Set};

const PATIENCE: Duration = Duration::from_secs(10);

struct Controlled {
    control: ControlServer,
    served: Served,
    path: PathBuf,
    shutdowns: Arc<AtomicU32>,
}

fn start() -> Controlled {
    let served = Set::new().serve();
    let path = served.set.path("control.sock");
    let shutdowns = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&shutdowns);
    let options = ControlOptions {
        on_shutdown: Box::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
        }),
        serving: Some(served.server.serving()),
    };
    let listener = Listener::bind(&Address::Unix(path.clone())).expect("the path is free");
    let control = ControlServer::start(listener, Arc::clone(&served.set.device), options);
    Controlled { control: control.expect("it starts"), served, path, shutdowns }
}

impl Controlled {
    fn ask(&self, request: &Request) -> Response {
        call(&self.path, request, PATIENCE).expect("an answer")
    }

    fn order(&self, order: Order, start_sector: u64, sectors: u64) -> Response {
        self.ask(&Request::Order { order, start_sector, sectors })
    }
}

fn done(blocks_done: u64) -> Response {
    Response::Ordered { blocks_done, failed: 0, failures: Vec::new() }
}

#[test]
fn status_tells_of_the_set_the_scan_and_the_server() {
    let set = start();
    let _client = set.served.client();
    let Response::Status(status) = set.ask(&Request::Status) else { panic!("a status") };
    assert_eq!((status.name.as_str(), status.state.as_str(), status.health), ("shelf", "active", 100));
    assert_eq!(status.sectors, SECTORS);
    assert_eq!(status.spares.len(), 1);
    assert_eq!(status.scrub.state, "never");
    assert_eq!(status.server.pid, std::process::id());
    assert_eq!(status.server.nbd, [format!("unix:{}", set.served.socket.display())]);
    assert_eq!(status.server.connections, 1);
    assert!(status.io.contains_key("reads") && status.recovery.contains_key("sectors_remapped"));
}

#[test]
fn remapped_sectors_show_in_mappings_spares_and_health_and_can_be_unmapped() {
    let set = start();
    assert_eq!(set.order(Order::Remap, 800, 80), done(10));
    let first = Request::Mappings { from_slot: 0, limit: 4 };
    let Response::Mappings { mappings, next_slot: Some(next) } = set.ask(&first) else {
        panic!("four of ten")
    };
    assert_eq!(mappings.len(), 4);
    let rest = Request::Mappings { from_slot: next, limit: 100 };
    let Response::Mappings { mappings: more, next_slot: None } = set.ask(&rest) else { panic!("the rest") };
    let mut blocks: Vec<u64> =
        mappings.iter().chain(&more).map(|row: &Mapping| row.block_start_sector).collect();
    blocks.sort_unstable();
    assert_eq!(blocks, (100..110).map(|block| block * 8).collect::<Vec<u64>>());
    let Response::Spares { spares } = set.ask(&Request::Spares) else { panic!("spares") };
    assert_eq!(spares[0].slots_used, 10);
    let Response::Health(health) = set.ask(&Request::Health) else { panic!("health") };
    assert_eq!((health.moved_sectors, health.slots_used), (80, 10));
    assert_eq!(set.order(Order::Unmap, 0, SECTORS), done(10));
    let Response::Mappings { mappings, .. } = set.ask(&first) else { panic!("mappings") };
    assert_eq!(mappings, []);
}

#[test]
fn lost_sectors_can_be_retried_and_accepted() {
    let set = start();
    set.served.set.set_faults("bad-read 0 16");
    let mut block = [0; 8192];
    set.served.set.device.read(Sector(0), &mut block).expect_err("the sectors are bad");
    set.served.set.set_faults("bad-read 8 8");
    let retried = set.order(Order::Retry { attempts: 2 }, 0, 16);
    let Response::Ordered { blocks_done: 1, failed: 1, failures } = retried else { panic!("{retried:?}") };
    assert_eq!((failures[0].start_sector, failures[0].sectors), (8, 8));
    set.order(Order::AcceptLoss, 0, 16);
    set.served.set.device.read(Sector(0), &mut block).expect("all sectors are held again");
}

#[test]
fn long_orders_tell_of_their_progress() {
    let set = start();
    let mut client = Client::connect(&set.path, PATIENCE).expect("it answers");
    let mut seen = Vec::new();
    let request = Request::Order { order: Order::Remap, start_sector: 0, sectors: 8 * 1000 };
    let response = client.ask(&request, |done, total| seen.push((done, total))).expect("an answer");
    assert_eq!(response, done(1000));
    assert_eq!(seen.first(), Some(&(0, 1000)));
    assert_eq!(seen.last(), Some(&(1000, 1000)));
    // The connection is good for more.
    client.ask(&Request::Health, |_, _| {}).expect("an answer");
}

#[test]
fn work_that_takes_long_is_told_from_a_server_that_is_gone() {
    let set = start();
    set.served.set.set_faults("bad-read 0 8");
    set.served.set.device.read(Sector(0), &mut [0; 4096]).expect_err("the sectors are bad");
    set.served.set.set_faults("slow 0 8 ms=700\nbad-read 0 8");
    let request = Request::Order { order: Order::Retry { attempts: 1 }, start_sector: 0, sectors: 8 };
    let begun = std::time::Instant::now();
    let response = call(&set.path, &request, Duration::from_secs(3)).expect("an answer in the end");
    assert!(matches!(response, Response::Ordered { failed: 1, .. }), "{response:?}");
    assert!(begun.elapsed() > Duration::from_secs(4), "it was slower than the client is patient");
}

#[test]
fn scans_start_tell_how_far_they_are_and_stop() {
    let set = start();
    let running =
        |response| matches!(response, Response::Scrub(Scrub { ref state, .. }) if state == "running");
    assert!(running(set.ask(&Request::ScrubStart { rate_bytes_per_s: 1 << 20 })));
    assert!(running(set.ask(&Request::ScrubStatus)));
    let again = call(&set.path, &Request::ScrubStart { rate_bytes_per_s: 0 }, PATIENCE);
    assert!(matches!(again, Err(ClientError::Failed(failure)) if failure.kind == FailureKind::Device));
    let Response::Scrub(scrub) = set.ask(&Request::ScrubStop) else { panic!("a scan") };
    assert_eq!((scrub.state.as_str(), scrub.sectors_total), ("stopped", SECTORS));
}

#[test]
fn metadata_is_verified_and_a_set_probed_and_resumed_on_request() {
    let set = start();
    let Response::Metadata(report) = set.ask(&Request::VerifyMetadata) else { panic!("a report") };
    assert!(report.pages > 0 && report.good > 0 && report.bad == 0, "{report:?}");
    assert_eq!(set.ask(&Request::Probe), Response::State { state: "active".into(), answers: Some(true) });
    assert_eq!(set.ask(&Request::Resume), Response::State { state: "active".into(), answers: None });
}

#[test]
fn a_shutdown_is_acknowledged_and_passed_on() {
    let set = start();
    assert_eq!(set.ask(&Request::Shutdown), Response::Done);
    assert_eq!(set.shutdowns.load(Ordering::SeqCst), 1);
    assert_eq!(set.control.shutdown(Duration::from_secs(5)), 0);
    assert!(!set.path.exists());
    let error = call(&set.path, &Request::Status, PATIENCE).expect_err("nobody is there");
    assert!(error.is_absent());
    assert!(error.to_string().contains("control.sock: no dm-remap server answers there"));
}

#[test]
fn what_the_device_refuses_is_told_in_words() {
    let set = start();
    for (start_sector, sectors, words) in
        [(SECTORS, 8, "does not lie within the device"), (0, 0, "not whole logical blocks")]
    {
        let request = Request::Order { order: Order::Remap, start_sector, sectors };
        let error = call(&set.path, &request, PATIENCE).expect_err("that makes no sense");
        assert!(error.to_string().contains(words), "{error}");
    }
    let error = call(&set.path, &Request::Evacuate { spare: 7 }, PATIENCE).expect_err("there is one spare");
    assert!(error.to_string().contains("no such spare"), "{error}");
}

#[test]
fn lines_that_are_no_request_get_an_error_and_the_connection_goes_on() {
    let set = start();
    let stream = UnixStream::connect(&set.path).expect("it answers");
    let mut lines = BufReader::new(&stream).lines();
    let mut ask = |line: &str| -> Response {
        (&stream).write_all(line.as_bytes()).expect("the server takes bytes");
        let answer = lines.next().expect("an answer").expect("an answer");
        serde_json::from_str(&answer).expect("a response")
    };
    for line in [
        "\n",
        "rubbish\n",
        "{}\n",
        "{\"request\":\"fly\"}\n",
        "{\"request\":\"mappings\",\"from_slot\":-1,\"limit\":1}\n",
        "{\"request\":\"mappings\",\"from_slot\":0,\"limit\":1,\"more\":2}\n",
        "[[[[[[\n",
    ] {
        let Response::Error(failure) = ask(line) else { panic!("{line} is no request") };
        assert_eq!(failure.kind, FailureKind::BadRequest);
    }
    assert!(matches!(ask("{\"request\":\"health\"}\n"), Response::Health(_)));
}

#[test]
fn a_line_without_end_is_refused_and_the_others_are_served() {
    let set = start();
    let mut stream = UnixStream::connect(&set.path).expect("it answers");
    stream.write_all(&vec![b'['; MAX_LINE_BYTES]).expect("the server takes that much");
    let mut answer = String::new();
    BufReader::new(&stream).read_line(&mut answer).expect("an answer");
    assert!(answer.contains("bad-request") && answer.contains("longer than"), "{answer}");
    // One that stays in the middle of a line keeps nobody waiting.
    let mut silent = UnixStream::connect(&set.path).expect("it answers");
    silent.write_all(b"{\"request\":").expect("the server takes bytes");
    set.ask(&Request::Health);
}

#[test]
fn the_socket_is_for_its_owner_alone() {
    let set = start();
    let mode = set.path.metadata().expect("the socket is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_server_that_does_not_answer_is_given_up_on() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let path = directory.path().join("mute");
    let _mute = std::os::unix::net::UnixListener::bind(&path).expect("the path is free");
    let error = call(&path, &Request::Status, Duration::from_millis(100)).expect_err("nobody accepts");
    assert!(error.to_string().contains("no answer in time"), "{error}");
}

#[test]
fn root_other_users_are_refused_even_where_the_file_lets_them_in() {
    let set = start();
    std::fs::set_permissions(&set.path, PermissionsExt::from_mode(0o666)).expect("it is ours");
    std::fs::set_permissions(set.served.set.directory.path(), PermissionsExt::from_mode(0o755))
        .expect("ours");
    let path = set.path.clone();
    // The kernel keeps user numbers for each thread; that they change together is the C library's doing.
    let stranger = std::thread::spawn(move || {
        let nobody = rustix::process::Uid::from_raw(65534);
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody).expect("root may become anyone");
        call(&path, &Request::Status, PATIENCE).expect_err("a stranger is refused")
    });
    let error = stranger.join().expect("no panic");
    assert!(
        matches!(&error, ClientError::Failed(failure) if failure.kind == FailureKind::Refused),
        "{error}"
    );
}
