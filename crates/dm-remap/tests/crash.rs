//! A server killed in the middle of writes: what was acknowledged and flushed is there afterwards.

mod support;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use support::Play;
use support::nbd::Client;

const BLOCK: usize = 4096;
const BLOCKS: u64 = 512;

/// A block's content: whose it is, which version, and the same again to its end.
fn content(block: u64, version: u32) -> Vec<u8> {
    let mut sector = [0; 16];
    sector[..8].copy_from_slice(&block.to_le_bytes());
    sector[8..12].copy_from_slice(&version.to_le_bytes());
    sector.repeat(BLOCK / sector.len())
}

/// The version that each sector of a block holds; none is another block's, or half of one.
fn versions(block: u64, data: &[u8]) -> Vec<u32> {
    let sectors = data.chunks(512).map(|sector| {
        let version = u32::from_le_bytes(sector[8..12].try_into().unwrap());
        let expected = if version == 0 { vec![0; BLOCK] } else { content(block, version) };
        assert_eq!(sector, &expected[..512], "block {block} holds foreign bytes");
        version
    });
    sectors.collect()
}

/// What a writer was promised, by block.
#[derive(Clone, Copy, Default)]
struct Promise {
    issued: u32,
    acknowledged: u32,
    flushed: u32,
}

/// Writes until the connection breaks. `first_flush` is told once.
fn write_until_killed(
    socket: &Path,
    stride: u64,
    promises: &mut HashMap<u64, Promise>,
    first_flush: &Sender<()>,
) {
    let mut client = Client::connect(socket).unwrap();
    for n in 0.. {
        let block = (n * stride) % BLOCKS;
        let promise = promises.entry(block).or_default();
        promise.issued += 1;
        match client.write(block * BLOCK as u64, &content(block, promise.issued)) {
            Err(_) => return,
            Ok(answer) => assert_eq!(answer, Ok(()), "block {block}"),
        }
        promise.acknowledged = promise.issued;
        if n % 16 == 15 {
            match client.flush() {
                Err(_) => return,
                Ok(answer) => assert_eq!(answer, Ok(())),
            }
            for promise in promises.values_mut() {
                promise.flushed = promise.acknowledged;
            }
            let _ = first_flush.send(());
        }
    }
}

#[test]
fn acknowledged_and_flushed_writes_survive_the_death_of_the_server() {
    let mut faults = String::new();
    for n in 0..200 {
        let _ = writeln!(faults, "bad {} {}", n * 20 + 3, n % 5 + 1);
    }
    let play = Play::with_set(&faults);
    let mut promises: HashMap<u64, Promise> = HashMap::new();
    for round in 0..4 {
        play.ok(&["open", "s"]);
        let socket = play.socket();
        let (first_flush, flushed) = channel();
        std::thread::scope(|scope| {
            let promises = &mut promises;
            scope.spawn(move || write_until_killed(&socket, 7 + round * 2, promises, &first_flush));
            flushed.recv_timeout(Duration::from_secs(20)).expect("no flush came through");
            std::thread::sleep(Duration::from_millis(40 * round));
            play.kill_server();
        });
        assert_eq!(play.json(&["list"])[0]["state"], "closed", "a dead server is not an open set");
        play.ok(&["open", "s"]);
        let mut client = Client::connect(&play.socket()).unwrap();
        for (block, promise) in &mut promises {
            let mut data = vec![0; BLOCK];
            if client.read(block * BLOCK as u64, &mut data).unwrap().is_err() {
                // The write that the kill cut off was the first one to a bad sector: nobody has had data there.
                assert_eq!(promise.flushed, 0, "block {block} was flushed and cannot be read");
                continue;
            }
            let found = versions(*block, &data);
            let allowed = promise.flushed..=promise.issued;
            assert!(found.iter().all(|version| allowed.contains(version)), "block {block}: {found:?}");
            // What is there now is read again the same, so it counts as flushed from here on.
            promise.flushed = *found.iter().min().unwrap();
        }
        drop(client);
        play.ok(&["close", "s"]);
        play.ok(&["check", "spare"]);
    }
    assert!(play.json(&["status", "s"])["moved_sectors"].as_u64().unwrap() > 100);
}

#[test]
fn a_server_asked_twice_to_stop_stops_at_once_and_loses_nothing() {
    let play = Play::with_set("bad 8 1\n");
    play.ok(&["open", "s"]);
    let mut client = Client::connect(&play.socket()).unwrap();
    client.write(4096, &content(1, 1)).unwrap().unwrap();
    client.flush().unwrap().unwrap();
    let pid = play.json(&["status", "s"])["server"]["pid"].to_string();
    support::foreign("kill", &["-TERM", &pid]);
    let _ = support::finish(std::process::Command::new("kill").args(["-TERM", &pid]));
    while Path::new(&format!("/proc/{pid}/exe")).exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    play.ok(&["open", "s"]);
    let mut data = vec![0; BLOCK];
    Client::connect(&play.socket()).unwrap().read(4096, &mut data).unwrap().unwrap();
    assert_eq!(versions(1, &data), [1; 8]);
}
