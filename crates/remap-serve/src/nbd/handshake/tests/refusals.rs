//! What is answered by an error, and what ends the connection.

use super::super::*;
use super::client::*;

#[test]
fn unknown_client_flags_drop_the_client() {
    let exports = two_exports();
    let mut server = Handshake::new(&exports, Tls::Off);
    let expected = Err(HandshakeError::UnknownClientFlags(4));
    assert_eq!(server.receive(&4u32.to_be_bytes()), expected);
    assert_eq!(server.receive(b"more"), expected, "the same error again");
}

#[test]
fn what_is_no_option_drops_the_client() {
    let exports = two_exports();
    let result = Client::plain(&exports).send(b"GET / HTTP/1.1\r\n");
    assert_eq!(result, Err(HandshakeError::NotAnOption));
}

#[test]
fn an_unknown_option_is_unsupported_and_the_next_one_is_understood() {
    let exports = two_exports();
    let mut client = Client::plain(&exports);
    for (unknown, bytes) in [(0, 0), (4, 3), (11, 0), (u32::MAX, 1 << 20)] {
        assert_eq!(client.send(&raw_option(unknown, &vec![7; bytes])), Ok(None));
        assert_eq!(client.answers(unknown), [(OptionReply::Unsupported, vec![])]);
    }
    assert_eq!(client.ask(ClientOption::List, b"").0.len(), 3);
}

#[test]
fn an_option_with_too_much_data_is_too_big_and_its_data_is_not_kept() {
    let exports = two_exports();
    let mut client = Client::plain(&exports);
    let sent = option(ClientOption::Go, &vec![0; MAX_OPTION_BYTES as usize + 1]);
    for piece in sent.chunks(1000) {
        assert_eq!(client.send(piece), Ok(None));
        assert!(client.server.arrived.capacity() < 1024);
    }
    assert_eq!(client.answers(ClientOption::Go.code()), [(OptionReply::TooBig, vec![])]);
    assert!(client.ask(ClientOption::Go, &info("disk", &[])).1.is_some());
}

#[test]
fn an_option_of_the_largest_size_is_read() {
    let exports = two_exports();
    let mut client = Client::plain(&exports);
    let data = vec![0; MAX_OPTION_BYTES as usize];
    assert_eq!(client.ask_code(ClientOption::Go, &data), OptionReply::Invalid);
}

#[test]
fn data_where_none_belongs_is_invalid() {
    let exports = two_exports();
    let mut client = Client::plain(&exports);
    assert_eq!(client.ask_code(ClientOption::List, b"x"), OptionReply::Invalid);
    assert_eq!(client.ask_code(ClientOption::StructuredReply, b"x"), OptionReply::Invalid);
    let event = client.ask(ClientOption::Go, &info("disk", &[])).1;
    let Some(Event::Transmission(agreed)) = event else { panic!("{event:?}") };
    assert!(!agreed.structured_replies);
}

#[test]
fn malformed_requests_for_information_are_invalid() {
    let exports = two_exports();
    let mut client = Client::plain(&exports);
    let whole = info("disk", &[3]);
    let mut longer = whole.clone();
    longer.push(0);
    let mut huge_name = whole.clone();
    huge_name[0] = 0xff;
    let mut not_text = whole.clone();
    not_text[4] = 0xff;
    let long_name = info(&"x".repeat(4097), &[]);
    for data in [&whole[..whole.len() - 1], &longer, &huge_name, &not_text, &long_name, b"", b"\0\0\0\0"] {
        for asked in [ClientOption::Info, ClientOption::Go] {
            assert_eq!(client.ask_code(asked, data), OptionReply::Invalid, "{data:?}");
        }
    }
}

#[test]
fn an_unknown_export_is_unknown() {
    let exports = two_exports();
    let mut client = Client::plain(&exports);
    for asked in [ClientOption::Info, ClientOption::Go] {
        assert_eq!(client.ask_code(asked, &info("nowhere", &[])), OptionReply::Unknown);
    }
}

#[test]
fn choosing_an_unknown_export_by_name_drops_the_client() {
    let exports = two_exports();
    for name in [b"nowhere".to_vec(), vec![0xff], vec![b'x'; 4097], vec![b'x'; 70_000]] {
        let result = Client::plain(&exports).server.receive(&option(ClientOption::ExportName, &name));
        assert_eq!(result, Err(HandshakeError::UnknownExport));
    }
}

#[test]
fn without_fixed_newstyle_any_option_but_export_name_drops_the_client() {
    let exports = two_exports();
    for asked in [ClientOption::List, ClientOption::Go, ClientOption::StartTls, ClientOption::Abort] {
        let mut client = Client::connect(&exports, Tls::Offered, NO_ZEROES);
        let result = client.send(&option(asked, b""));
        assert_eq!(result, Err(HandshakeError::NotFixedNewstyle(asked.code())));
    }
}

#[test]
fn too_many_options_drop_the_client() {
    let exports = two_exports();
    let mut client = Client::plain(&exports);
    let list = option(ClientOption::List, b"");
    for _ in 0..MAX_OPTIONS {
        assert_eq!(client.send(&list), Ok(None));
        client.received();
    }
    assert_eq!(client.send(&list), Err(HandshakeError::TooManyOptions));
}

#[test]
fn too_many_bytes_drop_the_client_as_soon_as_they_are_announced() {
    let exports = two_exports();
    let mut client = Client::plain(&exports);
    let announced = OptionHeader { option: 99, length: u32::MAX };
    assert_eq!(client.send(&announced.encode()), Err(HandshakeError::TooManyBytes));

    let mut client = Client::plain(&exports);
    let mebibyte = raw_option(99, &vec![0; 1 << 20]);
    for _ in 0..15 {
        assert_eq!(client.send(&mebibyte), Ok(None));
    }
    assert_eq!(client.server.receive(&mebibyte), Err(HandshakeError::TooManyBytes));
}

#[test]
fn a_stopping_server_answers_shutdown_to_all_but_leaving() {
    let exports = two_exports();
    let mut client = Client::plain(&exports);
    client.server.shut_down();
    for asked in [ClientOption::List, ClientOption::Go, ClientOption::StartTls] {
        assert_eq!(client.ask_code(asked, &info("disk", &[])), OptionReply::Shutdown);
    }
    assert_eq!(client.ask(ClientOption::Abort, b"").1, Some(Event::Aborted));
}

#[test]
fn a_stopping_server_drops_a_client_that_chooses_by_name() {
    let exports = two_exports();
    let mut client = Client::plain(&exports);
    client.server.shut_down();
    let result = client.send(&option(ClientOption::ExportName, b"disk"));
    assert_eq!(result, Err(HandshakeError::ShuttingDown));
}

#[test]
fn without_exports_nothing_can_be_chosen() {
    let exports = Exports::default();
    let mut client = Client::plain(&exports);
    assert_eq!(client.ask_code(ClientOption::List, b""), OptionReply::Ack);
    assert_eq!(client.ask_code(ClientOption::Go, &info("", &[])), OptionReply::Unknown);
}
