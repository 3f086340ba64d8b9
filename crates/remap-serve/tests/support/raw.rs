//! A client that speaks NBD by hand over a unix socket, and is free to speak it badly.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::PATIENCE;
use remap_serve::nbd::wire::Cookie;
use remap_serve::nbd::wire::command::{Command, RequestHeader};
use remap_serve::nbd::wire::option::{
    ClientOption, GREETING_BYTES, OPTION_REPLY_HEADER_BYTES, OptionHeader, OptionReply, OptionReplyHeader,
};
use remap_serve::nbd::wire::reply::SIMPLE_REPLY_BYTES;

/// A connection, and nothing said.
pub fn connect(socket: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream.set_write_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream
}

/// A client whose handshake is done.
pub struct Client {
    pub stream: UnixStream,
}

impl Client {
    /// Takes the greeting and chooses the default export.
    pub fn negotiate(mut stream: UnixStream, structured_replies: bool) -> Self {
        let mut greeting = [0; GREETING_BYTES];
        stream.read_exact(&mut greeting).expect("the server greets");
        stream.write_all(&3u32.to_be_bytes()).expect("flags can be sent");
        let mut client = Self { stream };
        if structured_replies {
            client.option(ClientOption::StructuredReply, &[]);
        }
        // An empty name, and no further questions.
        client.option(ClientOption::Go, &[0; 6]);
        client
    }

    /// Sends an option and waits for its acknowledgement.
    pub fn option(&mut self, option: ClientOption, data: &[u8]) {
        let header = OptionHeader { option: option.code(), length: data.len() as u32 };
        self.stream.write_all(&header.encode()).expect("an option can be sent");
        self.stream.write_all(data).expect("an option can be sent");
        loop {
            let mut header = [0; OPTION_REPLY_HEADER_BYTES];
            self.stream.read_exact(&mut header).expect("an option is answered");
            let header = OptionReplyHeader::parse(&header).expect("an answer");
            self.receive(header.length as usize);
            match OptionReply::from_code(header.reply) {
                Some(OptionReply::Ack) => return,
                Some(OptionReply::Info) => {}
                other => panic!("{option:?} is answered by {other:?}"),
            }
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server takes bytes");
    }

    pub fn send_request(&mut self, command: Command, cookie: u64, offset: u64, length: u32) {
        self.send(&header(command, cookie, offset, length));
    }

    pub fn send_read(&mut self, cookie: u64, offset: u64, length: u32) {
        self.send_request(Command::Read, cookie, offset, length);
    }

    pub fn send_write(&mut self, cookie: u64, offset: u64, data: &[u8]) {
        self.send_request(Command::Write, cookie, offset, data.len() as u32);
        self.send(data);
    }

    /// The error number and the cookie of the next simple reply.
    pub fn simple_reply(&mut self) -> (u32, u64) {
        let reply = self.receive(SIMPLE_REPLY_BYTES);
        let magic = u32::from_be_bytes(reply[0..4].try_into().expect("four bytes"));
        assert_eq!(magic, remap_serve::nbd::wire::SIMPLE_REPLY_MAGIC);
        let error = u32::from_be_bytes(reply[4..8].try_into().expect("four bytes"));
        (error, u64::from_be_bytes(reply[8..16].try_into().expect("eight bytes")))
    }

    pub fn receive(&mut self, bytes: usize) -> Vec<u8> {
        let mut received = vec![0; bytes];
        self.stream.read_exact(&mut received).expect("the server sends");
        received
    }

    /// That the server has closed the connection, with nothing more to say.
    pub fn assert_dropped(&mut self) {
        assert_dropped(&mut self.stream);
    }

    /// Leaves in good order.
    pub fn disconnect(mut self) {
        self.send_request(Command::Disconnect, 0, 0, 0);
        self.assert_dropped();
    }
}

/// That nothing comes any more. The end of a connection with unread bytes may look like a reset.
pub fn assert_dropped(stream: &mut UnixStream) {
    let mut byte = [0];
    let end = loop {
        match stream.read(&mut byte) {
            // A ring's exit work may interrupt any thread of its process, and this one shares it with the server.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            end => break end,
        }
    };
    match end {
        Ok(0) => {}
        Ok(_) => panic!("the server says something instead of hanging up"),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
    }
}

pub fn header(command: Command, cookie: u64, offset: u64, length: u32) -> [u8; 28] {
    RequestHeader { flags: 0, command: command as u16, cookie: Cookie(cookie), offset, length }.encode()
}
