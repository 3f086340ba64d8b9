//! The receiving side of a connection on a queue: bytes become requests, and the data of writes lands where it
//! is written from. It owns what has been received, and how much is asked for.

use std::io;
use std::ops::Range;

use remap_io::disk::AlignedBuffer;
use remap_io::ring::{RingQueue, SocketId};
use rustix::io::Errno;

use super::RECEIVED;
use crate::nbd::request::{Refusal, Request, RequestError, Rules};
use crate::nbd::stream::{Intake, Item};
use crate::nbd::wire::command::{Command, REQUEST_HEADER_BYTES};
use crate::net::NetError;
use crate::session::SessionError;
use crate::session::admission::Weight;

/// Bytes received at once, when no large write is due.
const RECEIVE_BYTES: usize = 64 << 10;
/// From this size on the data of a write is received where it will be written from.
const LARGE_WRITE_BYTES: u32 = 32 << 10;

/// What has come from the client.
#[derive(Debug)]
pub(super) enum Event {
    /// A request. For a write, [`Inbound::accept_write`] decides whether its data is kept.
    Request(Request),
    /// A write, with all of its data.
    Write(Request, AlignedBuffer),
    /// A request to be answered by an error.
    Refusal(Refusal),
    /// The client's leave.
    Disconnect,
}

/// A write whose data is still coming. Its memory is away while it is received into.
#[derive(Debug)]
struct Write {
    request: Request,
    memory: Option<AlignedBuffer>,
    filled: usize,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Inbound {
    intake: Intake,
    /// Received bytes; away while the queue has the memory.
    buffer: Option<AlignedBuffer>,
    /// Those that were not looked at yet.
    unread: Range<usize>,
    write: Option<Write>,
    /// Whether the last write was large, and so the next one may be.
    large_writes: bool,
    is_receiving: bool,
}

impl Inbound {
    /// A stream that begins with `first`.
    pub(super) fn new(rules: Rules, first: &[u8]) -> Self {
        let mut buffer = AlignedBuffer::zeroed(RECEIVE_BYTES.max(first.len()));
        buffer[..first.len()].copy_from_slice(first);
        Self {
            intake: Intake::new(rules),
            buffer: Some(buffer),
            unread: 0..first.len(),
            write: None,
            large_writes: false,
            is_receiving: false,
        }
    }

    /// The next of what has been received; `None` when more has to be received first.
    pub(super) fn next(&mut self) -> Result<Option<Event>, RequestError> {
        if self
            .write
            .as_ref()
            .is_some_and(|write| Some(write.filled) == write.memory.as_deref().map(<[u8]>::len))
            && let Some(Write { request, memory: Some(memory), .. }) = self.write.take()
        {
            return Ok(Some(Event::Write(request, memory)));
        }
        let Some(buffer) = &self.buffer else { return Ok(None) };
        while !self.unread.is_empty() {
            let (used, item) = self.intake.next(&buffer[self.unread.clone()])?;
            self.unread.start += used;
            match item {
                None => {}
                Some(Item::Request(request)) if request.command == Command::Disconnect => {
                    return Ok(Some(Event::Disconnect));
                }
                Some(Item::Request(request)) => {
                    self.large_writes =
                        request.command == Command::Write && request.range.bytes >= LARGE_WRITE_BYTES;
                    return Ok(Some(Event::Request(request)));
                }
                Some(Item::Refusal(refusal)) => return Ok(Some(Event::Refusal(refusal))),
                Some(Item::Payload { data, left, .. }) => {
                    let Some(Write { memory: Some(memory), filled, .. }) = &mut self.write else { continue };
                    memory[*filled..*filled + data.len()].copy_from_slice(data);
                    *filled += data.len();
                    if left == 0 {
                        return self.next();
                    }
                }
            }
        }
        Ok(None)
    }

    /// The data of the write that was just told of goes to `memory`. Without this it is thrown away.
    pub(super) fn accept_write(&mut self, request: Request, memory: AlignedBuffer) {
        self.write = Some(Write { request, memory: Some(memory), filled: 0 });
    }

    /// No more will come: what an unfinished write took up.
    pub(super) fn give_up(&mut self) -> Weight {
        self.write.take().map_or_else(Weight::default, |write| Weight::of(write.request.range.bytes as usize))
    }

    /// Asks for more bytes, unless that has been done: of a large write where they belong, or else of whatever
    /// comes. All that came before has been looked at.
    pub(super) fn receive(&mut self, queue: &mut RingQueue, socket: SocketId) {
        if self.is_receiving {
            return;
        }
        self.is_receiving = true;
        if let Some(write) = self.write.as_mut().filter(|_| self.intake.payload_due() >= LARGE_WRITE_BYTES)
            && let Some(memory) = write.memory.take()
        {
            let missing = write.filled..memory.len();
            queue.receive(RECEIVED, socket, memory, missing);
        } else if let Some(buffer) = self.buffer.take() {
            // Of a large write only the header, so that the data behind it lands in its place.
            let is_header_due = self.large_writes && self.intake.payload_due() == 0;
            let wanted = if is_header_due { REQUEST_HEADER_BYTES } else { buffer.len() };
            queue.receive(RECEIVED, socket, buffer, 0..wanted);
        }
    }

    /// What was asked for has come, or will not; in that case how the connection ends.
    pub(super) fn received(
        &mut self,
        received: io::Result<usize>,
        memory: AlignedBuffer,
    ) -> Result<(), Result<(), SessionError>> {
        self.is_receiving = false;
        let bytes = received.map_err(|error| Err(socket_error(&error)))?;
        match &mut self.write {
            Some(write) if write.memory.is_none() => {
                // No more than the write's data was asked for, which has 32 bits.
                self.intake.payload_taken(bytes as u32);
                write.filled += bytes;
                write.memory = Some(memory);
            }
            _ => {
                self.unread = 0..bytes;
                self.buffer = Some(memory);
            }
        }
        match bytes {
            0 if self.intake.is_between_requests() => Err(Ok(())),
            0 => Err(Err(SessionError::Vanished)),
            _ => Ok(()),
        }
    }
}

/// What a failed receive or send says of the connection.
pub(super) fn socket_error(error: &io::Error) -> SessionError {
    NetError::from(Errno::from_io_error(error).unwrap_or(Errno::IO)).into()
}
