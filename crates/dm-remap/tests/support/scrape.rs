//! A monitor that runs, and a client of its endpoint that speaks HTTP by itself.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use super::metrics::Metrics;
use super::{Play, end};

/// A monitor; ended with the value.
pub struct Monitor {
    child: Option<Child>,
    at: SocketAddr,
}

impl Monitor {
    /// One that looks every second, with further arguments.
    pub fn start(play: &Play, args: &[&str]) -> Self {
        Self::start_with(play, args, Stdio::inherit())
    }

    /// The same, with a standard error.
    pub fn start_with(play: &Play, args: &[&str], errors: impl Into<Stdio>) -> Self {
        let all = [&["monitor", "--listen", "127.0.0.1:0", "--every", "1"], args].concat();
        let mut child = play.command(&all).stdout(Stdio::piped()).stderr(errors).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let at = line.strip_prefix("listening on http://").and_then(|rest| rest.strip_suffix("/metrics\n"));
        let at = at.unwrap_or_else(|| panic!("{line}")).parse().unwrap();
        Self { child: Some(child), at }
    }

    /// As `ADDR:PORT`.
    pub fn address(&self) -> String {
        self.at.to_string()
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Waits for it to end by itself; its exit code.
    pub fn wait(mut self) -> Option<i32> {
        self.child.take().unwrap().wait().unwrap().code()
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.at).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    /// Sends bytes and returns all that is answered; nothing where the connection is cut.
    pub fn ask(&self, request: &[u8]) -> String {
        let mut stream = self.connect();
        let mut answer = Vec::new();
        let _ = stream.write_all(request);
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    /// The metrics of its last look.
    pub fn scrape(&self) -> Metrics {
        let answer = self.ask(b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("\r\nContent-Type: text/plain; version=0.0.4;"), "{head}");
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head}");
        Metrics::parse(body)
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        if let Some(child) = self.child.take() {
            end(child);
        }
    }
}
