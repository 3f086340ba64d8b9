//! Serving requests through one `io_uring`: the connection's thread receives, has the disks read and written, and
//! sends, with one system call a turn. It owns the order of these; where data lives and what becomes of errors
//! is the queue's.
//!
//! What the ring cannot do (zeros, discards, block status) is done by workers, which ring a bell.

mod inbound;
mod mailbox;
mod outgoing;
mod slots;

use std::os::fd::AsFd;
use std::sync::Arc;

use remap_io::device::RequestError;
use remap_io::disk::AlignedBuffer;
use remap_io::ring::{Completion, Outcome, RingQueue, SocketId};

use super::admission::{MAX_REQUESTS, Weight};
use super::batch::Batch;
use super::perform::{Performer, Task};
use super::pool::Pool;
use super::workers::Workers;
use super::{Agreed, SessionError};
use crate::nbd::request::Request;
use crate::nbd::wire::command::Command;
use crate::nbd::wire::flags::CommandFlags;
use crate::server::Shared;
use inbound::Inbound;
use mailbox::Mailbox;
use outgoing::Outgoing;
use slots::Slots;

/// Operations of one connection that are submitted together: what a client keeps under way, and some to spare.
pub(super) const DEPTH: u32 = 64;

/// Workers of one connection: for what is rare.
const WORKERS: usize = 2;

/// What completions of other things than requests are called by; requests have their slots' numbers.
const RECEIVED: u64 = u64::MAX;
const SENT: u64 = u64::MAX - 1;
const RUNG: u64 = u64::MAX - 2;

/// Serves the client until it leaves.
pub(super) fn serve(shared: &Arc<Shared>, agreed: &Agreed, mut queue: RingQueue) -> Result<(), SessionError> {
    let descriptor = agreed.socket.as_fd().try_clone_to_owned().map_err(SessionError::Resources)?;
    let socket = queue.attach(descriptor).map_err(SessionError::Resources)?;
    let (mailbox, bell) = Mailbox::new()?;
    let bell = queue.attach(bell).map_err(SessionError::Resources)?;
    let performer = Performer::new(shared, agreed);
    let outlet: Arc<Mailbox> = Arc::clone(&mailbox);
    let mut session = Session {
        shared,
        queue,
        socket,
        bell,
        workers: Workers::new(WORKERS, performer.clone(), outlet),
        mailbox,
        outgoing: Outgoing::default(),
        pool: Pool::default(),
        inbound: Inbound::new(agreed.rules, &agreed.first),
        requests: Slots::default(),
        load: Weight::default(),
        stalled: None,
        end: None,
        performer,
    };
    session.await_bell(AlignedBuffer::zeroed(mailbox::BELL_BYTES));
    let outcome = session.run();
    agreed.socket.hang_up();
    session.workers.finish();
    outcome
}

struct Session<'s> {
    shared: &'s Shared,
    queue: RingQueue,
    socket: SocketId,
    /// Rung when workers have left something in the mailbox.
    bell: SocketId,
    workers: Workers,
    mailbox: Arc<Mailbox>,
    outgoing: Outgoing,
    pool: Pool,
    inbound: Inbound,
    requests: Slots,
    /// Requests whose replies are not sent, and the bytes of their data.
    load: Weight,
    /// A request for which there is no room yet; nothing behind it is looked at.
    stalled: Option<Request>,
    /// Set when no more is received, to how that came.
    end: Option<Result<(), SessionError>>,
    performer: Performer,
}

