//! Serving requests by blocking calls: one thread receives, and either carries a request out itself or hands it
//! to a worker. It owns what is received and the choice between the two.
//!
//! A request that the device answers within microseconds is done in less time than it takes to wake a worker, and
//! its reply can go out together with others; one that takes longer must not keep those behind it waiting. Which
//! kind they are is measured as they go, see [`pace`](super::pace).

use std::collections::VecDeque;
use std::sync::Arc;

use super::admission::{Admission, Weight};
use super::batch::Batch;
use super::outbox::Outbox;
use super::perform::{Performer, Task};
use super::pool::{Buffer, Pool};
use super::workers::Workers;
use super::{Agreed, SessionError};
use crate::nbd::request::{Request, RequestError};
use crate::nbd::stream::{Intake, Item};
use crate::nbd::wire::command::{Command, REQUEST_HEADER_BYTES};
use crate::nbd::wire::flags::CommandFlags;
use crate::net::Socket;
use crate::server::Shared;

/// Bytes received at once, when no large write is due.
const RECEIVE_BYTES: usize = 64 << 10;
/// From this size on the data of a write is received where it will be written from.
const LARGE_WRITE_BYTES: u32 = 32 << 10;
/// Large writes that have arrived wait as long as more can be received at once, up to so many bytes of them.
const DEFERRED_BYTES: usize = 256 << 10;
/// Replies are sent when they carry this much data, even if more requests are there.
const SEND_BYTES: usize = 256 << 10;
/// The same for so many replies to large writes.
const SEND_REPLIES: usize = 8;

/// Serves the client until it leaves.
pub(super) fn serve(shared: &Arc<Shared>, agreed: Agreed) -> Result<(), SessionError> {
    let admission = Arc::new(Admission::new(shared.options.in_flight_bytes));
    let outbox = Arc::new(Outbox::new(Arc::clone(&agreed.socket), Arc::clone(&admission)));
    let performer = Performer::new(shared, &agreed);
    let outlet: Arc<Outbox> = Arc::clone(&outbox);
    let workers = Workers::new(shared.options.workers, performer.clone(), outlet);
    let mut receiver = Receiver {
        shared,
        intake: Intake::new(agreed.rules),
        performer,
        admission,
        pool: Pool::default(),
        outbox: Arc::clone(&outbox),
        replies: Batch::default(),
        workers,
        write: None,
        deferred: VecDeque::new(),
        deferred_bytes: 0,
        large_writes: false,
    };
    let outcome = receiver.receive(&agreed.socket, agreed.first);
    receiver.perform_deferred();
    let Receiver { workers, mut replies, .. } = receiver;
    outbox.send(&mut replies);
    workers.finish();
    agreed.socket.hang_up();
    match outbox.failure() {
        Some(error) => Err(error.into()),
        None => outcome,
    }
}

/// A write whose data is still coming.
struct Write {
    request: Request,
    data: Buffer,
    filled: usize,
}

struct Receiver<'s> {
    shared: &'s Shared,
    intake: Intake,
    performer: Performer,
    admission: Arc<Admission>,
    pool: Pool,
    outbox: Arc<Outbox>,
    /// Replies not sent yet. Sent before this thread waits for anything.
    replies: Batch,
    workers: Workers,
    write: Option<Write>,
    /// Large writes that have arrived whole, oldest first; see [`defer`](Self::defer).
    deferred: VecDeque<Task>,
    deferred_bytes: usize,
    /// Whether the last write was large, and so the next one may be.
    large_writes: bool,
}

