//! Listing and selecting metadata contexts.

use super::super::*;
use super::client::*;
use crate::nbd::context::Context;

const ALLOCATION: &[u8] = b"\0\0\0\x01base:allocation";
const MAPPING: &[u8] = b"\0\0\0\x02dm-remap:mapping";

fn structured(exports: &Exports) -> Client<'_> {
    let mut client = Client::plain(exports);
    assert_eq!(client.ask_code(ClientOption::StructuredReply, b""), OptionReply::Ack);
    client
}

fn agreed_contexts(client: &mut Client<'_>, export: &str) -> ContextSet {
    match client.ask(ClientOption::Go, &info(export, &[])).1 {
        Some(Event::Transmission(agreed)) => agreed.contexts,
        other => panic!("{other:?}"),
    }
}

fn listed(client: &mut Client<'_>, export: &str, asked: &[&str]) -> Vec<String> {
    let (mut answers, _) = client.ask(ClientOption::ListMetaContext, &queries(export, asked));
    assert_eq!(answers.pop(), Some((OptionReply::Ack, vec![])));
    answers
        .into_iter()
        .map(|(reply, data)| {
            assert_eq!(reply, OptionReply::MetaContext);
            assert_eq!(data[..4], [0; 4], "the number is reserved when listing");
            String::from_utf8(data[4..].to_vec()).unwrap()
        })
        .collect()
}

#[test]
fn listing_without_a_query_gives_all_contexts_of_the_export() {
    let exports = two_exports();
    let mut client = structured(&exports);
    assert_eq!(listed(&mut client, "disk", &[]), ["base:allocation", "dm-remap:mapping"]);
    assert!(listed(&mut client, "other", &[]).is_empty());
}

#[test]
fn listing_a_namespace_gives_its_contexts() {
    let exports = two_exports();
    let mut client = structured(&exports);
    assert_eq!(listed(&mut client, "disk", &["base:"]), ["base:allocation"]);
    assert_eq!(listed(&mut client, "disk", &["qemu:", "dm-remap:"]), ["dm-remap:mapping"]);
    assert!(listed(&mut client, "disk", &["qemu:"]).is_empty());
}

#[test]
fn selected_contexts_hold_for_the_export_they_were_selected_for() {
    let exports = two_exports();
    let mut client = structured(&exports);
    let asked = queries("disk", &["dm-remap:mapping", "base:allocation", "base:allocation"]);
    let (answers, _) = client.ask(ClientOption::SetMetaContext, &asked);
    assert_eq!(
        answers,
        [
            (OptionReply::MetaContext, ALLOCATION.to_vec()),
            (OptionReply::MetaContext, MAPPING.to_vec()),
            (OptionReply::Ack, vec![])
        ]
    );
    // The empty name means the same export.
    assert_eq!(agreed_contexts(&mut client, ""), ContextSet::ALL);
}

#[test]
fn choosing_another_export_clears_the_selection() {
    let exports = two_exports();
    let mut client = structured(&exports);
    client.ask(ClientOption::SetMetaContext, &queries("disk", &["base:allocation"]));
    assert_eq!(agreed_contexts(&mut client, "other"), ContextSet::NONE);
}

#[test]
fn export_name_keeps_the_selection_too() {
    let exports = two_exports();
    let mut client = structured(&exports);
    client.ask(ClientOption::SetMetaContext, &queries("disk", &["base:allocation"]));
    let event = client.send(&option(ClientOption::ExportName, b"disk")).unwrap();
    let Some(Event::Transmission(agreed)) = event else { panic!("{event:?}") };
    assert_eq!(agreed.contexts, ContextSet::NONE.with(Context::Allocation));
}

#[test]
fn wildcards_and_unknown_names_select_nothing() {
    let exports = two_exports();
    let mut client = structured(&exports);
    let asked = queries("disk", &["base:", "dm-remap:", "base:dirty", "qemu:dirty-bitmap:b"]);
    let (answers, _) = client.ask(ClientOption::SetMetaContext, &asked);
    assert_eq!(answers, [(OptionReply::Ack, vec![])]);
    assert_eq!(agreed_contexts(&mut client, "disk"), ContextSet::NONE);
}

#[test]
fn a_new_selection_replaces_the_old_one() {
    let exports = two_exports();
    let mut client = structured(&exports);
    client.ask(ClientOption::SetMetaContext, &queries("disk", &["base:allocation"]));
    client.ask(ClientOption::SetMetaContext, &queries("disk", &["dm-remap:mapping"]));
    assert_eq!(agreed_contexts(&mut client, "disk"), ContextSet::NONE.with(Context::Mapping));
}

#[test]
fn a_failed_selection_also_clears_the_old_one() {
    let exports = two_exports();
    for bad in [queries("disk", &["no namespace"]), queries("nowhere", &[]), vec![]] {
        let mut client = structured(&exports);
        client.ask(ClientOption::SetMetaContext, &queries("disk", &["base:allocation"]));
        client.ask(ClientOption::SetMetaContext, &bad);
        assert_eq!(agreed_contexts(&mut client, "disk"), ContextSet::NONE);
    }
}

#[test]
fn selecting_without_a_query_selects_nothing() {
    let exports = two_exports();
    let mut client = structured(&exports);
    client.ask(ClientOption::SetMetaContext, &queries("disk", &["base:allocation"]));
    assert_eq!(client.ask_code(ClientOption::SetMetaContext, &queries("disk", &[])), OptionReply::Ack);
    assert_eq!(agreed_contexts(&mut client, "disk"), ContextSet::NONE);
}

#[test]
fn contexts_before_structured_replies_are_invalid() {
    let exports = two_exports();
    let mut client = Client::plain(&exports);
    for asked in [ClientOption::ListMetaContext, ClientOption::SetMetaContext] {
        assert_eq!(client.ask_code(asked, &queries("disk", &["base:allocation"])), OptionReply::Invalid);
    }
}

#[test]
fn contexts_of_an_unknown_export_are_unknown() {
    let exports = two_exports();
    let mut client = structured(&exports);
    for asked in [ClientOption::ListMetaContext, ClientOption::SetMetaContext] {
        assert_eq!(client.ask_code(asked, &queries("nowhere", &["base:"])), OptionReply::Unknown);
    }
}

#[test]
fn malformed_queries_are_invalid() {
    let exports = two_exports();
    let mut client = structured(&exports);
    let whole = queries("disk", &["base:allocation"]);
    let mut longer = whole.clone();
    longer.push(0);
    let mut too_many = queries("disk", &[]);
    *too_many.last_mut().unwrap() = 1;
    let mut not_text = whole.clone();
    *not_text.last_mut().unwrap() = 0xff;
    let too_long = queries("disk", &[&format!("base:{}", "x".repeat(4096))]);
    let bad_data = [
        &whole[..whole.len() - 1],
        &longer,
        &too_many,
        &not_text,
        &too_long,
        &queries("disk", &["base"]),
        b"",
    ];
    for data in bad_data {
        for asked in [ClientOption::ListMetaContext, ClientOption::SetMetaContext] {
            assert_eq!(client.ask_code(asked, data), OptionReply::Invalid, "{data:?}");
        }
    }
}
