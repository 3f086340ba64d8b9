//! Listing, describing and choosing exports.

use super::super::*;
use super::client::*;

fn chosen(export: usize) -> Event {
    Event::Transmission(Transmission { export, structured_replies: false, contexts: ContextSet::NONE })
}

#[test]
fn export_name_answers_size_flags_and_padding() {
    let exports = two_exports();
    let mut client = Client::connect(&exports, Tls::Off, FIXED);
    let event = client.send(&option(ClientOption::ExportName, b"disk")).unwrap();
    assert_eq!(event, Some(chosen(0)));
    let received = client.received();
    assert_eq!(received.len(), 8 + 2 + 124);
    assert_eq!(received[..8], (1u64 << 30).to_be_bytes());
    assert_eq!(received[8..10], [0, 0b1101]);
    assert_eq!(received[10..], [0; 124]);
}

#[test]
fn export_name_leaves_the_padding_out_for_a_client_that_wants_none() {
    let exports = two_exports();
    let mut client = Client::plain(&exports);
    assert_eq!(client.send(&option(ClientOption::ExportName, b"other")).unwrap(), Some(chosen(1)));
    assert_eq!(client.received().len(), 10);
}

#[test]
fn a_client_without_fixed_newstyle_can_choose_by_name() {
    let exports = two_exports();
    let mut client = Client::connect(&exports, Tls::Off, 0);
    assert_eq!(client.send(&option(ClientOption::ExportName, b"")).unwrap(), Some(chosen(0)));
}

#[test]
fn list_names_and_describes_every_export() {
    let exports = two_exports();
    let mut client = Client::plain(&exports);
    let (answers, event) = client.ask(ClientOption::List, b"");
    assert_eq!(event, None);
    assert_eq!(
        answers,
        [
            (OptionReply::Server, b"\0\0\0\x04diska failing disk".to_vec()),
            (OptionReply::Server, b"\0\0\0\x05other".to_vec()),
            (OptionReply::Ack, vec![]),
        ]
    );
}

#[test]
fn info_tells_size_flags_and_block_sizes_and_goes_on() {
    let exports = two_exports();
    let mut client = Client::plain(&exports);
    let (answers, event) = client.ask(ClientOption::Info, &info("disk", &[]));
    assert_eq!(event, None);
    let size_and_flags = [0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0b1101].to_vec();
    let block_sizes = [0, 3, 0, 0, 2, 0, 0, 0, 0x10, 0, 2, 0, 0, 0].to_vec();
    assert_eq!(
        answers,
        [(OptionReply::Info, size_and_flags), (OptionReply::Info, block_sizes), (OptionReply::Ack, vec![])]
    );
    assert_eq!(client.ask(ClientOption::Go, &info("disk", &[])).1, Some(chosen(0)));
}

#[test]
fn name_and_description_are_told_when_asked_for() {
    let exports = two_exports();
    let mut client = Client::plain(&exports);
    // Twice the name, and one fact that does not exist.
    let (answers, _) = client.ask(ClientOption::Info, &info("", &[1, 2, 3, 1, 77]));
    assert_eq!(answers.len(), 5);
    assert_eq!(answers[2], (OptionReply::Info, b"\0\x01disk".to_vec()));
    assert_eq!(answers[3], (OptionReply::Info, b"\0\x02a failing disk".to_vec()));
    assert_eq!(answers[4].0, OptionReply::Ack);
}

#[test]
fn an_empty_description_is_not_told() {
    let exports = two_exports();
    let (answers, _) = Client::plain(&exports).ask(ClientOption::Info, &info("other", &[2]));
    assert_eq!(answers.len(), 3);
}

#[test]
fn go_with_the_empty_name_chooses_the_first_export() {
    let exports = two_exports();
    let (answers, event) = Client::plain(&exports).ask(ClientOption::Go, &info("", &[]));
    assert_eq!(event, Some(chosen(0)));
    assert_eq!(answers.last().unwrap().0, OptionReply::Ack);
}

#[test]
fn structured_replies_bring_unfragmented_reads() {
    let exports = two_exports();
    let mut client = Client::plain(&exports);
    assert_eq!(client.ask_code(ClientOption::StructuredReply, b""), OptionReply::Ack);
    let (answers, event) = client.ask(ClientOption::Go, &info("disk", &[]));
    assert_eq!(answers[0].1[10..], [0, 0b1000_1101]);
    let Some(Event::Transmission(agreed)) = event else { panic!("{event:?}") };
    assert!(agreed.structured_replies);
}

#[test]
fn bytes_behind_the_choice_are_left_for_the_transmission_phase() {
    let exports = two_exports();
    let mut client = Client::plain(&exports);
    let mut bytes = option(ClientOption::Go, &info("disk", &[]));
    let length = bytes.len();
    bytes.extend_from_slice(&[0x25, 0x60, 0x95, 0x13]);
    let progress = client.server.receive(&bytes).unwrap();
    assert_eq!(progress, Progress { consumed: length, event: Some(chosen(0)) });
    let after = client.server.receive(&bytes[length..]).unwrap();
    assert_eq!(after, Progress { consumed: 0, event: None });
}

#[test]
fn one_call_answers_one_option() {
    let exports = two_exports();
    let mut client = Client::plain(&exports);
    let list = option(ClientOption::List, b"");
    let progress = client.server.receive(&[&list[..], &list[..]].concat()).unwrap();
    assert_eq!(progress, Progress { consumed: list.len(), event: None });
}

#[test]
fn leaving_is_acknowledged_whatever_comes_with_it() {
    let exports = two_exports();
    for data in [vec![], vec![1; 100], vec![1; 70_000]] {
        let mut client = Client::plain(&exports);
        let (answers, event) = client.ask(ClientOption::Abort, &data);
        assert_eq!(answers, [(OptionReply::Ack, vec![])]);
        assert_eq!(event, Some(Event::Aborted));
    }
}
