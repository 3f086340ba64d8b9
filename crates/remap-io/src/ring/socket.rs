//! Sockets in the ring of a queue: the memory that the kernel works on is kept here.

use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::disk::AlignedBuffer;

use super::{Completion, Entry, FIRST_SOCKET, MAX_SOCKETS, Outcome, RingQueue, user_data};

/// A socket of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketId(u32);

/// A piece of what is sent.
#[derive(Debug)]
pub enum Chunk {
    /// All of it.
    Bytes(Vec<u8>),
    /// A part of a buffer; the range lies within it.
    Buffer(AlignedBuffer, Range<usize>),
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Buffer(buffer, range) => &buffer[range.clone()],
        }
    }
}

/// A receive that is not given back yet.
#[derive(Debug)]
pub struct Receive {
    token: u64,
    buffer: AlignedBuffer,
}

/// A send that is not given back yet. In a box: the kernel is given the address of the message.
#[derive(Debug)]
pub struct Sending {
    token: u64,
    socket: SocketId,
    chunks: Vec<Chunk>,
    /// Bytes that have been sent.
    sent: usize,
    pieces: Vec<Piece>,
    message: Message,
}

/// An `iovec`, which has no `Debug`.
#[repr(transparent)]
struct Piece(libc::iovec);

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.iov_len)
    }
}

/// A `msghdr`, which has no `Debug`.
struct Message(libc::msghdr);

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} pieces", self.0.msg_iovlen)
    }
}

/// The most pieces that one send takes (`UIO_MAXIOV` in the kernel's `include/uapi/linux/uio.h`).
const MAX_PIECES: usize = 1024;

impl Sending {
    /// Points the message at what is left to be sent; `false` when nothing is.
    fn prepare(&mut self) -> bool {
        let mut skip = self.sent;
        self.pieces.clear();
        for chunk in &self.chunks {
            let bytes = chunk.bytes();
            let behind = bytes.get(skip..).unwrap_or_default();
            skip = skip.saturating_sub(bytes.len());
            if !behind.is_empty() && self.pieces.len() < MAX_PIECES {
                let base = behind.as_ptr().cast_mut().cast();
                self.pieces.push(Piece(libc::iovec { iov_base: base, iov_len: behind.len() }));
            }
        }
        self.message.0.msg_iov = self.pieces.as_mut_ptr().cast();
        self.message.0.msg_iovlen = self.pieces.len();
        !self.pieces.is_empty()
    }
}

impl RingQueue {
    /// Gives a connected stream socket to the queue, which closes it when it is dropped.
    pub fn attach(&mut self, socket: OwnedFd) -> io::Result<SocketId> {
        if self.sockets.len() == MAX_SOCKETS {
            return Err(io::Error::other("a queue serves no more sockets than these"));
        }
        let id = SocketId(FIRST_SOCKET + self.sockets.len() as u32);
        self.raw.register(id.0, socket.as_raw_fd())?;
        self.sockets.push(socket);
        Ok(id)
    }

    /// Receives at least one byte into `range` of `buffer`, and no more than fit. A range that does not lie
    /// within the buffer is refused.
    pub fn receive(&mut self, token: u64, socket: SocketId, buffer: AlignedBuffer, range: Range<usize>) {
        let index = self.entries.insert(Entry::Receive(Receive { token, buffer }));
        let Some(Entry::Receive(receive)) = self.entries.get_mut(index) else { return };
        let Some(memory) = receive.buffer.get_mut(range).filter(|memory| !memory.is_empty()) else {
            return self.received(index, -libc::EINVAL);
        };
        let len = u32::try_from(memory.len()).unwrap_or(u32::MAX);
        let pointer = memory.as_mut_ptr();
        // SAFETY: the buffer stays in its entry, and is not touched, until the completion.
        match unsafe { self.raw.receive(socket.0, pointer, len, user_data(index, 0)) } {
            Ok(()) => self.in_kernel += 1,
            Err(error) => self.received(index, -error.raw_os_error().unwrap_or(libc::EIO)),
        }
    }

    pub(super) fn received(&mut self, index: usize, result: i32) {
        if let Some(Entry::Receive(Receive { token, buffer })) = self.entries.remove(index) {
            let received = bytes_or_error(result);
            self.done.push(Completion { token, outcome: Outcome::Received(received, buffer) });
        }
    }

    /// Sends all of `chunks`, in order. One send of a socket has to be given back before the next begins, or
    /// their bytes mix. A range that does not lie within its buffer is refused.
    pub fn send(&mut self, token: u64, socket: SocketId, chunks: Vec<Chunk>) {
        let fits = |chunk: &Chunk| match chunk {
            Chunk::Bytes(_) => true,
            Chunk::Buffer(buffer, range) => buffer.get(range.clone()).is_some(),
        };
        if !chunks.iter().all(fits) {
            let refused = Err(io::Error::from_raw_os_error(libc::EINVAL));
            return self.done.push(Completion { token, outcome: Outcome::Sent(refused, chunks) });
        }
        // SAFETY: a message of zeros has no name, no pieces and no control data.
        let message = Message(unsafe { std::mem::zeroed() });
        let send = Sending { token, socket, chunks, sent: 0, pieces: Vec::new(), message };
        let index = self.entries.insert(Entry::Send(Box::new(send)));
        self.push_send(index);
    }

    fn push_send(&mut self, index: usize) {
        let Some(Entry::Send(send)) = self.entries.get_mut(index) else { return };
        if !send.prepare() {
            return self.send_over(index, Ok(()));
        }
        let (socket, message) = (send.socket, &raw const send.message.0);
        // SAFETY: message, pieces and chunks stay in their box until the completion, and are not touched.
        match unsafe { self.raw.send(socket.0, message, user_data(index, 0)) } {
            Ok(()) => self.in_kernel += 1,
            Err(error) => self.send_over(index, Err(error)),
        }
    }

    pub(super) fn sent(&mut self, index: usize, result: i32) {
        let Some(Entry::Send(send)) = self.entries.get_mut(index) else { return };
        match bytes_or_error(result) {
            Ok(0) => self.send_over(index, Err(io::ErrorKind::WriteZero.into())),
            Ok(bytes) => {
                send.sent += bytes;
                self.push_send(index);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.push_send(index),
            Err(error) => self.send_over(index, Err(error)),
        }
    }

    fn send_over(&mut self, index: usize, result: io::Result<()>) {
        if let Some(Entry::Send(send)) = self.entries.remove(index) {
            let Sending { token, chunks, .. } = *send;
            self.done.push(Completion { token, outcome: Outcome::Sent(result, chunks) });
        }
    }
}

fn bytes_or_error(result: i32) -> io::Result<usize> {
    if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(result.unsigned_abs() as usize) }
}
