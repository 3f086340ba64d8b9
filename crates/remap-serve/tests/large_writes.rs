//! Large writes are received ahead of being carried out: none is forgotten, and none waits for bytes that do not
//! come.

mod support;

use remap_serve::nbd::wire::command::Command;
use support::raw::{Client, header};
use support::{Served, Set, noise};

const BYTES: usize = 128 << 10;

fn data(number: u64) -> Vec<u8> {
    noise(BYTES, number)
}

/// Has the server see that its disk is fast, which is when writes are received ahead.
fn warmed_up(served: &Served) -> Client {
    let mut client = served.client();
    for cookie in 0..64 {
        client.send_write(cookie, 0, &data(0));
        assert_eq!(client.simple_reply(), (0, cookie));
    }
    client
}

fn offset(number: u64) -> u64 {
    number * BYTES as u64
}

fn replies(client: &mut Client, numbers: std::ops::Range<u64>) {
    let mut cookies: Vec<u64> = numbers
        .clone()
        .map(|_| client.simple_reply())
        .map(|(error, cookie)| {
            assert_eq!(error, 0, "write {cookie}");
            cookie
        })
        .collect();
    cookies.sort_unstable();
    assert!(cookies.into_iter().eq(numbers), "each is answered once");
}

#[test]
fn what_was_sent_before_the_client_leaves_is_answered_and_there() {
    for set in Set::of_each_kind() {
        let served = set.serve();
        let mut client = warmed_up(&served);
        for number in 0..16 {
            client.send_write(number, offset(number), &data(number + 1));
        }
        client.send_request(Command::Disconnect, 0, 0, 0);
        replies(&mut client, 0..16);
        client.assert_dropped();
        served.wait_for_connections(0);
        let image = served.set.image();
        for number in 0..16 {
            assert!(image[offset(number) as usize..][..BYTES] == data(number + 1), "write {number}");
        }
    }
}

#[test]
fn a_write_is_answered_though_the_next_request_comes_in_part_only() {
    for set in Set::of_each_kind() {
        let served = set.serve();
        let mut client = warmed_up(&served);
        for part in [1, 27, 28, 29, 28 + BYTES / 2, 28 + BYTES - 1] {
            let mut next = header(Command::Write, 2, 0, BYTES as u32).to_vec();
            next.extend(data(2));
            client.send_write(1, offset(1), &data(1));
            client.send(&next[..part]);
            assert_eq!(client.simple_reply(), (0, 1), "with {part} bytes behind it");
            client.send(&next[part..]);
            assert_eq!(client.simple_reply(), (0, 2));
        }
        client.disconnect();
    }
}

#[test]
fn more_than_may_be_under_way_at_once_is_answered_in_the_end() {
    for set in Set::of_each_kind() {
        let served = set.serve_with(|options| options.in_flight_bytes = BYTES + BYTES / 2);
        let mut client = warmed_up(&served);
        for number in 0..32 {
            client.send_write(number, offset(number), &data(number));
        }
        // Other commands do not wait behind what was received ahead, and do not lose it.
        client.send_request(Command::Flush, 32, 0, 0);
        client.send_write(33, offset(33), &data(33)[..4096]);
        replies(&mut client, 0..34);
        client.disconnect();
    }
}

#[test]
fn a_client_that_vanishes_in_the_middle_of_a_write_leaves_those_before_it_whole() {
    for set in Set::of_each_kind() {
        let served = set.serve();
        let mut client = warmed_up(&served);
        for number in 0..4 {
            client.send_write(number, offset(number), &data(number + 9));
        }
        client.send(&header(Command::Write, 4, offset(4), BYTES as u32));
        client.send(&data(4)[..BYTES / 3]);
        drop(client);
        served.wait_for_connections(0);
        let image = served.set.image();
        for number in 0..4 {
            assert!(image[offset(number) as usize..][..BYTES] == data(number + 9), "write {number}");
        }
        assert!(image[offset(4) as usize..][..BYTES].iter().all(|byte| *byte == 0), "half a write is none");
        served.assert_alive();
    }
}
