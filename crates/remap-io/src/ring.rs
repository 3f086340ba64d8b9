//! Requests without waiting: one thread keeps many under way through an `io_uring` of its own.
//!
//! For front ends that serve a connection with one system call a turn: what the disks and the sockets are to
//! do is collected, submitted together, and what has finished is handed out. Where a sector lives and what
//! becomes of a failure is found out exactly as for blocking requests; recovery's answers come through an
//! event descriptor in the same ring.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use remap_core::{Sector, SectorRange};

use crate::device::{RemapDevice, RequestError, Shared};
use crate::disk::{AlignedBuffer, Disk};

mod flush;
mod inbox;
mod raw;
mod request;
mod slab;
mod socket;

pub use socket::{Chunk, SocketId};

use flush::Flush;
use inbox::Inbox;
use raw::Raw;
use request::Request;
use slab::Slab;
use socket::{Receive, Sending};

/// Sockets that one queue can serve.
pub const MAX_SOCKETS: usize = 16;

/// Files: the main device, up to 16 spares, then the sockets.
const FIRST_SOCKET: u32 = 17;

/// The largest buffer of one request, in bytes: 1 GiB.
pub const MAX_BYTES: usize = 1 << 30;

/// Something has finished.
#[derive(Debug)]
pub struct Completion {
    /// What the front end called it by.
    pub token: u64,
    /// What it was, how it went, and the memory it was given.
    pub outcome: Outcome,
}

/// How something went that has finished.
#[derive(Debug)]
pub enum Outcome {
    /// A read, with its data when it went well.
    Read(Result<(), RequestError>, AlignedBuffer),
    /// A write.
    Write(Result<(), RequestError>, AlignedBuffer),
    /// A flush.
    Flush(Result<(), RequestError>),
    /// A receive: how many bytes are in the buffer from where they were to go; 0 at the end of the stream.
    Received(io::Result<usize>, AlignedBuffer),
    /// A send: everything, or an error after a part.
    Sent(io::Result<()>, Vec<Chunk>),
}

#[derive(Debug)]
enum Entry {
    Request(Request),
    Flush(Flush),
    Receive(Receive),
    Send(Box<Sending>),
    /// The read of the event descriptor.
    Wake(Box<[u8; 8]>),
}

/// A queue of requests to one device. It belongs to the thread that made it.
///
/// Every buffer is the queue's from the call that hands it over until the completion that gives it back.
/// Dropping the queue waits for what the kernel is still doing, and forgets what it came to.
#[derive(Debug)]
pub struct RingQueue {
    raw: Raw,
    device: Arc<RemapDevice>,
    inbox: Arc<Inbox>,
    entries: Slab<Entry>,
    /// Operations that the kernel holds memory of.
    in_kernel: usize,
    /// Requests that found their range held.
    parked: Vec<usize>,
    done: Vec<Completion>,
    sockets: Vec<OwnedFd>,
    /// Where this queue looks for places in the registry first.
    hint: usize,
    /// `IORING_SETUP_SINGLE_ISSUER`: no other thread may submit.
    _of_this_thread: PhantomData<*const ()>,
}

impl RingQueue {
    /// A queue for up to `depth` requests at once (more are taken, and cost more system calls).
    ///
    /// `None` when a member has no descriptor that a ring could use, or the kernel refuses the ring: then
    /// blocking requests do the same.
    pub fn new(device: &Arc<RemapDevice>, depth: u32) -> io::Result<Option<Self>> {
        let shared = device.shared();
        let mut files = Vec::new();
        for disk in std::iter::once(Some(&*shared.main)).chain(shared.spares.iter().map(|s| s.disk())) {
            match disk.map(Disk::descriptor) {
                Some(Some(descriptor)) => files.push(descriptor.as_raw_fd()),
                // A missing spare: nothing is ever found there.
                None => files.push(-1),
                Some(None) => return Ok(None),
            }
        }
        let Some(raw) = Raw::new(depth, &files, FIRST_SOCKET + MAX_SOCKETS as u32)? else {
            return Ok(None);
        };
        let inbox = Arc::new(Inbox::new()?);
        shared.gate.listen(&inbox);
        let mut queue = Self {
            raw,
            device: Arc::clone(device),
            inbox,
            entries: Slab::default(),
            in_kernel: 0,
            parked: Vec::new(),
            done: Vec::new(),
            sockets: Vec::new(),
            hint: crate::device::thread_number() * depth as usize,
            _of_this_thread: PhantomData,
        };
        queue.listen()?;
        Ok(Some(queue))
    }

    fn shared(&self) -> &Shared {
        self.device.shared()
    }

    /// The device that the requests go to.
    pub fn device(&self) -> &Arc<RemapDevice> {
        &self.device
    }

