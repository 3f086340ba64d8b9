//! How a server stops: what was begun is answered, what comes late is told so, and nobody can hold it up.

mod support;

use std::time::{Duration, Instant};

use remap_serve::nbd::wire::command::Command;
use remap_serve::nbd::wire::errno::Errno;
use remap_serve::server::Stopped;
use support::{Served, Set};

#[test]
fn requests_under_way_are_answered_and_later_ones_are_told_that_the_server_stops() {
    let served = Set::new().serve();
    served.set.set_faults("slow 0 8 ms=700");
    let mut client = served.client();
    client.send_write(1, 0, &[9; 4096]);
    served.wait_for("the request is under way", |device| device.status().in_flight == 1);
    let Served { server, set, .. } = served;
    let stopping = std::thread::spawn(move || server.shutdown(Duration::from_secs(30)));
    assert_eq!(client.simple_reply(), (0, 1));
    client.assert_dropped();
    assert_eq!(stopping.join().expect("no panic"), Stopped { finished: 1, cut_off: 0, stuck: 0 });
    set.device.close().expect("the device closes cleanly");
    assert_eq!(set.image()[..4096], [9; 4096]);
}

#[test]
fn requests_that_were_sent_but_not_begun_get_eshutdown() {
    let served = Set::new().serve_with(|options| options.in_flight_bytes = 4096);
    served.set.set_faults("slow 0 8 ms=1500");
    let mut client = served.client();
    // The second waits for room until the first is done, and the server is stopping by then.
    client.send_read(1, 0, 4096);
    client.send_read(2, 4096, 4096);
    client.send_write(3, 4096, &[1; 4096]);
    client.send_read(4, 8192, 4096);
    served.wait_for("the first is under way", |device| device.status().in_flight == 1);
    let Served { server, set, .. } = served;
    let stopping = std::thread::spawn(move || server.shutdown(Duration::from_secs(30)));
    assert_eq!(client.simple_reply(), (0, 1));
    client.receive(4096);
    let mut late = 0;
    for _ in 2..=4 {
        match client.simple_reply() {
            (0, 2 | 4) => drop(client.receive(4096)),
            (error, cookie) => {
                assert_eq!(error, Errno::Shutdown.code(), "request {cookie}");
                late += 1;
            }
        }
    }
    assert!(late >= 2, "only {late} were told");
    client.assert_dropped();
    stopping.join().expect("no panic");
    assert!(set.image().iter().all(|byte| *byte == 0), "a write that was refused is not there");
}

#[test]
fn a_client_that_reads_nothing_is_cut_off_at_the_deadline() {
    for set in Set::of_each_kind() {
        let served = set.serve();
        let mut client = served.client();
        for cookie in 0..4 {
            client.send_request(Command::Read, cookie, 0, 4 << 20);
        }
        served.wait_for("a request was begun", |device| device.status().io.reads > 0);
        let start = Instant::now();
        let stopped = served.server.shutdown(Duration::from_millis(500));
        assert!(start.elapsed() < Duration::from_secs(8));
        assert_eq!(stopped, Stopped { finished: 0, cut_off: 1, stuck: 0 });
    }
}

#[test]
fn idle_clients_and_strangers_are_let_go_at_once() {
    for set in Set::of_each_kind() {
        let served = set.serve();
        let mut idle = served.client();
        let _stranger = support::raw::connect(&served.socket);
        served.wait_for_connections(2);
        let start = Instant::now();
        served.server.shutdown(Duration::from_secs(30));
        assert!(start.elapsed() < Duration::from_secs(8), "nobody is waited for");
        idle.assert_dropped();
        assert!(!served.socket.exists(), "the socket's file goes with the server");
    }
}

#[test]
fn the_server_can_be_dropped_without_a_shutdown() {
    for set in Set::of_each_kind() {
        let served = set.serve();
        let mut client = served.client();
        let Served { server, socket, .. } = served;
        drop(server);
        client.assert_dropped();
        assert!(!socket.exists());
    }
}
