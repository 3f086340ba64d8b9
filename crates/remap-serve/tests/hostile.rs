//! Clients that do not keep to the protocol, or to anything: each gets an error or is dropped, nothing is
//! written that was not asked for in full, and the others are served.

mod support;

use std::io::{Read, Write};
use std::process::Command;
use std::time::{Duration, Instant};

use remap_serve::nbd::wire::command::Command as Ask;
use remap_serve::nbd::wire::errno::Errno;
use support::{PATIENCE, Set, noise, raw};

const END: u64 = 64 << 20;

#[test]
fn rubbish_instead_of_a_handshake_is_dropped() {
    let served = Set::new().serve();
    for seed in 0..20 {
        let mut stream = raw::connect(&served.socket);
        let mut greeting = [0; 18];
        stream.read_exact(&mut greeting).expect("the server greets");
        // Whoever hangs up first: not all of it may be taken.
        let _ = stream.write_all(&noise(5000, seed));
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    }
    served.assert_alive();
}

#[test]
fn rubbish_instead_of_a_request_is_dropped() {
    for set in Set::of_each_kind() {
        let served = set.serve();
        let mut client = served.client();
        client.send(&[0x55; 28]);
        client.assert_dropped();
        served.assert_alive();
    }
}

#[test]
fn a_client_that_vanishes_in_a_write_writes_nothing() {
    for set in Set::of_each_kind() {
        let served = set.serve();
        for sent in [0, 1, 511, 512, 4096, 40_000, 65_535] {
            let mut client = served.client();
            client.send_request(Ask::Write, 1, 0, 1 << 16);
            client.send(&vec![0xff; sent]);
            drop(client);
        }
        served.wait_for_connections(0);
        assert!(served.set.image().iter().all(|byte| *byte == 0), "a half-received write left a trace");
        served.assert_alive();
    }
}

#[test]
fn a_client_that_vanishes_with_requests_under_way_leaves_nothing_behind() {
    let served = Set::new().serve();
    served.set.set_faults("slow 0 1024 ms=100");
    let mut client = served.client();
    for cookie in 0..32 {
        client.send_read(cookie, cookie * 4096, 4096);
    }
    drop(client);
    served.wait_for_connections(0);
    served.assert_alive();
}

#[test]
fn requests_past_the_end_and_of_no_length_get_errors() {
    for set in Set::of_each_kind() {
        let served = set.serve();
        let mut client = served.client();
        let cases = [
            (Ask::Read, END, 512, Errno::Invalid),
            (Ask::Read, END - 512, 1024, Errno::Invalid),
            (Ask::Read, u64::MAX - 511, 512, Errno::Invalid),
            (Ask::Read, 0, 0, Errno::Invalid),
            (Ask::Read, 1, 512, Errno::Invalid),
            (Ask::Read, 0, 48 << 20, Errno::Invalid),
            (Ask::Trim, END, 512, Errno::Invalid),
            (Ask::WriteZeroes, END - 512, u32::MAX - 511, Errno::NoSpace),
            (Ask::BlockStatus, 0, 512, Errno::Invalid),
            (Ask::Cache, 0, 512, Errno::Invalid),
            (Ask::Flush, 512, 0, Errno::Invalid),
        ];
        for (cookie, (command, offset, length, errno)) in (1..).zip(cases) {
            client.send_request(command, cookie, offset, length);
            assert_eq!(client.simple_reply(), (errno.code(), cookie), "{command:?} {offset}+{length}");
        }
        client.send_write(100, END - 512, &[1; 1024]);
        assert_eq!(client.simple_reply(), (Errno::NoSpace.code(), 100));
        // The connection is still in step behind a write that was refused.
        client.send_write(101, 0, &[7; 512]);
        assert_eq!(client.simple_reply(), (0, 101));
        client.disconnect();
    }
}

#[test]
fn a_write_of_a_huge_length_ends_the_connection_before_any_memory_is_taken() {
    for set in Set::of_each_kind() {
        let served = set.serve();
        let mut client = served.client();
        client.send_request(Ask::Write, 1, 0, u32::MAX);
        client.assert_dropped();
        served.assert_alive();
    }
}