impl Session<'_> {
    fn run(&mut self) -> Result<(), SessionError> {
        loop {
            if self.digest() {
                self.inbound.receive(&mut self.queue, self.socket);
            }
            if let Some(chunks) = self.outgoing.next() {
                self.queue.send(SENT, self.socket, chunks);
            }
            if let Some(end) = self.end.take_if(|_| self.load.requests == 0 || self.mailbox.is_abandoned()) {
                return end;
            }
            self.queue.turn(true).map_err(SessionError::Resources)?;
            for completion in self.queue.completions().collect::<Vec<_>>() {
                self.completed(completion);
            }
        }
    }

    /// Begins the requests that have been received, as long as there is room; whether more bytes are wanted.
    fn digest(&mut self) -> bool {
        if let Some(request) = self.stalled.take() {
            self.begin(request);
        }
        while self.stalled.is_none() && self.end.is_none() && self.load.requests < MAX_REQUESTS {
            match self.inbound.next() {
                Ok(Some(inbound::Event::Request(request))) => self.begin(request),
                Ok(Some(inbound::Event::Write(request, data))) => {
                    let durable = request.flags.contains(CommandFlags::FUA);
                    let start = request.range.sectors_touched().start;
                    self.queue.write(self.requests.insert(request), start, data, durable);
                }
                Ok(Some(inbound::Event::Refusal(refusal))) => {
                    let performer = &self.performer;
                    self.load.add(Weight::of(0));
                    self.outgoing.push(Weight::of(0), |out| performer.refusal(&refusal, out), None);
                }
                Ok(Some(inbound::Event::Disconnect)) => self.end(Ok(())),
                Ok(None) => return true,
                Err(error) => self.end(Err(error.into())),
            }
        }
        false
    }

    /// Nothing more is taken from the client. What is under way is finished.
    fn end(&mut self, how: Result<(), SessionError>) {
        self.end.get_or_insert(how);
        self.stalled = None;
        // A write whose data will not come is not under way.
        self.load.take_off(self.inbound.give_up());
    }

    fn begin(&mut self, request: Request) {
        let bytes = match request.command {
            Command::Read | Command::Write => request.range.bytes as usize,
            _ => 0,
        };
        let fits = self.load.bytes == 0 || self.load.bytes + bytes <= self.shared.options.in_flight_bytes;
        if self.load.requests >= MAX_REQUESTS || !fits {
            self.stalled = Some(request);
            return;
        }
        if self.shared.is_stopping() {
            // A write's data is passed over, since it was given no memory.
            let performer = &self.performer;
            self.load.add(Weight::of(0));
            self.outgoing.push(Weight::of(0), |out| performer.too_late(request.cookie, out), None);
            return;
        }
        self.load.add(Weight::of(bytes));
        let start = request.range.sectors_touched().start;
        match request.command {
            Command::Read => {
                let memory = self.pool.take_memory(bytes);
                self.queue.read(self.requests.insert(request), start, memory);
            }
            Command::Write => self.inbound.accept_write(request, self.pool.take_memory(bytes)),
            Command::Flush => self.queue.flush(self.requests.insert(request)),
            _ => {
                if let Err(task) = self.workers.give(Task { request, data: None }) {
                    let mut replies = Batch::default();
                    self.performer.perform(task, &mut replies);
                    self.outgoing.push_batch(replies);
                }
            }
        }
    }

    fn completed(&mut self, completion: Completion) {
        match (completion.token, completion.outcome) {
            (RUNG, Outcome::Received(rung, memory)) => {
                self.outgoing.push_batch(self.mailbox.take());
                // At the end of its stream nobody is left to ring.
                if rung.is_ok_and(|bytes| bytes > 0) {
                    self.await_bell(memory);
                }
            }
            (_, Outcome::Received(received, memory)) => {
                if let Err(end) = self.inbound.received(received, memory) {
                    self.end(end);
                }
            }
            (_, Outcome::Sent(sent, chunks)) => {
                let pool = &self.pool;
                let weight = self.outgoing.sent(chunks, |memory| pool.give_back(memory));
                self.load.take_off(weight);
                if let Err(error) = sent {
                    // Nobody is there to be answered: what is under way is finished for its own sake.
                    self.outgoing.fail();
                    self.end(Err(inbound::socket_error(&error)));
                }
            }
            (token, Outcome::Read(result, memory)) => {
                let weight = Weight::of(memory.len());
                if let Err(error) = result {
                    self.pool.give_back(memory);
                    self.answer(token, weight, Err(error));
                } else {
                    let Request { cookie, range, .. } = self.requests.remove(token);
                    let mode = self.performer.mode;
                    self.outgoing.push(weight, |out| mode.read(cookie, range, out), Some(memory));
                }
            }
            (token, Outcome::Write(result, memory)) => {
                let weight = Weight::of(memory.len());
                self.pool.give_back(memory);
                self.answer(token, weight, result);
            }
            (token, Outcome::Flush(result)) => self.answer(token, Weight::of(0), result),
        }
        self.load.take_off(self.outgoing.discarded());
    }

    /// Answers a request that has no data to send.
    fn answer(&mut self, token: u64, weight: Weight, result: Result<(), RequestError>) {
        let cookie = self.requests.remove(token).cookie;
        let performer = &self.performer;
        self.outgoing.push(
            weight,
            |out| match result {
                Ok(()) => performer.mode.success(cookie, out),
                Err(error) => performer.failure(cookie, error, out),
            },
            None,
        );
    }

    fn await_bell(&mut self, memory: AlignedBuffer) {
        self.queue.receive(RUNG, self.bell, memory, 0..mailbox::BELL_BYTES);
    }
}
