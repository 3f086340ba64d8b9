//! The words of requests, which other programs may send.

use super::*;

#[test]
fn requests_are_spelt_like_this() {
    let spelt = [
        (Request::Status, r#"{"request":"status"}"#),
        (Request::ScrubStart { rate_bytes_per_s: 5 }, r#"{"request":"scrub-start","rate_bytes_per_s":5}"#),
        (Request::Mappings { from_slot: 1, limit: 2 }, r#"{"request":"mappings","from_slot":1,"limit":2}"#),
        (
            Request::Order { order: Order::Retry { attempts: 3 }, start_sector: 8, sectors: 16 },
            r#"{"request":"order","order":{"do":"retry","attempts":3},"start_sector":8,"sectors":16}"#,
        ),
        (
            Request::Order { order: Order::AcceptLoss, start_sector: 0, sectors: 1 },
            r#"{"request":"order","order":{"do":"accept-loss"},"start_sector":0,"sectors":1}"#,
        ),
    ];
    for (request, text) in spelt {
        assert_eq!(serde_json::to_string(&request).expect("plain data"), text);
        assert_eq!(serde_json::from_str::<Request>(text).expect("a request"), request);
    }
}

#[test]
fn what_is_misspelt_is_no_request() {
    for text in [
        r#"{"request":"Status"}"#,
        r#"{"request":"scrub-start"}"#,
        r#"{"request":"scrub-start","rate_bytes_per_s":-1}"#,
        r#"{"request":"scrub-start","rate_bytes_per_s":1,"other":2}"#,
        r#"{"request":"order","order":{"do":"remap"},"start_sector":18446744073709551616,"sectors":1}"#,
    ] {
        assert!(serde_json::from_str::<Request>(text).is_err(), "{text}");
    }
}