impl Receiver<'_> {
    fn receive(&mut self, socket: &Socket, first: Vec<u8>) -> Result<(), SessionError> {
        self.take(&first)?;
        drop(first);
        let mut buffer = vec![0; RECEIVE_BYTES].into_boxed_slice();
        while !self.intake.is_over() {
            if !self.receive_into_write(socket)? {
                // Of a large write only the header, so that the data behind it lands in its place.
                let is_header_due = self.large_writes && self.intake.payload_due() == 0;
                let wanted = if is_header_due { REQUEST_HEADER_BYTES } else { RECEIVE_BYTES };
                match self.wait_for_bytes(socket, &mut buffer[..wanted])? {
                    0 if self.intake.is_between_requests() => return Ok(()),
                    0 => return Err(SessionError::Vanished),
                    bytes => self.take(&buffer[..bytes])?,
                }
            }
        }
        Ok(())
    }

    /// Receives at least a byte; 0 at the end of the stream, or of what a server that stops still takes.
    fn wait_for_bytes(&mut self, socket: &Socket, into: &mut [u8]) -> Result<usize, SessionError> {
        if self.shared.is_stopping() {
            self.perform_deferred();
            self.outbox.send(&mut self.replies);
            return Ok(socket.recv_now(into)?.unwrap_or(0));
        }
        while self.large_writes && self.replies.data_bytes() < SEND_BYTES {
            if let Some(bytes) = socket.recv_now(into)? {
                return Ok(bytes);
            }
            if !self.perform_oldest_deferred() {
                break;
            }
        }
        self.perform_deferred();
        self.outbox.send(&mut self.replies);
        Ok(socket.recv(into)?)
    }

    /// Receives the rest of a large write's data in its place; whether there is such a write.
    fn receive_into_write(&mut self, socket: &Socket) -> Result<bool, SessionError> {
        let is_large = |write: &mut Write| write.request.range.bytes >= LARGE_WRITE_BYTES;
        let Some(mut write) = self.write.take_if(is_large) else { return Ok(false) };
        while write.filled < write.data.len() {
            let into = &mut write.data[write.filled..];
            let bytes = if self.deferred.is_empty() {
                self.outbox.send(&mut self.replies);
                socket.recv_exact(into)?;
                into.len()
            } else if let Some(bytes) = socket.recv_now(into)? {
                bytes
            } else {
                self.perform_oldest_deferred();
                continue;
            };
            if bytes == 0 {
                return Err(SessionError::Vanished);
            }
            write.filled += bytes;
            // A request's length has 32 bits.
            self.intake.payload_taken(bytes as u32);
        }
        self.dispatch(Task { request: write.request, data: Some(write.data) });
        Ok(true)
    }

    /// Takes received bytes apart and has the requests in them carried out.
    fn take(&mut self, mut bytes: &[u8]) -> Result<(), RequestError> {
        while !bytes.is_empty() {
            let (used, item) = self.intake.next(bytes)?;
            match item {
                None if used == 0 => return Ok(()),
                None => {}
                Some(Item::Request(request)) => self.begin(request),
                Some(Item::Refusal(refusal)) => {
                    self.admit(Weight::of(0));
                    self.replies.push(Weight::of(0), |out| self.performer.refusal(&refusal, out), None);
                }
                Some(Item::Payload { data, left, .. }) => {
                    if let Some(write) = &mut self.write {
                        write.data[write.filled..write.filled + data.len()].copy_from_slice(data);
                        write.filled += data.len();
                    }
                    if left == 0 {
                        self.complete_write();
                    }
                }
            }
            bytes = &bytes[used..];
        }
        Ok(())
    }

    fn begin(&mut self, request: Request) {
        let bytes = match request.command {
            Command::Disconnect => return,
            Command::Read | Command::Write => request.range.bytes as usize,
            _ => 0,
        };
        if self.shared.is_stopping() {
            // A write's data is passed over, since no write is begun.
            self.admit(Weight::of(0));
            self.replies.push(Weight::of(0), |out| self.performer.too_late(request.cookie, out), None);
            return;
        }
        self.admit(Weight::of(bytes));
        let data = (bytes > 0).then(|| self.pool.take(bytes));
        match (request.command, data) {
            (Command::Write, Some(data)) => {
                self.large_writes = request.range.bytes >= LARGE_WRITE_BYTES;
                self.write = Some(Write { request, data, filled: 0 });
            }
            (_, data) => {
                self.large_writes = false;
                self.dispatch(Task { request, data });
            }
        }
    }

    fn complete_write(&mut self) {
        if let Some(Write { request, data, .. }) = self.write.take() {
            self.dispatch(Task { request, data: Some(data) });
        }
    }

    fn dispatch(&mut self, task: Task) {
        let is_transfer = matches!(task.request.command, Command::Read | Command::Write)
            && !task.request.flags.contains(CommandFlags::FUA);
        if is_transfer && self.performer.pace.is_fast() {
            if task.request.command == Command::Write && task.request.range.bytes >= LARGE_WRITE_BYTES {
                self.defer(task);
                return;
            }
            self.performer.perform(task, &mut self.replies);
            if self.replies.data_bytes() >= SEND_BYTES {
                self.outbox.send(&mut self.replies);
            }
            return;
        }
        self.perform_deferred();
        // What is ready must not wait for what comes behind a slow request.
        self.outbox.send(&mut self.replies);
        if let Err(task) = self.workers.give(task) {
            self.performer.perform(task, &mut self.replies);
        }
    }

    /// Leaves a write for when nothing more can be received at once. The room that its data took in the socket is
    /// the client's again before the write is carried out, so that both work at the same time: a unix socket holds
    /// less than two writes of 128 KiB.
    fn defer(&mut self, write: Task) {
        self.deferred_bytes += write.weight().bytes;
        self.deferred.push_back(write);
        while self.deferred_bytes > DEFERRED_BYTES {
            self.perform_oldest_deferred();
        }
    }

    fn perform_deferred(&mut self) {
        while self.perform_oldest_deferred() {}
    }

    /// Whether there was one.
    fn perform_oldest_deferred(&mut self) -> bool {
        let Some(write) = self.deferred.pop_front() else { return false };
        self.deferred_bytes -= write.weight().bytes;
        self.performer.perform(write, &mut self.replies);
        if self.replies.weight().requests >= SEND_REPLIES {
            self.outbox.send(&mut self.replies);
        }
        true
    }

    /// Counts a request in; sends what is ready before it waits for room.
    fn admit(&mut self, weight: Weight) {
        if !self.admission.try_enter(weight) {
            self.perform_deferred();
            self.outbox.send(&mut self.replies);
            self.admission.enter(weight);
        }
    }
}
