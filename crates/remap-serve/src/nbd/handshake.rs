//! The server's side of the fixed newstyle handshake, from the greeting to the first request.
//! It owns which option is due and how much a client may send; it may not read a socket or speak TLS. What
//! each option answers is in `options`.

mod limits;
mod options;

use super::context::ContextSet;
use super::export::Exports;
use super::wire::flags::{ClientFlags, HandshakeFlags};
use super::wire::option::{
    CLIENT_FLAGS_BYTES, ClientOption, OPTION_HEADER_BYTES, OptionHeader, OptionReply, greeting,
    push_option_reply,
};
use limits::Budget;
pub use limits::{MAX_HANDSHAKE_BYTES, MAX_OPTION_BYTES, MAX_OPTIONS};

/// Whether connections are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Not configured: a client that asks is told that policy forbids it.
    Off,
    /// For clients that ask.
    Offered,
    /// Before anything but leaving (specification, "FORCEDTLS mode").
    Required,
}

/// What the handshake came to. The bytes in [`Handshake::output`] go to the client first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The client wants TLS and has been told yes: what follows on the connection is TLS, beginning with the
    /// bytes not consumed. Once it is up, [`Handshake::tls_established`].
    StartTls,
    /// An export is chosen: the bytes not consumed begin the transmission phase.
    Transmission(Transmission),
    /// The client has taken its leave: send the output and close.
    Aborted,
}

/// What was agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmission {
    /// The export's place in the list.
    pub export: usize,
    /// Whether reads are answered by structured replies.
    pub structured_replies: bool,
    /// The contexts that block status covers.
    pub contexts: ContextSet,
}

/// Why a client is dropped during the handshake. The output may hold answers to earlier options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// Client flags that this server did not offer.
    #[error("the client sets handshake flags {0:#x}, of which some are unknown")]
    UnknownClientFlags(u32),
    /// What should be an option is none: not NBD, or out of step.
    #[error("the client sent something other than an option")]
    NotAnOption,
    /// More options than any client needs.
    #[error("the client sent more than {MAX_OPTIONS} options")]
    TooManyOptions,
    /// More bytes, sent or announced, than any client needs.
    #[error("the client sent, or announced, more than {MAX_HANDSHAKE_BYTES} bytes of options")]
    TooManyBytes,
    /// An option that a client without fixed newstyle may not send.
    #[error("the client sent option {0} without fixed newstyle negotiation")]
    NotFixedNewstyle(u32),
    /// `NBD_OPT_EXPORT_NAME` for an export that is not there; that option knows no error reply.
    #[error("the client chose an export that does not exist")]
    UnknownExport,
    /// `NBD_OPT_EXPORT_NAME` in plain text where TLS is required.
    #[error("the client chose an export without TLS, which is required")]
    TlsRequired,
    /// `NBD_OPT_EXPORT_NAME` while the server stops.
    #[error("the client chose an export while the server is stopping")]
    ShuttingDown,
}

/// How far [`Handshake::receive`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many of the given bytes are used up.
    pub consumed: usize,
    /// What it came to, if anything.
    pub event: Option<Event>,
}

#[derive(Clone, Copy, Debug)]
enum Due {
    ClientFlags,
    Header,
    /// The data of an option that is kept, and answered when complete.
    Data(OptionHeader),
    /// The data of an option that is answered whatever it says: this many bytes are thrown away. Then comes
    /// the given error, or else the answer as to no data.
    Skip(OptionHeader, u32, Option<OptionReply>),
    /// Nothing, until TLS is up.
    Tls,
    /// Nothing more.
    Over(Option<HandshakeError>),
}

/// One connection's handshake.
///
/// The caller first sends [`output`](Self::output), which holds the greeting. It then passes what it receives
/// to [`receive`](Self::receive) until that consumes nothing, sending the output after each call: a call
/// answers one option at most, so the output stays as short as one answer. An error means: drop the client.
#[derive(Debug)]
pub struct Handshake<'a> {
    exports: &'a Exports,
    tls: Tls,
    tls_up: bool,
    shutting_down: bool,
    client: ClientFlags,
    budget: Budget,
    due: Due,
    /// The part of what is due that has arrived.
    arrived: Vec<u8>,
    output: Vec<u8>,
    structured_replies: bool,
    /// The contexts selected, and for which export.
    selected: Option<(usize, ContextSet)>,
}

impl<'a> Handshake<'a> {
    /// A connection just opened; the greeting is in the output.
    pub fn new(exports: &'a Exports, tls: Tls) -> Self {
        let offered = HandshakeFlags::FIXED_NEWSTYLE | HandshakeFlags::NO_ZEROES;
        Self {
            exports,
            tls,
            tls_up: false,
            shutting_down: false,
            client: ClientFlags::NONE,
            budget: Budget::new(),
            due: Due::ClientFlags,
            arrived: Vec::new(),
            output: greeting(offered).to_vec(),
            structured_replies: false,
            selected: None,
        }
    }

