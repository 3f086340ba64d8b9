use super::*;

#[test]
fn the_greeting_is_the_eighteen_bytes_of_the_specification() {
    let bytes = greeting(HandshakeFlags::FIXED_NEWSTYLE | HandshakeFlags::NO_ZEROES);
    assert_eq!(&bytes, b"NBDMAGICIHAVEOPT\0\x03");
}

#[test]
fn an_option_header_survives_the_wire() {
    let header = OptionHeader { option: 7, length: 0x0102_0304 };
    let bytes = header.encode();
    assert_eq!(&bytes, b"IHAVEOPT\0\0\0\x07\x01\x02\x03\x04");
    assert_eq!(OptionHeader::parse(&bytes), Some(header));
}

#[test]
fn an_option_without_its_magic_is_refused() {
    assert_eq!(OptionHeader::parse(b"IHAVEOPS\0\0\0\x07\0\0\0\0"), None);
}

#[test]
fn an_answer_carries_the_length_of_all_its_parts() {
    let mut out = vec![9];
    push_option_reply(&mut out, 3, OptionReply::Server, &[b"ab", b"", b"cde"]);
    assert_eq!(out[0], 9);
    let header = OptionReplyHeader::parse(out[1..21].try_into().unwrap()).unwrap();
    assert_eq!(header, OptionReplyHeader { option: 3, reply: 2, length: 5 });
    assert_eq!(&out[21..], b"abcde");
}

#[test]
fn an_answer_without_its_magic_is_refused() {
    assert_eq!(OptionReplyHeader::parse(&[0; 20]), None);
}

#[test]
fn only_named_codes_are_known() {
    assert_eq!(ClientOption::from_code(7), Some(ClientOption::Go));
    assert_eq!(ClientOption::from_code(4), None); // withdrawn
    assert_eq!(ClientOption::from_code(11), None); // an experiment
    assert_eq!(OptionReply::from_code(0x8000_0009), Some(OptionReply::TooBig));
    assert_eq!(InfoType::from_code(4), None);
}
