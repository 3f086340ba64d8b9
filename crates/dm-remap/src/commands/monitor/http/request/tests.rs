use proptest::prelude::*;

use super::*;

#[test]
fn only_reading_the_metrics_is_answered_with_them() {
    for (head, asked) in [
        ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", (Asked::Metrics, false)),
        ("GET /metrics?a=b HTTP/1.0\n\n", (Asked::Metrics, false)),
        ("HEAD /metrics HTTP/1.1\r\n\r\n", (Asked::Metrics, true)),
        ("GET / HTTP/1.1\r\n\r\n", (Asked::Front, false)),
        ("GET /metrics/ HTTP/1.1\r\n\r\n", (Asked::Unknown, false)),
        ("GET /../etc/passwd HTTP/1.1\r\n\r\n", (Asked::Unknown, false)),
        ("POST /metrics HTTP/1.1\r\n\r\n", (Asked::OtherMethod, false)),
        ("get /metrics HTTP/1.1\r\n\r\n", (Asked::OtherMethod, false)),
        ("GET /metrics HTTP/2\r\n\r\n", (Asked::Malformed, false)),
        ("GET  /metrics HTTP/1.1\r\n\r\n", (Asked::Malformed, false)),
        ("GET http://x/metrics HTTP/1.1\r\n\r\n", (Asked::Malformed, false)),
        ("\r\n\r\n", (Asked::Malformed, false)),
        ("", (Asked::Malformed, false)),
    ] {
        assert_eq!(parse(head.as_bytes()), asked, "{head:?}");
    }
}

#[test]
fn a_head_ends_at_its_first_empty_line() {
    assert_eq!(end_of_head(b"GET / HTTP/1.1\r\n\r\nmore\r\n\r\n"), Some(18));
    assert_eq!(end_of_head(b"a\n\nb\r\n\r\n"), Some(3));
    assert_eq!(end_of_head(b"a\r\nb\r\n"), None);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
        parse(&bytes);
        prop_assert!(end_of_head(&bytes).is_none_or(|end| end <= bytes.len()));
    }
}
