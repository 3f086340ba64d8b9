//! What each option of the handshake is answered, once its data is complete.
//! It owns the reading of option data and the answers' content; which option may come when is settled before.

use super::{Due, Event, Handshake, HandshakeError, Tls, Transmission};
use crate::nbd::context::{Context, ContextSet, Purpose, matching};
use crate::nbd::export::Export;
use crate::nbd::wire::MAX_STRING_BYTES;
use crate::nbd::wire::cursor::Cursor;
use crate::nbd::wire::flags::ClientFlags;
use crate::nbd::wire::option::{
    ClientOption, EXPORT_NAME_PADDING_BYTES, InfoType, OptionHeader, OptionReply, push_option_reply,
};

/// `NBD_OPT_INFO` or `NBD_OPT_GO`, read.
struct InfoRequest<'d> {
    name: &'d str,
    wants_name: bool,
    wants_description: bool,
}

impl<'d> InfoRequest<'d> {
    fn parse(data: &'d [u8]) -> Option<Self> {
        let mut fields = Cursor(data);
        let name = export_name(&mut fields)?;
        let mut request = Self { name, wants_name: false, wants_description: false };
        for _ in 0..fields.u16()? {
            match InfoType::from_code(fields.u16()?) {
                Some(InfoType::Name) => request.wants_name = true,
                Some(InfoType::Description) => request.wants_description = true,
                // Always told.
                Some(InfoType::Export | InfoType::BlockSize) | None => {}
            }
        }
        fields.is_empty().then_some(request)
    }
}

/// `NBD_OPT_LIST_META_CONTEXT` or `NBD_OPT_SET_META_CONTEXT`, read.
struct ContextRequest<'d> {
    name: &'d str,
    queries: u32,
    matched: ContextSet,
}

impl<'d> ContextRequest<'d> {
    fn parse(data: &'d [u8], purpose: Purpose) -> Option<Self> {
        let mut fields = Cursor(data);
        let name = export_name(&mut fields)?;
        let queries = fields.u32()?;
        let mut matched = ContextSet::NONE;
        for _ in 0..queries {
            let query = fields.string().filter(|query| query.len() <= MAX_STRING_BYTES)?;
            matched = matched.union(matching(query, purpose)?);
        }
        fields.is_empty().then_some(Self { name, queries, matched })
    }
}

fn export_name<'d>(fields: &mut Cursor<'d>) -> Option<&'d str> {
    fields.string().filter(|name| name.len() <= MAX_STRING_BYTES)
}

