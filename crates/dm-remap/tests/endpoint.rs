//! The monitor's endpoint: what it tells, and what it takes from clients that mean no good.

mod support;

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use support::Play;
use support::nbd::Client;
use support::scrape::Monitor;

#[test]
fn a_scrape_sees_what_happens_to_a_set() {
    let play = Play::with_set("bad 40 1\n");
    play.ok(&["open", "s"]);
    let monitor = Monitor::start(&play, &["--textfile", "sets.prom"]);
    let uuid = play.json(&["status", "s"])["uuid"].as_str().unwrap().to_owned();
    let lost = format!("dm_remap_lost_sectors{{name=\"s\",uuid=\"{uuid}\"}}");
    assert_eq!(monitor.scrape().value(&lost), Some(0));
    let mut client = Client::connect(&play.socket()).unwrap();
    assert!(client.read(40 * 512, &mut [0; 512]).unwrap().is_err());
    let until = Instant::now() + Duration::from_secs(20);
    while monitor.scrape().value(&lost) != Some(1) {
        assert!(Instant::now() < until, "the monitor does not look again");
        std::thread::sleep(Duration::from_millis(50));
    }
    let file = std::fs::read_to_string(play.path("sets.prom")).unwrap();
    assert!(file.contains(&format!("{lost} 1\n")), "the file tells something else: {file}");
    support::foreign("kill", &["-TERM", &monitor.pid().to_string()]);
    assert_eq!(monitor.wait(), Some(0));
}

#[test]
fn nothing_but_reading_is_answered() {
    let play = Play::new();
    let monitor = Monitor::start(&play, &[]);
    for (request, status) in [
        ("GET /metrics HTTP/1.0\r\n\r\n", "200 OK"),
        ("GET / HTTP/1.1\r\n\r\n", "200 OK"),
        ("GET /other HTTP/1.1\r\n\r\n", "404 Not Found"),
        ("POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "405 Method Not Allowed"),
        ("nonsense\r\n\r\n", "400 Bad Request"),
    ] {
        let answer = monitor.ask(request.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request:?}: {answer}");
    }
    let head = monitor.ask(b"HEAD /metrics HTTP/1.1\r\n\r\n");
    assert!(head.ends_with("\r\n\r\n") && !head.contains("Content-Length: 0\r\n"), "{head}");
}

#[test]
fn a_head_without_end_is_refused() {
    let play = Play::new();
    let monitor = Monitor::start(&play, &[]);
    let answer = monitor.ask(&vec![b'x'; 20_000]);
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[test]
fn slow_clients_are_cut_off_and_take_no_more_than_their_places() {
    let play = Play::new();
    let monitor = Monitor::start(&play, &[]);
    let mut slow: Vec<_> = (0..16).map(|_| monitor.connect()).collect();
    for client in &mut slow {
        client.write_all(b"GET /met").unwrap();
    }
    // They have their places once another finds none.
    let begun = Instant::now();
    while !monitor.ask(b"GET /metrics HTTP/1.1\r\n\r\n").is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(4), "there is always room for one more");
    }
    for client in &mut slow {
        assert_eq!(client.read(&mut [0; 1]).unwrap_or(0), 0, "half a request was answered");
    }
    assert!(begun.elapsed() < Duration::from_secs(15));
    let until = Instant::now() + Duration::from_secs(10);
    while monitor.ask(b"GET /metrics HTTP/1.1\r\n\r\n").is_empty() {
        assert!(Instant::now() < until, "no place is free again");
    }
}

#[test]
fn a_place_that_is_taken_is_told() {
    let play = Play::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    play.fails(&["monitor", "--listen", &at], 1, "does another monitor run?");
    play.fails(&["monitor", "--once"], 2, "--textfile");
}