    /// Fills `buffer` from `start` on; see [`RemapDevice::read`]. What is refused comes back as a completion.
    pub fn read(&mut self, token: u64, start: Sector, buffer: AlignedBuffer) {
        self.begin(Request::read(token, start, buffer));
    }

    /// Stores `buffer` from `start` on; see [`RemapDevice::write`].
    pub fn write(&mut self, token: u64, start: Sector, buffer: AlignedBuffer, durable: bool) {
        self.begin(Request::write(token, start, buffer, durable));
    }

    /// Makes every write durable that was given back before this call; see [`RemapDevice::flush`].
    pub fn flush(&mut self, token: u64) {
        self.begin_flush(token);
    }

    /// How many requests, receives and sends are not given back yet.
    pub fn under_way(&self) -> usize {
        // One entry is the queue's own.
        self.entries.len() - 1 + self.done.len()
    }

    /// Submits what was asked for and takes in what has finished, in one system call. With `wait`, it returns
    /// when there is something to give back, at once if there is already.
    pub fn turn(&mut self, wait: bool) -> io::Result<()> {
        loop {
            self.retry_parked();
            let wait_now = wait && self.done.is_empty();
            self.raw.enter(wait_now)?;
            while let Some((user, result)) = self.raw.next_completion() {
                self.complete(user, result);
            }
            if self.inbox.is_filled() {
                self.take_replies();
            }
            if !wait || !self.done.is_empty() {
                return Ok(());
            }
        }
    }

    /// What has finished since this was last asked, oldest first.
    pub fn completions(&mut self) -> impl Iterator<Item = Completion> {
        self.done.drain(..)
    }

    fn complete(&mut self, user: u64, result: i32) {
        let (index, part) = ((user & 0xffff_ffff) as usize, (user >> 32) as u32);
        self.in_kernel -= 1;
        match self.entries.get_mut(index) {
            Some(Entry::Request(_)) => self.io_done(index, result),
            Some(Entry::Flush(_)) => self.part_flushed(index, part, result),
            Some(Entry::Receive(_)) => self.received(index, result),
            Some(Entry::Send(_)) => self.sent(index, result),
            Some(Entry::Wake(_)) => {
                self.entries.remove(index);
                self.take_replies();
                // Without it recovery's answers would come late, not never: each turn looks for them.
                let _ = self.listen();
            }
            None => {}
        }
    }

    /// Has the event descriptor read: a turn ends when recovery has answered.
    fn listen(&mut self) -> io::Result<()> {
        let index = self.entries.insert(Entry::Wake(Box::new([0; 8])));
        let descriptor = self.inbox.descriptor();
        if let Some(Entry::Wake(count)) = self.entries.get_mut(index) {
            let memory = std::ptr::from_mut(&mut **count).cast::<u8>();
            // SAFETY: the box stays in its entry until the completion, and nobody looks at it meanwhile.
            unsafe { self.raw.read_event(descriptor, memory, user_data(index, 0)) }?;
            self.in_kernel += 1;
        }
        Ok(())
    }

    fn take_replies(&mut self) {
        for (index, reply) in self.inbox.take() {
            self.recovered(index, reply);
        }
    }
}

impl Drop for RingQueue {
    fn drop(&mut self) {
        let is_sent = |entry: &Entry| matches!(entry, Entry::Receive(_) | Entry::Send(_) | Entry::Wake(_));
        for socket in &self.sockets {
            // A socket that is not connected any more needs none.
            let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
        }
        self.inbox.wake();
        // Requests take as long as the disk takes; nothing that they still need is begun.
        while self.in_kernel > 0 {
            if self.raw.enter(true).is_err() {
                // The kernel may still write to the memory: it is never given back.
                std::mem::forget(std::mem::take(&mut self.entries));
                return;
            }
            while let Some((user, _)) = self.raw.next_completion() {
                self.in_kernel -= 1;
                let index = (user & 0xffff_ffff) as usize;
                if self.entries.get_mut(index).is_some_and(|entry| is_sent(entry)) {
                    self.entries.remove(index);
                }
            }
        }
        for entry in self.entries.drain() {
            match entry {
                Entry::Request(request) => self.device.shared().registry.release(request.claim()),
                Entry::Flush(flush) => self.device.shared().registry.release(flush.claim()),
                Entry::Receive(_) | Entry::Send(_) | Entry::Wake(_) => {}
            }
        }
    }
}

/// What a completion is known by: the entry, and which part of it.
fn user_data(index: usize, part: u32) -> u64 {
    index as u64 | u64::from(part) << 32
}

/// The bytes of `range` in a buffer that begins with `start`.
fn bytes_of(range: SectorRange, start: Sector) -> std::ops::Range<usize> {
    let from = (range.start.0 - start.0) as usize * 512;
    from..from + range.sectors as usize * 512
}

#[cfg(test)]
mod tests;