impl Handshake<'_> {
    /// Answers an option whose data is complete; what it comes to, if anything.
    pub(super) fn answer(
        &mut self,
        header: OptionHeader,
        data: &[u8],
    ) -> Result<Option<Event>, HandshakeError> {
        let option = ClientOption::from_code(header.option).expect("unknown options are skipped");
        let reply = match option {
            ClientOption::ExportName => return self.export_name(data).map(Some),
            ClientOption::Abort => {
                self.due = Due::Over(None);
                self.push(option, OptionReply::Ack, &[]);
                return Ok(Some(Event::Aborted));
            }
            ClientOption::List => self.list(data),
            ClientOption::StartTls => match self.tls {
                Tls::Off => OptionReply::Policy,
                Tls::Offered | Tls::Required if self.tls_up => OptionReply::Invalid,
                Tls::Offered | Tls::Required => {
                    self.due = Due::Tls;
                    self.push(option, OptionReply::Ack, &[]);
                    return Ok(Some(Event::StartTls));
                }
            },
            ClientOption::Info => match self.info(option, data) {
                Ok(_) => OptionReply::Ack,
                Err(reply) => reply,
            },
            ClientOption::Go => match self.info(option, data) {
                Ok(export) => {
                    self.push(option, OptionReply::Ack, &[]);
                    return Ok(Some(self.transmission(export)));
                }
                Err(reply) => reply,
            },
            ClientOption::StructuredReply if data.is_empty() => {
                self.structured_replies = true;
                OptionReply::Ack
            }
            ClientOption::StructuredReply => OptionReply::Invalid,
            ClientOption::ListMetaContext => self.list_contexts(data),
            ClientOption::SetMetaContext => self.select_contexts(data),
        };
        self.push(option, reply, &[]);
        Ok(None)
    }

    /// Whether `NBD_OPT_EXPORT_NAME` with a name of `length` bytes can succeed at all.
    pub(super) fn may_choose_by_name(&self, length: u32) -> Result<(), HandshakeError> {
        if self.shutting_down {
            Err(HandshakeError::ShuttingDown)
        } else if self.tls == Tls::Required && !self.tls_up {
            Err(HandshakeError::TlsRequired)
        } else if length as usize > MAX_STRING_BYTES {
            Err(HandshakeError::UnknownExport)
        } else {
            Ok(())
        }
    }

    fn export_name(&mut self, data: &[u8]) -> Result<Event, HandshakeError> {
        let name = core::str::from_utf8(data).map_err(|_| HandshakeError::UnknownExport)?;
        let (index, export) = self.exports.find(name).ok_or(HandshakeError::UnknownExport)?;
        self.output.extend_from_slice(&export.bytes.to_be_bytes());
        let flags = export.offered_flags(self.structured_replies);
        self.output.extend_from_slice(&flags.bits().to_be_bytes());
        if !self.client.contains(ClientFlags::NO_ZEROES) {
            self.output.extend_from_slice(&[0; EXPORT_NAME_PADDING_BYTES]);
        }
        Ok(self.transmission(index))
    }

    fn list(&mut self, data: &[u8]) -> OptionReply {
        if !data.is_empty() {
            return OptionReply::Invalid;
        }
        for export in self.exports.as_slice() {
            let (name, description) = (export.name.as_bytes(), export.description.as_bytes());
            self.push(ClientOption::List, OptionReply::Server, &[&string_length(name), name, description]);
        }
        OptionReply::Ack
    }

    /// Describes an export; which one.
    fn info(&mut self, option: ClientOption, data: &[u8]) -> Result<usize, OptionReply> {
        let request = InfoRequest::parse(data).ok_or(OptionReply::Invalid)?;
        let (index, export) = self.exports.find(request.name).ok_or(OptionReply::Unknown)?;
        let mut tell = |kind: InfoType, parts: [&[u8]; 3]| {
            let kind = kind.code().to_be_bytes();
            let [first, second, third] = parts;
            push_option_reply(
                &mut self.output,
                option.code(),
                OptionReply::Info,
                &[&kind, first, second, third],
            );
        };
        let Export { name, description, bytes, blocks, .. } = export;
        let flags = export.offered_flags(self.structured_replies);
        tell(InfoType::Export, [&bytes.to_be_bytes(), &flags.bits().to_be_bytes(), &[]]);
        // Told unasked too: sizes other than the specification's defaults have to be advertised.
        tell(
            InfoType::BlockSize,
            [&blocks.minimum.to_be_bytes(), &blocks.preferred.to_be_bytes(), &blocks.maximum.to_be_bytes()],
        );
        if request.wants_name {
            tell(InfoType::Name, [name.as_bytes(), &[], &[]]);
        }
        if request.wants_description && !description.is_empty() {
            tell(InfoType::Description, [description.as_bytes(), &[], &[]]);
        }
        Ok(index)
    }

    fn list_contexts(&mut self, data: &[u8]) -> OptionReply {
        let Some(request) = ContextRequest::parse(data, Purpose::List).filter(|_| self.structured_replies)
        else {
            return OptionReply::Invalid;
        };
        let Some((_, export)) = self.exports.find(request.name) else { return OptionReply::Unknown };
        let wanted = if request.queries == 0 { ContextSet::ALL } else { request.matched };
        for context in wanted.intersection(export.contexts).iter() {
            // The number is reserved when listing.
            self.push_context(ClientOption::ListMetaContext, 0, context);
        }
        OptionReply::Ack
    }

    fn select_contexts(&mut self, data: &[u8]) -> OptionReply {
        // Each attempt replaces the one before, even if it fails.
        self.selected = None;
        let Some(request) = ContextRequest::parse(data, Purpose::Select).filter(|_| self.structured_replies)
        else {
            return OptionReply::Invalid;
        };
        let Some((index, export)) = self.exports.find(request.name) else { return OptionReply::Unknown };
        let selected = request.matched.intersection(export.contexts);
        self.selected = Some((index, selected));
        for context in selected.iter() {
            self.push_context(ClientOption::SetMetaContext, context.id(), context);
        }
        OptionReply::Ack
    }

    /// Ends the handshake with `export` chosen. Contexts selected for another export do not count.
    fn transmission(&mut self, export: usize) -> Event {
        self.due = Due::Over(None);
        let contexts = match self.selected {
            Some((index, contexts)) if index == export => contexts,
            _ => ContextSet::NONE,
        };
        Event::Transmission(Transmission { export, structured_replies: self.structured_replies, contexts })
    }

    fn push_context(&mut self, option: ClientOption, id: u32, context: Context) {
        self.push(option, OptionReply::MetaContext, &[&id.to_be_bytes(), context.name().as_bytes()]);
    }

    fn push(&mut self, option: ClientOption, reply: OptionReply, parts: &[&[u8]]) {
        push_option_reply(&mut self.output, option.code(), reply, parts);
    }
}

/// The 32 bits before a string; its length was checked when the exports were made.
fn string_length(text: &[u8]) -> [u8; 4] {
    u32::try_from(text.len()).expect("strings have at most 4096 bytes").to_be_bytes()
}
