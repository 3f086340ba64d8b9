//! Replies on their way through a queue: one send at a time, the next gathered meanwhile. It owns their order
//! and the memory they are sent from.

use remap_io::disk::AlignedBuffer;
use remap_io::ring::Chunk;

use crate::session::admission::Weight;
use crate::session::batch::Batch;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    chunks: Vec<Chunk>,
    /// What `chunks` frees once it is sent.
    weight: Weight,
    /// What the send under way frees, if there is one.
    sending: Option<Weight>,
    /// Replies that will not be sent, and were not told of yet.
    discarded: Weight,
    has_failed: bool,
    /// Memory of headers that have been sent.
    spare_heads: Vec<Vec<u8>>,
}

impl Outgoing {
    /// Adds one reply: `write` appends its header, or all of it. `data` is what follows the header.
    pub(super) fn push(
        &mut self,
        weight: Weight,
        write: impl FnOnce(&mut Vec<u8>),
        data: Option<AlignedBuffer>,
    ) {
        if self.has_failed {
            self.discarded.add(weight);
            return;
        }
        self.weight.add(weight);
        if !matches!(self.chunks.last(), Some(Chunk::Bytes(_))) {
            self.chunks.push(Chunk::Bytes(self.spare_heads.pop().unwrap_or_default()));
        }
        if let Some(Chunk::Bytes(heads)) = self.chunks.last_mut() {
            write(heads);
        }
        if let Some(data) = data {
            let all = 0..data.len();
            self.chunks.push(Chunk::Buffer(data, all));
        }
    }

    /// Adds replies without data.
    pub(super) fn push_batch(&mut self, batch: Batch) {
        if !batch.is_empty() {
            let (heads, weight) = batch.into_heads();
            self.push(weight, |out| out.extend_from_slice(&heads), None);
        }
    }

    /// What to send now: nothing while a send is under way.
    pub(super) fn next(&mut self) -> Option<Vec<Chunk>> {
        if self.sending.is_some() || self.chunks.is_empty() {
            return None;
        }
        self.sending = Some(std::mem::take(&mut self.weight));
        Some(std::mem::take(&mut self.chunks))
    }

    /// The send is over, well or badly; what it freed. `give_back` gets the memory of its data.
    pub(super) fn sent(
        &mut self,
        mut chunks: Vec<Chunk>,
        mut give_back: impl FnMut(AlignedBuffer),
    ) -> Weight {
        for chunk in chunks.drain(..) {
            match chunk {
                Chunk::Bytes(mut heads) => {
                    if self.spare_heads.len() < 64 && heads.capacity() <= 4096 {
                        heads.clear();
                        self.spare_heads.push(heads);
                    }
                }
                Chunk::Buffer(memory, _) => give_back(memory),
            }
        }
        if self.chunks.is_empty() {
            self.chunks = chunks;
        }
        self.sending.take().unwrap_or_default()
    }

    /// Nothing more will be sent: replies are thrown away from now on, and those that wait.
    pub(super) fn fail(&mut self) {
        self.has_failed = true;
        self.chunks.clear();
        self.discarded.add(std::mem::take(&mut self.weight));
    }

    /// What has been thrown away since this was last asked.
    pub(super) fn discarded(&mut self) -> Weight {
        std::mem::take(&mut self.discarded)
    }
}