    /// Takes bytes from the client, until an option is answered or no byte is left.
    ///
    /// Consumes nothing once an event has ended the handshake, nor between [`Event::StartTls`] and
    /// [`tls_established`](Self::tls_established). After an error, the same error again.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Progress, HandshakeError> {
        let mut consumed = 0;
        loop {
            let answered = match self.due {
                Due::Over(Some(error)) => return Err(error),
                Due::Over(None) | Due::Tls => break,
                Due::ClientFlags => {
                    let Some(flags) = self.gather::<CLIENT_FLAGS_BYTES>(bytes, &mut consumed) else { break };
                    self.client_flags(u32::from_be_bytes(flags)).map(|()| None)
                }
                Due::Header => {
                    let Some(header) = self.gather::<OPTION_HEADER_BYTES>(bytes, &mut consumed) else {
                        break;
                    };
                    self.option_header(&header).map(|()| None)
                }
                Due::Data(header) => {
                    if !self.gather_upto(header.length as usize, bytes, &mut consumed) {
                        break;
                    }
                    let data = core::mem::take(&mut self.arrived);
                    self.due = Due::Header;
                    self.answer(header, &data).map(Some)
                }
                Due::Skip(header, left, reply) => {
                    let skipped = (bytes.len() - consumed).min(left as usize);
                    consumed += skipped;
                    // `skipped` is at most `left`, which has 32 bits.
                    let left = left - skipped as u32;
                    self.due = Due::Skip(header, left, reply);
                    if left > 0 {
                        break;
                    }
                    self.due = Due::Header;
                    match reply {
                        None => self.answer(header, &[]).map(Some),
                        Some(reply) => {
                            push_option_reply(&mut self.output, header.option, reply, &[]);
                            Ok(Some(None))
                        }
                    }
                }
            };
            match answered {
                Ok(None) => {}
                Ok(Some(event)) => return Ok(Progress { consumed, event }),
                Err(error) => {
                    self.due = Due::Over(Some(error));
                    return Err(error);
                }
            }
        }
        Ok(Progress { consumed, event: None })
    }

    /// What waits to be sent.
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// The first `bytes` bytes of the output are sent. At most as many as there are.
    pub fn output_sent(&mut self, bytes: usize) {
        self.output.drain(..bytes);
    }

    /// TLS is up: bytes given from now on are its plain text. Nothing agreed on before counts any more.
    pub fn tls_established(&mut self) {
        assert!(matches!(self.due, Due::Tls), "TLS came up without having been asked for");
        self.tls_up = true;
        self.structured_replies = false;
        self.selected = None;
        self.due = Due::Header;
    }

    /// The server stops: from now on every option but leaving is answered by `NBD_REP_ERR_SHUTDOWN`.
    pub fn shut_down(&mut self) {
        self.shutting_down = true;
    }

    fn client_flags(&mut self, bits: u32) -> Result<(), HandshakeError> {
        let flags = ClientFlags::from_bits(bits);
        if !(ClientFlags::FIXED_NEWSTYLE | ClientFlags::NO_ZEROES).contains(flags) {
            return Err(HandshakeError::UnknownClientFlags(bits));
        }
        self.client = flags;
        self.due = Due::Header;
        Ok(())
    }

    /// Decides from an option's header alone whether its data is worth keeping.
    fn option_header(&mut self, bytes: &[u8; OPTION_HEADER_BYTES]) -> Result<(), HandshakeError> {
        let header = OptionHeader::parse(bytes).ok_or(HandshakeError::NotAnOption)?;
        self.budget.spend(header.length)?;
        let option = ClientOption::from_code(header.option);
        if option != Some(ClientOption::ExportName) && !self.client.contains(ClientFlags::FIXED_NEWSTYLE) {
            return Err(HandshakeError::NotFixedNewstyle(header.option));
        }
        let skip = |reply| Due::Skip(header, header.length, Some(reply));
        self.due = match option {
            Some(ClientOption::ExportName) => {
                self.may_choose_by_name(header.length)?;
                Due::Data(header)
            }
            Some(ClientOption::Abort) => Due::Skip(header, header.length, None),
            _ if self.shutting_down => skip(OptionReply::Shutdown),
            Some(ClientOption::StartTls) if header.length > 0 => skip(OptionReply::Invalid),
            Some(ClientOption::StartTls) => Due::Data(header),
            _ if self.tls == Tls::Required && !self.tls_up => skip(OptionReply::TlsRequired),
            None => skip(OptionReply::Unsupported),
            Some(_) if header.length > MAX_OPTION_BYTES => skip(OptionReply::TooBig),
            Some(_) => Due::Data(header),
        };
        Ok(())
    }

    /// Collects exactly `N` bytes; `None` until they are all there.
    fn gather<const N: usize>(&mut self, bytes: &[u8], consumed: &mut usize) -> Option<[u8; N]> {
        if !self.gather_upto(N, bytes, consumed) {
            return None;
        }
        let mut whole = [0; N];
        whole.copy_from_slice(&self.arrived);
        self.arrived.clear();
        Some(whole)
    }

    /// Moves bytes from the input until `wanted` have arrived; whether they have.
    fn gather_upto(&mut self, wanted: usize, bytes: &[u8], consumed: &mut usize) -> bool {
        let rest = &bytes[*consumed..];
        let taken = rest.len().min(wanted - self.arrived.len());
        self.arrived.extend_from_slice(&rest[..taken]);
        *consumed += taken;
        self.arrived.len() == wanted
    }
}

#[cfg(test)]
mod tests;