#[test]
fn a_client_that_reads_no_replies_keeps_nobody_else_waiting_and_is_given_bounded_memory() {
    for set in Set::of_each_kind() {
        let served = set.serve();
        let greedy = served.client();
        let mut stream = greedy.stream.try_clone().expect("a second handle");
        stream.set_nonblocking(true).expect("the socket can be set");
        let mut sent = 0;
        // Asks for 16 GiB in all, or as much as the server lets it.
        for cookie in 0..4096 {
            match stream.write(&raw::header(Ask::Read, cookie, 0, 4 << 20)) {
                Ok(28) => sent += 1,
                _ => break,
            }
        }
        assert!(sent > 8, "the server took {sent} requests");
        for _ in 0..5 {
            served.assert_alive();
        }
        drop((greedy, stream));
        served.wait_for_connections(0);
    }
}

#[test]
fn strangers_that_say_nothing_are_dropped_in_time_and_give_their_place_back() {
    let served = Set::new().serve_with(|options| {
        options.handshake_timeout = Duration::from_secs(2);
        options.max_connections = 2;
    });
    let start = Instant::now();
    let mut strangers = [raw::connect(&served.socket), raw::connect(&served.socket)];
    served.wait_for_connections(2);
    let mut third = raw::connect(&served.socket);
    raw::assert_dropped(&mut third);
    for stranger in &mut strangers {
        let mut all = Vec::new();
        stranger.read_to_end(&mut all).expect("the server hangs up");
        assert_eq!(all.len(), 18, "the greeting and no more");
    }
    assert!(start.elapsed() >= Duration::from_millis(1900));
    served.wait_for_connections(0);
    served.assert_alive();
}

#[test]
fn a_handshake_a_byte_at_a_time_does_not_outlive_its_deadline() {
    let served = Set::new().serve_with(|options| options.handshake_timeout = Duration::from_millis(300));
    let mut stream = raw::connect(&served.socket);
    let start = Instant::now();
    while start.elapsed() < PATIENCE && stream.write_all(&[0]).is_ok() {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(start.elapsed() < PATIENCE, "a dripping client was borne with");
    served.assert_alive();
}

#[test]
fn clients_killed_under_load_leave_nothing_behind() {
    for set in Set::of_each_kind() {
        let served = set.serve();
        for round in 0..4u64 {
            let fio = Command::new("fio")
                .args(["--name=x", "--ioengine=nbd", "--rw=randrw", "--bsrange=512-1m", "--blockalign=512"])
                .args([
                    "--iodepth=64",
                    "--size=64M",
                    "--time_based",
                    "--runtime=60",
                    "--numjobs=2",
                    "--thread",
                ])
                .args(["--fsync=32", "--output=/dev/null", &format!("--uri={}", served.uri())])
                .spawn();
            let mut fio = fio.expect("fio, of the Debian package fio, can be run");
            served.wait_for_connections(2);
            std::thread::sleep(Duration::from_millis(100 + 37 * round));
            fio.kill().expect("it runs");
            fio.wait().expect("it is gone");
            served.wait_for_connections(0);
        }
        served.assert_alive();
        assert_eq!(served.set.device.status().in_flight, 0);
    }
}

#[test]
fn an_idle_client_in_the_transmission_phase_is_left_alone() {
    let served = Set::new().serve_with(|options| options.handshake_timeout = Duration::from_secs(1));
    let mut client = served.client();
    std::thread::sleep(Duration::from_millis(1500));
    client.send_read(1, 0, 512);
    assert_eq!(client.simple_reply(), (0, 1));
}

#[test]
fn many_bad_requests_without_reading_replies_are_bounded() {
    for set in Set::of_each_kind() {
        let served = set.serve();
        let mut client = served.client();
        client.stream.set_write_timeout(Some(Duration::from_millis(500))).expect("a timeout can be set");
        let bad = raw::header(Ask::Cache, 1, 0, 512);
        let many: Vec<u8> = bad.iter().copied().cycle().take(28 << 10).collect();
        // Some 30 million replies if nothing held it back; it stalls long before.
        let stalled = (0..1024).any(|_| client.stream.write_all(&many).is_err());
        assert!(stalled, "replies pile up without bound");
        served.assert_alive();
    }
}
