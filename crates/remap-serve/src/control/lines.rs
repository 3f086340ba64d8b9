//! Lines of bounded length on a stream socket, before a deadline. It owns the framing; it may not know what
//! a line says.

use std::time::Instant;

use crate::net::{NetError, Socket};

/// The longest line either side may send, the newline included: 1 MiB.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// Why no line came.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// More than [`MAX_LINE_BYTES`] without an end.
    #[error("a line is longer than {MAX_LINE_BYTES} bytes")]
    TooLong,
    /// The other side left in the middle of a line.
    #[error("the connection ended in the middle of a line")]
    Cut,
    /// The socket failed, or the deadline passed.
    #[error(transparent)]
    Net(#[from] NetError),
}

/// A message as a line, newline included.
pub(crate) fn line_of(message: &impl serde::Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).expect("messages are plain data");
    line.push(b'\n');
    line
}

/// Cuts what a socket gives into lines.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    buffer: Vec<u8>,
    /// Bytes of the buffer that hold no newline.
    searched: usize,
}

impl Lines {
    /// The next line, without its newline; `None` at the end of the stream. Without a `deadline` it waits
    /// for as long as it takes.
    pub(crate) fn next(
        &mut self,
        socket: &Socket,
        deadline: Option<Instant>,
    ) -> Result<Option<Vec<u8>>, LineError> {
        loop {
            if let Some(at) = self.buffer[self.searched..].iter().position(|&byte| byte == b'\n') {
                let rest = self.buffer.split_off(self.searched + at + 1);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                self.searched = 0;
                line.pop();
                return Ok(Some(line));
            }
            self.searched = self.buffer.len();
            if self.buffer.len() >= MAX_LINE_BYTES {
                return Err(LineError::TooLong);
            }
            let mut chunk = [0; 16 << 10];
            let room = chunk.len().min(MAX_LINE_BYTES - self.buffer.len());
            match socket.recv_by(&mut chunk[..room], deadline)? {
                0 if self.buffer.is_empty() => return Ok(None),
                0 => return Err(LineError::Cut),
                bytes => self.buffer.extend_from_slice(&chunk[..bytes]),
            }
        }
    }
}

#[cfg(test)]
mod tests;
