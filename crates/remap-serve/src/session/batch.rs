//! Replies that go out together: their headers in one stretch of memory, their data where it was read to.
//! It owns the order of the pieces; it may not send them.

use std::io::IoSlice;

use super::admission::Weight;
use super::pool::Buffer;

#[derive(Debug)]
enum Piece {
    /// Headers and small replies, up to this byte of the heads.
    Heads(usize),
    Data(Buffer),
}

/// Replies in the order in which they are sent.
#[derive(Debug, Default)]
pub(super) struct Batch {
    heads: Vec<u8>,
    pieces: Vec<Piece>,
    weight: Weight,
    data_bytes: usize,
}

impl Batch {
    /// Adds one reply: `write` appends its header, or all of it. `data` is what follows the header.
    pub(super) fn push(&mut self, weight: Weight, write: impl FnOnce(&mut Vec<u8>), data: Option<Buffer>) {
        write(&mut self.heads);
        self.weight.add(weight);
        match self.pieces.last_mut() {
            Some(Piece::Heads(end)) => *end = self.heads.len(),
            _ => self.pieces.push(Piece::Heads(self.heads.len())),
        }
        if let Some(data) = data {
            self.data_bytes += data.len();
            self.pieces.push(Piece::Data(data));
        }
    }

    /// Adds all replies of `other`, which is left empty.
    pub(super) fn append(&mut self, other: &mut Self) {
        let base = self.heads.len();
        self.heads.append(&mut other.heads);
        self.pieces.extend(other.pieces.drain(..).map(|piece| match piece {
            Piece::Heads(end) => Piece::Heads(base + end),
            data @ Piece::Data(_) => data,
        }));
        self.weight.add(std::mem::take(&mut other.weight));
        self.data_bytes += std::mem::take(&mut other.data_bytes);
    }

    /// The bytes, in order.
    pub(super) fn slices(&self) -> Vec<IoSlice<'_>> {
        let mut start = 0;
        let mut slices = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            slices.push(IoSlice::new(match piece {
                Piece::Heads(end) => &self.heads[std::mem::replace(&mut start, *end)..*end],
                Piece::Data(data) => data,
            }));
        }
        slices
    }

    /// The headers, which are all there is where no reply has data, and what they free once they are sent.
    pub(super) fn into_heads(self) -> (Vec<u8>, Weight) {
        assert_eq!(self.data_bytes, 0, "these replies have data");
        (self.heads, self.weight)
    }

    /// What the replies free once they are sent.
    pub(super) fn weight(&self) -> Weight {
        self.weight
    }

    /// Bytes of data in it.
    pub(super) fn data_bytes(&self) -> usize {
        self.data_bytes
    }

    /// Whether there is nothing to send.
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Forgets the replies; their memory goes back to the pool.
    pub(super) fn clear(&mut self) {
        self.heads.clear();
        self.pieces.clear();
        self.weight = Weight::default();
        self.data_bytes = 0;
    }
}

#[cfg(test)]
mod tests;
