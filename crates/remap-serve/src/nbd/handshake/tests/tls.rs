//! When TLS is refused, offered or required.

use super::super::*;
use super::client::*;

fn encrypted(exports: &Exports, tls: Tls) -> Client<'_> {
    let mut client = Client::connect(exports, tls, FIXED);
    let (answers, event) = client.ask(ClientOption::StartTls, b"");
    assert_eq!(answers, [(OptionReply::Ack, vec![])]);
    assert_eq!(event, Some(Event::StartTls));
    client.server.tls_established();
    client
}

#[test]
fn tls_that_is_not_configured_is_refused_by_policy() {
    let exports = two_exports();
    let mut client = Client::plain(&exports);
    assert_eq!(client.ask_code(ClientOption::StartTls, b""), OptionReply::Policy);
}

#[test]
fn a_second_start_of_tls_is_invalid() {
    let exports = two_exports();
    for tls in [Tls::Offered, Tls::Required] {
        assert_eq!(encrypted(&exports, tls).ask_code(ClientOption::StartTls, b""), OptionReply::Invalid);
    }
}

#[test]
fn a_start_of_tls_with_data_is_invalid() {
    let exports = two_exports();
    for tls in [Tls::Off, Tls::Offered, Tls::Required] {
        let mut client = Client::connect(&exports, tls, FIXED);
        assert_eq!(client.ask_code(ClientOption::StartTls, b"x"), OptionReply::Invalid);
    }
}

#[test]
fn where_tls_is_required_every_other_option_is_told_so() {
    let exports = two_exports();
    let mut client = Client::connect(&exports, Tls::Required, FIXED);
    for asked in [
        ClientOption::List,
        ClientOption::Info,
        ClientOption::Go,
        ClientOption::StructuredReply,
        ClientOption::ListMetaContext,
        ClientOption::SetMetaContext,
    ] {
        assert_eq!(client.ask_code(asked, &info("disk", &[])), OptionReply::TlsRequired);
    }
    assert_eq!(client.send(&raw_option(99, &vec![0; 70_000])), Ok(None));
    assert_eq!(client.answers(99), [(OptionReply::TlsRequired, vec![])]);
}

#[test]
fn where_tls_is_required_a_client_can_still_leave() {
    let exports = two_exports();
    let mut client = Client::connect(&exports, Tls::Required, FIXED);
    assert_eq!(client.ask(ClientOption::Abort, b"").1, Some(Event::Aborted));
}

#[test]
fn where_tls_is_required_choosing_by_name_in_plain_text_drops_the_client() {
    let exports = two_exports();
    let mut client = Client::connect(&exports, Tls::Required, FIXED);
    let result = client.send(&option(ClientOption::ExportName, b"disk"));
    assert_eq!(result, Err(HandshakeError::TlsRequired));
}

#[test]
fn once_tls_is_up_exports_can_be_chosen() {
    let exports = two_exports();
    for tls in [Tls::Offered, Tls::Required] {
        let event = encrypted(&exports, tls).ask(ClientOption::Go, &info("disk", &[])).1;
        assert!(matches!(event, Some(Event::Transmission(_))));
    }
}

#[test]
fn where_tls_is_offered_a_client_can_do_without() {
    let exports = two_exports();
    let mut client = Client::connect(&exports, Tls::Offered, FIXED);
    assert!(client.ask(ClientOption::Go, &info("disk", &[])).1.is_some());
}

#[test]
fn nothing_agreed_on_in_plain_text_counts_under_tls() {
    let exports = two_exports();
    let mut client = Client::connect(&exports, Tls::Offered, FIXED);
    client.ask(ClientOption::StructuredReply, b"");
    client.ask(ClientOption::SetMetaContext, &queries("disk", &["base:allocation"]));
    client.ask(ClientOption::StartTls, b"");
    client.server.tls_established();
    let event = client.ask(ClientOption::Go, &info("disk", &[])).1;
    let agreed = Transmission { export: 0, structured_replies: false, contexts: ContextSet::NONE };
    assert_eq!(event, Some(Event::Transmission(agreed)));
}

#[test]
fn plain_text_behind_the_start_of_tls_is_never_read_as_options() {
    let exports = two_exports();
    let mut client = Client::connect(&exports, Tls::Offered, FIXED);
    let start = option(ClientOption::StartTls, b"");
    let injected = [&start[..], &option(ClientOption::StructuredReply, b"")].concat();
    let progress = client.server.receive(&injected).unwrap();
    assert_eq!(progress, Progress { consumed: start.len(), event: Some(Event::StartTls) });
    let waiting = client.server.receive(&injected[start.len()..]).unwrap();
    assert_eq!(waiting, Progress { consumed: 0, event: None });
}
