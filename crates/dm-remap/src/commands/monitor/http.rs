//! The endpoint that Prometheus scrapes: the last look, over HTTP/1. It owns the connections and their limits; a
//! scrape asks no set, so that however often it comes, no disk notices.
//!
//! Spoken here rather than by a library: of one page, a library is all but its limits, and the small ones
//! (`tiny_http` 0.12) wait for ever for a request's head and make a thread for whoever connects.

mod request;

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use request::Asked;

/// Clients at the same time; others are turned away.
const MAX_CLIENTS: usize = 16;
/// A request's head in bytes.
const MAX_HEAD_BYTES: usize = 8 << 10;
/// How long a client may take, from its connecting to its having the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes after the request that are thrown away, so that closing does not cut the answer short.
const MAX_REST_BYTES: usize = 64 << 10;

/// What is shown to whoever asks.
#[derive(Clone, Debug)]
pub struct Page(Arc<RwLock<Arc<str>>>);

impl Page {
    pub fn new(text: &str) -> Self {
        Self(Arc::new(RwLock::new(text.into())))
    }

    pub fn replace(&self, text: &str) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = text.into();
    }

    fn text(&self) -> Arc<str> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Answers whoever connects, from threads of its own, until this process ends.
pub fn start(listener: TcpListener, page: Page) -> Result<()> {
    let accept = move || accept(&listener, &page);
    std::thread::Builder::new().name("http".into()).spawn(accept).context("cannot start a thread")?;
    Ok(())
}

fn accept(listener: &TcpListener, page: &Page) {
    let clients = Arc::new(AtomicUsize::new(0));
    loop {
        let Ok((stream, _)) = listener.accept() else {
            // Out of file descriptors, most likely: they come back as clients leave.
            std::thread::sleep(Duration::from_millis(100));
            continue;
        };
        if clients.fetch_add(1, Ordering::Relaxed) >= MAX_CLIENTS {
            clients.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (page, place) = (page.clone(), Place(Arc::clone(&clients)));
        let client = move || {
            let _place = place;
            // A client that is too slow or has gone is not told.
            let _ = answer(&stream, &page);
        };
        // Without a thread the client is turned away.
        let _ = std::thread::Builder::new().name("http client".into()).spawn(client);
    }
}

/// A client's place among those that are allowed.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn answer(stream: &TcpStream, page: &Page) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    let reply = match read_head(stream, until)? {
        Some(head) => reply(&head, page),
        None => message("431 Request Header Fields Too Large", "", "the request is too long\n", false),
    };
    write_by(stream, reply.as_bytes(), until)?;
    stream.shutdown(Shutdown::Write)?;
    let mut rest = [0; 4096];
    let mut left = MAX_REST_BYTES;
    while left > 0 {
        match read_by(stream, &mut rest, until)? {
            0 => break,
            bytes => left = left.saturating_sub(bytes),
        }
    }
    Ok(())
}

/// A request's head; `None` when it is too long.
fn read_head(stream: &TcpStream, until: Instant) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    while head.len() < MAX_HEAD_BYTES {
        match read_by(stream, &mut chunk, until)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            bytes => head.extend_from_slice(&chunk[..bytes]),
        }
        if let Some(end) = request::end_of_head(&head) {
            head.truncate(end);
            return Ok(Some(head));
        }
    }
    Ok(None)
}

fn reply(head: &[u8], page: &Page) -> String {
    let (asked, head_only) = request::parse(head);
    match asked {
        Asked::Metrics => message("200 OK", "", &page.text(), head_only),
        Asked::Front => message("200 OK", "", "dm-remap monitor: the metrics are at /metrics\n", head_only),
        Asked::Unknown => message("404 Not Found", "", "the metrics are at /metrics\n", head_only),
        Asked::OtherMethod => {
            message("405 Method Not Allowed", "Allow: GET, HEAD\r\n", "only GET and HEAD\n", head_only)
        }
        Asked::Malformed => message("400 Bad Request", "", "this is no request\n", head_only),
    }
}

/// A whole answer. `fields` are further lines of its head.
fn message(status: &str, fields: &str, body: &str, head_only: bool) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\n{fields}Connection: close\r\n\r\n{}",
        body.len(),
        if head_only { "" } else { body }
    )
}

fn read_by(mut stream: &TcpStream, into: &mut [u8], until: Instant) -> io::Result<usize> {
    stream.set_read_timeout(Some(left(until)?))?;
    stream.read(into)
}

fn write_by(mut stream: &TcpStream, mut from: &[u8], until: Instant) -> io::Result<()> {
    while !from.is_empty() {
        stream.set_write_timeout(Some(left(until)?))?;
        match stream.write(from)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            bytes => from = &from[bytes..],
        }
    }
    Ok(())
}

/// The time that is left, which a socket takes as a limit only where it is not zero.
fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}
