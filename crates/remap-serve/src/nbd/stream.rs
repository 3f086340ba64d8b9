//! Cutting the client's bytes into requests and the data behind them, however they arrive.
//! It owns the place in the stream and 28 bytes; it may not hold a payload, nor decide what a request may ask.

use super::request::{Incoming, Refusal, Request, RequestError, Rules};
use super::wire::Cookie;
use super::wire::command::{Command, REQUEST_HEADER_BYTES};

/// The next thing in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'b> {
    /// A request. A write's data follows as [`Item::Payload`].
    Request(Request),
    /// A request to be answered by an error. Its data, if it has any, is thrown away here.
    Refusal(Refusal),
    /// Data of the write last announced.
    Payload {
        /// Which write.
        cookie: Cookie,
        /// The next bytes of it, never none.
        data: &'b [u8],
        /// How many are still to come.
        left: u32,
    },
}

/// What the next bytes belong to.
#[derive(Clone, Copy, Debug)]
enum Due {
    Header,
    Payload { cookie: Cookie, left: u32 },
    Discard { left: u32 },
    Over(Option<RequestError>),
}

/// One connection's transmission phase, on the receiving side.
///
/// The caller gives what it has received to [`next`](Self::next) until no item comes. Data may be taken past
/// it: when [`payload_due`](Self::payload_due) is not zero, the next bytes of the connection can be read
/// straight into the write's buffer and reported by [`payload_taken`](Self::payload_taken).
#[derive(Clone, Debug)]
pub struct Intake {
    rules: Rules,
    due: Due,
    /// The part of a header that came before a break.
    header: [u8; REQUEST_HEADER_BYTES],
    arrived: usize,
}

impl Intake {
    /// The start of the phase, under `rules`.
    pub const fn new(rules: Rules) -> Self {
        Self { rules, due: Due::Header, header: [0; REQUEST_HEADER_BYTES], arrived: 0 }
    }

    /// The next item of `bytes`, and how many bytes are used up; `None` when they are all used up, or once
    /// the client has disconnected.
    ///
    /// After an error the same error comes again: the client is to be dropped.
    pub fn next<'b>(&mut self, bytes: &'b [u8]) -> Result<(usize, Option<Item<'b>>), RequestError> {
        let mut consumed = 0;
        loop {
            let rest = &bytes[consumed..];
            match self.due {
                Due::Over(Some(error)) => return Err(error),
                Due::Over(None) => return Ok((consumed, None)),
                Due::Discard { left } => {
                    let skipped = rest.len().min(left as usize);
                    consumed += skipped;
                    // `skipped` is at most `left`, which has 32 bits.
                    let left = left - skipped as u32;
                    if left > 0 {
                        self.due = Due::Discard { left };
                        return Ok((consumed, None));
                    }
                    self.due = Due::Header;
                }
                Due::Payload { cookie, left } => {
                    let data = &rest[..rest.len().min(left as usize)];
                    if data.is_empty() {
                        return Ok((consumed, None));
                    }
                    self.payload_taken(data.len() as u32);
                    let left = left - data.len() as u32;
                    return Ok((consumed + data.len(), Some(Item::Payload { cookie, data, left })));
                }
                Due::Header => {
                    let judged = match rest.first_chunk() {
                        Some(header) if self.arrived == 0 => {
                            consumed += REQUEST_HEADER_BYTES;
                            self.rules.parse(header)
                        }
                        _ => {
                            let taken = rest.len().min(REQUEST_HEADER_BYTES - self.arrived);
                            self.header[self.arrived..self.arrived + taken].copy_from_slice(&rest[..taken]);
                            self.arrived += taken;
                            consumed += taken;
                            if self.arrived < REQUEST_HEADER_BYTES {
                                return Ok((consumed, None));
                            }
                            self.arrived = 0;
                            self.rules.parse(&self.header)
                        }
                    };
                    return self.settle(judged).map(|item| (consumed, Some(item)));
                }
            }
        }
    }

    /// How many bytes of the last write's data are still to come.
    pub const fn payload_due(&self) -> u32 {
        match self.due {
            Due::Payload { left, .. } => left,
            Due::Header | Due::Discard { .. } | Due::Over(_) => 0,
        }
    }

    /// The caller has itself read `bytes` of the write's data: at most [`payload_due`](Self::payload_due).
    pub fn payload_taken(&mut self, bytes: u32) {
        let due = self.payload_due();
        assert!(bytes <= due, "{bytes} bytes taken where {due} were due");
        if let Due::Payload { left, .. } = &mut self.due {
            *left -= bytes;
            if *left == 0 {
                self.due = Due::Header;
            }
        }
    }

    /// Whether nothing is missing of what has begun to arrive.
    pub const fn is_between_requests(&self) -> bool {
        matches!(self.due, Due::Header) && self.arrived == 0
    }

    /// Whether the client has said that it leaves, or must be dropped.
    pub const fn is_over(&self) -> bool {
        matches!(self.due, Due::Over(_))
    }

    fn settle<'b>(&mut self, judged: Result<Incoming, RequestError>) -> Result<Item<'b>, RequestError> {
        match judged {
            Ok(Incoming::Request(request)) => {
                self.due = match request.command {
                    Command::Write => Due::Payload { cookie: request.cookie, left: request.range.bytes },
                    Command::Disconnect => Due::Over(None),
                    _ => Due::Header,
                };
                Ok(Item::Request(request))
            }
            Ok(Incoming::Refusal(refusal)) => {
                self.due = Due::Discard { left: refusal.payload_to_discard };
                Ok(Item::Refusal(refusal))
            }
            Err(error) => {
                self.due = Due::Over(Some(error));
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests;
