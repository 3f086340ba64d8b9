//! Facts about sockets.

use std::io::IoSlice;
use std::time::{Duration, Instant};

use super::*;

fn soon() -> Instant {
    Instant::now() + Duration::from_millis(50)
}

#[test]
fn a_deadline_ends_the_wait_for_bytes_and_for_room() {
    let (one, _other) = Socket::pair().expect("a pair");
    assert_eq!(one.recv_by(&mut [0], Some(soon())), Err(NetError::Late));
    assert_eq!(one.send_by(&vec![0; 16 << 20], Some(soon())), Err(NetError::Late));
}

#[test]
fn many_pieces_arrive_whole_and_in_order() {
    let (one, other) = Socket::pair().expect("a pair");
    let sent: Vec<Vec<u8>> = (0..5000u32).map(|n| n.to_le_bytes()[..=n as usize % 4].to_vec()).collect();
    let expected = sent.concat();
    let mut received = vec![0; expected.len()];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut pieces: Vec<_> = sent.iter().map(|piece| IoSlice::new(piece)).collect();
            one.send_all(&mut pieces).expect("the other side receives");
        });
        other.recv_exact(&mut received).expect("everything comes");
    });
    assert!(received == expected);
}

#[test]
fn the_end_of_a_stream_is_told_from_silence() {
    let (one, other) = Socket::pair().expect("a pair");
    assert_eq!(one.recv_now(&mut [0]), Ok(None));
    other.send_by(b"x", None).expect("there is room");
    drop(other);
    assert_eq!(one.recv(&mut [0; 8]), Ok(1));
    assert_eq!(one.recv(&mut [0; 8]), Ok(0));
    assert_eq!(one.recv_exact(&mut [0; 8]), Err(NetError::Gone));
    assert_eq!(one.send_now(b"x"), Err(NetError::Gone));
}

#[test]
fn whoever_waits_is_woken_by_a_hang_up_and_still_gets_what_has_arrived() {
    let (one, other) = Socket::pair().expect("a pair");
    other.send_by(b"x", None).expect("there is room");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| (one.recv(&mut [0]), one.recv(&mut [0])));
        std::thread::sleep(Duration::from_millis(50));
        one.stop_receiving();
        assert_eq!(waiting.join().expect("no panic"), (Ok(1), Ok(0)));
    });
    one.send_by(b"y", None).expect("the other direction is open");
}
