use std::time::Duration;

use super::left;

#[test]
fn what_is_left_follows_from_what_is_done() {
    assert_eq!(left(0, 100, Duration::from_secs(5)), "");
    assert_eq!(left(50, 100, Duration::from_secs(5)), ", 5 s left");
    assert_eq!(left(1, 100, Duration::from_secs(5)), ", 8 min left");
    assert_eq!(left(1, 10_000, Duration::from_secs(5)), ", 13 h left");
}
